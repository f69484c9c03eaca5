"""Which request for the same is still open."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from distributor.model.catalog import Catalog
from distributor.model.ledger import Genesis, InstanceState, LedgerState, Progress, Step
from distributor.model.policy import PolicySet
from distributor.model.promotion import Verdict, VerdictOutcome
from distributor.model.refs import ObjectId
from distributor.model.tags import Verb
from distributor.services.promotion.requesting import Ask, open_request
from distributor.services.state.looking import Snapshot

NOW = datetime(2026, 6, 1, tzinfo=UTC)
REF, TAG, MAIN = "promote/uat/shop/1.4.2", ObjectId("a" * 40), ObjectId("b" * 40)
ASK = Ask(verb=Verb.PROMOTE, environment="uat", instance="shop", version="1.4.2")
REFUSED = Verdict(
    ref=REF, tag=TAG, verb=Verb.PROMOTE, environment="uat", instance="shop",
    outcome=VerdictOutcome.REFUSED, answers=(), principal="ada@example.org",
)  # fmt: skip
PENDING = replace(REFUSED, outcome=VerdictOutcome.PENDING)
ACCEPTED = replace(REFUSED, outcome=VerdictOutcome.ACCEPTED, sequence=1)
NEWER = replace(ACCEPTED, ref="promote/uat/shop/1.4.3", sequence=2)
STARTED = Progress(sequence=1, started_at=NOW)
NOBODY = InstanceState(environment="uat", instance="shop")


def told(*accepted: Verdict, last: Verdict | None = None, progress: Progress | None = None):
    verdicts = {v.ref: v for v in (*accepted, *([last] if last else []))}
    steps = {1: progress} if progress else {}
    return replace(NOBODY, accepted=accepted, last_verdicts=verdicts, progress=steps)


@pytest.mark.parametrize(
    ("state", "open_"),
    [
        (NOBODY, True),
        (told(last=PENDING), True),
        (told(last=REFUSED), False),
        (told(last=replace(REFUSED, tag=MAIN)), True),
        (told(ACCEPTED), True),
        (told(ACCEPTED, progress=STARTED), True),
        (told(ACCEPTED, progress=replace(STARTED, verified_at=NOW)), False),
        (told(ACCEPTED, progress=replace(STARTED, end=Step.FAILED)), False),
        (told(ACCEPTED, NEWER, progress=STARTED), False),
    ],
)
def test_a_request_is_open_until_it_ended(state: InstanceState, *, open_: bool) -> None:
    snapshot = _snapshot(state, REF)
    assert open_request(snapshot, ASK) == (REF if open_ else "")


@pytest.mark.parametrize(
    ("ref", "open_"),
    [
        (f"{REF}_2", True),
        ("promote/uat/shop/1.4.3", False),
        ("promote/sit/shop/1.4.2", False),
        ("promote/uat/till/1.4.2", False),
        ("rollback/uat/shop/1.4.2", False),
        ("v1.4.2", False),
    ],
)
def test_only_the_very_same_request_counts(ref: str, *, open_: bool) -> None:
    assert bool(open_request(_snapshot(NOBODY, ref), ASK)) is open_


def _snapshot(state: InstanceState, ref: str) -> Snapshot:
    ledger = LedgerState(
        head=MAIN,
        genesis=Genesis(at=NOW, main=MAIN, key=""),
        instances={("uat", "shop"): state},
    )
    return Snapshot(
        main=MAIN, catalog=Catalog(root=MAIN), policies=PolicySet(), ledger=ledger, tags={ref: TAG}
    )
