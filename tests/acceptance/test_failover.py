"""Failover: a standby takes over the values that may differ, by one signed switch, and gives them back by another."""

from __future__ import annotations

import pytest
import yaml

from distributor.cli.playground import PEOPLE
from distributor.ledger import standing_holds
from distributor.model.changes import Action
from distributor.model.promotion import GateResult, VerdictOutcome
from distributor.model.tags import Verb
from distributor.services.asking.auditing import fsck
from distributor.services.asking.planning import plan_promotion
from distributor.services.asking.telling import history, why
from distributor.services.asking.views import instance_views
from tests.acceptance.conftest import Play
from tests.acceptance.forging import codes, verdict_on
from tests.acceptance.test_automatic import desired, environment
from tests.acceptance.test_parity import values_of
from tests.acceptance.test_standbys import WAY, play_with, verified, versions

EXCEPT = {"except": ["shop.frontend_replicas"]}


def asleep(play, **spec: object) -> None:
    """Dr runs one frontend while it only stands by."""
    values = values_of(play, "dr") | {"shop": {"frontend_replicas": 1}}
    environment(play, "dr", defaults={"values": values}, parity=EXCEPT, **spec)


@pytest.fixture
async def standing_by(tmp_path) -> Play:
    return await play_with(tmp_path / "play", asleep)


def replicas(play, name: str = "dr", cluster: str = "dr-central-1") -> int:
    """What a cluster's folder says about the frontend."""
    found = [
        document["spec"]["replicas"]
        for data in play.folder(name, cluster).values()
        for document in yaml.safe_load_all(data)
        if document
        and (document["kind"], document["metadata"]["name"]) == ("Deployment", "frontend")
    ]
    (count,) = found
    return count


async def test_a_standby_takes_over_and_gives_back(standing_by):
    play = standing_by
    async with play.service() as service:
        await play.promote(service, "1.4.1", *WAY, "dr")
        assert (replicas(play), replicas(play, "prd", "prd-central-eu-1")) == (1, 3)
        before, fleet = desired(service, "dr"), play.fleet()
        prd = desired(service, "prd")
        asked = await play.ask(service, Verb.FAILOVER, "dr", "shop", key="sre")
        await service.sync()
        over = desired(service, "dr")
        assert (over.ref, over.stands_in) == (asked.ref, "prd")
        assert over.revision == before.revision
        assert over.sequence > before.sequence
        assert [a.number for a in over.answers] == [1, 2, 3, 4, 8, 9, 12]
        assert verified(service, "dr")
        assert replicas(play) == 3
        assert desired(service, "prd") == prd
        assert not standing_holds(service.book.state, "prd", "shop")
        (view,) = await instance_views(service, "dr", "shop")
        assert view.stands_in == "prd"
        told = [link.text for link in await why(service, "dr", "shop")]
        assert any("stands in for prd" in text for text in told)
        lines = [line.text for line in history(service, "dr", "shop")]
        assert any("stands in for prd: test" in text for text in lines)
        assert [f for f in await fsck(service) if f.severity.value == "error"] == []
        again = await play.ask(service, Verb.FAILOVER, "dr", "shop", key="sre")
        await service.sync()
        assert codes(verdict_on(service, again.ref)) == {"DST280"}
    async with play.service() as later:  # nothing of it is in memory alone
        await later.sync()
        assert replicas(play) == 3
        await play.ask(later, Verb.FAILBACK, "dr", "shop", key="sre")
        await later.sync()
        back = desired(later, "dr")
        assert (back.verb, back.stands_in, back.revision) == (Verb.FAILBACK, "", before.revision)
        assert verified(later, "dr")
        assert play.fleet() == fleet


async def test_a_plan_shows_what_a_failover_would_change(standing_by):
    play = standing_by
    async with play.service() as service:
        await play.promote(service, "1.4.1", *WAY, "dr")
        signer = play.place.key("sre")
        plan = await plan_promotion(
            service, "dr", "shop", "", signer=signer, tagger=PEOPLE["sre"], verb=Verb.FAILOVER
        )
        assert all(a.result is GateResult.PASS for a in plan.answers), plan.answers
        counts = {t.cluster: t.count(Action.CONFIGURED) for t in plan.targets}
        assert counts == {"dr-central-1": 1, "dr-slim-1": 1}
        assert not desired(service, "dr").stands_in


async def test_what_is_promoted_meanwhile_keeps_the_values_of_the_environment_stood_in_for(
    standing_by,
):
    play = standing_by
    async with play.service() as service:
        await play.promote(service, "1.4.1", *WAY, "dr")
        await play.ask(service, Verb.FAILOVER, "dr", "shop", key="sre")
        await service.sync()
        await play.promote(service, "1.4.2", *WAY, "dr")
        assert versions(service) == {"prd": "1.4.2", "dr": "1.4.2"}
        assert desired(service, "dr").stands_in == "prd"
        assert replicas(play) == 3
        await play.ask(service, Verb.ROLLBACK, "dr", "shop", "1.4.1")
        await service.sync()
        assert versions(service) == {"prd": "1.4.2", "dr": "1.4.1"}
        assert (desired(service, "dr").stands_in, replicas(play)) == ("prd", 3)
        await play.ask(service, Verb.FAILBACK, "dr", "shop", key="sre")  # past the rollback's hold
        await service.sync()
        assert (versions(service)["dr"], replicas(play)) == ("1.4.1", 1)
        await play.ask(service, Verb.UNHOLD, "dr", "shop", key="sre")
        await service.sync()  # asked in one second, either might come first
        await play.promote(service, "1.4.2", "dr")
        assert (versions(service)["dr"], replicas(play)) == ("1.4.2", 1)
        # Back to a version that was verified while it stood in: with dr's own values all the same.
        await play.ask(service, Verb.ROLLBACK, "dr", "shop", "1.4.1")
        await service.sync()
        assert (versions(service)["dr"], replicas(play)) == ("1.4.1", 1)


async def test_who_may_not_and_what_is_no_standby_is_refused(standing_by):
    play = standing_by
    async with play.service() as service:
        await play.promote(service, "1.4.1", *WAY, "dr")
        fleet = play.fleet()
        for verb, name, key, expected in (
            (Verb.FAILOVER, "dr", "release-manager", "DST210"),
            (Verb.FAILOVER, "prd", "sre", "DST279"),
            (Verb.FAILBACK, "dr", "sre", "DST280"),
        ):
            asked = await play.ask(service, verb, name, "shop", key=key)
            await service.sync()
            verdict = verdict_on(service, asked.ref)
            assert verdict.outcome is VerdictOutcome.REFUSED
            assert expected in codes(verdict), (verb, codes(verdict))
        await play.ask(service, Verb.REJECT, "dr", "shop", "1.4.1", key="sre")
        await service.sync()  # asked in one second, either might come first
        vetoed = await play.ask(service, Verb.FAILOVER, "dr", "shop", key="sre")
        await service.sync()
        assert "DST215" in codes(verdict_on(service, vetoed.ref))
        assert play.fleet() == fleet
