"""Ports: the few doors to the outside world, as small Protocols. Adapters implement them, fakes ship."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from distributor.model.changes import Inventory, InventoryEntry, LiveObject, Outcome, Taken
from distributor.model.findings import Finding
from distributor.model.fleet import Cluster
from distributor.model.manifest import Manifest, ManifestSet
from distributor.model.openpgp import PgpKey, PgpSeal
from distributor.model.ownership import NO_CLAIMS, Claims
from distributor.model.package import GroupVersionKind
from distributor.model.refs import GroupKind, ObjectId, ObjectRef
from distributor.model.rendering import RenderJob
from distributor.model.trees import NewCommit, TreeReader


class Clock(Protocol):
    """The only source of time."""

    def now(self) -> datetime:
        """The time now, in UTC."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


class GitObjects(TreeReader, Protocol):
    """The local object database: everything in it is content-addressed, so calls are quick and sync."""

    def resolve(self, ref: str) -> ObjectId | None:
        """The object id of a full ref name, or ``None``."""
        ...

    def refs(self, prefix: str) -> Mapping[str, ObjectId]:
        r"""All refs under a prefix such as ``refs/observed/tags/``; bytes not in UTF-8 as ``\xf6``."""
        ...

    def object_type(self, oid: ObjectId) -> str:
        """commit, tree, blob or tag; raises ``ObjectMissing``."""
        ...

    def raw(self, oid: ObjectId) -> bytes:
        """The raw bytes of any object, without its header; raises ``ObjectMissing``."""
        ...

    def tree_of(self, commit: ObjectId) -> ObjectId:
        """The root tree of a commit; raises ``ObjectMissing``."""
        ...

    def is_ancestor(self, ancestor: ObjectId, descendant: ObjectId) -> bool:
        """Whether ``ancestor`` is ``descendant`` or reachable from it."""
        ...

    def history(self, tip: ObjectId, until: ObjectId | None) -> Sequence[ObjectId]:
        """First-parent history from ``tip`` back to, and without, ``until``; newest first."""
        ...

    def write_blob(self, data: bytes) -> ObjectId:
        """Store bytes."""
        ...

    def write_tree(self, base: ObjectId | None, changes: Mapping[str, TreeChange]) -> ObjectId:
        """A tree like ``base`` with paths set (blob or whole subtree) or removed (``None``)."""
        ...

    def write_commit(self, commit: NewCommit, signer: Signer | None) -> ObjectId:
        """Store a commit, signed in the way of Git where a signer is given."""
        ...

    def write_tag(
        self,
        name: str,
        target: ObjectId,
        *,
        message: str,
        at: datetime,
        tagger: str,
        signer: Signer | None,
    ) -> ObjectId:
        """Store an annotated tag object, signed where a signer is given."""
        ...

    def set_ref(self, ref: str, oid: ObjectId | None, expect: ObjectId | None) -> bool:
        """Move a local ref if it still is at ``expect`` (``None``: absent); False where it is not."""
        ...


TreeChange = tuple[str, ObjectId] | None
"""(``"blob"`` or ``"tree"``, id) to put at a path, or ``None`` to remove it."""


class Remote(Protocol):
    """The shared Git repository; every call has a deadline and raises ``RemoteUnreachable``."""

    async def fetch(self) -> None:
        """Bring main, ledger and all tags into local refs: ``refs/observed/{heads,tags}/...``."""
        ...

    async def push(
        self, updates: Mapping[str, ObjectId], *, expect: Mapping[str, ObjectId | None]
    ) -> None:
        """Push refs (delete for an empty id), all or none, from ``expect``; raises ``PushRejected``."""
        ...

    async def tidy(self) -> None:
        """Pack the local mirror where that is due; nothing that a ref reaches is ever dropped."""
        ...


class Signer(Protocol):
    """Signs in OpenSSH form."""

    @property
    def public_key(self) -> str:
        """The public key's text form: type and blob."""
        ...

    def sign(self, data: bytes, namespace: str) -> bytes:
        """An armoured SSH signature (PROTOCOL.sshsig) over ``data``."""
        ...

    def plain(self, data: bytes) -> bytes:
        """The bare ed25519 signature (RFC 8032) over ``data``, for formats that are not OpenSSH's."""
        ...


