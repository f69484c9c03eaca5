"""Attesting: whether it was us who made the object that carries our label.

Operators copy the labels and annotations of an object to what they make of it, so a label alone proves
nothing. Who wrote an object stands in its managed fields, which nobody copies.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from distributor.model.changes import InventoryEntry, LiveObject
from distributor.model.manifest import Manifest
from distributor.model.refs import Digest
from distributor.plan.dependencies import annotations_of
from distributor.plan.ownership import OUR_MANAGER
from distributor.render.applyset import applyset_id

ADOPT = "distributor.dev/adopt"
"""Annotation of a desired object: with ``existing``, one of its name that is nobody's becomes ours; with
``from/<instance>``, that instance's does, whether it holds the object still or has released it."""
_EXISTING, _FROM = "existing", "from/"
RELEASED_BY = "distributor.dev/released-by"
"""Annotation of an object that was kept when its instance let go of it: that instance's name."""
_INSTANCE = "app.kubernetes.io/instance"
FOUND = Digest(f"sha256:{'0' * 64}")
"""The digest of an inventory entry that was found by its label, after the inventory was lost."""


def is_ours(there: LiveObject, owner: str, entry: InventoryEntry | None, *digests: Digest) -> bool:
    """Whether an object is one that we applied; ``owner`` is our ApplySet id.

    By our label, unless others alone wrote the object: then it must be the very one that the inventory
    names, or carry the digest of what we applied under its name (a backup that was restored). Without a
    label it must be either, or name our instance and be written by us: every instance writes under the
    same manager.
    """
    known = entry is not None and entry.uid != "" and entry.uid == there.uid
    same = bool(there.applied) and there.applied in digests
    if there.owner == "":
        named = instance_of(there)
        return (
            known or same or (lost_its_label(there) and bool(named) and applyset_id(named) == owner)
        )
    return there.owner == owner and (_wrote(there) is not False or known or same)


def made_here(there: LiveObject, owner: str) -> bool:
    """Whether an object carries our label, and nothing says that others made it."""
    return there.owner == owner and _wrote(there) is not False


def is_copy(there: LiveObject, owner: str) -> bool:
    """Whether an object carries our label although others made it."""
    return there.owner == owner and _wrote(there) is False


def lost_its_label(there: LiveObject) -> bool:
    """Whether an instance of ours, no matter which, wrote an object that carries no label any more."""
    return there.owner == "" and _wrote(there) is True


def instance_of(there: LiveObject) -> str:
    """The instance that an object names, empty where it names none."""
    metadata = there.data.get("metadata")
    labels = metadata.get("labels") if isinstance(metadata, Mapping) else None
    name = labels.get(_INSTANCE) if isinstance(labels, Mapping) else None
    return name if isinstance(name, str) else ""


def writers(there: LiveObject) -> str:
    """Who wrote an object, for people; empty where it does not say."""
    found = {str(entry.get("manager")) for entry in _entries(there) or ()}
    return ", ".join(sorted(found - {"None", ""}))


def adopts(manifest: Manifest) -> bool:
    """Whether the desired object itself says that an existing one may become ours."""
    return annotations_of(manifest.data()).get(ADOPT) == _EXISTING


def comes_from(manifest: Manifest, there: LiveObject, owner: str) -> str:
    """The instance whose object may become ours: the one that the desired object names, or ours once.

    What we released ourselves comes back without a word, so that one may go back to a revision that has it.
    """
    giver = _giver(manifest.data())
    if there.owner:
        return giver if giver and there.owner == applyset_id(giver) else ""
    by = str(annotations_of(there.data).get(RELEASED_BY, ""))
    may = by and not lost_its_label(there) and (by == giver or applyset_id(by) == owner)
    return by if may else ""


def went_from(there: LiveObject, owner: str) -> bool:
    """Whether another took an object over from our instance, and names that."""
    giver = _giver(there.data)
    return there.owner not in {"", owner} and bool(giver) and applyset_id(giver) == owner


def _giver(data: Mapping[str, object]) -> str:
    asked = str(annotations_of(data).get(ADOPT, ""))
    return asked.removeprefix(_FROM) if asked.startswith(_FROM) else ""


def _wrote(there: LiveObject) -> bool | None:
    """Whether we applied any field; ``None`` where the object does not say who did."""
    entries = _entries(there)
    if not entries:
        return None
    return any((e.get("manager"), e.get("operation")) == (OUR_MANAGER, "Apply") for e in entries)


def _entries(there: LiveObject) -> Collection[Mapping[str, object]]:
    metadata = there.data.get("metadata")
    found = metadata.get("managedFields") if isinstance(metadata, Mapping) else None
    return [e for e in found if isinstance(e, Mapping)] if isinstance(found, list) else []
