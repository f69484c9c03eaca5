"""Questions to the state of a ledger."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from distributor.ledger import (
    failed_by_itself,
    newest_verified,
    policy_commit,
    policy_commits,
    prev_of,
    released,
    rollback_candidates,
    running_claim,
    soak,
    soaked,
    standing_holds,
    standing_veto,
    stopped,
    verified_here,
    verified_in,
)
from distributor.model.ledger import Claimed, HoldSet, Record, Step, Tampered, VetoSet
from distributor.model.promotion import VerdictOutcome
from distributor.model.tags import Verb
from tests.unit.ledger.story import (
    GENESIS,
    at,
    decided,
    digest,
    ledger,
    oid,
    revision,
    step,
    told,
    verdict,
)

VERIFIED = Step.VERIFIED
A_THEN_B = (
    decided(1, verdict(1, "a")),
    step(2, VERIFIED, 1),
    decided(10, verdict(2, "b")),
    step(12, VERIFIED, 2),
)


def test_nothing_is_known_of_an_empty_ledger() -> None:
    empty = ledger()
    assert prev_of(empty, "sit", "shop") == "none"
    assert verified_in(empty, "sit", "shop", digest("a")) == ()
    assert verified_here(empty, "sit", "shop", revision("a")) is None
    assert newest_verified(empty, "sit", "shop", "1.0.97") is None
    assert rollback_candidates(empty, "sit", "shop") == ()
    assert soaked(empty, "sit", "shop", digest("a"), at(9)) == timedelta()
    assert standing_veto(empty, "sit", "shop", "1.0.97") is None
    assert standing_holds(empty, "sit", "shop") == ()
    assert stopped(empty, "sit", "shop") == ""
    assert policy_commit(empty, "sit") == GENESIS.main
    assert running_claim(empty, "sit", "shop", at(1)) is None


def test_verified_in_looks_at_every_instance_of_the_app() -> None:
    second = told(
        decided(20, verdict(3, "a", instance="shop-2")), step(21, VERIFIED, 3), instance="shop-2"
    )
    state = ledger(told(*A_THEN_B), second)
    assert [v.sequence for v in verified_in(state, "sit", "shop", digest("a"))] == [3, 1]
    assert [v.sequence for v in verified_in(state, "sit", "shop", digest("b"))] == [2]
    assert verified_in(state, "sit", "other", digest("a")) == ()
    assert verified_in(state, "uat", "shop", digest("a")) == ()


def test_a_version_is_what_was_accepted_first() -> None:
    changed = replace(revision("b"), version=revision("a").version)
    later = replace(verdict(7, "b", environment="uat"), revision=changed)
    state = ledger(told(*A_THEN_B), told(decided(30, later), environment="uat"))
    found = {key: (v.sequence, v.environment) for key, v in released(state).items()}
    assert found == {
        ("shop", revision("a").version): (1, "sit"),
        ("shop", revision("b").version): (2, "sit"),
    }


def test_a_refused_version_is_not_accepted() -> None:
    refused = verdict(0, "a", outcome=VerdictOutcome.REFUSED)
    state = ledger(told(decided(1, refused)))
    assert released(state) == {}


def test_a_removal_verifies_nothing_even_if_it_names_a_revision() -> None:
    gone = replace(verdict(1, "a", verb=Verb.REMOVE), revision=revision("a"))
    state = ledger(told(decided(1, gone), step(2, VERIFIED, 1)))
    assert verified_in(state, "sit", "shop", digest("a")) == ()
    assert rollback_candidates(state, "sit", "shop") == ()


def test_accepted_is_not_verified() -> None:
    state = ledger(told(decided(1, verdict(1, "a")), step(2, Step.STARTED, 1)))
    assert verified_in(state, "sit", "shop", digest("a")) == ()


def test_a_revision_is_package_and_config() -> None:
    again = (*A_THEN_B, decided(20, verdict(5, "a", config="d")), step(21, VERIFIED, 5))
    state = ledger(told(*again))
    found = verified_here(state, "sit", "shop", revision("a"))
    assert found is not None
    assert found.sequence == 1
    assert verified_here(state, "sit", "shop", revision("a", "e")) is None
    newest = newest_verified(state, "sit", "shop", revision("a").version)
    assert newest is not None
    assert newest.sequence == 5


@pytest.mark.parametrize(
    ("more", "sequences"),
    [
        ((), [1]),
        ((decided(20, verdict(3, "c")),), [2, 1]),
        ((decided(20, verdict(3, "c")), step(21, VERIFIED, 3)), [2, 1]),
        ((decided(20, verdict(3, "a", verb=Verb.ROLLBACK)), step(21, VERIFIED, 3)), [2]),
        ((decided(20, verdict(3, verb=Verb.REMOVE)),), [2, 1]),
    ],
    ids=["plain", "unverified on top", "verified on top", "rolled back", "removed"],
)
def test_rollback_candidates(more: tuple[Record, ...], sequences: list[int]) -> None:
    state = ledger(told(*A_THEN_B, *more))
    assert [v.sequence for v in rollback_candidates(state, "sit", "shop")] == sequences


def test_prev_is_the_last_accepted_tag_whatever_its_verb() -> None:
    assert prev_of(ledger(told(*A_THEN_B)), "sit", "shop") == oid(2)
    removed = told(*A_THEN_B, decided(20, verdict(3, verb=Verb.REMOVE)))
    assert prev_of(ledger(removed), "sit", "shop") == oid(3)
    held = told(*A_THEN_B, decided(20, verdict(3, verb=Verb.HOLD)))
    assert prev_of(ledger(held), "sit", "shop") == oid(2)


@pytest.mark.parametrize(
    ("records", "minutes"),
    [
        ((step(2, VERIFIED, 1),), 98),
        ((step(2, VERIFIED, 1), decided(12, verdict(2, "b"))), 10),
        ((step(2, VERIFIED, 1), step(12, Step.DEGRADED, 1)), 10),
        ((step(2, VERIFIED, 1), step(12, Step.DEGRADED, 1), step(22, Step.RECOVERED, 1)), 88),
        ((step(1.5, Step.DEGRADED, 1), step(2, VERIFIED, 1), step(3, Step.RECOVERED, 1)), 97),
        ((step(200, VERIFIED, 1),), 0),
        ((), 0),
    ],
    ids=["current", "completed", "degraded", "recovered", "degraded before", "later", "never"],
)
def test_soak_counts_good_residence_only(records: tuple[Record, ...], minutes: int) -> None:
    state = ledger(told(decided(1, verdict(1, "a")), *records))
    assert soaked(state, "sit", "shop", digest("a"), at(100)) == timedelta(minutes=minutes)


@pytest.mark.parametrize(
    ("records", "longest", "since", "degraded"),
    [
        ((step(2, VERIFIED, 1),), 0, 2, False),
        ((step(2, VERIFIED, 1), decided(12, verdict(2, "b"))), 10, None, False),
        ((step(2, VERIFIED, 1), step(12, Step.DEGRADED, 1)), 10, None, True),
        ((step(2, VERIFIED, 1), step(12, Step.DEGRADED, 1), step(22, Step.RECOVERED, 1)), 0, 12, False),
        ((step(2, VERIFIED, 1), step(12, Step.DEGRADED, 1), decided(30, verdict(2, "b"))), 10, None, False),
        ((), 0, None, False),
    ],
    ids=["current", "completed", "degraded", "recovered", "replaced while degraded", "never"],
)  # fmt: skip
def test_soak_says_the_same_whenever_it_is_asked(
    records: tuple[Record, ...], longest: int, since: int | None, *, degraded: bool
) -> None:
    state = ledger(told(decided(1, verdict(1, "a")), *records))
    found = soak(state, "sit", "shop", digest("a"))
    assert found.longest == timedelta(minutes=longest)
    assert found.since == (None if since is None else at(since))
    assert found.degraded is degraded
    expected = None if since is None else at(since + 60)
    assert found.until(timedelta(hours=1)) == expected


def test_soak_takes_the_longest_residence() -> None:
    back = (decided(20, verdict(3, "a")), step(21, VERIFIED, 3), decided(24, verdict(4, "c")))
    state = ledger(told(*A_THEN_B, *back))
    assert soaked(state, "sit", "shop", digest("a"), at(100)) == timedelta(minutes=8)


@pytest.mark.parametrize(
    ("key", "reaches"),
    [
        (("sit", "shop"), True),
        (("all", "shop"), True),
        (("sit", "all"), True),
        (("all", "all"), True),
        (("uat", "shop"), False),
        (("sit", "iot"), False),
    ],
)
def test_switches_reach_by_environment_and_instance(key: tuple[str, str], *, reaches: bool) -> None:
    hold = HoldSet(at=at(1), on=True, by="ada")
    alarm = Tampered(at=at(1), ref="refs/heads/main", recorded=oid(1), found=oid(2))
    state = ledger(told(hold, alarm, environment=key[0], instance=key[1]))
    assert bool(standing_holds(state, "sit", "shop")) is reaches
    assert bool(stopped(state, "sit", "shop")) is reaches


def test_what_is_gone_alarms_but_stops_nothing() -> None:
    gone = Tampered(at=at(1), ref="promote/sit/shop/1.4.1", recorded=oid(1))
    state = ledger(told(gone))
    assert not stopped(state, "sit", "shop")
    assert state.instance("sit", "shop").tampered == (gone,)


def test_stopped_says_what_was_found() -> None:
    moved = Tampered(at=at(3), ref="promote/sit/shop/1.4.1", recorded=oid(1), found=oid(2))
    state = ledger(told(decided(1, verdict(1)), moved))
    assert "points to" in stopped(state, "sit", "shop")


@pytest.mark.parametrize("outcome", [VerdictOutcome.REFUSED, VerdictOutcome.PENDING, None])
def test_what_was_never_accepted_stops_nobody_when_it_moves(outcome: VerdictOutcome | None) -> None:
    """Pushing a tag takes no key, so moving one must not stop those who have one."""
    moved = Tampered(at=at(3), ref="promote/sit/shop/1.4.1", recorded=oid(ord("a")), found=oid(2))
    before = (decided(1, verdict(0, outcome=outcome)),) if outcome else ()
    state = ledger(told(*before, moved))
    assert not stopped(state, "sit", "shop")
    assert state.instance("sit", "shop").tampered == (moved,)


@pytest.mark.parametrize(("environment", "reaches"), [("sit", True), ("all", True), ("uat", False)])
def test_vetoes_reach_by_environment(environment: str, *, reaches: bool) -> None:
    veto = VetoSet(at=at(1), on=True, app="shop", version="1.0.0", by="ada")
    state = ledger(told(veto, environment=environment))
    assert standing_veto(state, "sit", "shop", "1.0.0") == (veto if reaches else None)
    assert standing_veto(state, "sit", "shop", "1.0.1") is None


def test_the_accepted_policy_is_that_of_the_newest_verdict_in_the_environment() -> None:
    other = told(decided(30, verdict(7, instance="iot")), instance="iot")
    held = told(*A_THEN_B, decided(40, verdict(9, verb=Verb.HOLD)))
    state = ledger(held, other)
    assert policy_commit(state, "sit") == oid(1007)
    assert policy_commit(state, "uat") == GENESIS.main


def test_what_is_asked_for_all_environments_meets_the_policy_of_each() -> None:
    sit = told(*A_THEN_B)
    uat = told(decided(30, verdict(7, environment="uat")), environment="uat")
    assert policy_commits(ledger(sit, uat), "all") == (oid(1002), oid(1007))
    assert policy_commits(ledger(sit, uat), "uat") == (oid(1007),)
    assert policy_commits(ledger(), "all") == (GENESIS.main,)
    assert policy_commit(ledger(sit, uat), "all") == oid(1002)


@pytest.mark.parametrize(
    ("minutes", "released", "runs"), [(5, False, True), (10, False, False), (5, True, False)]
)
def test_a_claim_runs_until_it_expires_or_is_released(
    minutes: int, *, released: bool, runs: bool
) -> None:
    claim = Claimed(at=at(1), holder="h", number=1, expires=at(10), released=released)
    found = running_claim(ledger(told(claim)), "sit", "shop", at(minutes))
    assert found == (claim if runs else None)


@pytest.mark.parametrize(
    ("results", "verb", "switch", "said"),
    [
        ({"c1": "failed", "c2": "unfinished"}, Verb.PROMOTE, None, True),
        ({"c1": "unfinished"}, Verb.PROMOTE, None, False),
        ({"c1": "failed"}, Verb.ROLLBACK, None, False),
        ({"c1": "failed"}, Verb.PROMOTE, Verb.ABORT, False),
        ({"c1": "failed"}, Verb.PROMOTE, Verb.PAUSE, True),
    ],
)
def test_failed_by_itself(results, verb, switch, said):
    records = [decided(1, verdict(1)), decided(2, verdict(2, "b", verb=verb))]
    records += [step(3, Step.FAILED, 2, targets=results)]
    records += [decided(4, verdict(3, verb=switch))] if switch else []
    state = ledger(told(*records))
    assert failed_by_itself(state, "sit", "shop") is said
    assert not failed_by_itself(state, "sit", "other")
