"""Scopes where no cluster can be asked: the definitions that lie in the same folder or branch tell."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from distributor.adapters.directory import DirectoryTarget
from distributor.model.changes import Actuation
from distributor.model.fleet import Cluster, Flavour, Mode
from distributor.model.manifest import Manifest, ManifestSet
from distributor.model.refs import GroupKind, ObjectId
from distributor.ports import TargetConnection
from distributor.services.targets.reconciling import plan_target, reconcile_target
from distributor.services.targets.work import Work
from distributor.services.world import World
from distributor.testing.clock import FakeClock
from tests.contract.targets.branches import bare, branch_target
from tests.contract.targets.executor import bring
from tests.contract.targets.objects import CLUSTER, ENVIRONMENT, config_map, namespace, owned

GROUP = "gears.example"
WIDE, INSIDE, UNKNOWN = (GroupKind(GROUP, kind) for kind in ("Wheel", "Cog", "Axle"))


def definition(kind: str, scope: str) -> Manifest:
    spec = {"group": GROUP, "scope": scope, "names": {"kind": kind, "plural": f"{kind.lower()}s"}}
    return Manifest.of(
        {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": f"{kind.lower()}s.{GROUP}", "labels": owned()},
            "spec": spec,
        }
    )


def custom(kind: str, **notes: str) -> Manifest:
    metadata = {"name": "a", "namespace": "till", "labels": owned("till"), "annotations": notes}
    return Manifest.of({"apiVersion": f"{GROUP}/v1", "kind": kind, "metadata": metadata})


DEFINITIONS = (definition("Wheel", "Cluster"), definition("Cog", "Namespaced"))


@pytest.fixture(params=[*Flavour, "branch"])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> TargetConnection:
    if request.param == "branch":
        return branch_target(bare(tmp_path / "shared.git"), tmp_path / "store.git", folder="c1")
    facts = Cluster(
        name=CLUSTER,
        environment=ENVIRONMENT,
        tier="edge",
        mode=Mode.DIRECTORY,
        flavour=request.param,
        connection="edge/c1",
    )
    return DirectoryTarget(facts, tmp_path)


class One:
    """Connections to one target; and a ledger in which every commit descends from every other."""

    def __init__(self, target: TargetConnection) -> None:
        self._target = target

    async def open(self, *_about: object) -> TargetConnection:
        return self._target

    def is_ancestor(self, *_commits: ObjectId) -> bool:
        return True


def till(*desired: Manifest) -> Work:
    return Work(
        environment=ENVIRONMENT,
        instance="till",
        cluster=Cluster(name=CLUSTER, environment=ENVIRONMENT, tier="edge", mode=Mode.BRANCH),
        sequence=1,
        ledger_commit=ObjectId("a" * 40),
        revision="till 1.0.0",
        desired=ManifestSet.of(desired),
        owner=owned("till")["applyset.kubernetes.io/part-of"],
    )


def world_of(target: TargetConnection) -> World:
    parts = dict.fromkeys(f.name for f in fields(World))
    parts["connections"] = parts["objects"] = One(target)
    parts["clock"] = FakeClock(datetime(2026, 3, 1, tzinfo=UTC))
    return World(**parts)


async def test_the_definitions_of_any_instance_tell(target: TargetConnection) -> None:
    assert await target.scopes([WIDE, INSIDE]) == {}
    await bring(target, 1, (namespace(), *DEFINITIONS, config_map("a")))
    assert await target.scopes([WIDE, INSIDE, UNKNOWN]) == {WIDE: False, INSIDE: True}
    assert await target.scopes([UNKNOWN]) == {}


async def test_another_instances_objects_are_delivered_as_its_definition_says(
    target: TargetConnection,
) -> None:
    await bring(target, 1, (namespace(), *DEFINITIONS))
    report = await reconcile_target(world_of(target), till(custom("Wheel"), custom("Cog")))
    assert (report.actuation, report.findings) == (Actuation.APPLIED, ())
    assert sorted(str(o.ref) for o in report.outcomes) == [
        f"{GROUP}/Cog/till/a",
        f"{GROUP}/Wheel//a",
    ]


async def test_what_nothing_tells_is_told(target: TargetConnection) -> None:
    work = till(custom("Axle"))
    planned = await plan_target(world_of(target), work)
    report = await reconcile_target(world_of(target), work)
    for findings in (planned.findings, report.findings):
        assert [(f.code, "gears.example/Axle" in f.message) for f in findings] == [("DST445", True)]
    assert report.actuation is Actuation.APPLIED
    gateway = {**custom("Gateway").data(), "apiVersion": "networking.istio.io/v1"}
    known = till(Manifest.of(gateway))
    assert (await plan_target(world_of(target), known)).findings == ()
    said = replace(work, desired=ManifestSet.of([custom("Axle", **{"distributor.dev/scope": "Namespaced"})]))  # fmt: skip
    assert (await plan_target(world_of(target), said)).findings == ()
