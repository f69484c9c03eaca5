"""Gate 1: the form of the tag, and that its name, trailers and object belong together."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from distributor.errors.policy import (
    BadTagName,
    BadTrailers,
    NotAStandby,
    NothingAsked,
    OtherQuestions,
)
from distributor.model.consents import count
from distributor.model.findings import Finding
from distributor.model.fleet import ALL
from distributor.model.promotion import GateAnswer
from distributor.model.tags import CONSENTS, Request, RequestClass, Verb
from distributor.policy.facts import GateFacts, PolicyView, Source
from distributor.policy.gates.answers import Speaker

_SAY = Speaker(1, "binding")
_CHAINED = frozenset({Verb.PROMOTE, Verb.ROLLBACK, Verb.REMOVE})
_WITHOUT = frozenset({Verb.REMOVE, Verb.ACK}) | CONSENTS
"""What is still decided in an environment that is gone from main."""
_UNSEEN = timedelta(minutes=2)
"""A consent waits so long where no target was looked at since a service began with an empty store."""
_WITH_ALL = frozenset(
    {Verb.REJECT, Verb.UNREJECT, Verb.HOLD, Verb.UNHOLD, Verb.ACK, Verb.PAUSE, Verb.RESUME}
)


def evaluate(
    facts: GateFacts, view: PolicyView, _params: Mapping[str, Any], now: datetime
) -> GateAnswer:
    """Fails where parsing failed, the environment is unknown, or the trailers do not fit the verb."""
    request = facts.request
    if isinstance(request, Finding):
        return _SAY.fails((request,))
    findings = [*_environment(facts, request, view), *_trailers(request)]
    findings += (*_consents(facts, request), *_standby(request, view))
    if findings:
        return _SAY.fails(findings)
    if request.name.verb in CONSENTS:
        return _answers(facts, request, now)
    return _SAY.passes("name, trailers and object agree")


def _answers(facts: GateFacts, request: Request, now: datetime) -> GateAnswer:
    """A consent is to what is asked when it is seen first; while nobody can tell, it waits, and not for long."""
    asked, said = facts.questions, request.trailers.rendered
    if asked is None:
        until = (facts.first_observed or now) + _UNSEEN
        if now < until:
            return _SAY.waits("no target of the accepted revision was looked at yet", until=until)
        return _SAY.refuses(NothingAsked, "(no target of the accepted revision was looked at)")
    if not asked:
        return _SAY.refuses(NothingAsked)
    digest = facts.listed
    if said and said != digest:
        return _SAY.refuses(OtherQuestions, f"({digest} is asked, {said} was agreed to)")
    told = f"{count(asked)} on {len(asked)} clusters, such as {next(iter(asked.values()))[0]}"
    return _SAY.passes(f"it answers what is asked: {told}", evidence={"list": digest})


def _environment(facts: GateFacts, request: Request, view: PolicyView) -> list[Finding]:
    """Environments are a closed list: main's. An accepted policy may be older than the environment.

    What runs in one that main has lost can still be removed: the ledger knows it.
    """
    name = request.name
    if name.environment == ALL and name.verb in _WITH_ALL:
        return []
    if view.source is Source.ACCEPTED or name.environment in view.environments:
        return []
    if name.verb in _WITHOUT and facts.instance_exists:
        return []
    known = ", ".join(sorted(view.environments)) or "none"
    text = f"There is no environment {name.environment!r}; known: {known}."
    return [Finding.of(BadTagName, text)]


def _standby(request: Request, view: PolicyView) -> list[Finding]:
    """Only a standby takes over from another environment; that it is one is policy. Giving back needs nothing."""
    rule = view.environments.get(request.name.environment)
    if request.name.verb is not Verb.FAILOVER or rule is None or rule.standby_for:
        return []
    return [Finding.of(NotAStandby, f"({rule.name}, says {view})")]


def _consents(facts: GateFacts, request: Request) -> list[Finding]:
    """A consent is to the revision that its maker saw, and to no other that was accepted since."""
    if request.name.verb not in CONSENTS:
        return []
    revision, said = facts.revision, request.trailers
    if revision is None:
        text = f"Nothing was accepted for {request.name.instance!r} that one could {request.name.verb}."
        return [Finding.of(BadTagName, text)]
    if (said.digest, said.config) == (revision.digest, revision.config):
        return []
    return [
        Finding.of(BadTrailers, f"It names another revision than the accepted one, {revision}.")
    ]


def _trailers(request: Request) -> list[Finding]:
    verb, trailers = request.name.verb, request.trailers
    findings: list[Finding] = []
    if verb in _CHAINED and not request.name.set_id and not trailers.prev:
        findings.append(Finding.of(BadTrailers, f"{verb.value} needs Promotion-Prev."))
    if trailers.request_class is RequestClass.ROLLBACK and verb is not Verb.ROLLBACK:
        findings.append(Finding.of(BadTrailers, "Class rollback belongs to rollback tags."))
    if verb is Verb.ROLLBACK and trailers.request_class is RequestClass.HOTFIX:
        findings.append(Finding.of(BadTrailers, "A rollback is of class rollback."))
    return findings
