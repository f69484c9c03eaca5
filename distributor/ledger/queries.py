"""Pure questions about the state of a ledger. Times come in as ``now``; nothing is remembered."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from distributor.model.fleet import ALL
from distributor.model.ledger import (
    Claimed,
    Consented,
    HoldSet,
    InstanceState,
    LedgerState,
    Progress,
    Soak,
    Step,
    Thrown,
    VetoSet,
)
from distributor.model.promotion import Revision, Verdict, VerdictOutcome
from distributor.model.refs import Digest, ObjectId
from distributor.model.tags import Verb

BRANCH = "refs/heads/"
"""How an alarm about a branch begins; one about a tag has the tag's short name."""
NONE = "none"
"""What a request's Prev says where nothing was accepted before it."""


def _verified(state: InstanceState) -> Iterator[tuple[Verdict, Progress]]:
    """The accepted verdicts of an instance whose revision was verified, oldest first."""
    for verdict in state.accepted:
        if verdict.verb is Verb.REMOVE:
            continue  # it may name the revision that it took away
        progress = state.progress.get(verdict.sequence)
        if verdict.revision is not None and progress is not None and progress.verified_at:
            yield verdict, progress


def _of_app(
    state: LedgerState, environment: str, app: str, digest: Digest
) -> Iterator[tuple[Verdict, Progress]]:
    """Where that package was verified in any instance of the app in an environment."""
    for (where, _), instance in state.instances.items():
        if where != environment:
            continue
        for verdict, progress in _verified(instance):
            revision = verdict.revision
            if revision is not None and (revision.app, revision.digest) == (app, digest):
                yield verdict, progress


def running_verified(state: LedgerState, environment: str, app: str) -> tuple[Verdict, ...]:
    """What instances of an app are to run there now, where that is verified; oldest accepted first."""
    found = [
        verdict
        for (where, _), instance in state.instances.items()
        if where == environment
        for verdict, _ in _verified(instance)
        if verdict == instance.desired and verdict.revision and verdict.revision.app == app
    ]
    return tuple(sorted(found, key=lambda verdict: verdict.sequence))


def verified_in(
    state: LedgerState, environment: str, app: str, digest: Digest
) -> tuple[Verdict, ...]:
    """The verdicts by which that package was verified there, in any instance of the app, newest first.

    Each names the commit whose tier trees were verified with it.
    """
    found = (verdict for verdict, _ in _of_app(state, environment, app, digest))
    return tuple(sorted(found, key=lambda verdict: -verdict.sequence))


def released(state: LedgerState) -> dict[tuple[str, str], Verdict]:
    """By app and version, the verdict by which it first came anywhere: from then on it is what it was."""
    found: dict[tuple[str, str], Verdict] = {}
    for instance in state.instances.values():
        for verdict in instance.accepted:
            if verdict.revision is not None:
                key = (verdict.revision.app, verdict.revision.version)
                if key not in found or verdict.sequence < found[key].sequence:
                    found[key] = verdict
    return found


def verified_here(
    state: LedgerState, environment: str, instance: str, revision: Revision
) -> Verdict | None:
    """The newest verdict of this instance by which exactly this revision was verified."""
    found = _verified(state.instance(environment, instance))
    same = [verdict for verdict, _ in found if revision.same(verdict.revision)]
    return same[-1] if same else None


def newest_verified(
    state: LedgerState, environment: str, instance: str, version: str
) -> Verdict | None:
    """The newest verified verdict of that version here: a rollback without Config means its Config."""
    found = [v for v, _ in _verified(state.instance(environment, instance))]
    return next(
        (v for v in reversed(found) if v.revision is not None and v.revision.version == version),
        None,
    )


def rollback_candidates(state: LedgerState, environment: str, instance: str) -> tuple[Verdict, ...]:
    """The revisions that were verified here, newest first, each once, without the desired one."""
    here = state.instance(environment, instance)
    desired = here.desired
    seen: list[Revision] = [desired.revision] if desired and desired.revision else []
    if desired is not None and desired.verb is Verb.REMOVE:
        seen.clear()
    found: list[Verdict] = []
    for verdict, _ in reversed(list(_verified(here))):
        revision = verdict.revision
        if revision is not None and not any(revision.same(other) for other in seen):
            seen.append(revision)
            found.append(verdict)
    return tuple(found)


