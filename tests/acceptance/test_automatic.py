"""What environments ask for by themselves: versions that are verified before, and main's configuration."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import yaml

from distributor.model.promotion import VerdictOutcome
from distributor.model.tags import Verb
from tests.acceptance.forging import verdict_on

SERVICE = "distributor@service"


def environment(play, name: str, **spec: object) -> None:
    """Change an environment's file; not committed yet."""
    file = play.place.catalog / "environments" / name / "environment.yaml"
    document = yaml.safe_load(file.read_text("utf-8"))
    document["spec"] |= spec
    file.write_text(yaml.safe_dump(document), "utf-8")


def let_the_service_ask(play, verb: str = "promote") -> None:
    file = play.place.catalog / "policies" / "roles.yaml"
    document = yaml.safe_load(file.read_text("utf-8"))
    role = next(r for r in document["spec"]["roles"] if r["name"] == "service")
    role["may"].append(verb)
    file.write_text(yaml.safe_dump(document), "utf-8")


async def prepared(play, service, *, role: bool = True, **spec: object) -> None:
    """Uat asks by itself: main's policy says so, and a person's promotion has made it the accepted one."""
    if role:
        let_the_service_ask(play)
    environment(play, "uat", **spec)
    play.place.commit("Let the service ask in uat", service.now())
    await play.promote(service, "1.4.1", "sit")
    assert desired(service, "uat") is None, "the policy accepted so far does not say so"
    await play.promote(service, "1.4.1", "uat")


def desired(service, name: str, instance: str = "shop"):
    return service.book.state.instance(name, instance).desired


async def test_a_version_that_is_verified_goes_on_by_itself(play):
    async with play.service() as service:
        await prepared(play, service, promotion="newest")
        assert desired(service, "uat").principal == "release-manager@distributor.example"
        await play.promote(service, "1.4.2", "sit")
        verdict = desired(service, "uat")
        assert (verdict.revision.version, verdict.principal) == ("1.4.2", SERVICE)
        assert verdict.reason == "automatic: the newest that is verified before"
        assert service.book.state.instance("uat", "shop").progress[verdict.sequence].verified_at
        records = service.book.state.sequence
        await service.sync()
        assert service.book.state.sequence == records, "it asks once"


async def test_nothing_is_asked_for_while_a_hold_stands(play):
    async with play.service() as service:
        await prepared(play, service, promotion="newest")
        await play.ask(service, Verb.HOLD, "uat", "shop", key="sre")
        await service.sync()
        await play.promote(service, "1.4.2", "sit")
        assert desired(service, "uat").revision.version == "1.4.1"
        assert not [t for t in service.snapshot.tags if t.startswith("promote/uat/shop/1.4.2")]
        await play.ask(service, Verb.UNHOLD, "uat", "shop", key="sre")
        await service.sync()
        assert desired(service, "uat").revision.version == "1.4.2"


async def test_a_person_may_go_back_and_is_not_overruled(play):
    async with play.service() as service:
        await prepared(play, service, promotion="newest")
        await play.promote(service, "1.4.2", "sit")
        assert desired(service, "uat").revision.version == "1.4.2"
        await play.ask(service, Verb.PROMOTE, "uat", "shop", "1.4.1")
        await service.sync()
        assert desired(service, "uat").revision.version == "1.4.1"
        await service.sync()
        assert desired(service, "uat").revision.version == "1.4.1", "1.4.2 was here already"


async def test_as_predecessor_follows_both_ways(play):
    async with play.service() as service:
        await prepared(play, service, promotion="as-predecessor")
        await play.promote(service, "1.4.2", "sit")
        assert desired(service, "uat").revision.version == "1.4.2"
        await play.promote(service, "1.4.1", "sit")
        assert desired(service, "uat").revision.version == "1.4.1"


async def test_what_is_asked_in_vain_is_told_and_not_asked_again(play):
    async with play.service() as service:
        await prepared(play, service, role=False, promotion="newest")
        await play.promote(service, "1.4.2", "sit")
        await service.look()
        (ref,) = [t for t in service.snapshot.tags if t.startswith("promote/uat/shop/1.4.2")]
        verdict = verdict_on(service, ref)
        assert verdict.outcome is VerdictOutcome.REFUSED
        assert "gate 2" in verdict.reasons()[0]
        (play.place.catalog / "README.md").write_text("Something else\n", "utf-8")
        play.place.commit("Something else", service.now())
        await service.sync()
        await service.look()
        assert [t for t in service.snapshot.tags if t.startswith("promote/uat/shop/1.4.2")] == [ref]


