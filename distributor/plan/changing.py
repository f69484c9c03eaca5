"""Desired x live x inventory -> what would change on one target."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from distributor.errors import DistributorError, Where
from distributor.errors.cluster import (
    Adopted,
    DeletePending,
    ForeignObject,
    NotAdopted,
    NotOwned,
    PruneGuard,
    StoredVersionDropped,
    UsedAsItIs,
)
from distributor.health import goes_by_itself
from distributor.model.changes import (
    Action,
    Change,
    ChangeSet,
    Inventory,
    InventoryEntry,
    LiveObject,
)
from distributor.model.consents import NOTHING_PERMITTED, Deed, Permits, Question
from distributor.model.drift import Contested, DriftedField, contested, fields_told
from distributor.model.findings import Finding, Severity
from distributor.model.manifest import Manifest, ManifestSet
from distributor.model.ownership import Claim
from distributor.model.package import PrunePolicy
from distributor.model.refs import GroupKind, ObjectRef
from distributor.plan.attesting import (
    FOUND,
    adopts,
    comes_from,
    is_ours,
    lost_its_label,
    went_from,
)
from distributor.plan.claims import HAND_OVER_MANAGER, claim, version_seen
from distributor.plan.conflicts import Held, held
from distributor.plan.conflicts import told as conflicts_told
from distributor.plan.definitions import dropped_versions
from distributor.plan.dependencies import annotations_of
from distributor.plan.drift import diff
from distributor.plan.fighting import held_told, rule_for
from distributor.plan.ignoring import NOTHING_IGNORED, Ignoring, yielding
from distributor.plan.loosened import loosened
from distributor.plan.order import NAMESPACE
from distributor.plan.ownership import OUR_MANAGER
from distributor.plan.scene import Scene
from distributor.plan.unchangeable import unchangeable
from distributor.render.placeholders import in_data

ALREADY_GONE = "already gone"
BEING_DELETED = "is being deleted"
NEVER_OURS = "never became this instance's"
NOBODYS = "nobody's"
RESTS = "is fought for, and left until the next try"
USED = "was there before, and is used as it is"
UNREADABLE = "cannot be read, and is left as it is"
MOVED = "the same object is desired under another API group"
_KEEP: Mapping[str, str] = {
    "helm.sh/resource-policy": "keep",
    "client.lifecycle.config.k8s.io/deletion": "detach",
}
KEPT = "kept, as its prune policy says"
_METADATA_ONLY = frozenset({"PartialObjectMetadata", ""})


_Judged = tuple[Change, Finding | None]


def changes(
    desired: ManifestSet,
    inventory: Inventory | None,
    live: Mapping[ObjectRef, LiveObject],
    *,
    owner: str,
    prune: Mapping[GroupKind, PrunePolicy],
    consents: frozenset[ObjectRef] = frozenset(),
    adopt: frozenset[str] = frozenset(),
    ignore: Ignoring = NOTHING_IGNORED,
    adopting: bool = False,
    names: Collection[str] = (),
    undo: Collection[str] = (),
    unscaled: Collection[ObjectRef] = (),
    resting: Collection[Contested] = (),
    permits: Permits = NOTHING_PERMITTED,
) -> ChangeSet:
    """What it takes to bring a target to ``desired``; ``owner`` is our ApplySet id.

    ``live`` must have been read for every desired object and every inventory entry: what is not in it is
    not there, and what is in it with an error is left as it is. Live data counts as whole unless it is empty or metadata only; fields are compared then.
    Nothing outside the inventory is ever pruned. ``consents`` are objects whose deletion was agreed to,
    ``adopt`` are the field managers whose fields may become ours, ``ignore`` rules for what is no drift.
    ``adopting`` says that people agreed: what is there and nobody's may become ours, and conflicts be
    forced. ``names`` are instances that there
    are, to tell whose an object is. ``undo`` are managers, as patterns, whose changes of our fields are drift;
    ``unscaled`` are objects whose number of replicas an autoscaler left behind. ``resting`` is what is
    fought for and left alone for a while. ``permits`` is what people agreed to, one by one.
    """
    scene = Scene(
        entries=inventory.entries if inventory is not None else {},
        live=live,
        owner=owner,
        prune=prune,
        consents=consents,
        wanted_uids=frozenset(live[m.ref].uid for m in desired if m.ref in live) - {""},
        adopt=adopt,
        ignore=ignore,
        adopting=adopting,
        names=names,
        undo=undo,
        unscaled=unscaled,
        resting=resting,
        permits=permits,
    )
    refs = desired.refs()
    vanished = [entry for ref, entry in sorted(scene.entries.items()) if ref not in refs]
    judged: list[_Judged] = [_prepared(scene, *_wanted(scene, manifest)) for manifest in desired]
    judged.extend(_vanished(scene, entry) for entry in vanished)
    return _collected(judged)


def _collected(judged: Iterable[_Judged]) -> ChangeSet:
    both = tuple(judged)
    return ChangeSet(
        changes=tuple(change for change, _ in both),
        findings=tuple(finding for _, finding in both if finding is not None),
    )


def _finding(kind: type[DistributorError], ref: ObjectRef, message: str) -> Finding:
    return Finding.of(kind, f"({message})", Where(file=str(ref)))


def _wanted(scene: Scene, manifest: Manifest) -> _Judged:
    ref, entry = manifest.ref, scene.entries.get(manifest.ref)

    def change(action: Action, reason: str = "") -> Change:
        return Change(ref=ref, action=action, manifest=manifest, reason=reason)

    there = scene.live.get(ref)
    if there is None:
        return _missing(scene, manifest, entry), None
    if there.error is not None:
        return change(Action.SKIPPED, UNREADABLE), there.error
    digests = (manifest.digest, entry.digest) if entry is not None else (manifest.digest,)
    ours = is_ours(there, scene.owner, entry, *digests)
    stopped = _stopped(scene, manifest, there, ours=ours)
    if stopped is not None:
        left = change(Action.SKIPPED, stopped[0])
        asks = stopped[1].code == NotAdopted.code
        return replace(left, asks=_adoption(scene, manifest, there)) if asks else left, stopped[1]
    if not ours:
        giver = comes_from(manifest, there, scene.owner)
        said = f"from instance {giver}" if giver else ""
        adopted = Finding.of(
            Adopted, said and f"({said})", Where(file=str(ref)), severity=Severity.WARNING
        )
        return change(Action.CONFIGURED, f"adopted: {said or NOBODYS}"), adopted
    loose = loosened(manifest, there) if scene.resting else None
    if loose and contested(ref, loose) in scene.resting:
        return replace(change(Action.UNCHANGED, RESTS), left=(loose,)), None
    if there.owner == "":
        return change(Action.CONFIGURED, "lost its owner label"), None
    if there.applied != manifest.digest:
        return change(Action.CONFIGURED, _encrypted_again(manifest, there)), None
    return _against_drift(scene, manifest, there)


def _stopped(
    scene: Scene, manifest: Manifest, there: LiveObject, *, ours: bool
) -> tuple[str, Finding] | None:
    """Why a desired object that is there is left as it is, if it is.

    What is nobody's becomes ours only if somebody says so. A Namespace is no more than a place: it is
    used, with a word about it.
    """
    ref, where = manifest.ref, Where(file=str(manifest.ref))
    given = comes_from(manifest, there, scene.owner) != ""
    if there.owner not in {"", scene.owner} and not given:
        whose = scene.belongs(there)
        return whose, _finding(ForeignObject, ref, whose)
    if _terminating(there):
        pending = Finding.of(DeletePending, where=where, severity=Severity.WARNING)
        return "is being deleted; made anew when it is gone", pending
    if dropped := dropped_versions(manifest, there):
        finding = _finding(StoredVersionDropped, ref, f"stored: {', '.join(dropped)}")
        return "would drop a version that is stored", finding
    if ours or given or scene.adopting or adopts(manifest):
        return None
    if ref.group_kind == NAMESPACE:
        return USED, Finding.of(UsedAsItIs, where=where, severity=Severity.WARNING)
    if scene.permits.allows(_adoption(scene, manifest, there)):
        return None
    return scene.belongs(there), _finding(NotAdopted, ref, scene.belongs(there))


def _prepared(scene: Scene, change: Change, finding: Finding | None) -> _Judged:
    """With what becomes of the fields' owners, and whether it can only be made anew."""
    there = scene.live.get(change.ref)
    if change.action is not Action.CONFIGURED or change.manifest is None or there is None:
        return change, finding
    manifest, found, fields = _claimed(scene, change.manifest, there, change.left)
    taken = scene.permitted(there, fields)
    found = replace(found, over=found.over | taken.keys())
    if finding is not None and finding.code == Adopted.code:  # it may become another's first
        found = replace(found, seen=version_seen(there))
    left = {manager: held for manager, held in fields.items() if manager not in taken}
    in_the_way = conflicts_told(left, agreed=False)
    told = [change.reason, str(found), conflicts_told(taken, agreed=True), in_the_way]
    fixed = unchangeable(manifest, there) if there.uid else ""
    if fixed:
        told.append(f"made anew, as {fixed} cannot change")
    reason = "; ".join(part for part in told if part)
    made = replace(change, manifest=manifest, claim=found, conflicts=in_the_way)
    if left:
        over = tuple(sorted(left))
        made = replace(
            made, asks=Question(deed=Deed.FORCE, ref=change.ref, uid=there.uid, over=over)
        )
    return replace(made, reason=reason, recreates=bool(fixed)), finding


