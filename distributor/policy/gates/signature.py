"""Gate 2: who signed the tag, and whether that principal may ask for this here."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from distributor.errors.policy import NotAllowed, OpenPgpUnavailable, Unsigned
from distributor.model.findings import Finding
from distributor.model.fleet import ALL
from distributor.model.promotion import GateAnswer
from distributor.model.tags import RequestClass, Verb
from distributor.policy.facts import GateFacts, PolicyView
from distributor.policy.gates.answers import Speaker
from distributor.policy.openpgp import is_openpgp, owner
from distributor.policy.roles import ANONYMOUS, may, may_everywhere
from distributor.policy.signatures import address, verify

PRINCIPAL = "principal"
"""The member of the evidence that names who asks."""
_SAY = Speaker(2, "signature")
_SIGNED = frozenset({Verb.APPROVE, Verb.UNREJECT})
"""Only a signed unreject lifts a veto; and an approval is nothing but a person's word."""
_UNTOLD = frozenset({OpenPgpUnavailable.code})
"""What is no verdict on a signature: it is asked again."""
_ABOUT_APP = frozenset({Verb.REJECT, Verb.UNREJECT})


def evaluate(
    facts: GateFacts, view: PolicyView, _params: Mapping[str, Any], now: datetime
) -> GateAnswer:
    """Fails without a good signature where one is asked for, or without the right to this verb."""
    who = _who(facts, view, facts.first_observed or now)
    if isinstance(who, Finding):
        return _SAY.errors((who,)) if who.code in _UNTOLD else _SAY.fails((who,))
    evidence = {PRINCIPAL: who}
    if facts.verb is Verb.APPROVE and who != facts.name.principal:
        text = f"(the tag's name says {facts.name.principal}, {who} signed it)"
        return _SAY.fails((Finding.of(NotAllowed, text),), evidence=evidence)
    if _allowed(facts, view, who):
        return _SAY.passes(f"{who} may {facts.verb.value}", evidence=evidence)
    name = facts.name
    what = f"{who} may not {name.verb.value} {name.instance or '@' + name.set_id}"
    text = f"({what} in {name.environment})"
    return _SAY.fails((Finding.of(NotAllowed, text),), evidence=evidence)


def _who(facts: GateFacts, view: PolicyView, at: datetime) -> str | Finding:
    tag = facts.asked.tag
    if not tag.signature:
        return Finding.of(Unsigned) if _must_sign(facts, view) else ANONYMOUS
    if not is_openpgp(tag.signature):
        return verify(tag, view.policies.signers, view.policies.revoked, at=at)
    seal = facts.seals.get(view.commit)
    if seal is None:
        return Finding.of(OpenPgpUnavailable, "(nobody looked at it)")
    if isinstance(seal, Finding):
        return seal
    return owner(seal, view.policies, at=at, claimed=address(tag.tagger))


def _must_sign(facts: GateFacts, view: PolicyView) -> bool:
    """Whether this policy asks for a signature; one that does not know the environment does."""
    if facts.verb in _SIGNED:
        return True
    if facts.name.environment == ALL:
        known = view.environments.values()
        return not known or any(environment.signatures_required for environment in known)
    environment = view.environments.get(facts.name.environment)
    return environment is None or environment.signatures_required


def _allowed(facts: GateFacts, view: PolicyView, who: str) -> bool:
    name, roles = facts.name, view.policies.roles
    app = name.instance if name.verb in _ABOUT_APP else facts.app
    kind = facts.asked.trailers.request_class
    if name.verb is Verb.ROLLBACK:
        kind = RequestClass.ROLLBACK
    if name.instance == ALL:
        app = ""
    if name.environment == ALL:
        return may_everywhere(
            roles, who, name.verb.value, view.environments, app, request_class=kind
        )
    return may(roles, who, name.verb.value, name.environment, app, request_class=kind)
