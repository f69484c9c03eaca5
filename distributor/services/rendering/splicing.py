"""Splicing: values of SOPS files, put into Secrets on the way to a cluster and taken out on the way back.

Everything on this side of a connection sees placeholders. ``SplicedTarget`` decrypts the files that a
Secret's placeholders name, checks their MAC, and hands the Secret with its values to the connection; only
there, and only while it is being written, is there plaintext. A note on the object says which value was
which placeholder, with an HMAC of the value, so that reading it back needs no key of the files.
"""

from __future__ import annotations

import base64
import hmac
import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from distributor.errors import DistributorError, Where
from distributor.errors.git import ObjectMissing
from distributor.errors.render import BadManifest
from distributor.errors.secrets import SecretGone, SecretNotExternal
from distributor.model.changes import (
    Action,
    Glance,
    Inventory,
    InventoryEntry,
    LiveObject,
    Outcome,
    Survey,
    Taken,
)
from distributor.model.findings import Finding
from distributor.model.fleet import Cluster, Mode
from distributor.model.manifest import Manifest, canonical
from distributor.model.ownership import NO_CLAIMS, Claims
from distributor.model.refs import GroupKind, ObjectRef
from distributor.model.rehearsals import Rehearsal
from distributor.model.trees import TreeReader
from distributor.ports import Connections, SecretOpener, TargetConnection
from distributor.render.placeholders import Placeholder, hidden, in_data, in_secret, spliced
from distributor.render.secrets import SECRET, encoded, has_plain_text, holds_values
from distributor.services.sealing import Seal
from distributor.services.world import Glances

NOTE = "distributor.dev/secrets"
"""The annotation of a Secret that was spliced: each key with the value as rendered and an HMAC."""
_HIDDEN = "(hidden)"
_ABOUT_DATA = re.compile(r"\bdata\b")
_SHORT = 4  # shorter values would be found in any message


@dataclass(frozen=True, slots=True, kw_only=True)
class Splicer:
    """What splicing needs: the blobs of the repository, what opens them, and the seal for digests."""

    blobs: TreeReader
    opener: SecretOpener
    seal: Seal


class SplicingConnections:
    """Implements ``Connections``: every target that is opened splices."""

    def __init__(
        self, inner: Connections, splicer: Splicer, glances: Glances | None = None
    ) -> None:
        self._inner = inner
        self._splicer = splicer
        self._glances = glances

    async def open(self, cluster: Cluster, account: str = "") -> TargetConnection:
        """A connection that splices; raises what the inner one raises."""
        return SplicedTarget(cluster, await self._inner.open(cluster, account), self._splicer)

    async def glance(self, cluster: Cluster, instances: Collection[str]) -> Mapping[str, Glance]:
        """``Glances``: what the inner ones see, with placeholders for values again."""
        if self._glances is None:
            return {}
        found = await self._glances(cluster, instances)
        target = SplicedTarget(cluster, await self._inner.open(cluster), self._splicer)
        return {name: replace(each, live=target.shown(each.live)) for name, each in found.items()}

    async def aclose(self) -> None:
        """Close everything that was opened."""
        await self._inner.aclose()


@dataclass(slots=True)
class _Batch:
    """The files opened for one call, and the values that must not show in what it answers."""

    files: dict[tuple[str, str], Mapping[str, bytes]] = field(default_factory=dict)
    wholes: dict[bytes, bytes] = field(default_factory=dict)
    values: set[str] = field(default_factory=set)

    def used(self, value: bytes) -> None:
        """Remember a value in the forms that a message could repeat it in."""
        if len(value) >= _SHORT:
            plain = value.decode("utf-8", "replace")
            coded = base64.b64encode(value).decode()
            self.values |= {plain, plain.strip(), json.dumps(plain)[1:-1], coded}

    def hidden(self, outcome: Outcome) -> Outcome:
        """An outcome without the values."""
        if outcome.error is None:
            return outcome
        message = outcome.error.message
        for value in sorted(self.values, key=len, reverse=True):
            message = message.replace(value, _HIDDEN) if value else message
        return replace(outcome, error=replace(outcome.error, message=message))