def _claimed(
    scene: Scene, manifest: Manifest, there: LiveObject, left: Iterable[DriftedField] = ()
) -> tuple[Manifest, Claim, Held]:
    """What would be applied over a live object, the claim on its fields, and who is in its way."""
    ignored = (
        *scene.ignore.of(manifest.ref, there.data),
        *(rule_for(manifest.ref, field) for field in left),
    )
    manifest = yielding(manifest, there.data, ignored, manager=OUR_MANAGER)
    found = claim(manifest, there, scene.adopt)
    found = replace(found, over=found.over | scene.gives_way(manifest, there))
    fields = held(manifest, there, found.over | {HAND_OVER_MANAGER}) if _whole(there) else {}
    return manifest, found, fields


def _adoption(scene: Scene, manifest: Manifest, there: LiveObject) -> Question:
    """What is asked of people about an object that is nobody's: itself, and the fields that others hold."""
    over = tuple(sorted(_claimed(scene, manifest, there)[2]))
    return Question(deed=Deed.ADOPT, ref=manifest.ref, uid=there.uid, over=over)


def _encrypted_again(manifest: Manifest, there: LiveObject) -> str:
    """Which encrypted files are others than those that were applied, even if the plaintext is the same."""
    now = {(one.path, one.key): one for one in in_data(manifest.data().get("data"))}
    before = in_data(there.data.get("data"))
    files = {o.path for o in before if now.get((o.path, o.key), o).blob != o.blob}
    return f"encrypted again: {', '.join(sorted(files))}" if files else ""


