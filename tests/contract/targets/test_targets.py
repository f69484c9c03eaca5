"""The contract of targets: on the shipped fake, on folders of each flavour, on an API server in memory, on a branch."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from distributor.adapters.directory import DirectoryTarget
from distributor.adapters.kube import KubeConnections
from distributor.model.fleet import Cluster, Flavour, Mode
from distributor.testing.targets import MemoryCluster, MemoryTarget
from tests.contract.targets.branches import bare, branch_target
from tests.contract.targets.fake_api import FakeApi, kubeconfig, serve
from tests.contract.targets.objects import CLUSTER, ENVIRONMENT
from tests.contract.targets.suite import Harness, TargetContract


def cluster(flavour: Flavour) -> Cluster:
    return Cluster(
        name=CLUSTER, environment=ENVIRONMENT, tier="edge", mode=Mode.DIRECTORY, flavour=flavour
    )


PUSHED = Cluster(
    name=CLUSTER, environment=ENVIRONMENT, tier="edge", mode=Mode.PUSH, connection="c1"
)


class TestMemory(TargetContract):
    @pytest.fixture
    def harness(self) -> Harness:
        shared = MemoryCluster(name=CLUSTER)
        return Harness(MemoryTarget(shared), MemoryTarget(shared))


class TestDirectory(TargetContract):
    @pytest.fixture(params=list(Flavour))
    def harness(self, request: pytest.FixtureRequest, tmp_path: Path) -> Harness:
        facts = cluster(request.param)
        return Harness(DirectoryTarget(facts, tmp_path), DirectoryTarget(facts, tmp_path))


class TestKube(TargetContract):
    @pytest.fixture
    async def harness(self, tmp_path: Path) -> AsyncIterator[Harness]:
        async with serve(FakeApi()) as url:
            entry = {"kubeconfig": str(kubeconfig(tmp_path / "config", url))}
            connections = [KubeConnections({"c1": entry}) for _ in range(2)]
            targets = [await each.open(PUSHED) for each in connections]
            yield Harness(*targets)
            for each in connections:
                await each.aclose()


class TestBranch(TargetContract):
    @pytest.fixture(params=["", "clusters/c1"], ids=["root", "folder"])
    def harness(self, request: pytest.FixtureRequest, tmp_path: Path) -> Harness:
        shared = bare(tmp_path / "shared.git")
        stores = (tmp_path / "one.git", tmp_path / "two.git")
        return Harness(*(branch_target(shared, store, folder=request.param) for store in stores))
