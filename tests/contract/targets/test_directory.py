"""Directory targets as k3s and k0s see them: pruning, kills, disks that fail, changes by hand."""

from __future__ import annotations

import asyncio
import errno
import os
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from distributor.adapters.directory import DirectoryConnections, DirectoryTarget, Disk
from distributor.errors.cluster import (
    Fenced,
    ForeignObject,
    InventoryBroken,
    TargetNotWritable,
    UnknownConnection,
    Unsupported,
)
from distributor.model.changes import Action, Inventory
from distributor.model.fleet import Cluster, Flavour, Mode
from distributor.model.manifest import Manifest
from distributor.render.applyset import applyset_id
from tests.contract.targets.objects import (
    CLUSTER,
    ENVIRONMENT,
    INSTANCE,
    config_map,
    entry,
    inventory,
    namespace,
    secret,
)
from tests.contract.targets.simulators import K0s, K3s

NS, A, B = "Namespace//dst-contract", "ConfigMap/dst-contract/a", "ConfigMap/dst-contract/b"
FLAVOURS = pytest.mark.parametrize("flavour", list(Flavour))


def facts(flavour: Flavour, **more: object) -> Cluster:
    made = Cluster(
        name=CLUSTER, environment=ENVIRONMENT, tier="edge", mode=Mode.DIRECTORY, flavour=flavour
    )
    return replace(made, connection="edge/c1", **more)


def target(flavour: Flavour, folder: Path, disk: Disk | None = None) -> DirectoryTarget:
    return DirectoryTarget(facts(flavour), folder, disk=disk)


async def install(at: DirectoryTarget, *manifests: Manifest) -> Inventory:
    kept = await at.write_inventory(inventory(*manifests))
    await at.apply(kept, manifests)
    return kept


def snapshot(folder: Path) -> dict[str, bytes]:
    return {
        str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()
    }


