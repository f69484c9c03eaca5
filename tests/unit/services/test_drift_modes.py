"""What others set in fields of ours: told with who holds it, and whether the object is still at its revision."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from distributor.model.drift import Contested
from distributor.model.fleet import DriftMode
from distributor.model.health import HealthStatus
from distributor.model.manifest import Manifest, ManifestSet
from distributor.model.package import IgnoreRule
from distributor.plan import Ignoring
from distributor.render.applyset import PART_OF
from distributor.services.targets.reconciling import plan_target, reconcile_target
from distributor.testing.targets import MemoryCluster
from tests.unit.services.test_reconciling import OWNER, READY, memory, work, world

__all__ = ["memory", "world"]

WEB = Manifest.of(
    {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "shop", "labels": {PART_OF: OWNER}},
        "spec": {"revisionHistoryLimit": 2, "progressDeadlineSeconds": 60},
    }
)
DESIRED = ManifestSet.of((WEB,))
PEOPLE = frozenset({"kubectl*"})
PROGRESSED = {"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"}
RUNS = {**READY, "conditions": [*READY["conditions"], PROGRESSED]}
KEEPER = Contested(ref=WEB.ref, pointer="/spec/revisionHistoryLimit", opponent="keeper")


def held_by(manager: str, memory: MemoryCluster, **spec: object) -> None:
    """Fields of the spec are another manager's, as managed fields tell it; the rest is ours."""
    found = memory.objects[WEB.ref]
    ours = {f"f:{name}": {} for name in found.data["spec"] if name not in spec}
    theirs = {f"f:{name}": {} for name in spec}
    entries: list[dict[str, Any]] = [
        {"manager": "distributor", "operation": "Apply", "fieldsV1": {"f:spec": ours}},
        {"manager": manager, "operation": "Update", "fieldsV1": {"f:spec": theirs}},
    ]
    metadata = {**found.data["metadata"], "managedFields": entries}
    data = {**found.data, "metadata": metadata, "spec": {**found.data["spec"], **spec}}
    memory.objects[WEB.ref] = replace(found, data=data)


def spec_of(memory: MemoryCluster) -> dict[str, Any]:
    return memory.objects[WEB.ref].data["spec"]


async def after(memory: MemoryCluster, world: object, manager: str, **parts: object):
    """A look at a target in step, after a manager set a field of ours to something else."""
    memory.statuses[WEB.ref] = RUNS
    asked = work(desired=DESIRED, undo=PEOPLE, **parts)
    await reconcile_target(world, asked)
    held_by(manager, memory, revisionHistoryLimit=9)
    memory.calls.clear()
    return await reconcile_target(world, asked)


@pytest.mark.parametrize("manager", ["kubectl-edit", "keeper"])
async def test_report_tells_the_field_and_who_holds_it(world, memory, manager):
    report = await after(memory, world, manager, drift=DriftMode.REPORT)
    assert [f.code for f in report.findings] == ["DST440"]
    assert f"spec.revisionHistoryLimit (held by {manager})" in report.findings[0].message
    assert str(WEB.ref) in str(report.findings[0].where)
    (line,) = report.drift
    assert f"drift: spec.revisionHistoryLimit (held by {manager})" in line
    (seen,) = report.health
    assert (seen.status, seen.revision) == (HealthStatus.IN_PROGRESS, "")
    assert manager in seen.message
    assert not [c for c in memory.calls if c.startswith(("apply", "write"))]


@pytest.mark.parametrize("manager", ["kubectl-edit", "keeper"])
async def test_pause_says_what_is_otherwise_now(world, memory, manager):
    report = await after(memory, world, manager, drift=DriftMode.PAUSE)
    (told,) = report.findings
    assert told.code == "DST441"
    assert f"spec.revisionHistoryLimit (held by {manager})" in told.message
    assert report.health[0].status is HealthStatus.IN_PROGRESS
    assert report.drift == ()
    assert memory.calls == ["read_inventory shop", "read_live"]


async def test_heal_puts_right_what_people_changed_and_says_so(world, memory):
    report = await after(memory, world, "kubectl-edit")
    assert spec_of(memory)["revisionHistoryLimit"] == 2
    (line,) = report.drift
    assert "drift: spec.revisionHistoryLimit (held by kubectl-edit)" in line
    assert report.findings == ()
    assert report.health[0].revision == WEB.digest


