"""Sets in a ledger: whom a switch of a set reaches."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from distributor.ledger import parts_of_set, reached
from distributor.model.ledger import Genesis, InstanceState, LedgerState, Progress, Step
from distributor.model.promotion import Verdict, VerdictOutcome
from distributor.model.refs import ObjectId
from distributor.model.tags import Verb

NOW = datetime(2026, 6, 1, tzinfo=UTC)
ONE, TWO = ObjectId("1" * 40), ObjectId("2" * 40)


def verdict(instance, number, tag, sequence, ref=""):
    accepted = VerdictOutcome.ACCEPTED if sequence else VerdictOutcome.PENDING
    return Verdict(
        ref=ref or f"promote/uat/@both/{number}", tag=tag, verb=Verb.PROMOTE, environment="uat",
        instance=instance, outcome=accepted, answers=(), principal="ada", sequence=sequence,
    )  # fmt: skip


def state(instance, *verdicts, end=None):
    accepted = tuple(v for v in verdicts if v.accepted and not instance.startswith("@"))
    last = accepted[-1].sequence if accepted else 0
    progress = Progress(sequence=last, started_at=NOW, end=end, ended_at=NOW if end else None)
    return InstanceState(
        environment="uat", instance=instance, accepted=accepted,
        last_verdicts={v.ref: v for v in verdicts}, progress={last: progress} if last else {},
    )  # fmt: skip


def ledger(*states):
    genesis = Genesis(at=NOW, main=ObjectId("a" * 40), key="k")
    instances = {(s.environment, s.instance): s for s in states}
    return LedgerState(head=ObjectId("b" * 40), genesis=genesis, instances=instances)


SET = state("@both", verdict("@both", 1, ONE, 1))
SHOP = state("shop", verdict("shop", 1, ONE, 2))
WEB = state("web", verdict("web", 1, ONE, 3))
ALONE = verdict("shop", 1, TWO, 4, ref="promote/uat/shop/1.4.2")
WAITING = verdict("cart", 2, TWO, 0)


@pytest.mark.parametrize(
    ("states", "verb", "expected"),
    [
        ((SET, SHOP, WEB), Verb.HOLD, ("shop", "web")),
        ((SET, SHOP, WEB, state("cart")), Verb.ACK, ("shop", "web")),
        ((SET, SHOP, WEB), Verb.ABORT, ("shop", "web")),
        ((SET, state("shop", *SHOP.accepted, ALONE), WEB), Verb.ABORT, ("web",)),
        ((SET, state("shop", *SHOP.accepted, ALONE), WEB), Verb.HOLD, ("shop", "web")),
        ((SET, state("shop", *SHOP.accepted, end=Step.FAILED), WEB), Verb.RETRY, ("shop",)),
        ((SET, state("shop", *SHOP.accepted, end=Step.FAILED), WEB), Verb.PAUSE, ("web",)),
        ((SET, SHOP, WEB), Verb.RETRY, ("shop", "web")),  # each then says that it did not fail
        ((state("@both", *SET.last_verdicts.values(), replace(WAITING, instance="@both")),
          SHOP, WEB, state("cart", WAITING)), Verb.HOLD, ("cart", "shop", "web")),
        ((state("@both", *SET.last_verdicts.values(), replace(WAITING, instance="@both")),
          SHOP, WEB, state("cart", WAITING)), Verb.PAUSE, ("shop", "web")),
        ((SHOP, WEB), Verb.HOLD, ()),
    ],
)  # fmt: skip
def test_a_switch_reaches_what_the_set_is_about(states, verb, expected):
    assert reached(ledger(*states), "uat", "both", verb) == expected
    assert reached(ledger(*states), "prd", "both", verb) == ()


def test_parts_are_those_of_one_tag_object():
    found = ledger(SET, SHOP, state("web", verdict("web", 1, TWO, 3)))
    assert set(parts_of_set(found, "uat", "promote/uat/@both/1", ONE)) == {"shop"}
