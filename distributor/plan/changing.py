"""Desired x live x inventory -> what would change on one target."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace

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
from distributor.model.findings import Finding, Severity
from distributor.model.manifest import Manifest, ManifestSet
from distributor.model.ownership import Claim
from distributor.model.package import PrunePolicy
from distributor.model.refs import GroupKind, ObjectRef
from distributor.plan.attesting import FOUND, adopts, is_copy, is_ours, lost_its_label, writers
from distributor.plan.claims import HAND_OVER_MANAGER, claim, consented, undone
from distributor.plan.conflicts import Held, held
from distributor.plan.conflicts import told as conflicts_told
from distributor.plan.definitions import dropped_versions
from distributor.plan.dependencies import annotations_of
from distributor.plan.drift import AUTOSCALER, FieldDrift, diff
from distributor.plan.ignoring import NOTHING_IGNORED, Ignoring, yielding
from distributor.plan.order import NAMESPACE
from distributor.plan.ownership import OUR_MANAGER
from distributor.plan.unchangeable import unchangeable
from distributor.render.applyset import applyset_id
from distributor.render.placeholders import in_data

ALREADY_GONE = "already gone"
BEING_DELETED = "is being deleted"
NEVER_OURS = "never became this instance's"
USED = "was there before, and is used as it is"
MOVED = "the same object is desired under another API group"
FORGOTTEN = frozenset({NEVER_OURS, MOVED})
"""Reasons for which an inventory forgets what the revision no longer has: nothing is left to take away."""
_INSTANCE = "app.kubernetes.io/instance"
_KEEP: Mapping[str, str] = {
    "helm.sh/resource-policy": "keep",
    "client.lifecycle.config.k8s.io/deletion": "detach",
}
_METADATA_ONLY = frozenset({"PartialObjectMetadata", ""})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scene:
    """What a change is judged by."""

    entries: Mapping[ObjectRef, InventoryEntry]
    live: Mapping[ObjectRef, LiveObject]
    owner: str
    prune: Mapping[GroupKind, PrunePolicy]
    consents: frozenset[ObjectRef]
    wanted_uids: frozenset[str]
    adopt: frozenset[str]
    ignore: Ignoring
    adopting: bool
    names: Collection[str]
    undo: Collection[str]
    unscaled: Collection[ObjectRef]
    permits: Permits

    def permitted(self, there: LiveObject, fields: Held) -> Held:
        """The fields, by their managers, that people agreed to take."""
        if self.adopting:
            return fields
        over = self.permits.over(there.ref, there.uid)
        return {manager: held for manager, held in fields.items() if manager in over}

    def gives_way(self, manifest: Manifest, there: LiveObject) -> frozenset[str]:
        """The managers whose values in fields of ours are drift, or no conflict."""
        gone = {AUTOSCALER} if manifest.ref in self.unscaled else set[str]()
        return self.adopt | consented(manifest) | undone(there.data, self.undo) | gone

    def belongs(self, there: LiveObject) -> str:
        """Whose an object is, in words: the instance where it is known, else the id of its ApplySet."""
        if lost_its_label(there):
            return f"lost its owner label; {_instance(there) or 'an instance'} applied it"
        if not there.owner:
            return "belongs to nobody"
        if is_copy(there, self.owner):
            return f"only carries a copy of our label: {writers(there) or 'others'} made it"
        whose, ours = (self._named(owner) for owner in (there.owner, self.owner))
        told = f"belongs to {whose or _told(there)}"
        return f"{told}, wanted by {ours}" if ours else told

    def _named(self, owner: str) -> str:
        return next((f"instance {name}" for name in self.names if applyset_id(name) == owner), "")


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
    permits: Permits = NOTHING_PERMITTED,
) -> ChangeSet:
    """What it takes to bring a target to ``desired``; ``owner`` is our ApplySet id.

    ``live`` must have been read for every desired object and every inventory entry: what is not in it is
    not there. Live data counts as whole unless it is empty or metadata only; fields are compared then.
    Nothing outside the inventory is ever pruned. ``consents`` are objects whose deletion was agreed to,
    ``adopt`` are the field managers whose fields may become ours, ``ignore`` rules for what is no drift.
    ``adopting`` says that people agreed: what is there and nobody's may become ours, and conflicts be
    forced. ``names`` are instances that there
    are, to tell whose an object is. ``undo`` are managers, as patterns, whose changes of our fields are drift;
    ``unscaled`` are objects whose number of replicas an autoscaler left behind. ``permits`` is what people
    agreed to, one by one.
    """
    scene = _Scene(
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
        permits=permits,
    )
    refs = desired.refs()
    vanished = [entry for ref, entry in sorted(scene.entries.items()) if ref not in refs]
    judged: list[_Judged] = [_prepared(scene, *_wanted(scene, manifest)) for manifest in desired]
    judged.extend(_unwanted(scene, entry) for entry in vanished)
    return _collected(judged)


def _collected(judged: Iterable[_Judged]) -> ChangeSet:
    both = tuple(judged)
    return ChangeSet(
        changes=tuple(change for change, _ in both),
        findings=tuple(finding for _, finding in both if finding is not None),
    )


def _finding(kind: type[DistributorError], ref: ObjectRef, message: str) -> Finding:
    return Finding.of(kind, f"({message})", Where(file=str(ref)))


def _told(there: LiveObject) -> str:
    """The instance that an object names, if it does, and its owner's id."""
    named = _instance(there)
    return f"{named}, {there.owner}" if named else there.owner


