"""Hooks: which of them a change runs, in which order, and what is to be done about one of them now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum

from distributor.health import completion, goes_by_itself, runs_to_an_end
from distributor.health.fields import moment
from distributor.model.changes import Inventory, LiveObject
from distributor.model.health import HealthStatus
from distributor.model.hooks import (
    DeletePolicy,
    Hook,
    HookLog,
    HookResult,
    HookRun,
    HookStep,
    Moment,
    Occasion,
    run_name,
)
from distributor.model.manifest import Manifest
from distributor.model.refs import GroupKind, ObjectRef, digest_of
from distributor.plan.attesting import adopts, is_copy
from distributor.plan.dependencies import annotations_of
from distributor.plan.order import CLAIM, DEFINITION, NAMESPACE, rank
from distributor.plan.scene import owner_told

REMOVED = "removed"
"""What a hooks' section names as its change once a removal began."""
RUN = "distributor.dev/hook-run"
"""The annotation with the run that made a hook's object: an object of an earlier run says nothing."""
KEPT = "distributor.dev/hook-kept"
"""The annotation of an object that no run made and a hook was applied over: no delete policy reaches it."""
_NEVER_DELETED = frozenset({NAMESPACE, CLAIM, DEFINITION, GroupKind("", "PersistentVolume")})
"""Kinds that take others, or data, along: no delete policy reaches them."""
_MOMENTS = tuple(Moment)
_ENDED = frozenset({HealthStatus.CURRENT, HealthStatus.FAILED})
_RUN_LENGTH = 16  # hex digits
_MESSAGE_LENGTH = 300


def occasion_of(
    inventory: Inventory | None, *, change: str, revision: str, rolling_back: bool, found: bool
) -> Occasion | None:
    """What a change is to a target; ``None`` where it was carried out there in full already.

    An install is what begins where no inventory is or a removal began, and every change until the
    instance's own objects are begun. ``found`` says that objects of the instance are there without an
    inventory: then it was lost, and what is there must not be set up again.
    """
    if inventory is None:
        return Occasion.UPGRADE if found else Occasion.INSTALL
    log = inventory.hooks
    if log.change == REMOVED or not (log.change or inventory.entries):
        return Occasion.INSTALL
    if _same(inventory, change, revision):
        return log.occasion
    if log.occasion is Occasion.INSTALL and not log.begun:
        return Occasion.INSTALL
    return Occasion.ROLLBACK if rolling_back else Occasion.UPGRADE


def schedule(hooks: Iterable[Hook], occasion: Occasion | None) -> tuple[HookStep, ...]:
    """The hooks of an occasion: before, after, on failure; by weight, then kind, then name."""
    if occasion is None:
        return ()
    found = [
        HookStep(moment=when, occasion=occasion, hook=hook)
        for hook in hooks
        for when in Moment
        if (when, occasion) in hook.events
    ]
    return tuple(
        sorted(
            found,
            key=lambda s: (
                _MOMENTS.index(s.moment), s.hook.weight, rank(s.hook.ref), s.hook.ref,
            ),
        )
    )  # fmt: skip


def opened(
    inventory: Inventory,
    steps: Sequence[HookStep],
    *,
    change: str,
    revision: str,
    occasion: Occasion | None,
    sequence: int,
    members: frozenset[ObjectRef],
    hooks: Iterable[Hook],
) -> HookLog:
    """The hooks' section to write before anything is done, with a run for every hook to come.

    Runs of this very change that succeeded or are under way stay; one that failed, or was for a failure,
    is begun anew only under a later verdict. Objects of other runs are remembered, because a removal takes them along.
    """
    log = inventory.hooks
    same = _same(inventory, change, revision)
    runs: dict[str, HookRun] = {}
    for name, run in log.runs.items():
        if run.ref not in members:
            runs[name] = run if same else replace(run, result=HookResult.PAST)
    for hook in hooks:
        if hook.ref in inventory.entries and all(r.ref != hook.ref for r in runs.values()):
            past = _run(Moment.PRE, hook.manifest, "", HookResult.PAST)
            runs[past.name] = past
    for step in steps:
        old = runs.get(step.name)
        if old is None or _begins_anew(old, later=sequence > inventory.sequence):
            mark = digest_of(change.encode(), step.name.encode(), b"%d" % sequence)
            made = mark.removeprefix("sha256:")[:_RUN_LENGTH]
            runs[step.name] = _run(step.moment, step.hook.manifest, made, HookResult.PENDING)
    at_once = all(step.moment is not Moment.PRE for step in steps)
    begun = at_once or (same and log.begun)
    return HookLog(change=change, occasion=occasion, begun=begun, runs=runs)