class RenderEngine(Protocol):
    """Turns files into objects; knows nothing of environments."""

    @property
    def version(self) -> str:
        """Names the engine and the releases of its renderers; part of the cache key."""
        ...

    async def render(self, job: RenderJob) -> tuple[bytes, ...]:
        """The objects as JSON bytes; raises the errors of ``errors.render``."""
        ...

    async def aclose(self) -> None:
        """Stop all workers."""
        ...


class RenderCache(Protocol):
    """Keeps rendered objects by content key; may forget anything at any time."""

    def get(self, key: str) -> tuple[bytes, ...] | None:
        """What was put under the key, or ``None``; never something half or wrong."""
        ...

    def put(self, key: str, objects: Sequence[bytes]) -> None:
        """Keep the objects; failing to is no error."""
        ...


Entries = Sequence[InventoryEntry]


class TargetConnection(Protocol):
    """One cluster, as far as one instance's delivery needs it."""

    @property
    def delivered_only(self) -> bool:
        """True where health cannot be seen: the best it can say is ``delivered``."""
        ...

    @property
    def ordered(self) -> bool:
        """True where objects must be applied group by group; False where all go in one call."""
        ...

    async def read_inventory(self, environment: str, instance: str) -> Inventory | None:
        """The inventory, or ``None`` if there is none; raises ``InventoryBroken`` if unreadable."""
        ...

    async def write_inventory(self, inventory: Inventory) -> Inventory:
        """Write it if nobody else has since ``inventory.token`` was read, else raise ``Fenced``.

        Returns the inventory with its new token. An empty token means: there must be none yet.
        """
        ...

    async def read_live(self, entries: Entries) -> Mapping[ObjectRef, LiveObject]:
        """The objects of these that exist; one that cannot be read stands there with its ``error``."""
        ...

    async def apply(
        self, inventory: Inventory, group: Sequence[Manifest], claims: Claims = NO_CLAIMS
    ) -> tuple[Outcome, ...]:
        """Apply the objects; one outcome each, in order. Errors of single objects are outcomes.

        ``claims`` say whose fields become ours; a target that knows no owners of fields passes over them.
        """
        ...

    async def delete(self, inventory: Inventory, entries: Entries) -> tuple[Outcome, ...]:
        """Delete objects that are still ours; gone ones count as pruned."""
        ...

    async def owned(self, instance: str) -> Collection[ObjectRef]:
        """What is the instance's by its label, whatever inventories say; empty where nobody can tell."""
        ...

    async def taken_along(
        self, inventory: Inventory, entries: Entries
    ) -> Mapping[ObjectRef, Taken]:
        """What deleting these Namespaces and definitions would take along of others', in words."""
        ...

    async def autoscaled(self, refs: Collection[ObjectRef]) -> Collection[ObjectRef]:
        """Those of the objects that an autoscaler scales; all of them where nobody can tell."""
        ...

    async def aclose(self) -> None:
        """Let go of connections."""
        ...


class Connections(Protocol):
    """Opens clusters."""

    async def open(self, cluster: Cluster) -> TargetConnection:
        """A connection by the cluster's reference; raises ``UnknownConnection``, ``Unsupported``."""
        ...

    async def aclose(self) -> None:
        """Close everything that was opened."""
        ...


class Watch(Protocol):
    """Sees objects move without asking for each."""

    async def mark(self, cluster: Cluster, instance: str, kinds: Collection[GroupKind]) -> str:
        """A text that is the same as long as neither the inventory nor an object of these kinds moved.

        Empty where that cannot be known now. A read that began after a mark was given and found all in
        step need not be repeated while the mark is the same.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRollout:
    """A rollout's state, as ``rollout.encode`` wrote it."""

    environment: str
    instance: str
    sequence: int
    state: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredTarget:
    """What was last seen of a target; times in ISO 8601, ``detail`` a JSON object."""

    environment: str
    instance: str
    cluster: str
    sequence: int
    actuation: str
    health: str
    message: str
    observed_at: str
    detail: str = "{}"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredEvent:
    """Something that happened; ``id`` is given by the store and only grows."""

    at: str
    kind: str
    environment: str = ""
    instance: str = ""
    cluster: str = ""
    message: str = ""
    id: int = 0


