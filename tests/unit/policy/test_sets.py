"""Sets: what becomes of several promotions that stand or fall together."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import product

import pytest

from distributor.model.promotion import GateAnswer, GateResult, VerdictOutcome
from distributor.model.refs import Digest
from distributor.model.tags import TagName, Trailers, Verb, ledger_name
from distributor.policy import Approval, judge, sets
from tests.unit.policy.facts import ADA, BOB, GOOD, NOW, bound, codes, digest, request

ITEMS = (
    {"instance": "shop", "app": "shop", "version": "1.0.0", "digest": digest("a"), "prev": "none"},
    {
        "instance": "web", "app": "website", "version": "2.0.0", "digest": digest("b"), "prev": "9" * 40,
        "config": digest("c"), "rendered": digest("d"),
    },
)  # fmt: skip
NAME = TagName(verb=Verb.PROMOTE, environment="uat", set_id="both/7")


def test_each_promotion_is_what_its_item_says_and_the_rest_is_the_sets() -> None:
    common = Trailers(environment="uat", reason="why", items=ITEMS)
    whole = replace(request(trailers=common), name=NAME)
    shop, web = sets.members(whole)
    assert (shop.name.instance, shop.name.version, shop.name.set_id) == ("shop", "1.0.0", "")
    assert (shop.trailers.digest, shop.trailers.prev) == (digest("a"), "none")
    assert (shop.trailers.config, shop.trailers.rendered) == ("", "")
    assert (web.trailers.app, web.trailers.version) == ("website", "2.0.0")
    assert (web.trailers.config, web.trailers.rendered) == (digest("c"), digest("d"))
    for one in (shop, web):
        assert (one.trailers.reason, one.trailers.items, one.tag) == ("why", (), whole.tag)


def test_a_set_has_a_file_of_its_own() -> None:
    assert ledger_name(NAME) == "@both"
    assert ledger_name(replace(NAME, set_id="", instance="shop")) == "shop"


def said(result: GateResult, text: str = "", **more: object) -> GateAnswer:
    return GateAnswer(number=8, gate="renders", result=result, message=text, **more)


@pytest.mark.parametrize(("one", "other"), list(product(GateResult, repeat=2)))
def test_the_worst_answer_of_a_gate_is_the_sets(one: GateResult, other: GateResult) -> None:
    (answer,) = sets.joined({"shop": [said(one, "x")], "web": [said(other, "y")]})
    assert answer.result in (one, other)
    for bad in (GateResult.FAIL, GateResult.ERROR, GateResult.PENDING):
        if bad in (one, other):
            assert answer.result in (bad, GateResult.FAIL, GateResult.ERROR)


def test_an_answer_says_whose_it_is() -> None:
    wait = [said(GateResult.PENDING, "late", until=NOW + timedelta(hours=n), evidence={"n": str(n)}) for n in (1, 2)]  # fmt: skip
    (answer,) = sets.joined({"shop": [wait[0]], "web": [wait[1]]})
    assert (answer.message, answer.until) == ("shop, web: late", NOW + timedelta(hours=2))
    assert answer.evidence == {"shop n": "1", "web n": "2"}
    (answer,) = sets.joined({"shop": [wait[0]], "web": [replace(wait[1], until=None)]})
    assert answer.until is None
    (answer,) = sets.joined({"shop": [wait[0]], "web": [said(GateResult.FAIL, "no")]})
    assert answer.message == "web: no"


@pytest.mark.parametrize(
    ("each", "expected"),
    [
        (("accepted", "accepted"), "accepted"),
        (("accepted", "pending"), "pending"),
        (("pending", "refused"), "refused"),
        (("accepted", "refused", "accepted"), "refused"),
    ],
)
def test_all_or_nothing(each: tuple[str, ...], expected: str) -> None:
    assert sets.outcome(map(VerdictOutcome, each)) == expected


def test_who_is_kept_out_by_others_is_told_so() -> None:
    good = (said(GateResult.PASS),)
    (*_, last) = sets.withheld(good, VerdictOutcome.REFUSED, ["web"])
    assert (last.result, last.findings[0].code) == (GateResult.FAIL, "DST272")
    assert "web" in last.message
    (*_, last) = sets.withheld(good, VerdictOutcome.PENDING, ["web"])
    assert last.result is GateResult.PENDING
    bad = (said(GateResult.FAIL),)
    assert sets.withheld(bad, VerdictOutcome.REFUSED, ["web"]) == bad


def test_approvals_are_of_the_whole_set() -> None:
    whole = sets.rendered({"shop": GOOD.rendered, "web": digest("b")})
    assert whole == sets.rendered({"web": digest("b"), "shop": GOOD.rendered})
    assert whole != sets.rendered({"shop": digest("b"), "web": GOOD.rendered})
    assert sets.rendered({"shop": GOOD.rendered, "web": Digest("")}) == ""
    assert sets.rendered({}) == ""
    views = bound("approvals", *GOOD.policies, params={"required": 1})
    asked = replace(GOOD, policies=views, principal=BOB)
    for of, passes in ((whole, True), (GOOD.rendered, False), (digest("9"), False)):
        facts = replace(asked, approvals=(Approval(by=ADA, rendered=of),))
        (answer,) = (a for a in judge(sets.approved(facts, whole), NOW) if a.number == 14)
        assert (answer.result is GateResult.PASS) is passes
    assert codes(14, asked) == []
