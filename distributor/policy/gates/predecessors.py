"""Gate 5: verified in the environments before, and parity with the one a standby stands by for.

For a rollback: the revision was verified in this environment.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from distributor.errors import Where
from distributor.errors.policy import NotVerified, NotVerifiedHere, StandbyDiffers
from distributor.model.findings import Finding
from distributor.model.fleet import Environment, PipelineStep, StandbyMode
from distributor.model.parity import excepted
from distributor.model.promotion import GateAnswer
from distributor.model.tags import Verb
from distributor.policy.facts import EnvironmentFact, GateFacts, PolicyView, Source
from distributor.policy.gates.answers import Speaker

_SAY = Speaker(5, "predecessors")
_NOT_APPLICABLE = "not-applicable"
_VERIFIED = "verified"
_GOOD = (_NOT_APPLICABLE, _VERIFIED)


class _MissingFact(LookupError):
    """Nothing was gathered about an environment that must be asked about."""


def evaluate(
    facts: GateFacts, view: PolicyView, params: Mapping[str, Any], _now: datetime
) -> GateAnswer:
    """Fails where a predecessor has not verified this package, or a standby would differ.

    A predecessor without a target hands the question on to its own predecessors, if its ``verify.accept``
    lists that; a step without any ends it.

    ``params``: ``require`` (``all`` or ``any``; the pipeline's own word where absent) and ``parity``
    (true where absent).
    """
    if facts.verb is Verb.ROLLBACK:
        return _rollback(facts)
    try:
        findings, evidence = _order(facts, view, params)
        if params.get("parity", True):
            findings += _parity(facts, view)
    except _MissingFact as missing:
        return _SAY.lacks(f"how the package stands in {missing}")
    if findings:
        return _SAY.fails(findings, evidence=evidence)
    order = "; ".join(f"{text} in {before}" for before, text in evidence.items() if text in _GOOD)
    return _SAY.passes(order or "no environment comes before", evidence=evidence)


def _rollback(facts: GateFacts) -> GateAnswer:
    if facts.verified_here is None:
        return _SAY.lacks("what was verified here")
    if facts.verified_here:
        return _SAY.passes("this revision was verified here")
    return _SAY.refuses(NotVerifiedHere, f"({facts.revision})")


def _order(
    facts: GateFacts, view: PolicyView, params: Mapping[str, Any]
) -> tuple[list[Finding], dict[str, str]]:
    here = facts.name.environment
    step = view.pipeline.step(here) if view.pipeline is not None else None
    if step is None and view.source is Source.ACCEPTED and here not in view.environments:
        return [], {here: f"unknown to {view}"}  # younger than that policy: main's alone orders it
    if view.pipeline is None:
        raise _MissingFact(f"the pipeline of {view}, which cannot be read")
    if step is None:
        return [Finding.of(NotVerified, f"{here} has no place in the pipeline.")], {}
    require_all = params.get("require", "all" if step.require_all else "any") == "all"
    missing, said = _before(facts, view, step, require_all=require_all)
    return [Finding.of(NotVerified, f"({b}: {said[b]})") for b in missing], said


def _before(
    facts: GateFacts,
    view: PolicyView,
    step: PipelineStep,
    *,
    require_all: bool,
    asked: tuple[str, ...] = (),
) -> tuple[tuple[str, ...], dict[str, str]]:
    """The environments that keep a package out of a step, and what each that was asked says.

    ``asked`` names the steps on the way here, so that a circle ends.
    """
    said: dict[str, str] = {}
    missing: dict[str, tuple[str, ...]] = {}
    for before in step.after:
        said[before] = _standing(facts, view, before)
        bad: tuple[str, ...] = () if said[before] in _GOOD else (before,)
        earlier = view.pipeline.step(before) if view.pipeline is not None else None
        if said[before] == _NOT_APPLICABLE and earlier is not None and before not in asked:
            bad, more = _before(
                facts, view, earlier, require_all=earlier.require_all, asked=(*asked, before)
            )
            said |= more
        if bad:
            missing[before] = bad
    if not require_all and len(missing) < len(step.after):
        return (), said
    return tuple(dict.fromkeys(name for names in missing.values() for name in names)), said


def _standing(facts: GateFacts, view: PolicyView, environment: str) -> str:
    """``verified``, or ``not-applicable`` where that is accepted, or what is missing."""
    fact = _fact(facts, environment)
    if not fact.targets and not fact.verified:
        rule = view.environments.get(environment)
        accepted = rule is not None and _NOT_APPLICABLE in rule.verify.accept
        return _NOT_APPLICABLE if accepted else "it has no target there, which is not accepted"
    if not fact.verified:
        return "not verified"
    return f"verified with other files of tier {', '.join(fact.tiers)}" if fact.tiers else _VERIFIED


def _parity(facts: GateFacts, view: PolicyView) -> list[Finding]:
    """What a standby and the environment it stands in for owe each other.

    ``after``: it takes only what is desired there. ``before``: what is promoted there was verified on it
    first. ``with``: both are decided in one commit; what is asked of the standby alone lets it catch up.
    In each mode their values are the same, but for those that the standby's ``parity.except`` lists.
    """
    here = facts.name.environment
    findings: list[Finding] = []
    own = view.environments.get(here)
    if own is not None and own.standby_for and own.standby_mode is not StandbyMode.BEFORE:
        fact = _fact(facts, own.standby_for)
        if fact.targets and not fact.desired:
            text = f"({own.standby_for} does not run this package, and {here} follows it)"
            findings.append(Finding.of(NotVerified, text))
    if own is not None and own.standby_for and (fact := _fact(facts, own.standby_for)).targets:
        findings += _values(fact, own)
    for other in view.environments.values():
        if other.standby_for != here or other.standby_mode is not StandbyMode.BEFORE:
            continue
        fact = _fact(facts, other.name)
        if fact.targets and not fact.verified:
            text = f"({other.name} stands by for {here} and takes a version before it)"
            findings.append(Finding.of(NotVerified, text))
        elif fact.targets:
            findings += _values(fact, other)
    return findings


def _values(fact: EnvironmentFact, standby: Environment) -> list[Finding]:
    """Each value that the two do not share, at the file that sets it in the environment asked."""
    return [
        Finding.of(StandbyDiffers, f"({each})", Where(file=each.file or each.other_file))
        for each in fact.differs
        if not excepted(each.path, standby.parity_except)
    ]


def _fact(facts: GateFacts, environment: str) -> EnvironmentFact:
    fact = facts.elsewhere.get(environment)
    if fact is None:
        raise _MissingFact(environment)
    return fact