class Store(Protocol):
    """The read model: may be empty at any start, and is filled again."""

    async def open(self) -> None:
        """Open and migrate."""
        ...

    async def aclose(self) -> None:
        """Close."""
        ...

    async def get(self, key: str) -> str | None:
        """A single value by key."""
        ...

    async def set(self, key: str, value: str) -> None:
        """Keep a single value."""
        ...

    async def save_rollout(self, rollout: StoredRollout) -> None:
        """Replace the state of an instance's rollout; durable when it returns."""
        ...

    async def rollouts(self) -> tuple[StoredRollout, ...]:
        """All stored rollout states."""
        ...

    async def drop_rollout(self, environment: str, instance: str) -> None:
        """Forget a rollout."""
        ...

    async def save_targets(self, rows: Sequence[StoredTarget]) -> None:
        """Replace what is known of some targets."""
        ...

    async def targets(
        self,
        environment: str = "",
        instance: str = "",
        cluster: str = "",
        *,
        after: tuple[str, str, str] | None = None,
        limit: int = 0,
    ) -> tuple[StoredTarget, ...]:
        """Targets in the order (environment, instance, cluster); empty filters ask for nothing."""
        ...

    async def drop_target(self, environment: str, instance: str, cluster: str) -> None:
        """Forget a target."""
        ...

    async def add_event(self, event: StoredEvent) -> int:
        """Append an event and answer its number."""
        ...

    async def events(self, after: int = 0, limit: int = 500) -> tuple[StoredEvent, ...]:
        """Events after a number, oldest first."""
        ...

    async def last_event(self) -> int:
        """The number of the newest event; 0 before the first."""
        ...

    async def clear(self) -> None:
        """Forget rollouts, targets and single values."""
        ...


class Timers(Protocol):
    """Wakes callers; a timer never decides anything."""

    def every(self, name: str, seconds: float, wake: Callable[[], None]) -> None:
        """Call ``wake`` every so many seconds; a name that exists is replaced."""
        ...

    def at(self, name: str, when: datetime, wake: Callable[[], None]) -> None:
        """Call ``wake`` once; a name that exists is replaced."""
        ...

    def stop(self) -> None:
        """Forget all."""
        ...


class SecretOpener(Protocol):
    """Opens encrypted files with the keys that this process holds."""

    def open(self, data: bytes, path: str, environment: str) -> Mapping[str, bytes]:
        """Every encrypted value by its key, and the whole decrypted file under the empty one.

        ``environment`` is where the values go: its key must open the file. All of them or none: raises the errors of ``errors.secrets``, which name ``path`` and never a value.
        """
        ...


class Expressions(Protocol):
    """Evaluates CEL over one variable, ``object``; cheap enough to be asked of every object."""

    def problem(self, expression: str) -> str:
        """What is wrong with an expression; empty where nothing is."""
        ...

    def holds(self, expression: str, obj: Mapping[str, Any]) -> bool:
        """Whether it is true of an object; raises ``ExpressionFailed`` where it is neither true nor false."""
        ...


class SchemaSource(Protocol):
    """Knows the schemas of Kubernetes kinds."""

    def check(
        self, manifests: ManifestSet, kubernetes: str, known: frozenset[GroupVersionKind]
    ) -> tuple[Finding, ...]:
        """What does not fit its kind's schema at that Kubernetes minor version.

        ``known`` are kinds that the package says the cluster serves: without a schema they only warn.
        """
        ...


CheckSeal = Callable[[bytes, bytes, Sequence[PgpKey]], Awaitable[PgpSeal | Finding]]
"""Checks an OpenPGP signature over bytes, under keys: its seal, or why there is none (perhaps not yet)."""