def soaked(
    state: LedgerState, environment: str, app: str, digest: Digest, now: datetime
) -> timedelta:
    """The longest residence of that package there since it was verified, less the time it was degraded."""
    return soak(state, environment, app, digest).at(now)


def soak(state: LedgerState, environment: str, app: str, digest: Digest) -> Soak:
    """How long that package has been there, in any instance of the app: from the records alone."""
    total = Soak()
    for _, progress in _of_app(state, environment, app, digest):
        start = progress.verified_at
        if start is None:
            continue
        bad = _degraded(progress, start)
        end = progress.ended_at
        if end is None and progress.degraded and progress.degraded[-1][1] is None:
            end = max(progress.degraded[-1][0], start)
            total = replace(total, degraded=True)
        if end is None:
            since = start + bad
            since = min(since, total.since) if total.since is not None else since
            total = replace(total, since=since)
        else:
            total = replace(total, longest=max(total.longest, end - start - bad))
    return total


def _degraded(progress: Progress, start: datetime) -> timedelta:
    """The time after ``start`` in which it was degraded and recovered again; its end closes what is open."""
    last = progress.ended_at
    spans = (
        (max(since, start), min(until, last) if last is not None else until)
        for since, until in progress.degraded
        if until is not None
    )
    return sum((until - since for since, until in spans if until > since), timedelta())


def approvals(
    state: LedgerState, environment: str, instance: str, request: ObjectId
) -> tuple[Verdict, ...]:
    """The accepted approvals of one request, by its tag object; in the order of their names."""
    verdicts = state.instance(environment, instance).last_verdicts
    return tuple(
        verdict
        for _, verdict in sorted(verdicts.items())
        if verdict.verb is Verb.APPROVE and verdict.accepted and verdict.commit == request
    )


def standing_veto(state: LedgerState, environment: str, app: str, version: str) -> VetoSet | None:
    """The veto on that version of an app, of the environment or of all; ``None`` where there is none."""
    for where in (environment, ALL):
        for veto in state.instance(where, app).vetoes:
            if (veto.app, veto.version) == (app, version):
                return veto
    return None


def _scopes(state: LedgerState, environment: str, instance: str) -> Iterable[InstanceState]:
    """The files whose switches reach an instance: its own, and those of ``all``."""
    keys = dict.fromkeys((e, i) for e in (environment, ALL) for i in (instance, ALL))
    return [state.instances[key] for key in keys if key in state.instances]


def standing_holds(state: LedgerState, environment: str, instance: str) -> tuple[HoldSet, ...]:
    """Every hold that stands on an instance, its own first."""
    return tuple(hold for scope in _scopes(state, environment, instance) for hold in scope.holds)


def rollout_stands(state: InstanceState) -> str:
    """Whether the last accepted revision is ``running``, ``failed`` or ``ended``; empty where there is none."""
    desired = state.desired
    if desired is None:
        return ""
    progress = state.progress.get(desired.sequence)
    if progress is not None and progress.end is Step.FAILED:
        return "failed"
    over = progress is not None and (progress.end is not None or progress.verified_at is not None)
    return "ended" if over else "running"


def failed_by_itself(state: LedgerState, environment: str, instance: str) -> bool:
    """Whether the desired revision is a promotion that failed, on at least one target for its own fault.

    Not where a person aborted it, and not where clusters only did not take it.
    """
    here = state.instance(environment, instance)
    progress = here.progress.get(here.desired.sequence) if here.desired else None
    if here.desired is None or here.desired.verb is not Verb.PROMOTE or progress is None:
        return False
    aborted = any(thrown.verb is Verb.ABORT for thrown in switches(state, environment, instance))
    return progress.end is Step.FAILED and "failed" in progress.targets.values() and not aborted


def switches(state: LedgerState, environment: str, instance: str) -> tuple[Thrown, ...]:
    """The switches thrown since the last accepted revision of an instance, oldest first.

    Those of all instances, or of all environments, are among them.
    """
    here = state.instance(environment, instance)
    since = here.accepted_at.get(here.desired.sequence) if here.desired else None
    if since is None:
        return ()
    found = (t for scope in _scopes(state, environment, instance) for t in scope.switches)
    return tuple(sorted((t for t in found if t.at >= since), key=lambda t: (t.at, t.ref)))


