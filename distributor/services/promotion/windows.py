"""Windows: before a wave opens, the calendar is asked again, by main's policy and the accepted one."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime

from distributor.errors import DistributorError
from distributor.errors.policy import BadPolicy
from distributor.errors.rollout import StateBroken
from distributor.model.findings import Finding, errors
from distributor.model.fleet import Cluster
from distributor.model.ledger import InstanceState, LedgerState
from distributor.model.promotion import GateAnswer, GateResult, Verdict
from distributor.model.rollout import (
    RolloutPhase,
    RolloutState,
    Shut,
    TargetStage,
    TargetState,
    WavesShut,
)
from distributor.model.stored import StoredRollout
from distributor.model.tags import Request, TagName, TagObject, Trailers
from distributor.policy import GateFacts, PolicyView, before_wave
from distributor.rollout import decode, shut_out
from distributor.services.ledger.book import LedgerBook
from distributor.services.promotion.gathering import tiers_of
from distributor.services.promotion.policing import policy_views
from distributor.services.rollouts.maintenance import kept_away, named
from distributor.services.rollouts.rolling import owed
from distributor.services.state.desired import Desired
from distributor.services.state.looking import Snapshot
from distributor.services.world import World

_SHOWN = 3
"""Clusters that one line names."""
_KEPT_OUT = frozenset({GateResult.FAIL, GateResult.ERROR, GateResult.PENDING})


class WaveWindows:
    """Says which waves of a rollout must not open now. What cannot be read opens nothing."""

    def __init__(
        self, world: World, book: LedgerBook, snapshot: Callable[[], Snapshot | None]
    ) -> None:
        self._world = world
        self._book = book
        self._snapshot = snapshot

    def __call__(self, desired: Desired, state: RolloutState, now: datetime) -> WavesShut:
        """The waves that have not opened and must not, and the clusters outside their maintenance windows."""
        clusters = {**desired.clusters, **self._on_main(desired)}
        away = ((name, kept_away(desired.verdict, clusters[name], now)) for name in state.targets)
        closed = {name: shut for name, shut in away if shut is not None}
        shut = _nobody_there(state, closed) | dict(self._waves(desired, state, now))
        return WavesShut(shut=shut, closed=closed)

    def _on_main(self, desired: Desired) -> dict[str, Cluster]:
        """The targets as main has them now: a window that is mended counts for what is under way too."""
        snapshot = self._snapshot()
        if snapshot is None or snapshot.rewound is not None:
            return {}
        files = snapshot.catalog.environments.get(desired.verdict.environment)
        known = files.clusters if files is not None else {}
        return {name: known[name] for name in desired.clusters if name in known}

    def _waves(self, desired: Desired, state: RolloutState, now: datetime) -> Mapping[str, Shut]:
        left = state.waves[state.open_wave + 1 :]
        snapshot = self._snapshot()
        if not left or state.phase not in (RolloutPhase.RUNNING, RolloutPhase.PAUSED):
            return {}
        first = set_waits(self._book.state, desired)
        if first is not None:
            return dict.fromkeys(left, first)
        if snapshot is None:
            return dict.fromkeys(left, Shut(reason="main was not looked at yet"))
        try:
            views = policy_views(
                self._world, replace(snapshot, ledger=self._book.state), state.environment
            )
        except DistributorError as error:
            return dict.fromkeys(left, Shut(reason=str(error)))
        asked = {name: _asked(desired, state, name, views, now) for name in left}
        return {name: shut for name, shut in asked.items() if shut is not None}


def _nobody_there(state: RolloutState, closed: Mapping[str, Shut]) -> dict[str, Shut]:
    """The waves to come of which no cluster may be begun: they wait, else what they are to show is skipped."""
    found: dict[str, Shut] = {}
    for index, wave in list(enumerate(state.waves))[state.open_wave + 1 :]:
        names = [name for name, target in state.targets.items() if target.wave == index]
        if names and all(name in closed for name in names):
            first = min((closed[name] for name in names), key=_opens)
            text = f"{names[0]} is {first.reason}"
            more = f"all {len(names)} clusters are closed; " if len(names) > 1 else ""
            found[wave] = Shut(reason=more + text, until=first.until)
    return found


def _opens(shut: Shut) -> datetime:
    return shut.until or datetime.max.replace(tzinfo=UTC)


def set_waits(ledger: LedgerState, desired: Desired) -> Shut | None:
    """Why the rollout of one promotion of a set waits: for those apps of the set that its package needs."""
    verdict, package = desired.verdict, desired.subject.package
    needed = {requirement.app for requirement in package.fits.requires}
    if not needed:
        return None
    for (environment, instance), state in sorted(ledger.instances.items()):
        other = state.desired
        same = other is not None and (other.ref, other.tag) == (verdict.ref, verdict.tag)
        if other is None or not same or environment != verdict.environment:
            continue
        revision, progress = other.revision, state.progress.get(other.sequence)
        own = (environment, instance) == (verdict.environment, verdict.instance)
        verified = progress is not None and progress.verified_at is not None
        if not own and not verified and revision is not None and revision.app in needed:
            ended = f" ({progress.end})" if progress is not None and progress.end else ""
            return Shut(reason=f"{instance}{ended} of the same set has to be verified first")
    return None


def kept_shut(
    state: InstanceState, running: RolloutState | None, stored: StoredRollout | None
) -> str:
    """What the rollout of an instance waits for with its next wave, in this process or in another one."""
    if state.desired is None or not owed(state):
        return ""
    rollout = running
    if rollout is None and stored is not None and stored.sequence == state.desired.sequence:
        with contextlib.suppress(StateBroken):
            rollout = decode(stored.state)
    if rollout is None or rollout.sequence != state.desired.sequence:
        return ""
    owing = [t for n, t in sorted(rollout.targets.items()) if n in rollout.closed and _owes(t)]
    told = [rollout.reason] if shut_out(rollout) is not None else []
    told += [f"{t.cluster} is {rollout.closed[t.cluster].reason}" for t in owing[:_SHOWN]]
    return "; ".join(told) + (f" (and {len(owing) - _SHOWN} more)" if len(owing) > _SHOWN else "")


def _owes(target: TargetState) -> bool:
    return target.stage is TargetStage.OWED


def _asked(
    desired: Desired,
    state: RolloutState,
    wave: str,
    views: tuple[PolicyView, ...],
    now: datetime,
) -> Shut | None:
    index = state.waves.index(wave)
    names = [name for name, target in state.targets.items() if target.wave == index]
    facts = GateFacts(
        ref=desired.verdict.ref,
        request=request_of(desired.verdict, now),
        policies=views,
        app=desired.verdict.revision.app if desired.verdict.revision else "",
        tiers=tiers_of(desired.clusters[name] for name in names),
    )
    answer = before_wave(facts, now)
    if answer is None:
        return None
    unreadable = next((f for v in views for f in errors(v.policies.findings)), None)
    if unreadable is not None:
        finding = Finding.of(BadPolicy, f"({unreadable})")
        return Shut(reason=f"gate {answer.number} {answer.gate}: {finding.message}")
    return _shut(answer)


def _shut(answer: GateAnswer) -> Shut | None:
    if answer.result not in _KEPT_OUT:
        return None
    return Shut(reason=f"gate {answer.number} {answer.gate}: {answer.message}", until=answer.until)


def request_of(verdict: Verdict, now: datetime) -> Request:
    """The request of an accepted verdict, as far as windows look at it; its tag may be gone by now."""
    revision = verdict.revision
    name = TagName(
        verb=verdict.verb,
        environment=verdict.environment,
        instance=verdict.instance,
        version=revision.version if revision else "",
    )
    return Request(
        ref=verdict.ref,
        name=name,
        trailers=Trailers(request_class=verdict.request_class, override=named(verdict)),
        tag=TagObject(
            id=verdict.tag,
            name=verdict.ref,
            target=verdict.commit,
            target_type="commit",
            tagger=verdict.principal,
            tagged_at=now,
            message="",
            signed=b"",
            signature=b"",
        ),
    )
