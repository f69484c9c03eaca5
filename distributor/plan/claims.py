"""Claims: what becomes of the ownership of an object's fields, decided from its managed fields.

A sole owner that stops applying a field lets it fall to its default, which for ``replicas`` is 1; so a
field that is handed over stays under a manager of its own until another one owns it. Fields of managers
on the adoption list become ours, else what they set and we do not would stay for ever. And an API server
refuses to apply a custom resource whose managed fields speak of a version without its newer fields.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from fnmatch import fnmatchcase
from typing import Any

from distributor.health import is_custom
from distributor.model.changes import LiveObject
from distributor.model.manifest import Manifest
from distributor.model.ownership import Claim, FieldPath
from distributor.plan.dependencies import annotations_of
from distributor.plan.managed import BEFORE_FIRST_APPLY, entries_of, paths_of
from distributor.plan.ownership import OUR_MANAGER

HAND_OVER_MANAGER = "distributor-hand-over"
"""Holds fields that nobody owns yet, in our name and apart from what we ask for."""
RELEASE_MANAGER = "distributor-release"
"""Holds the note that an object was released; whoever of us takes it next, takes that too."""
HANDED_OVER = "distributor.dev/handed-over"
"""Annotation: JSON pointers, separated by commas, of fields to keep as they are when no longer set."""
TAKE_OVER = "distributor.dev/take-over"
"""Annotation: managers, separated by commas, over which a conflict in a field we set may be forced."""
_ALWAYS: tuple[FieldPath, ...] = (("spec", "replicas"),)


def claim(manifest: Manifest, there: LiveObject, adopt: frozenset[str] = frozenset()) -> Claim:
    """What is to be done before ``manifest`` is applied over the live object; ``adopt`` is the adoption list."""
    wanted = manifest.data()
    entries = entries_of(there.data)
    whole = [entry for entry in entries if not entry.get("subresource")]
    takes = frozenset(str(e["manager"]) for e in whole) & (adopt - {OUR_MANAGER})
    takes |= {str(e["manager"]) for e in whole} & {RELEASE_MANAGER}
    if any(_is_set(wanted, p) for p in paths_of(whole, HAND_OVER_MANAGER)):
        takes |= {HAND_OVER_MANAGER}
    versions = {str(entry.get("apiVersion")) for entry in entries}
    ours = (takes - {BEFORE_FIRST_APPLY}) | {OUR_MANAGER}
    dropped = (path for path in (*_ALWAYS, *_pointers(wanted)) if not _is_set(wanted, path))
    return Claim(
        takes=takes,
        hands_over=tuple(p for p in dropped if frozenset() < _owners(entries, p) <= ours),
        migrates=is_custom(manifest.ref.group) and bool(versions - {manifest.api_version}),
        over=adopt | consented(manifest),
    )


def version_seen(there: LiveObject) -> str | None:
    """The version of a live object, to be bound to; ``None`` where the target has none."""
    metadata = there.data.get("metadata")
    found = metadata.get("resourceVersion") if isinstance(metadata, Mapping) else None
    return str(found) if found else None


def undone(live: Mapping[str, Any], patterns: Collection[str]) -> frozenset[str]:
    """The managers of a live object that one of the names names; a name may have ``*`` in it."""
    managers = {str(entry["manager"]) for entry in entries_of(live)} - {OUR_MANAGER}
    return frozenset(m for m in managers if any(fnmatchcase(m, p) for p in patterns))


def consented(manifest: Manifest) -> frozenset[str]:
    """The managers that the object itself says may be forced over: reviewed, and recorded in Git."""
    return frozenset(_listed(manifest.data(), TAKE_OVER))


def _owners(entries: tuple[Mapping[str, Any], ...], path: FieldPath) -> frozenset[str]:
    managers = {str(entry["manager"]) for entry in entries}
    depth = len(path)
    return frozenset(m for m in managers if any(p[:depth] == path for p in paths_of(entries, m)))


def _pointers(wanted: Mapping[str, Any]) -> tuple[FieldPath, ...]:
    """JSON pointers (RFC 6901) without their escapes; what is not one says nothing."""
    return tuple(
        tuple(step.replace("~1", "/").replace("~0", "~") for step in text[1:].split("/"))
        for text in _listed(wanted, HANDED_OVER)
        if text.startswith("/")
    )


def _listed(wanted: Mapping[str, Any], annotation: str) -> tuple[str, ...]:
    text = str(annotations_of(wanted).get(annotation, ""))
    return tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))


def _is_set(wanted: Mapping[str, Any], path: tuple[Any, ...]) -> bool:
    found: Any = wanted
    for step in path:
        if not isinstance(found, Mapping) or found.get(step) is None:
            return False
        found = found[step]
    return True