async def test_heal_leaves_what_nobody_agreed_to_take_back_and_says_whose_it_is(world, memory):
    report = await after(memory, world, "keeper")
    assert spec_of(memory)["revisionHistoryLimit"] == 9
    (told,) = report.findings
    assert told.code == "DST442"
    assert "spec.revisionHistoryLimit (held by keeper)" in told.message
    assert '"fields":["/spec/revisionHistoryLimit"],"managers":["keeper"]' in told.remedy
    assert "held by keeper" in report.drift[0]
    assert (report.health[0].status, report.health[0].revision) == (HealthStatus.IN_PROGRESS, "")
    planned = await plan_target(world, work(desired=DESIRED, undo=PEOPLE))
    assert [f.code for f in planned.findings] == ["DST442"]


async def test_what_may_be_healed_beside_it_is_and_does_not_take_it_along(world, memory):
    asked = work(desired=DESIRED, undo=PEOPLE)
    await reconcile_target(world, asked)
    held_by("keeper", memory, revisionHistoryLimit=9)
    found = memory.objects[WEB.ref]
    spec = {
        name: value
        for name, value in found.data["spec"].items()
        if name != "progressDeadlineSeconds"
    }
    memory.objects[WEB.ref] = replace(found, data={**found.data, "spec": spec})
    report = await reconcile_target(world, asked)
    assert "revisionHistoryLimit" not in spec_of(memory), "it was not sent"
    assert spec_of(memory)["progressDeadlineSeconds"] == 60
    assert [f.code for f in report.findings] == ["DST442"]


@pytest.mark.parametrize("mode", list(DriftMode))
async def test_what_a_rule_leaves_to_its_holder_is_quiet(world, memory, mode):
    rule = IgnoreRule(kind=WEB.ref.group_kind, managers=("keeper",))
    report = await after(memory, world, "keeper", drift=mode, ignore=Ignoring(rules=(rule,)))
    assert report.drift == ()
    assert [f.code for f in report.findings if f.code != "DST441"] == []
    assert report.health[0].revision == WEB.digest


@pytest.mark.parametrize("mode", [DriftMode.REPORT, DriftMode.PAUSE])
async def test_what_a_webhook_set_at_our_own_write_runs_at_its_revision(world, memory, mode):
    """The field is still ours: the cluster itself has it so, and a rollout must come to its end."""
    report = await after(memory, world, "distributor", drift=mode)
    assert "spec.revisionHistoryLimit" in report.findings[0].message or mode is DriftMode.PAUSE
    assert report.health[0].revision == WEB.digest


async def test_what_is_fought_for_rests_and_all_else_is_healed(world, memory):
    asked = work(desired=DESIRED, undo=frozenset({"*"}), resting=frozenset({KEEPER}))
    await reconcile_target(world, asked)
    held_by("keeper", memory, revisionHistoryLimit=9, progressDeadlineSeconds=7)
    memory.statuses[WEB.ref] = RUNS
    report = await reconcile_target(world, asked)
    assert "revisionHistoryLimit" not in spec_of(memory), "it was not sent"
    assert spec_of(memory)["progressDeadlineSeconds"] == 60
    assert report.drift == (f"{WEB.ref}: drift: spec.progressDeadlineSeconds (held by keeper)",)
    assert report.health[0].status is HealthStatus.IN_PROGRESS


@pytest.mark.parametrize(
    "other",
    [
        replace(KEEPER, opponent="kubectl-edit"),
        replace(KEEPER, pointer="/spec/progressDeadlineSeconds"),
        replace(KEEPER, ref=replace(WEB.ref, name="other")),
        Contested(ref=WEB.ref),
    ],
)
async def test_it_rests_for_that_field_of_that_object_with_that_manager_alone(world, memory, other):
    report = await after(memory, world, "keeper", resting=frozenset({other}))
    assert [f.code for f in report.findings] == ["DST442"]
    taken = await after(memory, world, "kubectl-set", resting=frozenset({other}))
    assert spec_of(memory)["revisionHistoryLimit"] == 2
    assert taken.drift


async def test_a_new_revision_is_applied_over_what_rests(world, memory):
    asked = work(desired=DESIRED, undo=frozenset({"*"}), resting=frozenset({KEEPER}))
    await reconcile_target(world, asked)
    held_by("keeper", memory, revisionHistoryLimit=9)
    await reconcile_target(world, replace(asked, sequence=6))
    assert spec_of(memory)["revisionHistoryLimit"] == 2


async def test_an_object_that_is_deleted_again_and_again_rests_too(world, memory):
    asked = work(desired=DESIRED, resting=frozenset({Contested(ref=WEB.ref)}))
    await reconcile_target(world, asked)
    del memory.objects[WEB.ref]
    report = await reconcile_target(world, asked)
    assert WEB.ref not in memory.objects
    assert report.health[0].status is HealthStatus.NOT_FOUND
    await reconcile_target(world, replace(asked, resting=frozenset()))
    assert WEB.ref in memory.objects
