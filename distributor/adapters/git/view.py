"""A view: refs as they were last seen here and there, in a repository of their own that copies no object.

It is for questions that are answered offline: nothing that is looked at is changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pygit2

from distributor.adapters.git.objects import PygitObjects
from distributor.model.refs import ObjectId

OBSERVED = "refs/observed/"
"""Where a mirror keeps what it fetched, and where a view has everything."""
_BELIEVED = "refs/distributor/ledger"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a view was made of. ``tag`` is the one asked about; ``mirrored`` the mirror's, where that is another.

    ``believed`` is the last head of the ledger that a service on the mirror has checked.
    """

    tag: ObjectId | None
    mirrored: ObjectId | None
    believed: ObjectId | None
    sources: tuple[str, ...]


def make_view(
    place: Path, *, mirror: Path, clone: Path | None, heads: Sequence[str], tag: str
) -> Seen:
    """Make a view of a mirror and of a clone, each where it is there; of a branch in both the newer head.

    A clone is looked at as far as it has fetched: a branch of its remote goes before one of its own. Of a
    tag in both the mirror's is shown, but the one that is asked about is the clone's.
    """
    objects = PygitObjects.create(place)
    own = _opened(clone)
    fetched = _opened(mirror)
    here = [r for r in (fetched, own) if r is not None]
    (place / "objects" / "info").mkdir(exist_ok=True)
    lines = "".join(f"{_common(Path(r.path)).resolve() / 'objects'}\n" for r in here)
    (place / "objects" / "info" / "alternates").write_text(lines, "utf-8")
    objects = PygitObjects(place)
    refs: dict[str, ObjectId] = {}
    for head in heads:
        found = [o for o in (_mirrored(fetched, head), _cloned(own, head)) if o is not None]
        if found:
            refs[f"{OBSERVED}heads/{head}"] = _newest(objects, found)
    mirrored = _tags(fetched, f"{OBSERVED}tags/")
    mine = _tags(own, "refs/tags/")
    refs |= {f"{OBSERVED}tags/{name}": oid for name, oid in (mine | mirrored).items()}
    packed = "".join(f"{oid} {ref}\n" for ref, oid in sorted(refs.items()))
    (place / "packed-refs").write_text(packed, "utf-8", errors="surrogateescape")
    asked = mine.get(tag) or mirrored.get(tag)
    other = mirrored.get(tag)
    return Seen(
        tag=asked,
        mirrored=other if other != asked else None,
        believed=_resolved(fetched, _BELIEVED),
        sources=tuple(str(Path(r.path)) for r in here),
    )


def _opened(folder: Path | None) -> pygit2.Repository | None:
    try:
        return pygit2.Repository(str(folder)) if folder is not None and folder.exists() else None
    except pygit2.GitError:
        return None


def _common(path: Path) -> Path:
    """The Git folder that has the objects: of a linked work tree that is the main one's (gitrepository-layout(5))."""
    link = path / "commondir"
    return path / link.read_text("utf-8").strip() if link.is_file() else path


def _mirrored(repository: pygit2.Repository | None, head: str) -> ObjectId | None:
    return _resolved(repository, f"{OBSERVED}heads/{head}")


def _cloned(repository: pygit2.Repository | None, head: str) -> ObjectId | None:
    names = (f"refs/remotes/origin/{head}", f"refs/heads/{head}")
    return next((found for name in names if (found := _resolved(repository, name))), None)


def _resolved(repository: pygit2.Repository | None, name: str) -> ObjectId | None:
    if repository is None:
        return None
    try:
        return ObjectId(str(repository.lookup_reference(name).resolve().target))
    except (KeyError, ValueError, pygit2.GitError):
        return None


def _tags(repository: pygit2.Repository | None, prefix: str) -> dict[str, ObjectId]:
    """The tags of a repository; one whose name is not UTF-8 is no request, and is left out."""
    if repository is None:
        return {}
    found: dict[str, ObjectId] = {}
    for reference in repository.references.iterator():
        name = reference.name
        if name.startswith(prefix) and not isinstance(reference.target, str) and name.isprintable():
            found[name.removeprefix(prefix)] = ObjectId(str(reference.target))
    return found


def _newest(objects: PygitObjects, heads: Sequence[ObjectId]) -> ObjectId:
    """The head that has the others behind it; the first where none has."""
    newest = heads[0]
    for head in heads[1:]:
        if objects.is_ancestor(newest, head):
            newest = head
    return newest
