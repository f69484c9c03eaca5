"""Branch targets: what lies in the tree, who may push, and what happens when a push meets another."""

from __future__ import annotations

import asyncio
import stat
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from distributor.adapters.branch import BranchConnections, BranchSettings, BranchTarget
from distributor.adapters.branch.connections import is_branch
from distributor.adapters.branch.layout import object_path
from distributor.adapters.git import GitRemote
from distributor.errors.cluster import (
    ClusterUnreachable,
    Fenced,
    ForeignObject,
    InventoryBroken,
    TargetNotWritable,
    UnknownConnection,
    Unsupported,
)
from distributor.errors.git import RemoteUnreachable
from distributor.errors.service import BadSetting
from distributor.model.changes import Action
from distributor.model.fleet import Cluster, Mode
from distributor.model.manifest import Manifest
from distributor.model.refs import ObjectId, ObjectRef
from distributor.ports import Remote
from distributor.render.documents import dump
from tests.contract.targets.branches import (
    BRANCH,
    FACTS,
    Follower,
    OneDisk,
    bare,
    branch_target,
    commit,
    commits,
    files,
    git,
    head,
)
from tests.contract.targets.executor import bring, names
from tests.contract.targets.objects import (
    ENVIRONMENT,
    INSTANCE,
    config_map,
    entry,
    inventory,
    namespace,
    secret,
)

OLD = (namespace(), config_map("a"), config_map("b"))
NEW = (namespace(), config_map("a", "2"), config_map("c"))
HELD = {"Namespace//dst-contract", "ConfigMap/dst-contract/a", "ConfigMap/dst-contract/c"}


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    return bare(tmp_path / "shared.git")


@pytest.fixture
def target(shared: Path, tmp_path: Path) -> BranchTarget:
    return branch_target(shared, tmp_path / "store.git")


# -- the tree -------------------------------------------------------------------------------------


async def test_a_file_an_object_and_an_inventory_that_nothing_reads(
    target: BranchTarget, shared: Path
) -> None:
    await bring(target, 1, OLD)
    assert files(shared) == [
        f".distributor/{INSTANCE}.inventory",
        f"{INSTANCE}/Namespace-dst-contract.yaml",
        f"{INSTANCE}/dst-contract/ConfigMap-a.yaml",
        f"{INSTANCE}/dst-contract/ConfigMap-b.yaml",
    ]
    text = git(shared, "show", f"{BRANCH}:{INSTANCE}/dst-contract/ConfigMap-a.yaml")
    assert yaml.safe_load(text) == config_map("a").data()
    await bring(target, 2, NEW)
    assert Follower(shared).look() == HELD


async def test_unchanged_content_pushes_nothing(target: BranchTarget, shared: Path) -> None:
    await bring(target, 1, OLD)
    before = commits(shared)
    kept = await target.read_inventory(ENVIRONMENT, INSTANCE)
    assert kept
    again = await target.write_inventory(kept)
    outcomes = await target.apply(again, OLD)
    assert {o.action for o in outcomes} == {Action.UNCHANGED}
    assert commits(shared) == before


async def test_commits_say_what_and_by_which_decision(target: BranchTarget, shared: Path) -> None:
    await bring(target, 7, OLD)
    subjects = git(shared, "log", "--reverse", "--format=%s", BRANCH).splitlines()
    assert subjects == [f"Record {INSTANCE} on c1", f"Deliver {INSTANCE} on c1"]
    body = git(shared, "log", "-1", "--format=%b", BRANCH)
    assert "Sequence: 7\n" in body
    assert f"Ledger: {'a' * 40}" in body


@pytest.mark.parametrize(
    ("ref", "path"),
    [
        (ObjectRef("", "Service", "shop", "cart"), "i/shop/Service-cart.yaml"),
        (
            ObjectRef("serving.knative.dev", "Service", "shop", "cart"),
            "i/shop/Service.serving.knative.dev-cart.yaml",
        ),
        (ObjectRef("", "Namespace", "", "shop"), "i/Namespace-shop.yaml"),
        (ObjectRef("", "Odd-Kind", "", "x"), "i/Odd%2DKind-x.yaml"),
        (ObjectRef("", "Odd", "", "Kind-x"), "i/Odd-Kind-x.yaml"),
        (
            ObjectRef("rbac.authorization.k8s.io", "ClusterRole", "", "system:x/y"),
            "i/ClusterRole.rbac.authorization.k8s.io-system%3Ax%2Fy.yaml",
        ),
        (ObjectRef("", "A/../B", "..", "../../x"), "i/%2E%2E/A%2F..%2FB-..%2F..%2Fx.yaml"),
        (ObjectRef("", "X", ".git", "x"), "i/%2Egit/X-x.yaml"),
    ],
)
def test_no_two_objects_share_a_file_and_none_leaves_its_folder(ref: ObjectRef, path: str) -> None:
    assert object_path("i", ref) == path


