"""Standbys: dr takes what prd takes, in the same commit of the ledger, and goes back with it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import yaml

from distributor import log
from distributor.app import open_service
from distributor.cli.playground import PEOPLE, create_playground
from distributor.ledger import standing_holds
from distributor.model.promotion import VerdictOutcome
from distributor.model.tags import Verb
from distributor.services.asking.approving import make_approval
from distributor.services.asking.archiving import archive
from distributor.services.asking.auditing import fsck
from distributor.services.asking.founding import found_ledger
from distributor.services.asking.planning import plan_promotion
from distributor.services.promotion.requesting import Ask
from distributor.services.promotion.requesting_sets import make_set
from distributor.settings import load
from tests.acceptance.conftest import Play
from tests.acceptance.forging import codes, forger, verdict_on
from tests.acceptance.test_approvals import GATE
from tests.acceptance.test_automatic import desired, environment
from tests.acceptance.test_crashes import dies

WAY = ("sit", "uat", "pre", "prd")


async def play_with(root, change) -> Play:
    """A playground whose first accepted policy has a change already."""
    log.configure("error", "json")
    place = create_playground(root, datetime.now(UTC))
    play = Play(place=place, settings=load({}, {}, place.root).settings)
    change(play)
    place.commit("Say how dr follows prd", datetime.now(UTC))
    async with open_service(play.settings, writing=True) as service:
        await found_ledger(service.world)
    return play


@pytest.fixture
async def together(tmp_path) -> Play:
    return await play_with(
        tmp_path / "play", lambda play: environment(play, "dr", mode="with", standbyFor="prd")
    )


def versions(service, instance="shop") -> dict[str, str]:
    found = {name: desired(service, name, instance) for name in ("prd", "dr")}
    return {n: v.revision.version for n, v in found.items() if v is not None and v.revision}


def verified(service, name, instance="shop") -> bool:
    state = service.book.state.instance(name, instance)
    return state.progress[state.desired.sequence].verified_at is not None


async def test_a_standby_takes_a_version_in_the_same_commit_and_goes_back_in_one(together):
    play, evil = together, forger(together)
    async with play.service() as service:
        await play.promote(service, "1.4.1", "sit", "uat", "pre")
        before = evil.head("ledger")
        await play.promote(service, "1.4.1", "prd")
        assert versions(service) == {"prd": "1.4.1", "dr": "1.4.1"}
        prd, dr = desired(service, "prd"), desired(service, "dr")
        assert (dr.ref, dr.tag) == (prd.ref, prd.tag)
        assert dr.sequence == prd.sequence + 1
        assert dr.targets == ("dr-central-1", "dr-slim-1")
        subjects = evil.git("log", "--format=%s", f"{before}..ledger").split("\n")
        assert [s for s in subjects if s.startswith("accepted")] == [f"accepted {prd.ref}"]
        assert verified(service, "prd")
        assert verified(service, "dr")
        assert any("takes it in the same commit" in a.message for a in prd.answers)
        assert any(play.folder("dr", "dr-central-1"))
        await play.promote(service, "1.4.2", *WAY)
        assert versions(service) == {"prd": "1.4.2", "dr": "1.4.2"}
        await play.ask(service, Verb.ROLLBACK, "prd", "shop", "1.4.1")
        await service.sync()
        assert versions(service) == {"prd": "1.4.1", "dr": "1.4.1"}
        assert desired(service, "dr").ref == desired(service, "prd").ref
        assert verified(service, "dr")
        for name in ("prd", "dr"):
            (hold,) = standing_holds(service.book.state, name, "shop")
            assert hold.ref == "rollback/prd/shop/1.4.1_1"
        assert [f for f in await fsck(service) if f.severity.value == "error"] == []
    async with play.service() as again:
        await again.sync()
        assert versions(again) == {"prd": "1.4.1", "dr": "1.4.1"}
        # By itself the standby takes only what prd runs.
        await play.ask(again, Verb.UNHOLD, "dr", "shop", key="sre")
        await again.sync()
        later = await play.ask(again, Verb.PROMOTE, "dr", "shop", "1.4.2")
        await again.sync()
        assert not verdict_on(again, later.ref).accepted
        assert "DST217" in codes(verdict_on(again, later.ref))


async def test_a_standby_that_cannot_take_a_version_keeps_it_out_of_both(together):
    play = together
    async with play.service() as service:
        await play.promote(service, "1.4.1", "sit", "uat", "pre")
        await play.ask(service, Verb.HOLD, "dr", "shop", key="sre")
        await service.sync()
        before = play.fleet()
        plan = await plan_promotion(service, "prd", "shop", "1.4.1")
        assert {f.code for a in plan.answers if a.gate == "standby" for f in a.findings} == {
            "DST276"
        }
        asked = await play.ask(service, Verb.PROMOTE, "prd", "shop", "1.4.1")
        await service.sync()
        verdict = verdict_on(service, asked.ref)
        assert verdict.outcome is not VerdictOutcome.ACCEPTED
        assert codes(verdict) == {"DST276"}
        assert any("dr: gate 4 veto" in reason for reason in verdict.reasons())
        assert versions(service) == {}
        assert play.fleet() == before
        await play.ask(service, Verb.UNHOLD, "dr", "shop", key="sre")
        await service.sync()
        await play.ask(service, Verb.PROMOTE, "prd", "shop", "1.4.1")
        await service.sync()
        assert versions(service) == {"prd": "1.4.1", "dr": "1.4.1"}


async def test_a_set_takes_its_standbys_along(together):
    play = together
    async with play.service() as service:
        for app, version in (("shop", "1.4.1"), ("website", "1.0.0")):
            await play.promote(service, version, "sit", "uat", "pre", app=app)
        asked = await make_set(
            service.world,
            await service.look(),
            Ask(verb=Verb.PROMOTE, environment="prd", instance="both"),
            {"shop": "1.4.1", "website": "1.0.0"},
            tagger=PEOPLE["release-manager"],
            signer=play.place.key("release-manager"),
        )
        await service.sync()
        assert verdict_on(service, asked.ref).accepted
        for app, version in (("shop", "1.4.1"), ("website", "1.0.0")):
            assert versions(service, app) == {"prd": version, "dr": version}
            assert verified(service, "dr", app)


async def test_an_approval_is_of_what_both_would_have(together):
    play = together
    async with play.service() as service:
        await play.promote(service, "1.4.1", "sit", "uat", "pre")
        gate = {**GATE, "spec": {**GATE["spec"], "environments": ["prd", "dr"]}}
        file = play.place.catalog / "policies" / "gates" / "approvals.yaml"
        file.write_text(yaml.safe_dump(gate), "utf-8")
        play.place.commit("Ask for approvals in prd and dr", service.now())
        plan = await plan_promotion(service, "prd", "shop", "1.4.1")
        alone = await plan_promotion(service, "dr", "shop", "1.4.1")
        asked = await play.ask(service, Verb.PROMOTE, "prd", "shop", "1.4.1")
        await service.sync()
        assert verdict_on(service, asked.ref).outcome is VerdictOutcome.PENDING
        assert plan.rendered not in ("", alone.rendered)
        await make_approval(
            service,
            await service.look(),
            Ask(
                verb=Verb.APPROVE,
                environment="prd",
                instance="shop",
                version="1.4.1",
                rendered=plan.rendered,
            ),
            tagger=PEOPLE["sre"],
            signer=play.place.key("sre"),
        )
        await service.sync()
        assert versions(service) == {"prd": "1.4.1", "dr": "1.4.1"}
        assert desired(service, "dr").rendered == plan.rendered


async def test_who_may_only_ask_for_prd_moves_no_standby(tmp_path):
    def change(play) -> None:
        environment(play, "dr", mode="with", standbyFor="prd")
        file = play.place.catalog / "policies" / "roles.yaml"
        document = yaml.safe_load(file.read_text("utf-8"))
        for role in document["spec"]["roles"]:
            if role["name"] == "release-manager":
                role["environments"] = ["uat", "pre", "prd"]
        file.write_text(yaml.safe_dump(document), "utf-8")

    play = await play_with(tmp_path / "play", change)
    async with play.service() as service:
        await play.promote(service, "1.4.1", *WAY)
        verdict = verdict_on(service, "promote/prd/shop/1.4.1")
        assert verdict.outcome is VerdictOutcome.REFUSED
        assert codes(verdict) == {"DST276"}
        assert versions(service) == {}


async def test_main_alone_makes_no_standby_follow(play):
    """The merge that says ``with`` counts once it is the accepted policy of the standby, too."""
    async with play.service() as service:
        await play.promote(service, "1.4.1", *WAY, "dr")
        environment(play, "dr", mode="with", standbyFor="prd")
        play.place.commit("Let dr follow", service.now())
        await play.promote(service, "1.4.2", *WAY)
        assert versions(service) == {"prd": "1.4.2", "dr": "1.4.1"}


async def test_a_standby_goes_back_if_it_can_and_is_told_if_it_cannot(play):
    async with play.service() as service:
        await play.promote(service, "1.4.1", *WAY, "dr")
        await play.promote(service, "1.4.2", *WAY, "dr")
        await play.ask(service, Verb.HOLD, "dr", "shop", key="sre")  # keeps no rollback out
        await play.ask(service, Verb.ROLLBACK, "prd", "shop", "1.4.1")
        await service.sync()
        assert versions(service) == {"prd": "1.4.1", "dr": "1.4.1"}


async def test_a_standby_that_never_had_a_version_stays_and_prd_goes_back(play):
    async with play.service() as service:
        await play.promote(service, "1.4.1", *WAY)
        await play.promote(service, "1.4.2", *WAY, "dr")
        asked = await play.ask(service, Verb.ROLLBACK, "prd", "shop", "1.4.1")
        await service.sync()
        assert versions(service) == {"prd": "1.4.1", "dr": "1.4.2"}
        verdict = verdict_on(service, asked.ref)
        (note,) = [a for a in verdict.answers if a.gate == "standby"]
        assert [f.code for f in note.findings] == ["DST277"]
        assert "dr: " in note.message
        assert not standing_holds(service.book.state, "dr", "shop")


async def test_kill_9_between_any_two_steps_leaves_both_or_neither(together):
    play = together
    async with play.service() as service:
        await play.promote(service, "1.4.1", "sit", "uat", "pre")
        await play.ask(service, Verb.PROMOTE, "prd", "shop", "1.4.1")
    died = 0
    for steps in (3, 5, 7, 9, 11, 14, 18, 23):
        died += dies(play, steps, "sync")
        async with play.service() as service:
            state = (await service.look()).ledger
            taken = {n for n in ("prd", "dr") if state.instance(n, "shop").desired is not None}
            assert taken in (set(), {"prd", "dr"})
    assert died >= 4
    async with play.service() as service:
        await service.sync()
        assert versions(service) == {"prd": "1.4.1", "dr": "1.4.1"}
        for name in ("prd", "dr"):
            assert len(service.book.state.instance(name, "shop").accepted) == 1
            assert verified(service, name)


async def test_a_tag_that_a_standby_still_stands_on_is_not_archived(together):
    play = together
    async with play.service() as service:
        await play.promote(service, "1.4.1", *WAY)
        await play.ask(service, Verb.REMOVE, "prd", "shop")
        await service.sync()
        assert desired(service, "prd").verb is Verb.REMOVE
        gone = {each.ref for each in await archive(service, timedelta(0))}
        assert "promote/prd/shop/1.4.1" not in gone
        await service.sync()
        assert service.book.state.instance("dr", "shop").tampered == ()
        assert versions(service)["dr"] == "1.4.1"
