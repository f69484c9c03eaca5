"""Gate 3: the commit is main's, the version exists, digests agree, the request is not stale."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from distributor.errors.policy import (
    ApprovalMisdirected,
    BadTrailers,
    DigestMismatch,
    NoRollout,
    NoSuchInstance,
    NotOnMain,
    NotRetirable,
    NotSwitchable,
    StaleRequest,
    VersionMissing,
)
from distributor.model.findings import Finding
from distributor.model.fleet import ALL
from distributor.model.promotion import GateAnswer, Revision
from distributor.model.tags import ACTIVATIONS, Trailers, Verb
from distributor.policy.facts import GateFacts, PolicyView
from distributor.policy.gates.answers import Speaker
from distributor.policy.immutable import changed

_SAY = Speaker(3, "provenance")


def evaluate(
    facts: GateFacts, _view: PolicyView, _params: Mapping[str, Any], _now: datetime
) -> GateAnswer:
    """Fails where the tagged commit does not hold what the tag says, or another request came first.

    An approval's object is a request: it has to be the one that the approval's name says.
    """
    if (about := _ABOUT.get(facts.verb)) is not None:
        return about(facts)
    if facts.reachable is False and facts.instance_exists is None:
        return _SAY.refuses(NotOnMain, f"({facts.asked.tag.target})")  # nothing more was looked at
    if facts.reachable is None or facts.instance_exists is None or not facts.prev:
        return _SAY.lacks("reachability, the instance, or the request accepted before")
    findings: list[Finding] = []
    if not facts.reachable:
        findings.append(Finding.of(NotOnMain, f"({facts.asked.tag.target})"))
    if not facts.instance_exists:
        name = facts.name
        findings.append(Finding.of(NoSuchInstance, f"({name.instance} in {name.environment})"))
    findings += (*_content(facts), *facts.content)
    if facts.asked.trailers.prev != facts.prev:
        text = f"It names {facts.asked.trailers.prev}, the last one is {facts.prev}."
        findings.append(Finding.of(StaleRequest, text))
    if findings:
        return _SAY.fails(findings)
    return _SAY.passes("on main, digests agree", evidence=_evidence(facts))


_NEEDS = {
    Verb.PAUSE: "running",
    Verb.RESUME: "running",
    Verb.ABORT: "running",
    Verb.RETRY: "failed",
}
"""What a rollout has to be for each switch."""
_FOR_ALL = frozenset({Verb.PAUSE, Verb.RESUME})
"""The switches that may reach all instances: they end nothing."""


def _rollout(facts: GateFacts) -> GateAnswer:
    verb, name = facts.verb, facts.name
    if ALL in (name.environment, name.instance):
        if verb in _FOR_ALL:
            return _SAY.passes("it reaches whatever is rolled out there now")
        return _SAY.refuses(NoRollout, f"({verb.value} is for one instance, not for all)")
    if facts.rollout is None:
        return _SAY.lacks("the state of the rollout")
    if facts.rollout != _NEEDS[verb]:
        stands = f"its last one is {facts.rollout}" if facts.rollout else "there was none"
        text = f"({name.instance} in {name.environment} has none that is {_NEEDS[verb]}; {stands})"
        return _SAY.refuses(NoRollout, text)
    return _SAY.passes(f"its rollout is {facts.rollout}")


def _activation(facts: GateFacts) -> GateAnswer:
    """A standby takes over what it runs already; what its maker saw may be named, and then has to be that."""
    name, revision = facts.name, facts.revision
    if ALL in (name.environment, name.instance):
        return _SAY.refuses(NotSwitchable, f"({facts.verb.value} is for one instance, not for all)")
    if facts.reachable is False:
        return _SAY.refuses(NotOnMain, f"({facts.asked.tag.target})")
    if facts.reachable is None or facts.instance_exists is None or facts.stands_in is None:
        return _SAY.lacks("reachability, the instance, or what it stands in for")
    if not facts.instance_exists or revision is None:
        return _SAY.refuses(NoSuchInstance, f"({name.instance} does not run in {name.environment})")
    if facts.verb is Verb.FAILOVER and facts.stands_in:
        text = f"({name.instance} in {name.environment} stands in for {facts.stands_in} already)"
        return _SAY.refuses(NotSwitchable, text)
    if facts.verb is Verb.FAILBACK and not facts.stands_in:
        text = f"({name.instance} in {name.environment} stands in for no other environment)"
        return _SAY.refuses(NotSwitchable, text)
    if findings := _named(facts.asked.trailers, revision):
        return _SAY.fails(findings)
    return _SAY.passes(f"it runs {revision}", evidence={"commit": facts.asked.tag.target})


def _retirement(facts: GateFacts) -> GateAnswer:
    """A cluster goes once main has let go of it, and while nothing is carried out there."""
    found, name = facts.retirement, facts.name
    if found is None:
        return _SAY.lacks("how the cluster stands")
    if found.declared:
        text = f"Main still has environments/{name.environment}/clusters/{name.instance}.yaml."
        return _SAY.refuses(NotRetirable, text)
    if not found.instances:
        return _SAY.refuses(NotRetirable, f"Nothing runs on {name.instance} in {name.environment}.")
    if found.rolling:
        return _SAY.waits(f"until the rollouts of {', '.join(found.rolling)} have ended")
    evidence = {"instances": ", ".join(found.instances)}
    return _SAY.passes(f"{len(found.instances)} instances leave it", evidence=evidence)


def _approval(facts: GateFacts) -> GateAnswer:
    found, name = facts.approves, facts.name
    if found is None:
        text = "What it points at is no request that stands on the remote under that name."
        return _SAY.refuses(ApprovalMisdirected, text)
    if isinstance(found, Finding):
        return _SAY.fails((found,))
    asked = replace(name, verb=Verb.PROMOTE, principal="", principal_attempt=1)
    if found.name != asked:
        text = f"It points at {found.ref.removeprefix('refs/tags/')}."
        return _SAY.refuses(ApprovalMisdirected, text)
    if found.trailers.request_class is not facts.asked.trailers.request_class:
        text = f"The request is of class {found.trailers.request_class}."
        return _SAY.refuses(BadTrailers, text)
    return _SAY.passes("it is of the request that it names", evidence={"request": found.tag.id})


def _content(facts: GateFacts) -> list[Finding]:
    if facts.verb is Verb.REMOVE:
        return []
    revision = facts.revision
    if revision is None:
        name = facts.name
        return [Finding.of(VersionMissing, f"({facts.app or name.instance} {name.version})")]
    findings = _agree(facts.asked.trailers, revision, facts.name.version)
    findings += changed(revision.app, revision.version, revision.digest, facts.released)
    if facts.verb is Verb.PROMOTE and not facts.asked.trailers.digest:
        findings.append(Finding.of(BadTrailers, "promote needs Promotion-Digest."))
    return findings


def _agree(trailers: Trailers, revision: Revision, version: str) -> list[Finding]:
    findings: list[Finding] = []
    if trailers.app and trailers.app != revision.app:
        text = f"The instance is of {revision.app}, the tag says {trailers.app}."
        findings.append(Finding.of(BadTrailers, text))
    if version != revision.version:
        findings.append(Finding.of(VersionMissing, f"({revision.app} {version})"))
    return findings + _named(trailers, revision)


def _named(trailers: Trailers, revision: Revision) -> list[Finding]:
    """The digests that a tag names and that are not the revision's."""
    each = (
        ("package", trailers.digest, revision.digest),
        ("Config", trailers.config, revision.config),
    )
    return [
        Finding.of(DigestMismatch, f"The {what} digest is {has}, the tag says {says}.")
        for what, says, has in each
        if says and says != has
    ]


def _evidence(facts: GateFacts) -> dict[str, str]:
    evidence = {"commit": facts.asked.tag.target, "prev": facts.prev}
    if facts.revision is not None:
        evidence["digest"] = facts.revision.digest
        evidence["config"] = facts.revision.config
    return evidence


_ABOUT: Mapping[Verb, Callable[[GateFacts], GateAnswer]] = {
    Verb.APPROVE: _approval,
    Verb.RETIRE: _retirement,
    **dict.fromkeys(_NEEDS, _rollout),
    **dict.fromkeys(ACTIVATIONS, _activation),
}
"""What is asked of the verbs that bring no revision of their own."""
