"""A process killed between any two steps on the disk loses track of no object."""

from __future__ import annotations

from pathlib import Path

import pytest

from distributor.adapters.directory import DirectoryTarget, Disk
from distributor.model.fleet import Cluster, Flavour, Mode
from distributor.model.manifest import Manifest
from tests.contract.targets.executor import bring, names
from tests.contract.targets.objects import CLUSTER, ENVIRONMENT, INSTANCE, config_map, namespace
from tests.contract.targets.simulators import K0s, K3s

OLD = (namespace(), config_map("a"), config_map("b"))
NEW = (namespace(), config_map("a", "2"), config_map("c"))
HELD = {"Namespace//dst-contract", "ConfigMap/dst-contract/a", "ConfigMap/dst-contract/c"}


class Killed(BaseException):
    """Nothing after this runs, as after a signal."""


class Mortal(Disk):
    """Dies at the n-th step; in the middle of it where the step is a write."""

    def __init__(self, steps: int) -> None:
        self.left = steps

    def _step(self) -> bool:
        self.left -= 1
        return self.left == 0

    def _die_before(self) -> None:
        if self._step():
            raise Killed

    def make_folder(self, folder: Path) -> None:
        self._die_before()
        super().make_folder(folder)

    def write(self, draft: Path, data: bytes, mode: int) -> None:
        if self._step():
            draft.write_bytes(data[: len(data) // 2])
            raise Killed
        super().write(draft, data, mode)

    def rename(self, draft: Path, path: Path) -> None:
        self._die_before()
        super().rename(draft, path)

    def remove(self, path: Path) -> None:
        self._die_before()
        super().remove(path)

    def sync_folder(self, folder: Path) -> None:
        self._die_before()
        super().sync_folder(folder)


def target(flavour: Flavour, folder: Path, disk: Disk | None = None) -> DirectoryTarget:
    facts = Cluster(
        name=CLUSTER, environment=ENVIRONMENT, tier="edge", mode=Mode.DIRECTORY, flavour=flavour
    )
    return DirectoryTarget(facts, folder, disk=disk)


@pytest.mark.parametrize(("flavour", "simulator"), [(Flavour.K3S, K3s), (Flavour.K0S, K0s)])
@pytest.mark.parametrize("first", [(), OLD], ids=["install", "upgrade"])
async def test_killed_at_any_step(
    flavour: Flavour,
    simulator: type[K3s | K0s],
    first: tuple[Manifest, ...],
    tmp_path: Path,
) -> None:
    for steps in range(1, 100):
        folder = tmp_path / str(steps)
        folder.mkdir()
        sees = simulator(folder)
        if first:
            await bring(target(flavour, folder), 1, first)
            sees.look()
        disk = Mortal(steps)
        finished = True
        try:
            await bring(target(flavour, folder, disk), 2, NEW)
        except Killed:
            finished = False
        after = target(flavour, folder)
        assert sees.look() <= names(await after.read_inventory(ENVIRONMENT, INSTANCE))
        await bring(after, 2, NEW)
        assert sees.look() == HELD
        assert names(await after.read_inventory(ENVIRONMENT, INSTANCE)) == HELD
        assert not list(folder.rglob("*.tmp"))
        if finished:
            assert steps > 8
            return
    pytest.fail("it never finished")
