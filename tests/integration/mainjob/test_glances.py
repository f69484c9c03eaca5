"""Many targets of one cluster are looked at for few requests, and whatever is not in step is found all the same."""

from __future__ import annotations

import pytest

from distributor.metrics import cluster_requests
from tests.integration.mainjob.conftest import view
from tests.integration.mainjob.smallapps import one_cluster, web, write_app

pytestmark = [pytest.mark.controlplane, pytest.mark.timeout(240)]

CENTRAL = "sit-central-1"
APPS = tuple(f"glance-{letter}" for letter in "abcdef")
MERGE = "application/merge-patch+json"


async def test_a_look_after_a_restart_costs_fewer_than_two_requests_an_app_and_misses_nothing(
    tmp_path, control_planes
):
    pushed = one_cluster(tmp_path / "play", control_planes, CENTRAL)
    for app in APPS:
        write_app(pushed.place.catalog, app, "1.0.0", *web())
    await pushed.found()
    async with pushed.service() as service:
        for app in APPS:
            await pushed.promote(service, "sit", app, "1.0.0")
    before = {app: await pushed.get(CENTRAL, _settings(app)) for app in APPS}

    async with pushed.service() as service:  # a new process: nothing is remembered of the cluster
        await service.look()
        asked = cluster_requests()
        assert await service.rollouts.resync() == len(APPS)
        assert cluster_requests() - asked < 2 * len(APPS)
        seen = [(await view(service, "sit", app)).clusters[0] for app in APPS]
        assert [(each.health, each.in_step) for each in seen] == [("Current", True)] * len(APPS)

        edited, gone, unlabelled, *untouched = APPS
        label = {"metadata": {"labels": {"applyset.kubernetes.io/part-of": None}}}
        await pushed.send(CENTRAL, "PATCH", _settings(edited), {"data": {"text": None}}, kind=MERGE)
        await pushed.send(CENTRAL, "DELETE", _settings(gone))
        await pushed.send(CENTRAL, "PATCH", _settings(unlabelled), label, kind=MERGE)
        await service.rollouts.resync()
        for app in (edited, gone, unlabelled):
            healed = await pushed.get(CENTRAL, _settings(app))
            assert healed["data"] == before[app]["data"]
            assert healed["metadata"]["labels"] == before[app]["metadata"]["labels"]
        assert [await pushed.get(CENTRAL, _settings(app)) for app in untouched] == [
            before[app] for app in untouched
        ]
        told = {e.instance for e in await service.world.store.events() if e.kind == "healed"}
        assert told == {edited, gone, unlabelled}


def _settings(app: str) -> str:
    return f"/api/v1/namespaces/{app}/configmaps/web"
