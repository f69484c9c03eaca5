"""A hotfix through the service: it goes past gates that it names, and leaves a debt."""

from __future__ import annotations

import yaml

from distributor.cli.playground import PEOPLE
from distributor.model.promotion import VerdictOutcome
from distributor.model.tags import Verb
from distributor.services.asking.telling import why
from distributor.services.asking.views import instance_views
from distributor.services.promotion.requesting import Ask, make_request
from tests.acceptance.forging import verdict_on

SOAK = {
    "apiVersion": "distributor.dev/v1alpha1",
    "kind": "Gate",
    "metadata": {"name": "soak-uat"},
    "spec": {"gate": "soak", "environments": ["uat"], "params": {"duration": "24h"}},
}


async def hotfix(play, service, *gates: str, who: str = "release-manager"):
    snapshot = await service.look()
    ask = Ask(
        verb=Verb.PROMOTE, environment="uat", instance="shop", version="1.4.1",
        hotfix=True, override=gates, reason="it burns",
    )  # fmt: skip
    asked = await make_request(
        service.world, snapshot, ask, tagger=PEOPLE[who], signer=play.place.key(who)
    )
    await service.sync()
    return verdict_on(service, asked.ref)


async def shown(service):
    (view,) = await instance_views(service, "uat", "shop")
    told = [link.text for link in await why(service, "uat", "shop")]
    return view.debts, [text for text in told if text.startswith("debt: ")]


async def test_a_hotfix_goes_past_the_gates_it_names_and_stays_a_debt(play):
    file = play.place.catalog / "policies" / "gates" / "soak-uat.yaml"
    file.write_text(yaml.safe_dump(SOAK), "utf-8")
    async with play.service() as service:
        play.place.commit("Let versions soak before uat", service.now())
        await play.promote(service, "1.4.1", "sit")
        waits = await hotfix(play, service)
        assert waits.outcome is VerdictOutcome.PENDING, waits.reasons()
        foreign = await hotfix(play, service, "soak", who="sre")
        assert foreign.outcome is VerdictOutcome.REFUSED
        verdict = await hotfix(play, service, "soak")
        assert verdict.accepted, verdict.reasons()
        assert verdict.overridden == ("soak",)
        debts, told = await shown(service)
        assert len(debts) == len(told) == 1
        assert "release-manager@distributor.example overrode soak" in debts[0]
        await play.ask(service, Verb.ACK, "uat", "shop")
        await service.sync()
        assert (await shown(service))[0] == debts, "nobody forgives their own debts"
        await play.ask(service, Verb.ACK, "uat", "shop", key="sre")
        await service.sync()
        assert await shown(service) == ((), [])
