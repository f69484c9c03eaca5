"""A ledger of any size, as a year of promotions leaves it: requests with evidence, claims, waves, verdicts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count, islice

from distributor.adapters.git import PygitObjects
from distributor.adapters.keys import SshKey
from distributor.ledger import encode, encode_genesis
from distributor.model.ledger import (
    Claimed,
    Decided,
    Genesis,
    Key,
    Observed,
    Progressed,
    Record,
    Step,
)
from distributor.model.promotion import GateAnswer, GateResult, Revision, Verdict, VerdictOutcome
from distributor.model.refs import Digest, ObjectId
from distributor.model.tags import Verb
from distributor.model.trees import NewCommit

START = datetime(2026, 1, 1, tzinfo=UTC)
ENVIRONMENTS = ("sit", "uat", "pre", "prd", "dr")
GATES = (
    "binding", "signature", "provenance", "veto", "predecessors", "soak", "windows", "renders",
    "schemas", "fit", "blast-radius", "approvals",
)  # fmt: skip
ANSWERS = tuple(
    GateAnswer(number=n, gate=gate, result=GateResult.PASS, message="nothing stands in the way")
    for n, gate in enumerate(GATES, 1)
)
SHA = "0123456789abcdef" * 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How many records, and over how many instances of each environment."""

    records: int = 100_000
    instances: int = 40


def history(key: Key, number: Iterator[int]) -> Iterator[Record]:
    """Promotions of one instance without end: eleven records each."""
    at = START
    for attempt in count(1):
        sequence, at = next(number), at + timedelta(minutes=30)
        tag = ObjectId(f"{sequence:040x}")
        ref = f"promote/{key[0]}/{key[1]}/1.{attempt}.0"
        holder, expires = "0123456789abcdef", at + timedelta(seconds=60)
        yield Observed(at=at, ref=ref, tag=tag, raw=b"object " + SHA.encode() * 9)
        yield Decided(at=at, verdict=_verdict(key, ref, tag, sequence, attempt))
        yield Claimed(at=at, holder=holder, number=2 * attempt, expires=expires)
        yield Progressed(at=at, step=Step.STARTED, sequence=sequence)
        for wave in range(3):
            targets = {f"{key[0]}-edge-{n}": "current" for n in range(wave * 4, wave * 4 + 4)}
            yield Claimed(at=at, holder=holder, number=2 * attempt, expires=expires)
            yield Progressed(
                at=at, step=Step.WAVE, sequence=sequence, wave=str(wave), targets=targets
            )
        yield Progressed(at=at + timedelta(minutes=5), step=Step.VERIFIED, sequence=sequence)


def _verdict(key: Key, ref: str, tag: ObjectId, sequence: int, attempt: int) -> Verdict:
    digest = Digest(f"sha256:{sequence:064x}")
    return Verdict(
        ref=ref, tag=tag, verb=Verb.PROMOTE, environment=key[0], instance=key[1],
        outcome=VerdictOutcome.ACCEPTED, answers=ANSWERS, principal="ada@example.org",
        sequence=sequence, commit=tag, policy_commit=tag, prev="none", rendered=digest,
        revision=Revision(app=key[1], version=f"1.{attempt}.0", digest=digest, config=digest),
        targets=tuple(f"{key[0]}-edge-{n}" for n in range(12)),
    )  # fmt: skip


def keys(size: Size) -> tuple[Key, ...]:
    """Every instance of every environment."""
    return tuple((e, f"app-{n:03}") for e in ENVIRONMENTS for n in range(size.instances))


def write(objects: PygitObjects, size: Size, signer: SshKey, commits: int = 1) -> ObjectId:
    """Write a ledger into an object database, the last records in so many commits; its head."""
    genesis = Genesis(at=START, main=ObjectId("0" * 40), key=signer.public_key)
    files = {"genesis.json": ("blob", objects.write_blob(encode_genesis(genesis)))}
    every, number = keys(size), count(1)
    share = size.records // len(every)
    written = {key: [encode(r) for r in islice(history(key, number), share)] for key in every}
    for key, lines in written.items():
        files[_path(key)] = ("blob", objects.write_blob(b"".join(lines)))
    head = _commit(objects, objects.write_tree(None, files), (), signer)
    for n in range(commits - 1):
        head = append(objects, head, every[n % len(every)], written, signer)
    return head


def append(
    objects: PygitObjects, head: ObjectId, key: Key, written: dict[Key, list[bytes]], signer: SshKey
) -> ObjectId:
    """One more commit, as another service would make it: a claim."""
    at = START + timedelta(days=300)
    written[key].append(encode(Claimed(at=at, holder="f" * 16, number=10**6, expires=at)))
    blob = objects.write_blob(b"".join(written[key]))
    tree = objects.write_tree(objects.tree_of(head), {_path(key): ("blob", blob)})
    return _commit(objects, tree, (head,), signer)


def read(objects: PygitObjects, head: ObjectId, every: Sequence[Key]) -> dict[Key, list[bytes]]:
    """The lines of some files, to go on writing them."""
    tree = objects.tree_of(head)
    found: dict[Key, list[bytes]] = {}
    for key in every:
        at = tree
        for part in _path(key).split("/"):
            at = next(e.id for e in objects.entries(at) if e.name == part)
        found[key] = objects.blob(at).splitlines(keepends=True)
    return found


def _path(key: Key) -> str:
    return f"records/{key[0]}/{key[1]}.jsonl"


def _commit(
    objects: PygitObjects, tree: ObjectId, parents: tuple[ObjectId, ...], signer: SshKey
) -> ObjectId:
    commit = NewCommit(tree=tree, parents=parents, message="records", at=START)
    return objects.write_commit(commit, signer)
