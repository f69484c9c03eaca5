"""Hooking: running the hooks of one moment on one target, one after the other.

Nothing here waits: a hook that is at work is told as such, and the next reconcile of the target goes on
from what the inventory and the hook's own object say. So a crash between any two steps runs nothing
again that succeeded, and a long hook keeps nobody else from working.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from distributor.errors import DistributorError, Where, registry
from distributor.errors.cluster import (
    Adopted,
    DeletePending,
    ForeignObject,
    HookFailed,
    HookInTheWay,
    HookLeft,
    LetGo,
    NotAdopted,
    UsedAsItIs,
)
from distributor.health import runs_to_an_end
from distributor.model.changes import Action, InventoryEntry, LiveObject, Outcome
from distributor.model.consents import Deed, Question
from distributor.model.findings import Finding, Severity
from distributor.model.health import HealthStatus, ObjectHealth
from distributor.model.hooks import (
    DeletePolicy,
    HookLog,
    HookResult,
    HookRun,
    HookStep,
    Moment,
)
from distributor.model.manifest import Manifest
from distributor.model.ownership import ABSENT, Claims
from distributor.model.refs import Digest, ObjectRef
from distributor.model.rehearsals import HookAhead
from distributor.model.tags import Verb
from distributor.plan import (
    Judged,
    Move,
    adoption,
    agreed_claim,
    ended,
    judge,
    made_by_run,
    marked,
    removable,
)
from distributor.ports import TargetConnection
from distributor.services.targets.work import Run, Work, changed_meanwhile

_REFUSED: Mapping[Move, type[DistributorError]] = {
    Move.IN_THE_WAY: HookInTheWay,
    Move.FOREIGN: ForeignObject,
    Move.NOT_ADOPTED: NotAdopted,
}


async def run_hooks(run: Run, moment: Moment) -> ObjectHealth | None:
    """Go as far as the hooks of a moment let it; the one that is at work, or ``None``.

    ``None`` means that all of them succeeded, or that ``run.failed`` holds the one that did not. What
    ``hook-succeeded`` deletes goes only when all succeeded: a later hook may run by an earlier one's
    service account, and so does its next try.
    """
    steps = [step for step in run.steps if step.moment is moment]
    for step in steps:
        at_work = await _advance(run, step)
        if at_work is not None or run.failed:
            return at_work
    for step in reversed(steps):
        await _delete(run, step, DeletePolicy.SUCCEEDED)
    return None


async def run_failure_hooks(run: Run) -> ObjectHealth | None:
    """Run the hooks for a failure, once a verdict; the one that is at work, or ``None``.

    What failed stays the answer: these only look after it, and nothing waits for their end.
    """
    for step in run.steps:
        if step.moment is not Moment.FAILURE:
            continue
        known = len(run.outcomes)
        at_work = await _advance(run, step)
        if at_work is not None or any(o.error for o in run.outcomes[known:]):
            return at_work
    return None


async def _advance(run: Run, step: HookStep) -> ObjectHealth | None:
    known = run.inventory.hooks.runs[step.name]
    if known.result is HookResult.SUCCEEDED:
        return None
    if known.result is HookResult.FAILED:
        await _delete(run, step, DeletePolicy.FAILED)
        run.fail(step.hook.ref, HookFailed(f"({step}: {known.message})"))
        return None
    live = (await run.connection.read_live([_entry(known)])).get(step.hook.ref)
    if live is not None and live.error is not None:
        run.outcomes.append(_unreadable(live.ref, live.error))
        return None
    return await _moved(run, step, live)


async def _moved(run: Run, step: HookStep, live: LiveObject | None) -> ObjectHealth | None:
    known = run.inventory.hooks.runs[step.name]
    now = (live.read_at if live else None) or run.world.clock.now()
    found, asked = _judged(run.work, step, known, live, now)
    match found.move:
        case Move.WAIT if live is not None and run.may(_passing(live)):
            told = Finding.of(LetGo, f"({step}: {found.message})", severity=Severity.WARNING)
            run.warnings.append(told)
            await _note(run, step, HookResult.SUCCEEDED, uid=live.uid)
        case Move.WAIT:
            return _at_work(step, found.message)
        case Move.APPLY | Move.REPLACE:
            return await _start(run, step, live, found)
        case Move.SUCCEEDED:
            uid = live.uid if live and made_by_run(live) else ""
            await _note(run, step, HookResult.SUCCEEDED, uid=uid)
        case Move.USE:
            run.warnings.append(_told(step, UsedAsItIs))
            await _note(run, step, HookResult.SUCCEEDED, uid="")
        case Move.FAILED | Move.LOST:
            await _failed(run, step, live, found)
        case Move.IN_THE_WAY | Move.FOREIGN | Move.NOT_ADOPTED:
            run.questions.extend(asked)
            run.fail(step.hook.ref, _REFUSED[found.move](f"({step}: {found.message})"))
    return None


def _judged(
    work: Work, step: HookStep, known: HookRun, live: LiveObject | None, now: datetime
) -> tuple[Judged, tuple[Question, ...]]:
    """The next move for a hook, by what people agreed to, and what they are asked about."""
    agreed = Verb.CONSENT in work.agreed
    found = judge(step, known, live, owner=work.owner, now=now, adopting=agreed)
    if live is None or found.move is not Move.NOT_ADOPTED:
        return found, ()
    asked = adoption(step.hook.manifest, live, work.adopt)
    if not work.may(asked):
        return found, (asked,)
    return judge(step, known, live, owner=work.owner, now=now, adopting=True), ()


def _passing(live: LiveObject) -> Question:
    """What people are asked about a hook that is at work: this very run, for a later one has another uid."""
    return Question(deed=Deed.LEAVE, ref=live.ref, uid=live.uid)


def _told(step: HookStep, kind: type[DistributorError]) -> Finding:
    where = Where(file=str(step.hook.ref))
    return Finding.of(kind, f"({step})", where, severity=Severity.WARNING)


async def foreseen_hooks(
    connection: TargetConnection,
    work: Work,
    steps: Sequence[HookStep],
    log: HookLog,
    now: datetime,
) -> tuple[HookAhead, ...]:
    """What each hook would begin with, for those who do not run it."""
    if not steps:
        return ()
    live = await connection.read_live([_entry(log.runs[step.name]) for step in steps])
    return tuple(
        _ahead(work, step, log.runs[step.name], live.get(step.hook.ref), now) for step in steps
    )


def _ahead(
    work: Work, step: HookStep, known: HookRun, live: LiveObject | None, now: datetime
) -> HookAhead:
    found, _ = _judged(work, step, known, live, now)
    if found.move in _REFUSED:
        where = Where(file=str(step.hook.ref))
        told = f"({step}: {found.message})"
        return HookAhead(step=step, told=Finding.of(_REFUSED[found.move], told, where))
    if found.move is Move.USE:
        return HookAhead(step=step, told=_told(step, UsedAsItIs))
    adopted = _told(step, Adopted) if found.adopts else None
    if found.move is not Move.APPLY:
        return HookAhead(step=step, told=adopted)
    body = marked(step, known, keeps=found.keeps)
    claim = _claims(work, body, live, found).get(body.ref)
    return HookAhead(step=step, told=adopted, body=body, claim=claim, live=live)


def _claims(work: Work, body: Manifest, live: LiveObject | None, found: Judged) -> Claims:
    """What is said with a hook's object: that nobody's is there, or whose fields are taken."""
    if live is None or found.move is Move.REPLACE:
        return {body.ref: ABSENT}
    if not found.adopts:
        return {}
    agreed = Verb.CONSENT in work.agreed
    over = work.permits.over(live.ref, live.uid)
    return {body.ref: agreed_claim(body, live, work.adopt, agreed=agreed, over=over)}


async def _start(
    run: Run, step: HookStep, live: LiveObject | None, found: Judged
) -> ObjectHealth | None:
    known = run.inventory.hooks.runs[step.name]
    await run.check_fence()
    if found.move is Move.REPLACE:
        (gone,) = await run.connection.delete(run.inventory, [_entry(known)])
        if gone.error is not None:
            run.outcomes.append(gone)
            return None
    body = marked(step, known, keeps=found.keeps)
    if live is not None and found.adopts:
        run.warnings.append(_told(step, Adopted))
    claims = _claims(run.work, body, live, found)
    (made,) = await run.connection.apply(run.inventory, [body], claims)
    if changed_meanwhile(made):
        there = (await run.connection.read_live([_entry(known)])).get(body.ref)
        if there is not None and there.error is None:
            return await _moved(run, step, there)
    run.outcomes.append(made)
    if made.error is not None:
        return None
    if not runs_to_an_end(step.hook.ref.group_kind):
        await _note(run, step, HookResult.SUCCEEDED, uid="" if found.keeps else made.uid)
        return None
    await _note(run, step, HookResult.PENDING, uid=made.uid)
    return _at_work(step, "it was started")


async def _failed(run: Run, step: HookStep, live: LiveObject | None, found: Judged) -> None:
    await _note(run, step, HookResult.FAILED, uid=live.uid if live else "", message=found.message)
    await _delete(run, step, DeletePolicy.FAILED)
    run.fail(step.hook.ref, HookFailed(f"({step}: {found.message})"))


async def _note(
    run: Run, step: HookStep, result: HookResult, *, uid: str, message: str = ""
) -> None:
    log = ended(run.inventory.hooks, step, result, uid, message)
    run.inventory = await run.connection.write_inventory(replace(run.inventory, hooks=log))


async def _delete(run: Run, step: HookStep, policy: DeletePolicy) -> None:
    """Delete as a policy says; a server at fault is asked again.

    What cannot be deleted (a finalizer, a refusal) is told and remembered, and stops nothing.
    """
    if not removable(step, run.inventory.hooks, policy):
        return
    known = run.inventory.hooks.runs[step.name]
    (gone,) = await run.connection.delete(run.inventory, [_entry(known)])
    if gone.error is not None and gone.retryable and gone.error.code != DeletePending.code:
        run.outcomes.append(gone)
        return
    if gone.error is not None:
        told = f"({step}: {gone.error.message})"
        run.warnings.append(Finding.of(HookLeft, told, severity=Severity.WARNING))
        return
    await _note(run, step, known.result, uid="", message=known.message)


def _unreadable(ref: ObjectRef, error: Finding) -> Outcome:
    kind = registry().get(error.code)
    passing = kind is not None and kind.retryable
    return Outcome(ref=ref, action=Action.SKIPPED, error=error, retryable=passing)


def _not_ours(live: LiveObject, owner: str) -> bool:
    return live.error is None and live.owner != owner


def _at_work(step: HookStep, message: str) -> ObjectHealth:
    return ObjectHealth(
        ref=step.hook.ref,
        api_version=step.hook.manifest.api_version,
        status=HealthStatus.IN_PROGRESS,
        message=f"{step.moment}-{step.occasion} hook: {message}",
    )


def _entry(known: HookRun) -> InventoryEntry:
    return InventoryEntry(
        ref=known.ref, api_version=known.api_version, digest=Digest(""), uid=known.uid
    )


def hook_entries(log: HookLog) -> dict[ObjectRef, InventoryEntry]:
    """The objects of all runs that an inventory remembers, as entries: a removal deletes them."""
    return {known.ref: _entry(known) for known in log.runs.values()}


async def finished(run: Run, log: HookLog) -> HookLog:
    """The hooks' section once a change was carried out in full: objects of the past that are gone go."""
    past = [known for known in log.runs.values() if known.result is HookResult.PAST]
    live = await run.connection.read_live([_entry(known) for known in past]) if past else {}
    gone = {k.name for k in past if k.ref not in live or _not_ours(live[k.ref], run.work.owner)}
    kept = {name: known for name, known in log.runs.items() if name not in gone}
    return replace(log, occasion=None, runs=kept)
