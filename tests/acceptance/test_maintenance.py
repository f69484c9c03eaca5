"""Maintenance windows of clusters: outside of them a new version is not begun, and it comes when one opens."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import yaml

from distributor.model.promotion import OVERRIDE, GateAnswer, GateResult
from distributor.model.tags import Verb
from distributor.services.asking.views import InstanceStage, instance_views
from distributor.services.rollouts.maintenance import kept_away

SLIM, CENTRAL = ("sit", "sit-slim-1"), ("sit", "sit-central-1")


def windows(play, place, *, open_now: bool):
    """Give a cluster one window a day: all day, or an hour that is half a day away."""
    file = play.place.catalog.joinpath("environments", place[0], "clusters", f"{place[1]}.yaml")
    data = yaml.safe_load(file.read_text())
    begin = datetime.now(UTC) + timedelta(hours=12)
    start, duration = ("00:00", "24h") if open_now else (f"{begin:%H:%M}", "1h")
    window = {"rule": "FREQ=DAILY", "start": start, "duration": duration, "timezone": "UTC"}
    data["spec"]["windows"] = [window]
    file.write_text(yaml.safe_dump(data))
    play.place.commit(f"Change the windows of {place[1]}", datetime.now(UTC))


def floor(play, percent):
    file = play.place.catalog / "environments" / "sit" / "environment.yaml"
    file.write_text(file.read_text().replace("floor: 80", f"floor: {percent}"))
    play.place.commit("Change the floor", datetime.now(UTC))


async def shop(service):
    (view,) = await instance_views(service, "sit", "shop")
    return view


def holds(play, place):
    return any("shop" in name for name in play.folder(*place))


async def test_a_closed_cluster_owes_the_version_and_gets_it_when_it_opens(play):
    windows(play, SLIM, open_now=False)
    async with play.service() as service:
        await play.promote(service, "1.4.1", "sit")
        view = await shop(service)
        assert (holds(play, CENTRAL), holds(play, SLIM)) == (True, False)
        assert view.stage is InstanceStage.UNVERIFIED
        assert "sit-slim-1 is outside its maintenance windows until " in view.shut
        service.rollouts.nudge()
        await service.sync()
        assert not holds(play, SLIM), "whoever asks for it gets nothing begun"
        windows(play, SLIM, open_now=True)
        await service.sync()
        assert (holds(play, CENTRAL), holds(play, SLIM)) == (True, True)
        assert not (await shop(service)).shut
        assert (await shop(service)).stage is InstanceStage.VERIFIED


async def test_what_keeps_targets_in_step_begins_nothing_either(play):
    """The rollout is verified without the closed cluster, and its runner is gone with the process."""
    floor(play, 50)
    windows(play, SLIM, open_now=False)
    async with play.service() as service:
        await play.promote(service, "1.4.1", "sit")
        assert (await shop(service)).stage is InstanceStage.VERIFIED
    async with play.service() as service:
        await service.sync()
        view = await shop(service)
        assert not holds(play, SLIM)
        (target,) = [t for t in view.clusters if t.cluster == SLIM[1]]
        assert not target.in_step
        assert target.message.startswith("DST261 ")
        assert "until " in target.message


async def test_a_wave_whose_clusters_are_all_closed_waits(play):
    for place in (SLIM, CENTRAL):
        windows(play, place, open_now=False)
    async with play.service() as service:
        await play.promote(service, "1.4.1", "sit")
        view = await shop(service)
        assert view.stage is InstanceStage.ROLLING
        assert view.shut.startswith("wave all waits: all 2 clusters are closed; sit-"), view.shut
        assert not holds(play, SLIM)
        assert not holds(play, CENTRAL)
        desired = service.book.state.instance("sit", "shop").desired
        cluster = service.snapshot.catalog.environments["sit"].clusters[SLIM[1]]
        now = service.now()
        assert kept_away(desired, cluster, now) is not None
        assert kept_away(replace(desired, verb=Verb.ROLLBACK), cluster, now) is None
        lifted = GateAnswer(
            number=7, gate="windows", result=GateResult.PASS, evidence={OVERRIDE: "not needed"}
        )
        hotfix = replace(desired, answers=(*desired.answers, lifted))
        assert kept_away(hotfix, cluster, now) is None
