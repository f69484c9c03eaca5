"""Real repositories: a bare one that is shared, and the git program as the oracle."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from distributor.adapters.git import GitRemote, PygitObjects
from distributor.model.refs import ObjectId

IDENTITY = {
    f"GIT_{role}_{what}": value
    for role in ("AUTHOR", "COMMITTER")
    for what, value in (
        ("NAME", "Ada"),
        ("EMAIL", "ada@distributor.example"),
        ("DATE", "1767225600 +0000"),
    )
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Git:
    """The git program in one folder, deaf to the configuration of whoever runs the tests."""

    folder: Path

    def __call__(self, *arguments: str, check: bool = True, stdin: bytes | None = None) -> str:
        result = subprocess.run(
            ["git", *arguments],
            cwd=self.folder,
            env={
                **{k: v for k, v in os.environ.items() if not k.startswith("GIT_")},
                **IDENTITY,
                "GIT_CONFIG_GLOBAL": os.devnull,
                "GIT_CONFIG_NOSYSTEM": "1",
            },
            input=stdin,
            capture_output=True,
            check=False,
            timeout=60,
        )
        out = result.stdout.decode() + result.stderr.decode()
        assert not check or result.returncode == 0, out
        return out.strip()

    def oid(self, revision: str) -> ObjectId:
        return ObjectId(self("rev-parse", "--verify", revision))


@pytest.fixture(autouse=True)
def _no_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")


@pytest.fixture
def shared(tmp_path: Path) -> Git:
    """The bare repository that everyone pushes to, with one commit on main."""
    folder = tmp_path / "shared.git"
    folder.mkdir()
    git = Git(folder=folder)
    git("init", "--quiet", "--bare", "--initial-branch=main", ".")
    tree = git("mktree", stdin=b"")
    git("update-ref", "refs/heads/main", git("commit-tree", tree, "-m", "first"))
    return git


@pytest.fixture
def commit(shared: Git) -> Callable[..., ObjectId]:
    """Adds an empty commit to a branch of the shared repository."""

    def add(branch: str, message: str, *, orphan: bool = False) -> ObjectId:
        parents = [] if orphan else ["-p", f"refs/heads/{branch}"]
        oid = shared("commit-tree", shared("mktree", stdin=b""), *parents, "-m", message)
        shared("update-ref", f"refs/heads/{branch}", oid)
        return ObjectId(oid)

    return add


@pytest.fixture
def mirror(tmp_path: Path) -> PygitObjects:
    """The service's own bare repository."""
    return PygitObjects.create(tmp_path / "state" / "mirror.git")


@pytest.fixture(params=[1 << 30, 0], ids=["fetched", "listed"])
def remote(request: pytest.FixtureRequest, shared: Git, mirror: PygitObjects) -> GitRemote:
    """With few refs, and with so many that what the remote lists is looked at before a fetch."""
    heads, url = ("main", "ledger"), str(shared.folder)
    return GitRemote(mirror.path, url, heads=heads, timeout=30, many=request.param)
