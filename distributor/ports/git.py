"""Git and signatures: objects, the shared remote, who signs and who checks."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from distributor.model.findings import Finding
from distributor.model.openpgp import PgpKey, PgpSeal
from distributor.model.refs import ObjectId
from distributor.model.trees import NewCommit, TreeReader


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


CheckSeal = Callable[[bytes, bytes, Sequence[PgpKey]], Awaitable[PgpSeal | Finding]]
"""Checks an OpenPGP signature over bytes, under keys: its seal, or why there is none (perhaps not yet)."""
