"""A rollout keeps its limits, whatever else looks after targets at the same time."""

from __future__ import annotations

import yaml

from distributor.services.asking.views import InstanceStage, instance_views


def one_wave_first(play, service) -> None:
    """sit rolls out to its slim cluster first, and stops at the first failure."""
    path = play.place.catalog / "environments" / "sit" / "environment.yaml"
    document = yaml.safe_load(path.read_text())
    document["spec"]["rollout"] |= {
        "waves": [{"name": "first", "selector": {"tiers": ["slim"]}}],
        "maxFailures": 0,
    }
    path.write_text(yaml.safe_dump(document, sort_keys=False))
    play.place.commit("Go slow in sit", service.now())


async def test_what_failed_in_its_first_wave_goes_no_further(play):
    broken = play.place.clusters / "sit" / "sit-slim-1" / ".dst-website.inventory"
    async with play.service() as service:
        one_wave_first(play, service)
        broken.write_text("{")
        await play.promote(service, "1.0.0", "sit", app="website")
        await service.sync()
        (seen,) = await instance_views(service, "sit", "website")
        assert (seen.stage, seen.in_step) == (InstanceStage.FAILED, 0)
        assert not play.folder("sit", "sit-central-1")
        assert not play.folder("sit", "sit-edge-1")
    async with play.service() as service:
        await service.sync()
        assert not play.folder("sit", "sit-central-1")
        broken.unlink()
        await play.promote(service, "1.0.0", "sit", app="website")
        (seen,) = await instance_views(service, "sit", "website")
        assert (seen.stage, seen.in_step) == (InstanceStage.VERIFIED, seen.targets)


async def test_a_resync_leaves_what_is_still_to_be_rolled_out_alone(play):
    async with play.service() as service:
        one_wave_first(play, service)
        await play.promote(service, "1.0.0", "sit", app="website")
        (play.place.clusters / "sit" / "sit-slim-1").rename(play.place.root / "away")
        await play.promote(service, "1.1.0", "sit", app="website")
        before = await instance_views(service, "sit", "website")
        assert before[0].stage is not InstanceStage.FAILED
        await service.rollouts.resync()
        (play.place.root / "away").rename(play.place.clusters / "sit" / "sit-slim-1")
        await service.sync()
        (seen,) = await instance_views(service, "sit", "website")
        assert (seen.version, seen.in_step) == ("1.1.0", seen.targets)