def yamls(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.yaml"))


def times(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in yamls(folder)}


def write(path: Path, text: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text)


def read(path: Path) -> str:
    return path.read_text()


# -- what the cluster would hold ------------------------------------------------------------------


@pytest.mark.parametrize(("flavour", "simulator"), [(Flavour.K3S, K3s), (Flavour.K0S, K0s)])
async def test_the_cluster_follows_apply_delete_and_removal(
    flavour: Flavour, simulator: type[K3s | K0s], tmp_path: Path
) -> None:
    at, sees = target(flavour, tmp_path), simulator(tmp_path)
    kept = await install(at, namespace(), config_map("a"), config_map("b"))
    assert sees.look() == {NS, A, B}
    await at.delete(kept, [entry(config_map("b"))])
    assert sees.look() == {NS, A}
    await at.delete(kept, [entry(config_map("a")), entry(namespace())])
    assert sees.look() == set()
    assert await at.read_inventory(ENVIRONMENT, INSTANCE) == kept


async def test_a_removed_instance_leaves_a_tombstone_for_k3s(tmp_path: Path) -> None:
    at = target(Flavour.K3S, tmp_path)
    kept = await install(at, config_map("a"))
    await at.delete(kept, [entry(config_map("a"))])
    lines = (tmp_path / "dst-shop.yaml").read_text().splitlines()
    assert lines
    assert all(line.startswith("#") for line in lines)


async def test_a_file_deleted_by_hand_is_still_pruned_by_k3s(tmp_path: Path) -> None:
    at, k3s = target(Flavour.K3S, tmp_path), K3s(tmp_path)
    kept = await install(at, config_map("a"))
    k3s.look()
    (tmp_path / "dst-shop.yaml").unlink()
    assert k3s.look() == {A}  # deleting the file removes nothing
    await at.delete(kept, [entry(config_map("a"))])
    assert k3s.look() == set()


async def test_k0s_prunes_a_stack_that_was_emptied_while_it_was_down(tmp_path: Path) -> None:
    at, k0s = target(Flavour.K0S, tmp_path), K0s(tmp_path)
    kept = await install(at, config_map("a"))
    assert k0s.look() == {A}
    await at.delete(kept, [entry(config_map("a"))])
    assert (tmp_path / "dst-shop").is_dir()
    assert k0s.look() == set()


@pytest.mark.parametrize("name", ["sub/dst-shop.yaml", "dst-shop.other.yaml", "dst-shop.json"])
async def test_a_namesake_add_on_is_refused(name: str, tmp_path: Path) -> None:
    at = target(Flavour.K3S, tmp_path)
    kept = await at.write_inventory(inventory(config_map("a")))
    write(tmp_path / name, b"# somebody's\n")
    with pytest.raises(ForeignObject, match="add-on"):
        await at.apply(kept, [config_map("a")])


async def test_objects_lie_in_apply_order(tmp_path: Path) -> None:
    at = target(Flavour.K3S, tmp_path)
    objects = [config_map("a"), namespace(), config_map("0")]
    await install(at, *objects)
    text = read(tmp_path / "dst-shop.yaml")
    assert text.index("kind: Namespace") < text.index('name: "0"') < text.index("name: a\n")
    folder = tmp_path / "plain"
    folder.mkdir()
    await install(target(Flavour.PLAIN, folder), *objects)
    assert [path.name for path in yamls(folder)] == [
        "00_Namespace__dst-contract.yaml",
        "09_ConfigMap_dst-contract_0.yaml",
        "09_ConfigMap_dst-contract_a.yaml",
    ]


@FLAVOURS
async def test_the_same_objects_are_not_written_again(flavour: Flavour, tmp_path: Path) -> None:
    at = target(flavour, tmp_path)
    objects = [namespace(), config_map("a"), config_map("b")]
    kept = await install(at, *objects)
    before = times(tmp_path)
    outcomes = await at.apply(kept, list(reversed(objects)))
    assert {o.action for o in outcomes} == {Action.UNCHANGED}
    assert times(tmp_path) == before


# -- changes by hand ------------------------------------------------------------------------------


@FLAVOURS
async def test_a_change_by_hand_is_drift(flavour: Flavour, tmp_path: Path) -> None:
    at = target(flavour, tmp_path)
    wanted = config_map("a")
    await install(at, wanted)
    (path,) = yamls(tmp_path)
    write(path, read(path).replace('value: "1"', 'value: "9"').encode())
    live = (await at.read_live([entry(wanted)]))[wanted.ref]
    assert live.applied != wanted.digest
    assert live.data["data"] == {"value": "9"}


@FLAVOURS
@pytest.mark.parametrize("bytes_", [b"{", b"a: [\n", b"- 1\n", b"\xff\xfe\x00", b"a: &a [*a]\n"])
async def test_a_broken_file_heals(flavour: Flavour, bytes_: bytes, tmp_path: Path) -> None:
    at = target(flavour, tmp_path)
    wanted = config_map("a")
    kept = await install(at, wanted)
    (path,) = yamls(tmp_path)
    good = path.read_bytes()
    path.write_bytes(bytes_)
    assert await at.read_live([entry(wanted)]) == {}
    await at.apply(kept, [wanted])
    assert path.read_bytes() == good


async def test_a_broken_file_is_not_replaced_by_less_than_it_held(tmp_path: Path) -> None:
    at = target(Flavour.K3S, tmp_path)
    kept = await install(at, config_map("a"), config_map("b"))
    path = tmp_path / "dst-shop.yaml"
    path.write_bytes(b"{ password: hunter2")
    with pytest.raises(InventoryBroken, match="ConfigMap/dst-contract/b") as caught:
        await at.apply(kept, [config_map("a")])
    assert "hunter2" not in str(caught.value)
    assert path.read_bytes() == b"{ password: hunter2"


@FLAVOURS
async def test_a_lost_inventory_stops_everything(flavour: Flavour, tmp_path: Path) -> None:
    at = target(flavour, tmp_path)
    kept = await install(at, config_map("a"))
    (tmp_path / ".dst-shop.inventory").unlink()
    with pytest.raises(InventoryBroken, match="lost"):
        await at.read_inventory(ENVIRONMENT, INSTANCE)
    with pytest.raises(InventoryBroken, match="gone"):
        await at.apply(kept, [config_map("a", "2")])
    with pytest.raises(InventoryBroken, match="gone"):
        await at.delete(kept, [entry(config_map("a"))])


async def test_another_clusters_inventory_is_refused(tmp_path: Path) -> None:
    await install(target(Flavour.K3S, tmp_path), config_map("a"))
    stranger = DirectoryTarget(replace(facts(Flavour.K3S), name="c2"), tmp_path)
    with pytest.raises(ForeignObject, match=f"{ENVIRONMENT}/{INSTANCE}/{CLUSTER}"):
        await stranger.read_inventory(ENVIRONMENT, INSTANCE)


async def test_an_object_of_another_instance_shows_its_owner(tmp_path: Path) -> None:
    at = target(Flavour.K3S, tmp_path)
    await install(at, config_map("a"))
    other = replace(inventory(config_map("b", instance="other")), instance="other")
    kept = await at.write_inventory(other)
    await at.apply(kept, [config_map("b", instance="other")])
    live = await at.read_live([entry(config_map("a")), entry(config_map("b"))])
    assert {str(ref): found.owner for ref, found in live.items()} == {
        A: applyset_id(INSTANCE),
        B: applyset_id("other"),
    }


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b'{"format": 2}',
        b'{"format":1,"environment":"sit","instance":"shop","cluster":"c1","sequence":-1}',
    ],
)
async def test_a_broken_inventory_is_an_error(text: bytes, tmp_path: Path) -> None:
    (tmp_path / ".dst-shop.inventory").write_bytes(text)
    with pytest.raises(InventoryBroken):
        await target(Flavour.K3S, tmp_path).read_inventory(ENVIRONMENT, INSTANCE)