def stopped(state: LedgerState, environment: str, instance: str) -> str:
    """Why decisions for an instance have stopped until an ``ack``; empty where they have not.

    An accepted tag, or a main, that was moved stops them. One that is gone is only an alarm, and so is one
    that was never accepted: whoever may push tags at all could otherwise stop everybody.
    """
    for scope in _scopes(state, environment, instance):
        for alarm in scope.tampered:
            accepted = scope.outcomes.get(alarm.recorded) is VerdictOutcome.ACCEPTED
            if alarm.found and (accepted or alarm.ref.startswith(BRANCH)):
                known = f"the ledger knows it as {alarm.recorded}"
                return f"{alarm.ref} points to {alarm.found}; {known}"
        for each in scope.parted:
            there = (
                f"the shared ledger has {each.found}" if each.found else "the shared ledger moved"
            )
            return f"{each.ref} was recorded while the repository could not be reached, and {there}"
    return ""


def refused_ack(state: LedgerState, environment: str, instance: str) -> str:
    """Why the newest ``ack`` of what has stopped an instance was refused; empty where none was."""
    refused: list[tuple[datetime, Verdict]] = []
    for scope in _scopes(state, environment, instance):
        since = min((alarm.at for alarm in scope.tampered), default=None)
        for ref, verdict in scope.last_verdicts.items():
            at = scope.observed_at.get(ref)
            if verdict.verb is Verb.ACK and not verdict.accepted and at and since and at >= since:
                refused.append((at, verdict))
    if not refused:
        return ""
    last = max(refused, key=lambda item: item[0])[1]
    return f"{last.outcome.value} {last.ref}: {'; '.join(last.reasons())}"


def agreed(state: LedgerState, verdict: Verdict) -> tuple[Consented, ...]:
    """What people agreed to for an accepted verdict, oldest first."""
    here = state.instance(verdict.environment, verdict.instance)
    if here.desired is None or here.desired.sequence != verdict.sequence:
        return ()
    return here.consents


def prev_of(state: LedgerState, environment: str, instance: str) -> str:
    """What the next request's Prev must be: the tag of the last accepted one, or ``none``."""
    desired = state.instance(environment, instance).desired
    return desired.tag if desired is not None else NONE


def prev_before(state: LedgerState, environment: str, instance: str, tag: ObjectId) -> str:
    """What Prev that tag had to name: of an accepted one, the request accepted right before it."""
    accepted = state.instance(environment, instance).accepted
    for number, verdict in enumerate(accepted):
        if verdict.tag == tag:
            before = verdict.prev if state.genesis.previous else NONE  # a renewal keeps no more
            return accepted[number - 1].tag if number else before
    return prev_of(state, environment, instance)


def policy_commit(state: LedgerState, environment: str) -> ObjectId:
    """The policy that counts as accepted in one environment; of ``all``, the one accepted longest ago."""
    return policy_commits(state, environment)[0]


def policy_commits(state: LedgerState, environment: str) -> tuple[ObjectId, ...]:
    """The accepted policies that a request must satisfy beside main's, each once, oldest first.

    It is that of the environment's last verdict that changed what runs; holds, vetoes and
    acknowledgements do not move it. Genesis' main where there is none. For ``all``: of every environment.
    """
    newest: dict[str, Verdict] = {}
    for (where, _), instance in state.instances.items():
        last = instance.desired
        if last is None or environment not in (where, ALL):
            continue
        if where not in newest or newest[where].sequence < last.sequence:
            newest[where] = last
    ordered = sorted(newest.values(), key=lambda verdict: verdict.sequence)
    commits = dict.fromkeys(verdict.policy_commit or state.genesis.main for verdict in ordered)
    return tuple(commits) or (state.genesis.main,)


def running_claim(
    state: LedgerState, environment: str, instance: str, now: datetime
) -> Claimed | None:
    """The claim that holds now: neither released nor expired."""
    claim = state.instance(environment, instance).claim
    if claim is None or claim.released or claim.expires <= now:
        return None
    return claim


def left_behind(state: InstanceState) -> tuple[str, ...]:
    """Clusters of earlier verdicts that the desired one leaves out, or that were retired and not emptied."""
    since = 0
    for number, verdict in enumerate(state.accepted):
        if verdict.verb is Verb.REMOVE:
            since = number + 1
    rest = state.accepted[since:]
    if not rest:
        return ()
    emptied = {retired.cluster for retired in state.retired if retired.drained}
    leaving = {retired.cluster for retired in state.retired} - emptied
    before = {target for verdict in rest for target in verdict.targets}
    return tuple(sorted((before - set(rest[-1].targets) - emptied) | leaving))
