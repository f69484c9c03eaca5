"""Budgets: how many targets may be worked on, be unavailable, or fail."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from distributor.model.fleet import RolloutStrategy
from distributor.model.rollout import RolloutState, TargetStage, TargetState

_SHARE = 10  # percent that may be unavailable where the strategy does not say


def max_unavailable(text: str, total: int) -> int:
    """How many of ``total`` targets may be unavailable at once; never less than one.

    A share is rounded down. A budget of nothing would be a rollout that never moves, so a share that
    comes to nothing, ``0`` and what is no budget at all count as one.
    """
    share = text.endswith("%")
    digits = text.removesuffix("%") if text else str(_SHARE)
    count = int(digits) if digits.isdecimal() else 0
    return max(1, total * min(count, 100) // 100 if share or not text else count)


def deadline(target: TargetState, strategy: RolloutStrategy) -> datetime | None:
    """When a running target has had its time; ``None`` for any other.

    One that is Current is given the time to stay so for ``min_ready``, and to be seen again.
    """
    if target.stage is not TargetStage.RUNNING or target.since is None:
        return None
    end = target.since + timedelta(seconds=strategy.deadline)
    if target.current_since is None:
        return end
    held = target.current_since + timedelta(seconds=strategy.min_ready + strategy.deadline)
    return max(end, held)


@dataclass(slots=True, kw_only=True)
class Tally:
    """One look over all targets of a rollout."""

    running: list[TargetState] = field(default_factory=list)
    failed: list[TargetState] = field(default_factory=list)
    waiting: list[TargetState] = field(default_factory=list)  # those of waves that opened
    ready: int = 0

    @classmethod
    def of(cls, state: RolloutState) -> Tally:
        """Count; linear in the number of targets, so kept as plain as a loop can be."""
        tally, opened = cls(), state.open_wave
        for target in state.targets.values():
            stage = target.stage
            if stage is TargetStage.READY:
                tally.ready += 1
            elif stage is TargetStage.WAITING:
                if target.wave <= opened:
                    tally.waiting.append(target)
            elif stage is TargetStage.FAILED:
                tally.failed.append(target)
            elif stage is TargetStage.RUNNING:
                tally.running.append(target)
        return tally

    @property
    def unsettled(self) -> bool:
        """Whether a target of a wave that opened is neither ready nor owed."""
        return bool(self.waiting or self.failed or self.running)

    def expires(self, strategy: RolloutStrategy) -> datetime | None:
        """The first deadline of all."""
        ends = (deadline(target, strategy) for target in self.running)
        return min((end for end in ends if end is not None), default=None)

    def room(self, state: RolloutState) -> int:
        """How many more targets may be started; never negative."""
        strategy = state.strategy
        unavailable = max_unavailable(strategy.max_unavailable, len(state.targets))
        running = len(self.running)
        concurrent = max(1, strategy.max_concurrent) - running
        return max(0, min(concurrent, unavailable - running - len(self.failed)))