# -- Secrets --------------------------------------------------------------------------------------


@FLAVOURS
@pytest.mark.parametrize("field", ["data", "stringData"])
async def test_plaintext_is_refused(flavour: Flavour, field: str, tmp_path: Path) -> None:
    at = target(flavour, tmp_path)
    bad, good = secret("token", field, key="aHVudGVyMg=="), config_map("a")
    kept = await at.write_inventory(inventory(bad, good))
    refused, done = await at.apply(kept, [bad, good])
    assert refused.action is Action.SKIPPED
    assert refused.error
    assert refused.error.code == "DST420"
    assert (done.action, done.error) == (Action.CREATED, None)
    assert not any(b"aHVudGVyMg" in data for data in snapshot(tmp_path).values())


@FLAVOURS
async def test_allowed_plaintext_is_for_the_owner_alone(flavour: Flavour, tmp_path: Path) -> None:
    at = DirectoryTarget(facts(flavour, plaintext_secrets=True), tmp_path)
    bad = secret("token", key="x")
    kept = await install(at, bad, config_map("a"))
    holders = [path for path in yamls(tmp_path) if "kind: Secret" in read(path)]
    assert [stat.S_IMODE(p.stat().st_mode) for p in holders] == [0o600]
    holders[0].chmod(0o644)
    await at.apply(kept, [bad])
    assert stat.S_IMODE(holders[0].stat().st_mode) == 0o600


async def test_a_secret_without_values_is_no_plaintext(tmp_path: Path) -> None:
    at = target(Flavour.PLAIN, tmp_path)
    empty = secret("reference")
    kept = await at.write_inventory(inventory(empty))
    (outcome,) = await at.apply(kept, [empty])
    assert outcome.action is Action.CREATED


# -- disks that fail ------------------------------------------------------------------------------