class SplicedTarget:
    """Implements ``TargetConnection`` on another one."""

    def __init__(self, cluster: Cluster, inner: TargetConnection, splicer: Splicer) -> None:
        self._cluster = cluster
        self._inner = inner
        self._splicer = splicer
        refused_there = cluster.mode is Mode.DIRECTORY and not cluster.plaintext_secrets
        self._splices = not refused_there

    @property
    def delivered_only(self) -> bool:
        """As the inner one."""
        return self._inner.delivered_only

    @property
    def ordered(self) -> bool:
        """As the inner one."""
        return self._inner.ordered

    async def read_inventory(self, environment: str, instance: str) -> Inventory | None:
        """The inventory."""
        return await self._inner.read_inventory(environment, instance)

    async def write_inventory(self, inventory: Inventory) -> Inventory:
        """Write the inventory."""
        return await self._inner.write_inventory(inventory)

    async def read_live(
        self, entries: Sequence[InventoryEntry], *, new: bool = False
    ) -> Mapping[ObjectRef, LiveObject]:
        """The objects that exist; in Secrets, values that are still as applied are placeholders again."""
        return self.shown(await self._inner.read_live(entries, new=new))

    def shown(self, found: Mapping[ObjectRef, LiveObject]) -> dict[ObjectRef, LiveObject]:
        """Objects as a target has them, as they are told: the values of Secrets are placeholders again."""
        return {
            ref: self._restored(live) if ref.group_kind == SECRET and not live.error else live
            for ref, live in found.items()
        }

    async def apply(
        self, inventory: Inventory, group: Sequence[Manifest], claims: Claims = NO_CLAIMS
    ) -> tuple[Outcome, ...]:
        """Apply the objects with their values. A Secret whose file cannot be opened fails alone."""
        batch = _Batch()
        ready: list[Manifest] = []
        failed: dict[ObjectRef, Outcome] = {}
        for manifest in group:
            try:
                ready.append(self._ready(manifest, batch))
            except DistributorError as error:
                failed[manifest.ref] = _failed(manifest.ref, error)
        done = {o.ref: batch.hidden(o) for o in await self._inner.apply(inventory, ready, claims)}
        return tuple(failed[m.ref] if m.ref in failed else done[m.ref] for m in group)

    async def delete(
        self, inventory: Inventory, entries: Sequence[InventoryEntry]
    ) -> tuple[Outcome, ...]:
        """Delete the objects."""
        return await self._inner.delete(inventory, entries)

    async def release(
        self, inventory: Inventory, entries: Sequence[InventoryEntry]
    ) -> tuple[Outcome, ...]:
        """Release the objects."""
        return await self._inner.release(inventory, entries)

    async def owned(self, instance: str) -> Survey:
        """As the inner connection sees it."""
        return await self._inner.owned(instance)

    async def scopes(self, kinds: Collection[GroupKind]) -> Mapping[GroupKind, bool]:
        """As the inner connection sees it."""
        return await self._inner.scopes(kinds)

    async def taken_along(
        self, inventory: Inventory, entries: Sequence[InventoryEntry]
    ) -> Mapping[ObjectRef, Taken]:
        """As the inner connection sees it."""
        return await self._inner.taken_along(inventory, entries)

    async def autoscaled(self, refs: Collection[ObjectRef]) -> Collection[ObjectRef]:
        """As the inner connection sees it."""
        return await self._inner.autoscaled(refs)

    async def rehearse(
        self, group: Sequence[Manifest], claims: Claims, there: Mapping[ObjectRef, LiveObject]
    ) -> tuple[Rehearsal, ...]:
        """As the inner connection sees it, without opening any file: Secrets are tried with placeholders.

        So what is said against their data is no word on the values that would be applied.
        """
        veiled = {m.ref for m in group if m.ref.group_kind == SECRET and _is_veiled(m.data())}
        found = await self._inner.rehearse(group, claims, there)
        return tuple(_of_placeholders(each) if each.ref in veiled else each for each in found)

    async def aclose(self) -> None:
        """Let go of the inner connection."""
        await self._inner.aclose()

    def _ready(self, manifest: Manifest, batch: _Batch) -> Manifest:
        """The manifest as it is applied."""
        if manifest.ref.group_kind != SECRET:
            return manifest
        content = manifest.data()
        if self._cluster.mode is Mode.BRANCH and holds_values(manifest):
            raise SecretNotExternal(where=Where(file=str(manifest.ref)))
        wanted = set(in_secret(content, manifest))
        if not wanted or not self._splices:
            return manifest  # a folder that takes no plaintext refuses it by itself
        values = {one: self._value(one, batch) for one in wanted}
        made = spliced(manifest, values, batch.wholes)
        for value in (made.data()["data"]).values():
            batch.used(base64.b64decode(value))
        for plain in values.values():
            batch.used(plain)
        return self._noted(manifest, made)

    def _value(self, one: Placeholder, batch: _Batch) -> bytes:
        place = (one.path, one.blob)
        where = Where(file=one.path, field=one.key)
        if place not in batch.files:
            try:
                data = self._splicer.blobs.blob(one.blob)
            except ObjectMissing as error:
                raise SecretGone(f"(blob {one.blob})", where=where) from error
            opened = self._splicer.opener.open(data, one.path, self._cluster.environment)
            batch.files[place] = opened
            shown = hidden(data, one.path, one.blob)
            if shown is not None:
                batch.wholes[shown[0]] = opened[""]
        if one.key not in batch.files[place]:
            raise SecretGone(where=where)
        return batch.files[place][one.key]

    def _noted(self, before: Manifest, after: Manifest) -> Manifest:
        """The spliced Secret with the note that brings its placeholders back."""
        content = after.data()
        rendered = (encoded(before) if has_plain_text(before) else before).data()["data"]
        note = {
            key: [
                rendered[key],
                self._splicer.seal.value(self._cluster, after.ref, key, value),
            ]
            for key, value in content["data"].items()
            if rendered[key] != value
        }
        metadata = content["metadata"]
        metadata["annotations"] = {
            **(metadata.get("annotations") or {}),
            NOTE: canonical(note).decode(),
        }
        return replace(after, body=canonical(content))

    def _restored(self, live: LiveObject) -> LiveObject:
        """A live Secret as it was rendered, as far as nobody changed it."""
        by_content = live.applied != "" and live.applied == _digest(live.data)
        data = _without_note(live.data)
        held = data.get("data")
        if isinstance(held, Mapping):
            data["data"] = {**held, **self._unchanged(live, held)}
        if not by_content:
            return replace(live, data=data)
        # A folder says what its file holds, not what was applied to it.
        digest = self._splicer.seal.digest(self._cluster, Manifest.of(data).digest)
        return replace(live, data=data, applied=digest)

    def _unchanged(self, live: LiveObject, held: Mapping[str, Any]) -> dict[str, str]:
        """The values, as rendered, that the note vouches for."""
        seal, found = self._splicer.seal, dict[str, str]()
        for key, (rendered, mac) in _note(live.data).items():
            value = held.get(key)
            if isinstance(value, str):
                now = seal.value(self._cluster, live.ref, key, value)
                if hmac.compare_digest(now.encode(), mac.encode()):
                    found[key] = rendered
        return found