def _same(inventory: Inventory, change: str, revision: str) -> bool:
    """An inventory without a hooks' section was written by a program that had none: it says less."""
    known = inventory.hooks.change
    return known == change if known else inventory.revision == revision


def _begins_anew(old: HookRun, *, later: bool) -> bool:
    match old.result:
        case HookResult.PENDING:
            return False
        case HookResult.SUCCEEDED:
            return later and old.moment is Moment.FAILURE
        case HookResult.FAILED:
            return later
        case HookResult.PAST:
            return True


def _run(when: Moment, manifest: Manifest, run: str, result: HookResult) -> HookRun:
    return HookRun(
        moment=when,
        ref=manifest.ref,
        api_version=manifest.api_version,
        run=run,
        result=result,
    )


def remaining(log: HookLog, steps: Iterable[HookStep]) -> tuple[HookStep, ...]:
    """The steps that did not succeed yet, of those that run where nothing fails."""
    return tuple(
        s
        for s in steps
        if s.moment is not Moment.FAILURE
        if s.name not in log.runs or log.runs[s.name].result is not HookResult.SUCCEEDED
    )


def marked(step: HookStep, run: HookRun, *, keeps: bool = False) -> Manifest:
    """The hook's object with the run that it belongs to; ``keeps`` says that no run made it.

    Its digest follows from the manifest's own, which for a Secret is no plain hash of what it holds.
    """
    data = step.hook.manifest.data()
    metadata = data["metadata"]
    metadata["annotations"] = {**(metadata.get("annotations") or {}), RUN: run.run}
    if keeps:
        metadata["annotations"][KEPT] = "true"
    digest = digest_of(step.hook.manifest.digest.encode(), run.run.encode())
    return replace(Manifest.of(data), digest=digest)


class Move(Enum):
    """What to do about one hook."""

    APPLY = "apply"
    REPLACE = "delete what an earlier run left, then apply"
    WAIT = "look again later"
    SUCCEEDED = "note that it succeeded"
    FAILED = "note that it failed"
    LOST = "note that its end was not seen"
    IN_THE_WAY = "say what is in the way"
    FOREIGN = "say whose it is"
    USE = "use it as it is"
    NOT_ADOPTED = "say that it is nobody's"


@dataclass(frozen=True, slots=True)
class Judged:
    """A move, and the words for a person.

    ``keeps`` says that no run made the object that is applied over, ``adopts`` that it is nobody's so far.
    """

    move: Move
    message: str = ""
    keeps: bool = False
    adopts: bool = False


def judge(
    step: HookStep,
    run: HookRun,
    live: LiveObject | None,
    *,
    owner: str,
    now: datetime,
    adopting: bool = False,
) -> Judged:
    """The next move for a hook that did not end yet, by what is there. ``owner`` is our ApplySet id.

    What no run of ours made is never deleted, and applied over only where the object's annotation, or
    people (``adopting``), say so.
    """
    if live is None:
        return Judged(Move.LOST, _lost(step)) if run.uid else Judged(Move.APPLY)
    if live.owner not in {"", owner}:
        return Judged(Move.FOREIGN, f"belongs to {owner_told(live)}")
    mark = annotations_of(live.data).get(RUN)
    if mark == run.run != "" or live.uid == run.uid != "":
        return _watched(step.hook, live, now)
    if not _is_ours(live, owner):
        return _nobodys(step.hook, adopting=adopting)
    return _ours(step.hook, live, now)


