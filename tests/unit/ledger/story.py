"""A short way to write ledgers: records with times in minutes, digests of single letters."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from distributor.ledger import fold, fold_stream
from distributor.model.ledger import (
    Decided,
    Genesis,
    InstanceState,
    Key,
    LedgerState,
    Observed,
    Progressed,
    Record,
    Step,
)
from distributor.model.promotion import Revision, Verdict, VerdictOutcome
from distributor.model.refs import Digest, ObjectId
from distributor.model.tags import Verb

START = datetime(2026, 1, 1, tzinfo=UTC)
GENESIS = Genesis(at=START, main=ObjectId("0" * 40), key="ssh-ed25519 AAAA")


def at(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


def oid(number: int) -> ObjectId:
    return ObjectId(f"{number:040x}")


def digest(letter: str) -> Digest:
    return Digest("sha256:" + letter * 64)


def revision(letter: str, config: str = "c", version: str = "") -> Revision:
    return Revision(
        app="shop",
        version=version or f"1.0.{ord(letter)}",
        digest=digest(letter),
        config=digest(config),
    )


def verdict(
    sequence: int,
    letter: str = "a",
    *,
    environment: str = "sit",
    verb: Verb = Verb.PROMOTE,
    outcome: VerdictOutcome = VerdictOutcome.ACCEPTED,
    instance: str = "shop",
    config: str = "c",
) -> Verdict:
    tag = sequence or ord(letter)
    return Verdict(
        ref=f"refs/tags/{verb.value}/{environment}/{instance}/{tag}",
        tag=oid(tag),
        verb=verb,
        environment=environment,
        instance=instance,
        outcome=outcome,
        answers=(),
        principal="ada@example.org",
        sequence=sequence,
        revision=None if verb is Verb.REMOVE else revision(letter, config),
        policy_commit=oid(1000 + sequence),
    )


def decided(minutes: float, given: Verdict) -> Decided:
    return Decided(at=at(minutes), verdict=given)


def step(minutes: float, reached: Step, sequence: int, **more: object) -> Progressed:
    return Progressed(at=at(minutes), step=reached, sequence=sequence, **more)


def observed(minutes: float, ref: str, number: int) -> Observed:
    return Observed(at=at(minutes), ref=ref, tag=oid(number))


def told(*records: Record, environment: str = "sit", instance: str = "shop") -> InstanceState:
    return fold_stream(environment, instance, records)


def ledger(*states: InstanceState) -> LedgerState:
    keyed: dict[Key, InstanceState] = {(s.environment, s.instance): s for s in states}
    return fold(oid(99), GENESIS, keyed)