def _instance(there: LiveObject) -> str:
    """The instance that an object names, if it does, in words."""
    metadata = there.data.get("metadata")
    labels = metadata.get("labels") if isinstance(metadata, Mapping) else None
    name = labels.get(_INSTANCE) if isinstance(labels, Mapping) else None
    return f"instance {name}" if isinstance(name, str) and name else ""


def _wanted(scene: _Scene, manifest: Manifest) -> _Judged:
    ref, entry = manifest.ref, scene.entries.get(manifest.ref)

    def change(action: Action, reason: str = "") -> Change:
        return Change(ref=ref, action=action, manifest=manifest, reason=reason)

    there = scene.live.get(ref)
    if there is None:
        return _missing(manifest, entry), None
    digests = (manifest.digest, entry.digest) if entry is not None else (manifest.digest,)
    ours = is_ours(there, scene.owner, entry, *digests)
    stopped = _stopped(scene, manifest, there, ours=ours)
    if stopped is not None:
        left = change(Action.SKIPPED, stopped[0])
        asks = stopped[1].code == NotAdopted.code
        return replace(left, asks=_adoption(scene, manifest, there)) if asks else left, stopped[1]
    if not ours:
        adopted = Finding.of(Adopted, where=Where(file=str(ref)), severity=Severity.WARNING)
        return change(Action.CONFIGURED, "adopted: nobody's"), adopted
    if there.owner == "":
        return change(Action.CONFIGURED, "lost its owner label"), None
    if there.applied != manifest.digest:
        return change(Action.CONFIGURED, _encrypted_again(manifest, there)), None
    return _against_drift(scene, manifest, there), None


def _stopped(
    scene: _Scene, manifest: Manifest, there: LiveObject, *, ours: bool
) -> tuple[str, Finding] | None:
    """Why a desired object that is there is left as it is, if it is.

    What is nobody's becomes ours only if somebody says so. A Namespace is no more than a place: it is
    used, with a word about it.
    """
    ref, where = manifest.ref, Where(file=str(manifest.ref))
    if there.owner not in {"", scene.owner}:
        whose = scene.belongs(there)
        return whose, _finding(ForeignObject, ref, whose)
    if _terminating(there):
        pending = Finding.of(DeletePending, where=where, severity=Severity.WARNING)
        return "is being deleted; made anew when it is gone", pending
    if dropped := dropped_versions(manifest, there):
        finding = _finding(StoredVersionDropped, ref, f"stored: {', '.join(dropped)}")
        return "would drop a version that is stored", finding
    if ours or scene.adopting or adopts(manifest):
        return None
    if ref.group_kind == NAMESPACE:
        return USED, Finding.of(UsedAsItIs, where=where, severity=Severity.WARNING)
    if scene.permits.allows(_adoption(scene, manifest, there)):
        return None
    return scene.belongs(there), _finding(NotAdopted, ref, scene.belongs(there))


def _prepared(scene: _Scene, change: Change, finding: Finding | None) -> _Judged:
    """With what becomes of the fields' owners, and whether it can only be made anew."""
    there = scene.live.get(change.ref)
    if change.action is not Action.CONFIGURED or change.manifest is None or there is None:
        return change, finding
    manifest, found, fields = _claimed(scene, change.manifest, there)
    taken = scene.permitted(there, fields)
    found = replace(found, over=found.over | taken.keys())
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


