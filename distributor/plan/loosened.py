"""What ties an object to its instance and revision, and has come loose: its owner label, its applied digest."""

from __future__ import annotations

from distributor.model.changes import LiveObject
from distributor.model.drift import DriftedField
from distributor.model.manifest import Manifest
from distributor.plan.drift import APPLIED
from distributor.plan.ownership import OUR_MANAGER, Path, ownership
from distributor.plan.pointers import pointer_of
from distributor.render.applyset import PART_OF

_LABEL: Path = ("metadata", "labels", PART_OF)
_DIGEST: Path = ("metadata", "annotations", APPLIED)
TIES = frozenset({pointer_of(_LABEL), pointer_of(_DIGEST)})
"""Pointers to these; no ignore rule can leave them to others."""


def loosened(manifest: Manifest, there: LiveObject) -> DriftedField | None:
    """The label or annotation that is not as it was applied, if one of them is not.

    Where another revision was applied than that of the manifest, its digest is of course another one.
    """
    if there.owner == "":
        return _field(there, _LABEL)
    if there.applied != manifest.digest:
        return _field(there, _DIGEST)
    return None


def _field(there: LiveObject, path: Path) -> DriftedField:
    others = ownership(there.data).owners.get(path, frozenset()) - {OUR_MANAGER}
    text = f"{path[0]}.{path[1]}['{path[2]}']"
    return DriftedField(path=text, pointer=pointer_of(path), manager=", ".join(sorted(others)))
