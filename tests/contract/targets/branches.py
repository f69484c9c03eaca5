"""Branches of real repositories for the tests of branch targets."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import yaml

from distributor.adapters.branch import BranchTarget, Head
from distributor.adapters.git import GitRemote, PygitObjects
from distributor.errors.git import PushRejected
from distributor.model.fleet import Cluster, Mode
from distributor.model.refs import ObjectId
from distributor.model.trees import EntryKind
from distributor.ports import Remote
from distributor.testing.clock import FakeClock
from tests.contract.targets.objects import CLUSTER, ENVIRONMENT
from tests.contract.targets.simulators import identity

BRANCH = f"rendered/{ENVIRONMENT}/{CLUSTER}"
FACTS = Cluster(name=CLUSTER, environment=ENVIRONMENT, tier="edge", mode=Mode.BRANCH)


def bare(path: Path) -> Path:
    subprocess.run(["git", "init", "--quiet", "--bare", str(path)], check=True)
    return path


def git(repository: Path, *arguments: str, data: str | None = None) -> str:
    done = subprocess.run(
        ["git", "-C", str(repository), *arguments],
        input=data,
        capture_output=True,
        text=True,
        errors="replace",
        check=True,
    )
    return done.stdout.strip()


def head(shared: Path, store: Path, remote: Remote | None = None) -> Head:
    objects = PygitObjects.create(store)
    real = GitRemote(objects.path, str(shared), heads=(BRANCH,), tags=False)
    return Head(BRANCH, objects=objects, remote=remote or real, clock=FakeClock())


def branch_target(
    shared: Path, store: Path, *, folder: str = "", remote: Remote | None = None
) -> BranchTarget:
    return BranchTarget(FACTS, head(shared, store, remote), folder=folder)


def files(shared: Path, branch: str = BRANCH) -> list[str]:
    return git(shared, "ls-tree", "-r", "--name-only", branch).splitlines()


def commits(shared: Path, branch: str = BRANCH) -> int:
    return int(git(shared, "rev-list", "--count", branch))


def commit(shared: Path, content: Mapping[str, str], branch: str = BRANCH) -> str:
    """Put files on a branch the way somebody else would; those that are there stay."""
    known = git(shared, "for-each-ref", "--format=%(objectname)", f"refs/heads/{branch}")
    store = PygitObjects(shared)
    base = store.tree_of(ObjectId(known)) if known else None
    blobs = {path: ("blob", store.write_blob(text.encode())) for path, text in content.items()}
    tree = store.write_tree(base, blobs)
    names = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    made = git(shared, *names, "commit-tree", tree, *(["-p", known] if known else []), data="x\n")
    git(shared, "update-ref", f"refs/heads/{branch}", made)
    return made


class OneDisk:
    """A remote that is the mirror itself: pushes move its heads, without a process."""

    def __init__(self, shared: Path) -> None:
        self.objects = PygitObjects(shared)

    async def fetch(self) -> None:
        seen, there = f"refs/observed/heads/{BRANCH}", f"refs/heads/{BRANCH}"
        self.objects.set_ref(seen, self.objects.resolve(there), self.objects.resolve(seen))

    async def push(
        self, updates: Mapping[str, ObjectId], *, expect: Mapping[str, ObjectId | None]
    ) -> None:
        for ref, oid in updates.items():
            if not self.objects.set_ref(ref, oid, expect[ref]):
                raise PushRejected

    async def tidy(self) -> None:
        """Nothing is packed."""


class Follower:
    """What follows a branch: it holds exactly the objects of its .yaml files, and prunes the rest."""

    def __init__(self, shared: Path) -> None:
        self.objects = PygitObjects(shared)

    def look(self) -> set[str]:
        head = self.objects.resolve(f"refs/heads/{BRANCH}")
        return set(self._held(self.objects.tree_of(head))) if head else set()

    def _held(self, tree: ObjectId) -> Iterator[str]:
        for entry in self.objects.entries(tree):
            if entry.kind is EntryKind.TREE:
                yield from self._held(entry.id)
            elif entry.name.endswith((".yaml", ".yml", ".json")):
                yield from map(identity, yaml.safe_load_all(self.objects.blob(entry.id)))