class Failing(Disk):
    """Fails with an errno at one kind of step."""

    def __init__(self, step: str, number: int) -> None:
        self.step, self.number, self.armed = step, number, False

    def _fail(self, step: str) -> None:
        if self.armed and step == self.step:
            raise OSError(self.number, os.strerror(self.number))

    def write(self, draft: Path, data: bytes, mode: int) -> None:
        if self.armed and self.step == "write":
            draft.write_bytes(data[: len(data) // 2])  # a full disk takes the first half
        self._fail("write")
        super().write(draft, data, mode)

    def rename(self, draft: Path, path: Path) -> None:
        self._fail("rename")
        super().rename(draft, path)


@FLAVOURS
@pytest.mark.parametrize(
    ("step", "number"),
    [("write", errno.ENOSPC), ("write", errno.EROFS), ("rename", errno.EIO)],
)
async def test_a_failing_disk_leaves_nothing_half_written(
    flavour: Flavour, step: str, number: int, tmp_path: Path
) -> None:
    disk = Failing(step, number)
    at = target(flavour, tmp_path, disk)
    kept = await install(at, config_map("a"))
    before = snapshot(tmp_path)
    disk.armed = True
    with pytest.raises(TargetNotWritable, match=os.strerror(number)) as caught:
        await at.apply(kept, [config_map("a", "2")])
    assert caught.value.retryable
    with pytest.raises(TargetNotWritable):
        await at.write_inventory(replace(kept, sequence=2))
    assert snapshot(tmp_path) == before


@FLAVOURS
async def test_a_missing_folder_is_not_an_empty_one(flavour: Flavour, tmp_path: Path) -> None:
    at = target(flavour, tmp_path / "unmounted")
    calls: list[Callable[[], object]] = [
        lambda: at.read_inventory(ENVIRONMENT, INSTANCE),
        lambda: at.write_inventory(inventory()),
        lambda: at.read_live([entry(config_map("a"))]),
        lambda: at.apply(inventory(), [config_map("a")]),
        lambda: at.delete(inventory(), [entry(config_map("a"))]),
    ]
    for call in calls:
        with pytest.raises(TargetNotWritable, match="no such folder"):
            await call()
    assert not (tmp_path / "unmounted").exists()


async def test_a_lock_held_too_long_is_an_error(tmp_path: Path) -> None:
    disk = Disk()
    with (
        disk.locked(tmp_path / "lock"),
        pytest.raises(TargetNotWritable, match="lock"),
        disk.locked(tmp_path / "lock", wait=0.05),
    ):
        pytest.fail("two hold the lock")


@FLAVOURS
async def test_of_many_writers_at_once_one_wins(flavour: Flavour, tmp_path: Path) -> None:
    first = await target(flavour, tmp_path).write_inventory(inventory())
    results = await asyncio.gather(
        *(
            target(flavour, tmp_path).write_inventory(replace(first, sequence=n))
            for n in range(2, 10)
        ),
        return_exceptions=True,
    )
    assert sum(isinstance(r, Inventory) for r in results) == 1
    assert sum(isinstance(r, Fenced) for r in results) == 7


@FLAVOURS
async def test_a_late_worker_stops(flavour: Flavour, tmp_path: Path) -> None:
    at = target(flavour, tmp_path)
    old = await install(at, config_map("a"))
    await at.write_inventory(replace(old, sequence=2))
    before = snapshot(tmp_path)
    with pytest.raises(Fenced):
        await at.apply(old, [config_map("a", "old")])
    with pytest.raises(Fenced):
        await at.delete(old, [entry(config_map("a"))])
    assert snapshot(tmp_path) == before


# -- opening --------------------------------------------------------------------------------------


async def test_a_connection_is_a_folder_below_the_root(tmp_path: Path) -> None:
    (tmp_path / "edge" / "c1").mkdir(parents=True)
    connections = DirectoryConnections(tmp_path)
    at = await connections.open(facts(Flavour.K3S))
    await at.write_inventory(inventory())
    assert (tmp_path / "edge/c1/.dst-shop.inventory").exists()
    assert (at.delivered_only, at.ordered) == (True, False)
    await at.aclose()
    await connections.aclose()


@pytest.mark.parametrize("connection", ["", "..", "../x", "/etc", "a//b", "A", "a/../b", "a\n"])
async def test_a_connection_cannot_leave_the_root(connection: str, tmp_path: Path) -> None:
    with pytest.raises(UnknownConnection):
        await DirectoryConnections(tmp_path).open(
            replace(facts(Flavour.K3S), connection=connection)
        )


async def test_another_mode_is_unsupported(tmp_path: Path) -> None:
    with pytest.raises(Unsupported):
        await DirectoryConnections(tmp_path).open(replace(facts(Flavour.K3S), mode=Mode.PULL))


@pytest.mark.parametrize("name", ["../x", "a/b", "", "A"])
async def test_an_instance_cannot_leave_its_folder(name: str, tmp_path: Path) -> None:
    with pytest.raises(InventoryBroken):
        await target(Flavour.K3S, tmp_path).read_inventory(ENVIRONMENT, name)
