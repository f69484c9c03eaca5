"""Overriding: in an emergency a hotfix may lift gates, knowingly, and leaves a debt.

The tag names the gates in ``Promotion-Override``. It needs class hotfix, a reason, and the role
``override`` for that class; who is asked for it is asked before anything is rendered.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from distributor.errors.policy import OverrideRefused
from distributor.model.promotion import OVERRIDDEN, OVERRIDE, GateAnswer, GateResult
from distributor.model.tags import RequestClass
from distributor.policy.facts import GateFacts, PolicyView
from distributor.policy.gates.answers import Speaker
from distributor.policy.registry import GATES, NEVER_LIFTED
from distributor.policy.roles import may

RIGHT = "override"
"""What a role must say for it, beside ``promote``."""
_SAY = Speaker(0, "override")
_LIFTS = frozenset({GateResult.FAIL, GateResult.PENDING})
"""An error is no answer to be overruled: it is asked again until it is one."""


def authorised(facts: GateFacts) -> GateAnswer | None:
    """A refusal where the override may not be used; ``None`` where there is none, or it may."""
    trailers = facts.asked.trailers
    if not trailers.override:
        return None
    problem = _problem(facts)
    return _SAY.refuses(OverrideRefused, f"({problem})") if problem else None


def lifted(facts: GateFacts, answers: Iterable[GateAnswer]) -> tuple[GateAnswer, ...]:
    """The answers, those of named gates no longer in the way, and marked as such in their evidence."""
    named = facts.asked.trailers.override
    return tuple(_lift(answer) if answer.gate in named else answer for answer in answers)


def _lift(answer: GateAnswer) -> GateAnswer:
    if answer.result not in _LIFTS:
        return replace(answer, evidence={**answer.evidence, OVERRIDE: "not needed"})
    evidence = {**answer.evidence, OVERRIDE: OVERRIDDEN}
    text = f"overridden: {answer.message}"
    return replace(answer, result=GateResult.WARN, message=text, evidence=evidence, until=None)


def _problem(facts: GateFacts) -> str:
    trailers = facts.asked.trailers
    known = {gate.name: gate.number for gate in GATES}
    unknown = [name for name in trailers.override if name not in known]
    if unknown:
        return f"there is no gate {unknown[0]!r}; there are: {', '.join(known)}"
    never = [name for name in trailers.override if known[name] in NEVER_LIFTED]
    if never:
        return f"gate {known[never[0]]} {never[0]} is never lifted"
    if trailers.request_class is not RequestClass.HOTFIX:
        return "it needs Promotion-Class: hotfix"
    if not trailers.reason:
        return "it needs a Promotion-Reason"
    barred = [view for view in facts.policies if not _may(facts, view)]
    if barred:
        return f"{barred[0]} gives {facts.principal} no role with {RIGHT!r} for hotfixes here"
    return ""


def _may(facts: GateFacts, view: PolicyView) -> bool:
    return may(
        view.policies.roles,
        facts.principal,
        RIGHT,
        facts.name.environment,
        facts.app,
        request_class=facts.asked.trailers.request_class,
    )