def _failed(ref: ObjectRef, error: DistributorError) -> Outcome:
    finding = Finding.from_error(error)
    return Outcome(ref=ref, action=Action.SKIPPED, error=finding, retryable=error.retryable)


def _is_veiled(secret: Mapping[str, Any]) -> bool:
    """Whether encrypted values are to be put in."""
    return any(in_data(secret.get(name)) for name in ("data", "stringData"))


def _of_placeholders(found: Rehearsal) -> Rehearsal:
    if found.error is None or not _ABOUT_DATA.search(found.error.message):
        return found
    return replace(found, error=None, unasked="a plan does not open its encrypted values")


def _digest(data: Mapping[str, Any]) -> str:
    try:
        return Manifest.of(data).digest
    except BadManifest:
        return ""


def _annotations(data: Mapping[str, Any]) -> Mapping[str, Any]:
    metadata = data.get("metadata")
    found = metadata.get("annotations") if isinstance(metadata, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _note(data: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """The note on an object; whatever is not of its form vouches for nothing."""
    try:
        note = json.loads(str(_annotations(data).get(NOTE, "{}")))
    except (ValueError, RecursionError):
        return {}
    found: dict[str, tuple[str, str]] = {}
    for key, pair in note.items() if isinstance(note, dict) else ():
        match pair:
            case [str(rendered), str(seal)]:
                found[key] = (rendered, seal)
            case _:
                continue
    return found


def _without_note(data: Mapping[str, Any]) -> dict[str, Any]:
    found = dict(data)
    annotations = dict(_annotations(data))
    if annotations.pop(NOTE, None) is None:
        return found
    metadata = {**found["metadata"], "annotations": annotations}
    if not annotations:
        del metadata["annotations"]
    return {**found, "metadata": metadata}