def _missing(scene: Scene, manifest: Manifest, entry: InventoryEntry | None) -> Change:
    if contested(manifest.ref) in scene.resting:
        reason, action = f"was deleted from the target; {RESTS}", Action.UNCHANGED
        return Change(ref=manifest.ref, action=action, manifest=manifest, reason=reason)
    applied = entry is not None and entry.uid != ""
    if applied and entry is not None and entry.digest == manifest.digest:
        if goes_by_itself(manifest):
            reason, action = "ended and removed after its TTL", Action.UNCHANGED
        else:
            reason, action = "was deleted from the target", Action.CREATED
        return Change(ref=manifest.ref, action=action, manifest=manifest, reason=reason)
    return Change(ref=manifest.ref, action=Action.CREATED, manifest=manifest)


def _against_drift(scene: Scene, manifest: Manifest, there: LiveObject) -> _Judged:
    ignored = scene.ignore.of(manifest.ref, there.data)
    scales = manifest.ref not in scene.unscaled
    whole = _whole(there)
    drifted = diff(manifest, there.data, ignore=ignored, autoscaled=scales) if whole else ()
    allowed = scene.gives_way(manifest, there) | {HAND_OVER_MANAGER} if drifted else frozenset()
    resting = {f.steps for f in drifted if contested(manifest.ref, f.told()) in scene.resting}
    held = {f.steps for f in drifted if not (f.ours or set(f.manager.split(", ")) <= allowed)}
    ours = tuple(f.told() for f in drifted if f.steps not in resting | held)
    left = tuple(f.told() for f in drifted if f.steps in resting | held)
    theirs = tuple(f.told() for f in drifted if f.steps in held - resting)
    finding = held_told(manifest.ref, theirs) if theirs else None
    action, reason = Action.CONFIGURED, f"drift: {fields_told(ours)}"
    if not ours:
        action = Action.UNCHANGED
        reason = "; ".join(f"{f.path} is owned by {f.manager}" for f in theirs)
        reason = reason or (RESTS if left else "")
    change = Change(ref=manifest.ref, action=action, manifest=manifest, reason=reason)
    return replace(change, drift=ours, left=left), finding