def _claimed(scene: _Scene, manifest: Manifest, there: LiveObject) -> tuple[Manifest, Claim, Held]:
    """What would be applied over a live object, the claim on its fields, and who is in its way."""
    ignored = scene.ignore.of(manifest.ref, there.data)
    manifest = yielding(manifest, there.data, ignored, manager=OUR_MANAGER)
    found = claim(manifest, there, scene.adopt)
    found = replace(found, over=found.over | scene.gives_way(manifest, there))
    fields = held(manifest, there, found.over | {HAND_OVER_MANAGER}) if _whole(there) else {}
    return manifest, found, fields


def _adoption(scene: _Scene, manifest: Manifest, there: LiveObject) -> Question:
    """What is asked of people about an object that is nobody's: itself, and the fields that others hold."""
    over = tuple(sorted(_claimed(scene, manifest, there)[2]))
    return Question(deed=Deed.ADOPT, ref=manifest.ref, uid=there.uid, over=over)


def _encrypted_again(manifest: Manifest, there: LiveObject) -> str:
    """Which encrypted files are others than those that were applied, even if the plaintext is the same."""
    now = {(one.path, one.key): one for one in in_data(manifest.data().get("data"))}
    before = in_data(there.data.get("data"))
    files = {o.path for o in before if now.get((o.path, o.key), o).blob != o.blob}
    return f"encrypted again: {', '.join(sorted(files))}" if files else ""


def _missing(manifest: Manifest, entry: InventoryEntry | None) -> Change:
    applied = entry is not None and entry.uid != ""
    if applied and entry is not None and entry.digest == manifest.digest:
        if goes_by_itself(manifest):
            reason, action = "ended and removed after its TTL", Action.UNCHANGED
        else:
            reason, action = "was deleted from the target", Action.CREATED
        return Change(ref=manifest.ref, action=action, manifest=manifest, reason=reason)
    return Change(ref=manifest.ref, action=Action.CREATED, manifest=manifest)


def _against_drift(scene: _Scene, manifest: Manifest, there: LiveObject) -> Change:
    ignored = scene.ignore.of(manifest.ref, there.data)
    scales = manifest.ref not in scene.unscaled
    whole = _whole(there)
    drifted = diff(manifest, there.data, ignore=ignored, autoscaled=scales) if whole else ()
    allowed = scene.gives_way(manifest, there) | {HAND_OVER_MANAGER} if drifted else frozenset()
    ours = tuple(f for f in drifted if f.ours or set(f.manager.split(", ")) <= allowed)
    if ours:
        return Change(
            ref=manifest.ref,
            action=Action.CONFIGURED,
            manifest=manifest,
            reason=f"drift: {_paths(ours)}",
        )
    reason = "; ".join(f"{f.path} is owned by {f.manager}" for f in drifted)
    return Change(ref=manifest.ref, action=Action.UNCHANGED, manifest=manifest, reason=reason)


def _paths(drifted: tuple[FieldDrift, ...], most: int = 3) -> str:
    told = ", ".join(f.path for f in drifted[:most])
    rest = len(drifted) - most
    return f"{told} and {rest} more" if rest > 0 else told


def _whole(there: LiveObject) -> bool:
    return str(there.data.get("kind", "")) not in _METADATA_ONLY


def _terminating(there: LiveObject) -> bool:
    metadata = there.data.get("metadata")
    return isinstance(metadata, Mapping) and bool(metadata.get("deletionTimestamp"))


def _unwanted(scene: _Scene, entry: InventoryEntry) -> _Judged:
    """An object that the revision no longer has."""
    ref = entry.ref

    there = scene.live.get(ref)
    uid = there.uid if there is not None else ""

    def change(action: Action, reason: str = "") -> Change:
        return Change(ref=ref, action=action, reason=reason, entry=entry, uid=uid)

    if there is None:
        return change(Action.PRUNED, ALREADY_GONE), None
    if there.uid and there.uid in scene.wanted_uids:
        return change(Action.SKIPPED, MOVED), None
    if not is_ours(there, scene.owner, entry, entry.digest):
        # Had we made it, it would carry our label, or somebody took that away.
        if not entry.uid and there.owner != scene.owner and not lost_its_label(there):
            return change(Action.SKIPPED, NEVER_OURS), None
        whose = scene.belongs(there)
        return change(Action.SKIPPED, whose), _finding(NotOwned, ref, whose)
    policy = scene.prune.get(ref.group_kind, PrunePolicy.DELETE)
    found = annotations_of(there.data)
    if policy is PrunePolicy.KEEP or any(found.get(k) == v for k, v in _KEEP.items()):
        return change(Action.SKIPPED, "kept, as its prune policy says"), None
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
