"""Gate 14: enough people have approved what this request renders to."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from distributor.model.promotion import GateAnswer
from distributor.model.tags import Verb
from distributor.policy.facts import Approval, GateFacts, PolicyView
from distributor.policy.gates.answers import Speaker
from distributor.policy.roles import may

_SAY = Speaker(14, "approvals")


def evaluate(
    facts: GateFacts, view: PolicyView, params: Mapping[str, Any], _now: datetime
) -> GateAnswer:
    """Pending until ``required`` people have approved this very ``Rendered``; without params none are.

    Whoever asks, whoever wrote what is asked for, and whoever has lost the right since, do not count; nor
    does an approval of another result.
    """
    required: int = params.get("required", 0)
    if not required:
        return _SAY.passes("no approval is asked for")
    if not facts.rendered:
        return _SAY.lacks("the hash of what is rendered")
    counted: dict[str, None] = {}
    others: list[str] = []
    for approval in facts.approvals:
        why = _void(approval, facts, view)
        if why:
            others.append(f"{approval.by}'s does not count: {why}")
        else:
            counted[approval.by] = None
    evidence = {"required": str(required), "approved by": ", ".join(counted) or "nobody"}
    evidence["rendered"] = facts.rendered
    said = f"{len(counted)} of {required} approvals of {facts.rendered}"
    if len(counted) >= required:
        return _SAY.passes(said, evidence=evidence)
    return _SAY.waits("; ".join((said, *others)), evidence=evidence)


def _void(approval: Approval, facts: GateFacts, view: PolicyView) -> str:
    """Why an approval does not count; empty where it does."""
    if approval.rendered != facts.rendered:
        return f"it is of {approval.rendered}, and the result has changed since"
    if approval.by == facts.principal:
        return "nobody approves their own request"
    if approval.by.lower() in facts.authors:
        return "they wrote part of what is asked for"
    if not _may_approve(facts, view, approval.by):
        return f"{view} does not let them approve here any more"
    return ""


def _may_approve(facts: GateFacts, view: PolicyView, who: str) -> bool:
    return may(
        view.policies.roles,
        who,
        Verb.APPROVE.value,
        facts.name.environment,
        facts.app,
        request_class=facts.asked.trailers.request_class,
    )