def _whole(there: LiveObject) -> bool:
    return str(there.data.get("kind", "")) not in _METADATA_ONLY


def _terminating(there: LiveObject) -> bool:
    metadata = there.data.get("metadata")
    return isinstance(metadata, Mapping) and bool(metadata.get("deletionTimestamp"))


def _vanished(scene: Scene, entry: InventoryEntry) -> _Judged:
    """An object that the revision no longer has; one that cannot be read is neither gone nor deleted."""
    there = scene.live.get(entry.ref)
    found = Change(ref=entry.ref, action=Action.PRUNED, reason=ALREADY_GONE, entry=entry)
    if there is None:
        return found, None
    if there.error is not None:
        return replace(found, action=Action.SKIPPED, reason=UNREADABLE), there.error
    return _unwanted(scene, entry, there)


def _unwanted(scene: Scene, entry: InventoryEntry, there: LiveObject) -> _Judged:
    """An object that the revision no longer has, and that is there.

    What is not provably ours is never deleted, and never will be: it is told once, and forgotten.
    """
    ref = entry.ref

    uid = there.uid

    def change(action: Action, reason: str = "", *, forgets: bool = False) -> Change:
        return Change(ref=ref, action=action, reason=reason, entry=entry, uid=uid, forgets=forgets)

    if there.uid and there.uid in scene.wanted_uids:
        return change(Action.SKIPPED, MOVED, forgets=True), None
    if not is_ours(there, scene.owner, entry, entry.digest):
        # Had we made it, it would carry our label, or somebody took that away.
        known = entry.uid or lost_its_label(there) or went_from(there, scene.owner)
        if not known and there.owner != scene.owner:
            return change(Action.SKIPPED, NEVER_OURS, forgets=True), None
        whose = scene.belongs(there)
        told = Finding.of(NotOwned, f"({whose})", Where(file=str(ref)), severity=Severity.WARNING)
        return change(Action.SKIPPED, whose, forgets=True), told
    policy = scene.prune.get(ref.group_kind, PrunePolicy.DELETE)
    found = annotations_of(there.data)
    if policy is PrunePolicy.KEEP or any(found.get(k) == v for k, v in _KEEP.items()):
        return replace(change(Action.SKIPPED, KEPT), releases=True), None
    asks = Question(deed=Deed.DELETE, ref=ref, uid=uid)
    if entry.digest == FOUND and ref not in scene.consents:
        reason = (
            "the inventory was lost, and its label alone says that it is ours; that needs consent"
        )
        left = replace(change(Action.SKIPPED, reason), asks=asks)
        return left, _finding(PruneGuard, ref, reason)
    if policy is PrunePolicy.CONFIRM and ref not in scene.consents:
        finding = _finding(PruneGuard, ref, "pruned only with consent")
        left = replace(change(Action.SKIPPED, "needs consent, as its prune policy says"), asks=asks)
        return left, finding
    return change(Action.PRUNED, BEING_DELETED if _terminating(there) else ""), None
