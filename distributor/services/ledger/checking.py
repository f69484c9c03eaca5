"""Checking ledger commits: each is signed by a key that the ledger knew before it."""

from __future__ import annotations

from collections.abc import Iterable

from distributor.errors.git import LedgerForged
from distributor.model.findings import Finding
from distributor.model.ledger import Genesis
from distributor.model.refs import ObjectId
from distributor.policy.roles import is_service
from distributor.policy.signatures import signing_key
from distributor.services.world import World

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


def check_founder(world: World, genesis: Genesis) -> None:
    """Raise ``LedgerForged`` unless main's policy, now or as the genesis names it, lets its key decide.

    This is what a service without memory has against a ledger that somebody else founded.
    """
    objects, head = world.objects, world.objects.resolve(world.main_ref)
    if head is None:
        return  # without a main nothing is decided anyway
    commits = [head, genesis.main] if objects.is_ancestor(genesis.main, head) else [head]
    for commit in commits:
        policies = world.loader.policies(objects.tree_of(commit))
        for entry in policies.signers:
            same = _blob(entry.key) == _blob(genesis.key) or entry.key == _blob(genesis.key)
            if same and any(is_service(policies.roles, who) for who in entry.principals):
                return
    raise LedgerForged(f"(main's policies let {genesis.key[:40]}... decide nothing)")


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
