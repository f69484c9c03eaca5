"""Parity: a standby takes a version with the values that the environment has which it stands by for."""

from __future__ import annotations

import yaml

from distributor.model.tags import Verb
from distributor.services.asking.planning import plan_promotion
from tests.acceptance.forging import codes, verdict_on
from tests.acceptance.test_automatic import environment
from tests.acceptance.test_standbys import WAY, play_with, versions

OWN = {"shop": {"frontend_replicas": 1}}


def values_of(play, name: str) -> dict[str, object]:
    file = play.place.catalog / "environments" / name / "environment.yaml"
    return yaml.safe_load(file.read_text("utf-8"))["spec"]["defaults"]["values"]


def differ(play, **spec: object) -> None:
    """Dr runs one replica of what prd runs three of."""
    environment(play, "dr", defaults={"values": values_of(play, "dr") | OWN}, **spec)


async def test_each_value_that_differs_is_told_with_its_files(tmp_path):
    play = await play_with(tmp_path / "play", differ)
    async with play.service() as service:
        await play.promote(service, "1.4.1", *WAY)
        plan = await plan_promotion(service, "dr", "shop", "1.4.1")
        asked = await play.ask(service, Verb.PROMOTE, "dr", "shop", "1.4.1")
        await service.sync()
        verdict = verdict_on(service, asked.ref)
        assert "DST278" in codes(verdict)
        (found,) = [f for a in verdict.answers for f in a.findings if f.code == "DST278"]
        assert (
            "shop.frontend_replicas is 1 in dr (environments/dr/environment.yaml)" in found.message
        )
        assert "and 3 in prd (environments/prd/environment.yaml)" in found.message
        assert found.where.file == "environments/dr/environment.yaml"
        assert found in [f for a in plan.answers for f in a.findings]
        assert versions(service) == {"prd": "1.4.1"}


async def test_excepted_values_may_differ_and_prd_counts_with_what_it_runs(tmp_path):
    play = await play_with(
        tmp_path / "play", lambda p: differ(p, parity={"except": ["shop.frontend_replicas"]})
    )
    async with play.service() as service:
        await play.promote(service, "1.4.1", *WAY, "dr")
        assert versions(service) == {"prd": "1.4.1", "dr": "1.4.1"}
        # Main has other values for both now; prd has not taken them, so that dr may not either.
        for name in ("prd", "dr"):
            values = values_of(play, name) | {
                "shop": {"frontend_replicas": 1, "ingress_class": "nginx"}
            }
            environment(play, name, defaults={"values": values})
        play.place.commit("Another ingress", service.now())
        early = await play.ask(service, Verb.PROMOTE, "dr", "shop", "1.4.1")
        await service.sync()
        assert "DST278" in codes(verdict_on(service, early.ref))
        await play.ask(service, Verb.PROMOTE, "prd", "shop", "1.4.1")
        await service.sync()
        later = await play.ask(service, Verb.PROMOTE, "dr", "shop", "1.4.1")
        await service.sync()
        assert verdict_on(service, later.ref).accepted
