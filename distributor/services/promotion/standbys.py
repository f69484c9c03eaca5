"""Standbys: the environments that take what another one takes, in the same commit of the ledger.

A standby with ``mode: with`` takes each promotion of the environment that it stands by for, or neither does.
Every standby goes back with it, as far as it can: one that cannot is told, and keeps no rollback out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime

from distributor.errors.policy import StandbyBehind, StandbyWithholds
from distributor.ledger import prev_of
from distributor.model.findings import Finding, Severity
from distributor.model.fleet import StandbyMode
from distributor.model.promotion import KEEPS_OUT, GateAnswer, GateResult, Verdict
from distributor.model.refs import Digest
from distributor.model.tags import Request, Verb
from distributor.placement.instances import installations
from distributor.policy import authorise, judge, sets
from distributor.policy.gates.answers import Speaker
from distributor.services.promotion.case import Case
from distributor.services.promotion.policing import policy_views
from distributor.services.state.looking import Snapshot
from distributor.services.world import World

_SAY = Speaker(0, "standby")
_TOGETHER = (Verb.PROMOTE, Verb.ROLLBACK)


def followers(world: World, snapshot: Snapshot, case: Case) -> Iterator[Request]:
    """What a request asks of each standby, as if it had been asked there by the same tag.

    A standby is one where main's policy and its accepted one both say so. One where the instance was
    removed, or never was and is not declared, has nothing to follow with.
    """
    request, subject = case.facts.request, case.subject
    if isinstance(request, Finding) or subject is None or request.name.verb not in _TOGETHER:
        return
    instance, app = request.name.instance, subject.package.app
    for name in _standbys(world, snapshot, request):
        before = snapshot.ledger.instance(name, instance).desired
        if request.name.verb is Verb.ROLLBACK:
            follows = _goes_back(before, case)
        else:
            declared = installations(subject.catalog, name).get(instance)
            removed = before is not None and before.verb is Verb.REMOVE
            follows = declared is not None and declared.app == app and not removed
        if follows:
            trailers = replace(
                request.trailers,
                environment=name,
                digest=subject.package.digest,
                config=Digest(""),
                prev=prev_of(snapshot.ledger, name, instance),
            )
            yield replace(request, name=replace(request.name, environment=name), trailers=trailers)


def beside(case: Case, each: Iterable[Case]) -> Case:
    """A request with the cases of its standbys; one that has this very revision already is left alone."""
    here = case.facts.name.environment
    found: list[Case] = []
    for follower in each:
        before, facts = follower.verdict_before, follower.facts
        running = before.revision if before is not None else None
        if facts.revision is not None and facts.revision.same(running):
            continue
        there = facts.elsewhere.get(here)
        if there is not None:  # it runs there by the commit that would bring it here
            facts = replace(
                facts, elsewhere={**facts.elsewhere, here: replace(there, desired=True)}
            )
        found.append(replace(follower, facts=facts))
    return replace(case, followers=tuple(found))


def bound_together(case: Case) -> Case:
    """A promotion and its standbys with one hash, that of all that they render: who approves, approves both."""
    if not case.followers or case.facts.verb is not Verb.PROMOTE:
        return case
    everyone = (case, *case.followers)
    whole = sets.rendered({c.facts.name.environment: c.facts.rendered for c in everyone})
    each = tuple(replace(f, facts=replace(f.facts, rendered=whole)) for f in case.followers)
    return replace(case, followers=each, facts=replace(case.facts, rendered=whole))


def told(case: Case, answers: tuple[GateAnswer, ...], *, all_asked: bool) -> Case:
    """The case with its answers, and what its standbys answered; those that stay behind are left out."""
    if not case.followers:
        return replace(case, answers=answers)
    kept = [f for f in case.followers if _against(f)]
    more: list[GateAnswer] = []
    if kept and case.facts.verb is Verb.ROLLBACK:
        found = [
            Finding.of(StandbyBehind, f"({_where(f)}: {_reasons(f)})", severity=Severity.WARNING)
            for f in kept
        ]
        more.append(_SAY.passes("; ".join(f.message for f in found), warnings=found))
    elif kept:
        more.append(_withholds(kept))
    left = kept if case.facts.verb is Verb.ROLLBACK else []
    stay = tuple(f for f in case.followers if f not in left)
    if all_asked and stay and not more:
        more.append(_SAY.passes(f"{', '.join(map(_where, stay))}: takes it in the same commit"))
    return replace(case, answers=(*answers, *more), followers=stay)


def foreseen(case: Case, now: datetime) -> tuple[GateAnswer, ...]:
    """What the standbys of a rendered request would answer, whatever else is against it."""
    each = []
    for follower in case.followers:
        first = authorise(follower.facts, now)
        asked = {answer.number for answer in first}
        later = (a for a in judge(follower.facts, now) if a.number not in asked)
        each.append(replace(follower, answers=(*first, *later)))
    return told(replace(case, followers=tuple(each)), (), all_asked=True).answers


def _standbys(world: World, snapshot: Snapshot, request: Request) -> Iterator[str]:
    here = request.name.environment
    for name, files in snapshot.catalog.environments.items():
        if files.environment.standby_for != here:
            continue
        views = policy_views(world, snapshot, name)
        rules = [view.environments[name] for view in views if name in view.environments]
        same = all(rule.standby_for == here for rule in rules)
        modes = {rule.standby_mode for rule in rules}
        if rules and same and (request.name.verb is Verb.ROLLBACK or modes == {StandbyMode.WITH}):
            yield name


def _goes_back(before: Verdict | None, case: Case) -> bool:
    """Whether a standby runs another package of the app than the one that a rollback goes back to."""
    to, running = case.facts.revision, before.revision if before is not None else None
    if before is None or before.verb is Verb.REMOVE or running is None or to is None:
        return False
    return running.app == to.app and running.digest != to.digest


def _withholds(kept: list[Case]) -> GateAnswer:
    findings = [Finding.of(StandbyWithholds, f"({_where(f)}: {_reasons(f)})") for f in kept]
    against = [a for f in kept for a in _against(f)]
    if any(a.result is GateResult.FAIL for a in against):
        return _SAY.fails(findings)
    untils = [a.until for a in against]
    known = [until for until in untils if until is not None]
    until = max(known) if known and len(known) == len(untils) else None
    return _SAY.waits(findings=findings, until=until)


def _against(case: Case) -> list[GateAnswer]:
    return [answer for answer in case.answers if answer.result in KEEPS_OUT]


def _reasons(case: Case) -> str:
    return "; ".join(f"gate {a.number} {a.gate}: {a.message}" for a in _against(case))


def _where(case: Case) -> str:
    return case.facts.name.environment
