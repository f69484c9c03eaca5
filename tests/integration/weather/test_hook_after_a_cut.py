"""A hook whose start was done and whose answer was lost is one run, not two."""

from __future__ import annotations

from dataclasses import replace

import pytest
from aiohttp import web

from distributor.model.changes import Actuation, TargetReport
from distributor.model.hooks import DeclaredHook, Moment
from distributor.model.refs import ObjectRef
from distributor.services.targets.reconciling import reconcile_target
from tests.integration.membership.conftest import settings
from tests.integration.ownership.conftest import named
from tests.integration.weather.conftest import Outside, cut

pytestmark = [pytest.mark.controlplane, pytest.mark.timeout(240)]


@pytest.mark.parametrize("cuts", [1, 2, 3])
async def test_the_job_is_made_once(outside: Outside, cuts: int):
    """So often in a row the answer is lost: more often than one reconcile tries, too."""
    instance, seen, left = outside.instance(), [], cuts
    pod = {"containers": [{"name": "a", "image": "a:1"}], "restartPolicy": "Never"}
    job = named("batch/v1", "Job", "before", spec={"template": {"spec": pod}})
    ref = ObjectRef("batch", "Job", instance.namespace, "before")

    async def lose(request: web.Request, status: int) -> None:
        nonlocal left
        if request.method == "PATCH" and request.path.endswith("/jobs/before"):
            seen.append(status)
            if left > 0:
                left -= 1
                cut(request)

    outside.sky.after = lose
    instance.sequence += 1

    async def look() -> TargetReport:
        work = instance.work(job, settings("a"))
        hook = DeclaredHook(ref=ref, moment=Moment.PRE, timeout=600.0)
        return await reconcile_target(instance.world, replace(work, hooks=(hook,)))

    reports = [await look() for _ in range(4)]
    assert reports[-1].actuation is Actuation.APPLYING, reports[-1]
    first = await instance.get("batch/v1 jobs/before")
    assert seen[0] == 201
    assert set(seen[1:]) <= {200, 409}, "made once, and then found: it is there, or as it was"
    done = [{"type": t, "status": "True"} for t in ("SuccessCriteriaMet", "Complete")]
    moment = first["metadata"]["creationTimestamp"]
    status = {"conditions": done, "startTime": moment, "completionTime": moment, "succeeded": 1}
    await instance.send(
        "PATCH", "batch/v1 jobs/before/status", {"status": status},
        kind="application/merge-patch+json",
    )  # fmt: skip
    for _ in range(2):
        report = await look()
    assert report.actuation is Actuation.APPLIED, report
    last = await instance.get("batch/v1 jobs/before")
    assert last["metadata"]["uid"] == first["metadata"]["uid"]