def test_a_long_name_is_cut_and_stays_its_own() -> None:
    long = [object_path("i", ObjectRef("", "ConfigMap", "n", "x" * 240 + c)) for c in "ab"]
    assert long[0] != long[1]
    assert all(len(path.rpartition("/")[2]) < 255 for path in long)


async def test_what_a_person_changes_by_hand_shows_and_is_undone(
    target: BranchTarget, shared: Path
) -> None:
    await bring(target, 1, OLD)
    path = f"{INSTANCE}/dst-contract/ConfigMap-a.yaml"
    commit(shared, {path: dump(config_map("a", "by hand")).decode(), "README.md": "mine\n"})
    live = await target.read_live([entry(config_map("a"))])
    assert live[config_map("a").ref].applied == config_map("a", "by hand").digest
    await bring(target, 1, OLD)
    assert yaml.safe_load(git(shared, "show", f"{BRANCH}:{path}"))["data"] == {"value": "1"}
    assert "README.md" in files(shared)


@pytest.mark.parametrize("text", ["{", "a: *b", "[]", "x: 1", "\x00"])
async def test_a_file_that_cannot_be_read_is_written_anew(
    target: BranchTarget, shared: Path, text: str
) -> None:
    await bring(target, 1, OLD)
    commit(shared, {f"{INSTANCE}/dst-contract/ConfigMap-a.yaml": text})
    assert await target.read_live([entry(config_map("a"))]) == {}
    await bring(target, 1, OLD)
    assert set(await target.read_live([entry(config_map("a"))])) == {config_map("a").ref}


# -- secrets --------------------------------------------------------------------------------------


@pytest.mark.parametrize("field", ["data", "stringData"])
async def test_a_secret_with_values_never_reaches_the_remote(
    target: BranchTarget, shared: Path, field: str
) -> None:
    plain = secret("token", field, password="aHVudGVyMg==")  # noqa: S106 - what must not be pushed
    kept = await target.write_inventory(inventory(namespace(), plain))
    outcomes = await target.apply(kept, [namespace(), plain])
    assert [o.action for o in outcomes] == [Action.CREATED, Action.SKIPPED]
    assert outcomes[1].error
    assert outcomes[1].error.code == "DST344"
    assert "external" in outcomes[1].error.remedy
    assert not any("token" in path for path in files(shared))
    everything = git(shared, "cat-file", "--batch", "--batch-all-objects")
    assert "aHVudGVyMg==" not in everything
    assert plain.digest not in everything


async def test_a_secret_without_values_is_written(target: BranchTarget, shared: Path) -> None:
    empty = Manifest.of(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "made-elsewhere", "namespace": "n"},
            "type": "kubernetes.io/service-account-token",
        }
    )
    kept = await target.write_inventory(inventory(empty))
    (outcome,) = await target.apply(kept, [empty])
    assert outcome.error is None
    assert f"{INSTANCE}/n/Secret-made-elsewhere.yaml" in files(shared)


# -- fences ---------------------------------------------------------------------------------------


async def test_a_late_worker_changes_nothing(shared: Path, tmp_path: Path) -> None:
    late, newer = (branch_target(shared, tmp_path / name) for name in ("a.git", "b.git"))
    kept = await late.write_inventory(inventory(*OLD))
    await newer.write_inventory(replace(kept, sequence=2))
    before = commits(shared)
    for call in (late.apply(kept, OLD), late.delete(kept, [entry(OLD[0])])):
        with pytest.raises(Fenced):
            await call
    assert commits(shared) == before


async def test_instances_that_push_at_once_both_get_through(shared: Path, tmp_path: Path) -> None:
    async def deliver(n: int) -> None:
        target = branch_target(shared, tmp_path / f"{n}.git")
        mine = config_map(f"m{n}", instance=f"i{n}")
        made = replace(inventory(mine), instance=f"i{n}")
        kept = await target.write_inventory(made)
        await target.apply(kept, [mine])

    await asyncio.gather(*(deliver(n) for n in range(4)))
    assert {f"i{n}/dst-contract/ConfigMap-m{n}.yaml" for n in range(4)} <= set(files(shared))
    assert commits(shared) == 8


