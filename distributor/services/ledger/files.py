"""The files of a ledger: its records by environment and instance, folded once for each content."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from distributor.ledger import decode_file, encode, fold_stream
from distributor.ledger.segments import OPEN, in_order, parse_name, path_of
from distributor.model.ledger import InstanceState, Key, LedgerState, Record
from distributor.model.refs import ObjectId
from distributor.ports import GitObjects, TreeChange

Segments = tuple[tuple[int, ObjectId], ...]
"""The years and blobs of one instance's records, oldest first; the last is written to."""
Blobs = tuple[ObjectId, ...]
Added = Mapping[Key, tuple[Blobs, InstanceState]]
"""The new states of instances, with the blobs that they are of."""


class LedgerFiles:
    """Reads the records of a ledger's commits, and says what an append changes."""

    def __init__(self, objects: GitObjects) -> None:
        self._objects = objects
        self._folded: dict[Key, dict[Blobs, InstanceState]] = {}  # the whole, and its closed years

    def at(self, head: ObjectId) -> dict[Key, Segments]:
        """The files of a ledger commit, by environment and instance."""
        objects = self._objects
        found: dict[Key, list[tuple[int, ObjectId]]] = {}
        root = {e.name: e.id for e in objects.entries(objects.tree_of(head))}
        for environment in objects.entries(root["records"]) if "records" in root else ():
            for entry in objects.entries(environment.id):
                instance, year = parse_name(entry.name)
                found.setdefault((environment.name, instance), []).append((year, entry.id))
        return {key: tuple(sorted(f, key=lambda s: in_order(s[0]))) for key, f in found.items()}

    def records(self, head: ObjectId, key: Key) -> Iterator[Record]:
        """The records of one environment and instance at a head, oldest first."""
        for segment in self.at(head).get(key, ()):
            yield from self._decoded(key, segment)

    def _decoded(self, key: Key, segment: tuple[int, ObjectId]) -> Iterator[Record]:
        return decode_file(self._objects.blob(segment[1]), path_of(key, segment[0]))

    def folds(self, head: ObjectId) -> dict[Key, InstanceState]:
        """The state of every instance; what did not change is not folded again."""
        files = self.at(head)
        self._folded = {key: known for key, known in self._folded.items() if key in files}
        with _growing():
            return {key: self._fold(key, segments) for key, segments in files.items()}

    def _fold(self, key: Key, segments: Segments) -> InstanceState:
        blobs = tuple(blob for _, blob in segments)
        known = self._folded.get(key, {})
        if blobs not in known:
            closed = known.get(blobs[:-1])
            if closed is None and len(segments) > 1:
                closed = fold_stream(*key, self._all(key, segments[:-1]))
            self._keep(key, blobs, closed, fold_stream(*key, self._all(key, segments[-1:]), closed))
        return self._folded[key][blobs]

    def _all(self, key: Key, segments: Segments) -> Iterator[Record]:
        for segment in segments:
            yield from self._decoded(key, segment)

    def _keep(
        self, key: Key, blobs: Blobs, closed: InstanceState | None, whole: InstanceState
    ) -> None:
        """Remember the newest fold alone: an append leaves nothing behind of the one before."""
        self._folded[key] = {blobs: whole} | ({blobs[:-1]: closed} if closed else {})

    def extended(
        self, old: LedgerState, records: Sequence[tuple[Key, Record]], year: int
    ) -> tuple[Mapping[str, TreeChange], Added]:
        """The files that change when records are appended in a year, and the new states of their instances."""
        files, by_key = self.at(old.head), dict[Key, list[Record]]()
        for key, record in records:
            by_key.setdefault(key, []).append(record)
        changes: dict[str, TreeChange] = {}
        added: dict[Key, tuple[Blobs, InstanceState]] = {}
        for key, new in by_key.items():
            changed, segments = self._appended(key, files.get(key, ()), old, new, year)
            changes |= changed
            blobs = tuple(blob for _, blob in segments)
            added[key] = (blobs, fold_stream(*key, new, old.instances.get(key)))
        return changes, added

    def keep(self, added: Added) -> None:
        """What was appended is in the ledger now."""
        for key, (blobs, state) in added.items():
            self._keep(key, blobs, self._folded.get(key, {}).get(blobs[:-1]), state)

    def _appended(
        self, key: Key, segments: Segments, old: LedgerState, new: Sequence[Record], year: int
    ) -> tuple[dict[str, TreeChange], Segments]:
        objects, changes = self._objects, dict[str, TreeChange]()
        closed, data = tuple(s for s in segments if s[0]), b""
        last = old.instance(*key).last_at
        if segments and segments[-1][0] == OPEN:
            blob = segments[-1][1]
            if last is not None and last.year < year:
                changes[path_of(key, last.year)] = ("blob", blob)
                closed = (*closed, (last.year, blob))
            else:
                data = objects.blob(blob)
        whole = objects.write_blob(data + b"".join(map(encode, new)))
        changes[path_of(key)] = ("blob", whole)
        return changes, (*closed, (OPEN, whole))


@contextmanager
def _growing() -> Iterator[None]:
    """Everything that is made in here stays: the collector would look through it over and over for nothing."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()
