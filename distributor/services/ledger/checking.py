"""Checking ledger commits: each is signed by a key that the ledger knew before it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from distributor.catalog.digests import find
from distributor.errors import Where
from distributor.errors.git import LedgerForged
from distributor.ledger import decode
from distributor.model.findings import Finding
from distributor.model.ledger import KEYS, Genesis, KeyChanged
from distributor.model.policy import PolicySet
from distributor.model.refs import ObjectId
from distributor.policy.roles import is_service
from distributor.policy.signatures import signing_key
from distributor.ports import GitObjects
from distributor.services.world import World

KEYS_FILE = f"records/{KEYS[0]}/{KEYS[1]}.jsonl"
"""The file of key changes in a ledger's tree."""
_HEADER = b"gpgsig "


def verify_commit(raw: bytes, keys: Iterable[str], commit: ObjectId) -> None:
    """Raise ``LedgerForged`` unless one of the keys (type and blob) signed this raw commit."""
    payload, signature = split_signature(raw)
    if not signature:
        raise LedgerForged(f"(commit {commit} is not signed)")
    key = signing_key(payload, signature)
    if isinstance(key, Finding):
        raise LedgerForged(f"(commit {commit}: {key.message})")
    if _blob(key) not in {_blob(known) for known in keys}:
        raise LedgerForged(f"(commit {commit} is signed by {key[:60]})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """The key that signs from some commit on, the file that this is known from, and who signed that commit."""

    key: str
    file: ObjectId | None = None
    signed: str = ""


def known_at(objects: GitObjects, head: ObjectId, genesis: Genesis) -> Known:
    """What was known at a head that was checked before."""
    file = _changes(objects, head)
    key = _last_key(objects.blob(file)) if file is not None else ""
    return Known(key=key or genesis.key, file=file)


def verify_history(objects: GitObjects, newest_first: Sequence[ObjectId], known: Known) -> Known:
    """Check that each commit is signed by the key that those before it name; the key of the next one.

    Raises ``LedgerForged``, and ``LedgerBroken`` for a file of key changes that cannot be read.
    """
    if not newest_first:
        return known
    last = _changes(objects, newest_first[0])
    for commit in reversed(newest_first):
        verify_commit(objects.raw(commit), (known.key,), commit)
        file = _changes(objects, commit) if last != known.file else last
        signed = known.key
        if file is not None and file != known.file:
            known = Known(key=_last_key(objects.blob(file)) or known.key, file=file)
        known = replace(known, signed=signed)
    return known


def same_key(one: str, other: str) -> bool:
    """Whether two texts are of the same key, whatever comment they carry."""
    return _blob(one) == _blob(other)


def _changes(objects: GitObjects, commit: ObjectId) -> ObjectId | None:
    """The blob of the file of key changes; ``None`` where there is none."""
    entry = find(objects, objects.tree_of(commit), KEYS_FILE)
    return entry.id if entry is not None else None


def _last_key(data: bytes) -> str:
    found = ""
    for number, line in enumerate(data.splitlines(), 1):
        record = decode(line, Where(file=KEYS_FILE, line=number))
        found = record.key if isinstance(record, KeyChanged) else found
    return found


def check_founder(world: World, genesis: Genesis, key: str) -> None:
    """Raise ``LedgerForged`` unless main's policy, now or as the genesis names it, lets its key decide.

    This is what a service without memory has against a ledger that somebody else founded. ``key`` is the
    one that signed the head: main's policy may know that one alone by now, and must not have revoked it.
    """
    objects, head = world.objects, world.objects.resolve(world.main_ref)
    if head is None:
        return  # without a main nothing is decided anyway
    now = world.loader.policies(objects.tree_of(head))
    if any(same_key(key, text) for text in now.revoked):
        raise LedgerForged(f"(main's policies revoke {key[:40]}..., which signed its head)")
    founded = objects.is_ancestor(genesis.main, head)
    then = (world.loader.policies(objects.tree_of(genesis.main)),) if founded else ()
    if not _decides(now, key) and not any(_decides(p, genesis.key) for p in (now, *then)):
        raise LedgerForged(f"(main's policies let {genesis.key[:40]}... decide nothing)")


def _decides(policies: PolicySet, key: str) -> bool:
    """Whether a key is a listed signer's whose role lets it decide."""
    return any(
        any(is_service(policies.roles, who) for who in entry.principals)
        for entry in policies.signers
        if same_key(entry.key, key)
    )


def split_signature(raw: bytes) -> tuple[bytes, bytes]:
    """A commit without its signature header, and the armour from it (git-commit-tree's form)."""
    head, mark, body = raw.partition(b"\n\n")
    kept: list[bytes] = []
    armour: list[bytes] = []
    inside = False
    for line in head.split(b"\n"):
        if line.startswith(_HEADER) and not armour:
            inside = True
            armour.append(line.removeprefix(_HEADER))
        elif inside and line.startswith(b" "):
            armour.append(line[1:])
        else:
            inside = False
            kept.append(line)
    return b"\n".join(kept) + mark + body, b"\n".join(armour) + b"\n" if armour else b""


def _blob(key: str) -> str:
    """The base64 part of a key's text form."""
    words = key.split()
    return words[1] if len(words) > 1 else key