class Racing:
    """A remote where somebody else always pushes first."""

    def __init__(self, shared: Path, store: Path) -> None:
        self.shared = shared
        self.real = GitRemote(store, str(shared), heads=(BRANCH,), tags=False)
        self.pushes = 0

    async def fetch(self) -> None:
        await self.real.fetch()

    async def push(
        self, updates: Mapping[str, ObjectId], *, expect: Mapping[str, ObjectId | None]
    ) -> None:
        self.pushes += 1
        commit(self.shared, {"README.md": f"{self.pushes}\n", ".distributor/README": "ours\n"})
        await self.real.push(updates, expect=expect)

    async def tidy(self) -> None:
        """Nothing is packed."""


async def test_a_branch_that_never_rests_is_given_up_for_now(shared: Path, tmp_path: Path) -> None:
    racing = Racing(shared, tmp_path / "store.git")
    target = branch_target(shared, tmp_path / "store.git", remote=racing)
    with pytest.raises(TargetNotWritable, match="moved on"):
        await target.write_inventory(inventory())
    assert racing.pushes == 8


async def test_a_remote_that_refuses_is_not_asked_again(target: BranchTarget, shared: Path) -> None:
    hook = shared / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho this branch is protected >&2\nexit 1\n")
    hook.chmod(hook.stat().st_mode | stat.S_IXUSR)
    with pytest.raises(TargetNotWritable, match="rejected") as caught:
        await target.write_inventory(inventory())
    assert "push" in caught.value.hint


async def test_a_remote_that_is_away_is_an_unreachable_cluster(tmp_path: Path) -> None:
    target = branch_target(tmp_path / "absent.git", tmp_path / "store.git")
    with pytest.raises(ClusterUnreachable):
        await target.read_inventory(ENVIRONMENT, INSTANCE)
    with pytest.raises(ClusterUnreachable):
        await target.write_inventory(inventory())


# -- what is not ours -----------------------------------------------------------------------------


async def test_a_branch_of_something_else_is_left_alone(target: BranchTarget, shared: Path) -> None:
    before = commit(shared, {"src/main.c": "int main(){}\n"})
    assert await target.read_inventory(ENVIRONMENT, INSTANCE) is None
    with pytest.raises(ForeignObject, match="did not write"):
        await target.write_inventory(inventory())
    assert git(shared, "rev-parse", BRANCH) == before


async def test_a_folder_of_its_own_in_a_branch_of_something_else(
    shared: Path, tmp_path: Path
) -> None:
    commit(shared, {"src/main.c": "int main(){}\n"})
    target = branch_target(shared, tmp_path / "store.git", folder="clusters/c1")
    await bring(target, 1, OLD)
    assert f"clusters/c1/{INSTANCE}/Namespace-dst-contract.yaml" in files(shared)
    assert "src/main.c" in files(shared)


async def test_another_clusters_inventory_is_refused(shared: Path, tmp_path: Path) -> None:
    await branch_target(shared, tmp_path / "a.git").write_inventory(inventory())
    other = BranchTarget(replace(FACTS, name="c2"), head(shared, tmp_path / "b.git"))
    with pytest.raises(ForeignObject, match=f"{ENVIRONMENT}/{INSTANCE}/c1"):
        await other.read_inventory(ENVIRONMENT, INSTANCE)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 99}', "\x00"])
async def test_a_broken_inventory_is_an_error(
    target: BranchTarget, shared: Path, text: str
) -> None:
    await bring(target, 1, OLD)
    commit(shared, {f".distributor/{INSTANCE}.inventory": text})
    with pytest.raises(InventoryBroken, match="inventory"):
        await target.read_inventory(ENVIRONMENT, INSTANCE)


async def test_a_lost_inventory_is_an_error(target: BranchTarget, shared: Path) -> None:
    commit(shared, {f"{INSTANCE}/Namespace-x.yaml": "x", ".distributor/other.inventory": "{}"})
    with pytest.raises(InventoryBroken, match="was lost"):
        await target.read_inventory(ENVIRONMENT, INSTANCE)
    with pytest.raises(InventoryBroken, match="gone"):
        await target.apply(inventory(*OLD), OLD)


# -- ends at any step -----------------------------------------------------------------------------


class Killed(BaseException):
    """Nothing after this runs, as after a signal."""


class Mortal:
    """A remote that is the last thing a process talks to: before the n-th call, or after it was done."""

    def __init__(self, real: Remote, steps: int, error: BaseException, *, done: bool) -> None:
        self.real, self.left, self.error, self.done = real, steps, error, done

    async def fetch(self) -> None:
        self.left -= 1
        if self.left == 0:
            raise self.error
        await self.real.fetch()

    async def push(
        self, updates: Mapping[str, ObjectId], *, expect: Mapping[str, ObjectId | None]
    ) -> None:
        self.left -= 1
        if self.left == 0:
            if self.done:
                await self.real.push(updates, expect=expect)
            raise self.error
        await self.real.push(updates, expect=expect)

    async def tidy(self) -> None:
        """Nothing is packed."""


