"""Gate 4: no veto on the version, no hold on the instance."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from distributor.errors.policy import Held, Vetoed
from distributor.model.findings import Finding
from distributor.model.ledger import HoldSet
from distributor.model.promotion import GateAnswer
from distributor.model.tags import Verb
from distributor.policy.facts import GateFacts, PolicyView
from distributor.policy.gates.answers import Speaker
from distributor.policy.roles import is_service

_SAY = Speaker(4, "veto")


def evaluate(
    facts: GateFacts, view: PolicyView, _params: Mapping[str, Any], _now: datetime
) -> GateAnswer:
    """Fails under a veto, and for promotions under a hold; a removal is stopped by neither."""
    if facts.verb is Verb.REMOVE:
        return _SAY.passes("nothing stops a removal")
    findings: list[Finding] = []
    if facts.veto is not None:
        veto = facts.veto
        why = f": {veto.reason}" if veto.reason else ""
        findings.append(Finding.of(Vetoed, f"({veto.app} {veto.version} by {veto.by}{why})"))
    if facts.verb is Verb.PROMOTE:
        # Whether the service asks for itself: no person stands behind such a request.
        automatic = is_service(view.policies.roles, facts.principal)
        findings += [_held(h) for h in facts.holds if _stops(h, facts, automatic=automatic)]
    return _SAY.fails(findings) if findings else _SAY.passes("neither vetoed nor held")


def _stops(hold: HoldSet, facts: GateFacts, *, automatic: bool) -> bool:
    """Whether a hold stops a promotion.

    One that a person set stops all; a rollback's stops the digest that was left, and what is automatic.
    """
    if not hold.digest or automatic:
        return True
    return facts.revision is None or facts.revision.digest == hold.digest


def _held(hold: HoldSet) -> Finding:
    left = " after a rollback" if hold.digest else ""
    why = f": {hold.reason}" if hold.reason else ""
    return Finding.of(Held, f"(set{left} by {hold.by}{why})")