def _is_ours(live: LiveObject, owner: str) -> bool:
    """Whether we made it. A backup that was restored names others as its makers; a Job of it holds no data."""
    copied = is_copy(live, owner)
    ran = runs_to_an_end(live.ref.group_kind) and RUN in annotations_of(live.data)
    return live.owner == owner and (ran or not copied)


def _ours(hook: Hook, live: LiveObject, now: datetime) -> Judged:
    """What to do about an object that we made, but not in this run.

    What an earlier run left and has ended gives way whatever the policy: else it would block its own fix.
    """
    ends = runs_to_an_end(hook.ref.group_kind)
    notes = annotations_of(live.data)
    keeps = not ends and (RUN not in notes or KEPT in notes)
    if keeps or hook.ref.group_kind in _NEVER_DELETED:
        return Judged(Move.APPLY, keeps=keeps)
    over = ends and RUN in notes and completion(live.data, now).status in _ENDED
    if over or DeletePolicy.BEFORE_CREATION in hook.policies:
        return Judged(Move.REPLACE)
    if not ends:
        return Judged(Move.APPLY)
    return Judged(
        Move.IN_THE_WAY, "an earlier run's object of that name is there and has not ended"
    )


def _nobodys(hook: Hook, *, adopting: bool) -> Judged:
    """What to do about an object that we did not make, and that no instance owns."""
    if runs_to_an_end(hook.ref.group_kind):
        return Judged(Move.IN_THE_WAY, "nobody's object of that name is there")
    if adopting or adopts(hook.manifest):
        return Judged(Move.APPLY, keeps=True, adopts=True)
    if hook.ref.group_kind == NAMESPACE:
        return Judged(Move.USE)
    return Judged(Move.NOT_ADOPTED, "belongs to nobody")


def made_by_run(live: LiveObject) -> bool:
    """Whether a run made an object; one that was only applied over is not for delete policies."""
    return KEPT not in annotations_of(live.data)


def _watched(hook: Hook, live: LiveObject, now: datetime) -> Judged:
    found = completion(live.data, now)
    message = found.message[:_MESSAGE_LENGTH]
    match found.status:
        case HealthStatus.CURRENT:
            return Judged(Move.SUCCEEDED, message)
        case HealthStatus.FAILED:
            return Judged(Move.FAILED, message)
        case _ if _late(hook, live, now):
            return Judged(Move.FAILED, f"not done after {hook.timeout:g} s: {message}")
        case _:
            return Judged(Move.WAIT, message)


def _late(hook: Hook, live: LiveObject, now: datetime) -> bool:
    born = moment(live.data, "metadata", "creationTimestamp")
    if hook.timeout is None or born is None:
        return False
    return (now - born).total_seconds() > hook.timeout


def _lost(step: HookStep) -> str:
    if goes_by_itself(step.hook.manifest):
        return "it is gone after its TTL and its end was not seen"
    return "it was deleted before its end was seen"


def ended(log: HookLog, step: HookStep, result: HookResult, uid: str, message: str = "") -> HookLog:
    """The section with the end of a run."""
    run = replace(log.runs[step.name], result=result, uid=uid, message=message)
    return replace(log, runs={**log.runs, run.name: run})


def removable(step: HookStep, log: HookLog, policy: DeletePolicy) -> bool:
    """Whether a delete policy asks for a hook's object to go, and it is still there."""
    run = log.runs.get(run_name(step.moment, step.hook.ref))
    return (
        run is not None
        and bool(run.uid)
        and policy in step.hook.policies
        and step.hook.ref.group_kind not in _NEVER_DELETED
    )


def without(log: HookLog, refs: frozenset[ObjectRef]) -> HookLog:
    """The section without the runs of objects that are gone."""
    kept: Mapping[str, HookRun] = {n: r for n, r in log.runs.items() if r.ref not in refs}
    return replace(log, runs=kept)