@pytest.mark.parametrize("done", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("error", [Killed(), RemoteUnreachable("(gone)")], ids=["kill", "network"])
@pytest.mark.parametrize("first", [(), OLD], ids=["install", "upgrade"])
async def test_ended_at_any_step(
    first: tuple[Manifest, ...], error: BaseException, tmp_path: Path, *, done: bool
) -> None:
    for steps in range(1, 40):
        shared = bare(tmp_path / f"{steps}.git")
        follower, real = Follower(shared), OneDisk(shared)
        if first:
            await bring(branch_target(shared, shared, remote=real), 1, first)
        mortal = Mortal(real, steps, error, done=done)
        finished = True
        try:
            await bring(branch_target(shared, shared, remote=mortal), 2, NEW)
        except (Killed, ClusterUnreachable):
            finished = False
        after = branch_target(shared, shared, remote=real)
        assert follower.look() <= names(await after.read_inventory(ENVIRONMENT, INSTANCE))
        await bring(after, 2, NEW)
        assert follower.look() == HELD
        assert names(await after.read_inventory(ENVIRONMENT, INSTANCE)) == HELD
        if finished:
            assert steps > 5
            return
    pytest.fail("it never finished")


# -- settings -------------------------------------------------------------------------------------


def connections(entries: Mapping[str, Mapping[str, object]]) -> tuple[BranchConnections, list]:
    made: list[tuple[str, str]] = []

    def make(repository: str, branch: str) -> object:
        made.append((repository, branch))
        return object()

    opened = BranchConnections(
        entries, repository="/shared", reserved=("main", "ledger"), heads=make
    )
    return opened, made


def cluster(connection: str = "", name: str = "c1") -> Cluster:
    return Cluster(
        name=name, environment="sit", tier="edge", mode=Mode.BRANCH, connection=connection
    )


@pytest.mark.parametrize(
    ("entry_", "connection", "expected"),
    [
        (None, "", ("/shared", "rendered/sit/c1")),
        (None, "sit/c1", ("/shared", "rendered/sit/c1")),
        ({"branch": "live/{cluster}"}, "x", ("/shared", "live/c1")),
        (
            {"repository": "https://g.example/f.git"},
            "x",
            ("https://g.example/f.git", "rendered/sit/c1"),
        ),
        ({"repository": "/other", "branch": "main", "path": "{cluster}"}, "x", ("/other", "main")),
        ({"branch": ""}, "x", ("/shared", "rendered/sit/c1")),
    ],
)
async def test_where_a_clusters_branch_is(
    entry_: dict | None, connection: str, expected: tuple[str, str]
) -> None:
    opened, made = connections({"x": entry_} if entry_ is not None else {})
    assert await opened.open(cluster(connection))
    assert made == [expected]


async def test_clusters_that_share_a_branch_share_its_head() -> None:
    opened, made = connections({"x": {"branch": "rendered/{environment}", "path": "{cluster}"}})
    for name in ("c1", "c2", "c1"):
        await opened.open(cluster("x", name))
    assert made == [("/shared", "rendered/sit")]
    await opened.aclose()


@pytest.mark.parametrize(
    "entry_",
    [
        {"branch": "main"},
        {"branch": "ledger", "repository": "/shared"},
        {"branch": "a..b"},
        {"branch": "-x"},
        {"branch": "a b"},
        {"branch": "a/.b"},
        {"branch": "x", "path": "../y"},
        {"branch": "x", "path": "a//b"},
        {"branch": "x", "path": ".git"},
    ],
)
async def test_a_place_that_is_none_is_refused(entry_: dict) -> None:
    opened, made = connections({"x": entry_})
    with pytest.raises(BadSetting, match=r"connections\.x"):
        await opened.open(cluster("x"))
    assert made == []


@pytest.mark.parametrize("entry_", [{"branch": 1}, {"branch": "x", "brunch": "y"}])
def test_a_bad_entry_is_refused_at_once(entry_: dict) -> None:
    with pytest.raises(BadSetting, match=r"connections\.x"):
        BranchSettings.parse("x", entry_)


async def test_an_unknown_reference_and_another_mode_are_refused() -> None:
    opened, _ = connections({})
    with pytest.raises(UnknownConnection, match="prd/c9") as caught:
        await opened.open(cluster("prd/c9"))
    assert "rendered/sit/c1" in caught.value.hint
    with pytest.raises(Unsupported):
        await opened.open(replace(cluster(), mode=Mode.PUSH))


def test_entries_are_told_apart() -> None:
    assert is_branch({"branch": "x"})
    assert not is_branch({"kubeconfig": "x", "context": "y"})
    assert not is_branch({})
