"""Rules of packages: expressions over a live object, in order; the first that holds decides."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from distributor.errors.cluster import ExpressionFailed
from distributor.health.fields import Told
from distributor.model.health import HealthRule, HealthStatus
from distributor.model.refs import GroupKind

Holds = Callable[[str, Mapping[str, Any]], bool]
"""Whether an expression holds for an object; raises ``ExpressionFailed`` where that cannot be told."""


def nobody(_expression: str, _obj: Mapping[str, Any]) -> bool:
    """Where nothing evaluates expressions, none can be told."""
    raise ExpressionFailed("(nothing here evaluates expressions)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rulebook:
    """The rules of a package by kind, and who evaluates them."""

    rules: Mapping[GroupKind, tuple[HealthRule, ...]] = field(default_factory=dict)
    holds: Holds = nobody

    def told(self, obj: Mapping[str, Any], kind: GroupKind) -> Told | None:
        """What the rules of a kind say; ``None`` where they leave it to what is known of the kind.

        An expression that fails does not hold: a field may not be there yet. Where no rule holds, an
        object is in progress if a rule could call it current, and else judged as without rules.
        """
        rules = self.rules.get(kind, ())
        failures: list[str] = []
        for rule in rules:
            try:
                if self.holds(rule.when, obj):
                    return Told(rule.status, rule.message or f"By the package's rule: {rule.when}")
            except ExpressionFailed as error:
                failures.append(error.detail)
        if not _decides(rules):
            return None
        why = f" {failures[0]}" if failures else ""
        return Told(HealthStatus.IN_PROGRESS, f"No health rule of the package holds yet.{why}")


def _decides(rules: Sequence[HealthRule]) -> bool:
    return any(rule.status is HealthStatus.CURRENT for rule in rules)


NO_RULES = Rulebook()
