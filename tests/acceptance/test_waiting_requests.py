"""Requests that wait for a time: pending until then, asked again by themselves, and let in."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import yaml

from distributor.app import open_service
from distributor.model.promotion import GateResult, VerdictOutcome
from distributor.model.tags import Verb
from distributor.services.asking.planning import plan_promotion
from distributor.services.asking.telling import why
from distributor.services.asking.views import instance_views

SECONDS = 6


def policy(play, path: str, document: dict[str, object], service) -> None:
    """Merge a policy file into main."""
    (play.place.catalog / "policies" / path).write_text(yaml.safe_dump(document), "utf-8")
    play.place.commit(f"Add {path}", service.now())


def gate(name: str, *environments: str, **params: object) -> dict[str, object]:
    return {
        "apiVersion": "distributor.dev/v1alpha1",
        "kind": "Gate",
        "metadata": {"name": name},
        "spec": {"gate": name, "environments": [*environments], "params": params},
    }


async def test_a_soak_ends_at_its_time_and_the_request_is_let_in_then(play):
    async with play.service() as service:
        policy(play, "gates/soak-uat.yaml", gate("soak", "uat", duration=f"{SECONDS}s") | {
            "metadata": {"name": "soak-uat"}}, service)  # fmt: skip
        await play.promote(service, "1.4.1", "sit")
        verified = service.book.state.instance("sit", "shop").progress[1].verified_at
        planned = (await plan_promotion(service, "uat", "shop", "1.4.1")).answers
        soak = next(a for a in planned if a.number == 6)
        assert soak.until == verified + timedelta(seconds=SECONDS)
        asked = await play.ask(service, Verb.PROMOTE, "uat", "shop", "1.4.1")
        await service.once()
        state = service.book.state.instance("uat", "shop")
        records = state.records
        assert state.outcomes[asked.tag] is VerdictOutcome.PENDING
        chain = await why(service, "uat", "shop")
        assert any("gate 6 soak" in link.text and " UTC" in link.text for link in chain)
        await service.once()  # another look records nothing
        assert service.book.state.instance("uat", "shop").records == records
        running = asyncio.create_task(service.run(poll=3600, resync=3600))
        async with asyncio.timeout(60):
            while service.book.state.instance("uat", "shop").desired is None:
                await asyncio.sleep(0.1)
        accepted_at = service.book.state.instance("uat", "shop").accepted_at[2]
        assert accepted_at >= verified + timedelta(seconds=SECONDS)
        await service.stop()
        await running


def calendar(*windows: dict[str, object]) -> dict[str, object]:
    return {
        "apiVersion": "distributor.dev/v1alpha1",
        "kind": "Calendar",
        "metadata": {"name": "calendar"},
        "spec": {"windows": [*windows]},
    }


def freeze(service, name: str, *environments: str, seconds: float) -> dict[str, object]:
    """A freeze that began yesterday and ends in a few seconds."""
    now = service.now()
    return {
        "name": name,
        "kind": "freeze",
        "environments": [*environments],
        "timeZone": "UTC",
        "start": f"{now - timedelta(days=1):%Y-%m-%dT%H:%M}",
        "end": f"{now + timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%S}",
        "reason": "inventory",
    }


async def test_a_freeze_keeps_requests_waiting_and_lets_them_in_when_it_ends(play):
    async with play.service() as service:
        policy(play, "calendar.yaml", calendar(freeze(service, "stop", "sit", seconds=8)), service)
        asked = await play.ask(service, Verb.PROMOTE, "sit", "shop", "1.4.1")
        await service.once()
        state = service.book.state.instance("sit", "shop")
        assert state.outcomes[asked.tag] is VerdictOutcome.PENDING
        (link,) = [link for link in await why(service, "sit", "shop") if "gate 7" in link.text]
        assert "freeze stop until" in link.text
        assert "inventory" in link.text
        running = asyncio.create_task(service.run(poll=3600, resync=3600))
        async with asyncio.timeout(60):
            while service.book.state.instance("sit", "shop").desired is None:
                await asyncio.sleep(0.1)
        await service.stop()
        await running


async def test_a_calendar_that_cannot_be_understood_lets_nothing_in(play):
    async with play.service() as service:
        bad = freeze(service, "stop", "prd", seconds=60) | {"timeZone": "Europe/Berlim"}
        policy(play, "calendar.yaml", calendar(bad), service)
        asked = await play.ask(service, Verb.PROMOTE, "sit", "shop", "1.4.1")
        await service.once()
        verdict = service.book.state.instance("sit", "shop").last_verdicts[asked.ref]
        assert verdict.outcome is VerdictOutcome.REFUSED
        (reason,) = verdict.reasons()
        assert "policies/calendar.yaml:14:" in reason
        assert "Europe/Berlin" in reason


async def test_a_freeze_keeps_the_next_wave_shut_and_lets_the_one_that_runs_end(play):
    async with play.service() as service:
        await play.promote(service, "1.4.1", "sit", "uat", "pre")
        policy(play, "gates/windows.yaml", gate("windows", "prd"), service)  # the sample only warns
        await play.ask(service, Verb.PROMOTE, "prd", "shop", "1.4.1")
        running = asyncio.create_task(service.run(poll=3600, resync=3600))
        key = ("prd", "shop")
        async with asyncio.timeout(60):
            while service.book.state.instance(*key).desired is None:
                await asyncio.sleep(0.02)
        policy(play, "calendar.yaml", calendar(freeze(service, "stop", "prd", seconds=15)), service)
        service.hint()
        sequence = service.book.state.instance(*key).desired.sequence
        async with asyncio.timeout(60):
            while not (shut := (await instance_views(service, *key))[0].shut):
                await asyncio.sleep(0.1)
        (state,) = [r for r in service.rollouts.running() if (r.environment, r.instance) == key]
        opened = state.open_wave  # the first on any machine that is not very busy
        assert shut.startswith(f"wave {state.waves[opened + 1]} waits: gate 7 windows: ")
        assert "freeze stop until" in shut
        stages = {t.stage.value for t in state.targets.values() if t.wave <= opened}
        assert stages == {"ready"}
        assert {t.stage.value for t in state.targets.values() if t.wave > opened} == {"waiting"}
        assert any(shut in link.text for link in await why(service, *key))
        await service.rollouts.settled()  # whoever syncs does not wait for a freeze
        async with open_service(
            play.settings, writing=False
        ) as other:  # another process tells it too
            await other.look()
            assert (await instance_views(other, *key))[0].shut == shut
        async with asyncio.timeout(60):
            while service.book.state.instance(*key).progress[sequence].verified_at is None:
                await asyncio.sleep(0.1)
        assert (await instance_views(service, *key))[0].shut == ""
        await service.stop()
        await running


def amend(play, path: str, change, service) -> None:
    """Change a descriptor of main."""
    file = play.place.catalog / path
    document = yaml.safe_load(file.read_text("utf-8"))
    change(document["spec"])
    file.write_text(yaml.safe_dump(document, sort_keys=False), "utf-8")
    play.place.commit(f"Amend {path}", service.now())


async def test_a_package_comes_only_beside_the_apps_that_it_needs(play):
    def needs_website(spec) -> None:
        spec["fits"]["requires"] = [{"app": "website", "range": ">=1.1"}]

    async with play.service() as service:
        amend(play, "catalog/shop/1.4.2/package.yaml", needs_website, service)
        await play.promote(service, "1.0.0", "sit", app="website")
        first = await play.ask(service, Verb.PROMOTE, "sit", "shop", "1.4.2")
        await service.sync()
        state = service.book.state.instance("sit", "shop")
        assert state.outcomes[first.tag] is VerdictOutcome.REFUSED
        (reason,) = state.last_verdicts[first.ref].reasons()
        assert "gate 12 fit: " in reason
        assert "website >=1.1 is needed, website 1.0.0 is there; on sit-central-1" in reason
        # the one that is needed is accepted and not yet verified: the request waits, and is let in then
        here, away = play.place.clusters / "sit", play.place.clusters / "away"
        here.rename(away)  # nothing can be delivered
        await play.ask(service, Verb.PROMOTE, "sit", "website", "1.1.0")
        await service.sync()
        again = await play.ask(service, Verb.PROMOTE, "sit", "shop", "1.4.2")
        await service.once()
        state = service.book.state.instance("sit", "shop")
        assert state.outcomes[again.tag] is VerdictOutcome.PENDING
        assert "is being rolled out" in state.last_verdicts[again.ref].reasons()[0]
        away.rename(here)
        await service.sync()
        await service.sync()
        state = service.book.state.instance("sit", "shop")
        assert state.outcomes[again.tag] is VerdictOutcome.ACCEPTED


async def test_a_package_that_asks_for_more_than_the_nodes_have_stays_out(play):
    async with play.service() as service:
        amend(
            play,
            "environments/sit/clusters/sit-central-1.yaml",
            lambda spec: [group.update(cpu="100m") for group in spec["nodes"]],
            service,
        )
        answers = (await plan_promotion(service, "sit", "shop", "1.4.1")).answers
        fit = next(a for a in answers if a.number == 12)
        assert fit.result is GateResult.FAIL
        assert "cores are asked for" in fit.message
        assert "on sit-central-1)" in fit.message
        asked = await play.ask(service, Verb.PROMOTE, "sit", "shop", "1.4.1")
        await service.sync()
        outcomes = service.book.state.instance("sit", "shop").outcomes
        assert outcomes[asked.tag] is VerdictOutcome.REFUSED