async def test_main_s_configuration_is_taken_over_where_the_environment_says_so(play):
    async with play.service() as service:
        await prepared(play, service, configuration="automatic")
        before = desired(service, "uat")
        defaults = {"values": {"shop": {"frontend_replicas": 3}}}
        environment(play, "uat", defaults=defaults)
        play.place.commit("More replicas", service.now())
        await service.sync()
        after = desired(service, "uat")
        assert (after.principal, after.revision.version) == (SERVICE, "1.4.1")
        assert after.revision.config != before.revision.config
        assert after.reason == "automatic: main's configuration is newer"
        environment(play, "sit", defaults=defaults)
        play.place.commit("More replicas in sit, too", service.now())
        await service.sync()
        assert desired(service, "uat") == after
        assert desired(service, "sit").principal != SERVICE, "sit waits for people"


async def test_a_soak_that_ends_wakes_the_service(play):
    gate = {
        "apiVersion": "distributor.dev/v1alpha1",
        "kind": "Gate",
        "metadata": {"name": "soak-uat"},
        "spec": {"gate": "soak", "environments": ["uat"], "params": {"duration": "6s"}},
    }
    file = play.place.catalog / "policies" / "gates" / "soak-uat.yaml"
    async with play.service() as service:
        await prepared(play, service, promotion="newest")
        file.write_text(yaml.safe_dump(gate), "utf-8")
        play.place.commit("Let versions soak", service.now())
        await play.promote(service, "1.4.2", "sit")
        assert desired(service, "uat").revision.version == "1.4.1"
        assert not [t for t in service.snapshot.tags if t.startswith("promote/uat/shop/1.4.2")]
        verified = service.book.state.instance("sit", "shop").progress
        due = max(p.verified_at for p in verified.values() if p.verified_at) + timedelta(seconds=6)
        assert service.automat.ask_at == due
        running = asyncio.create_task(service.run(poll=3600, resync=3600))
        async with asyncio.timeout(60):
            while desired(service, "uat").revision.version != "1.4.2":
                await asyncio.sleep(0.1)
        await service.stop()
        await running


async def fails_in_uat(play, service, on_failure: str) -> None:
    """1.4.1 is verified in uat; 1.4.2 is not current in time, since folders cannot say that they are."""
    await prepared(play, service, rollout={"deadline": "10m", "onFailure": on_failure})
    rollout = {"deadline": "3s", "minReady": "0s", "onFailure": on_failure}
    environment(play, "uat", rollout=rollout, verify={"floor": 80, "accept": ["not-applicable"]})
    let_the_service_ask(play, "rollback")
    play.place.commit("Ask for health in uat", service.now())
    await play.promote(service, "1.4.2", "sit", "uat")


async def test_a_rollout_that_failed_goes_back_by_itself_once(play):
    async with play.service() as service:
        await fails_in_uat(play, service, "rollback")
        verdict = desired(service, "uat")
        assert (verdict.verb, verdict.principal) == (Verb.ROLLBACK, SERVICE)
        assert verdict.revision.version == "1.4.1"
        assert verdict.reason == "automatic: the rollout failed"
        state = service.book.state.instance("uat", "shop")
        assert state.progress[verdict.sequence].verified_at
        assert [hold.by for hold in state.holds] == [SERVICE]
        await service.sync()
        assert desired(service, "uat") == verdict


async def test_a_failure_that_is_not_recorded_yet_is_waited_for(play, monkeypatch):
    async with play.service() as service:
        store, real = service.world.store, service.world.store.save_rollout

        async def slow(row):
            if b"halted" in row.state:
                await asyncio.sleep(1)
            await real(row)

        monkeypatch.setattr(store, "save_rollout", slow)
        await fails_in_uat(play, service, "rollback")
        verdict = desired(service, "uat")
        assert (verdict.verb, verdict.revision.version) == (Verb.ROLLBACK, "1.4.1")


async def test_without_being_asked_to_it_stops(play):
    async with play.service() as service:
        await fails_in_uat(play, service, "stop")
        verdict = desired(service, "uat")
        assert (verdict.verb, verdict.revision.version) == (Verb.PROMOTE, "1.4.2")


async def test_an_abort_is_left_alone(play):
    async with play.service() as service:
        await prepared(play, service, rollout={"onFailure": "rollback"})
        let_the_service_ask(play, "rollback")
        play.place.commit("Let the service go back", service.now())
        await play.promote(service, "1.4.2", "sit")
        await play.ask(service, Verb.PROMOTE, "uat", "shop", "1.4.2")
        await service.decider.decide_all(await service.look())
        await play.ask(service, Verb.ABORT, "uat", "shop", key="sre")
        await service.sync()
        await service.sync()
        verdict = desired(service, "uat")
        assert (verdict.verb, verdict.revision.version) == (Verb.PROMOTE, "1.4.2")
