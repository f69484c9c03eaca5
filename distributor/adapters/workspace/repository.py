"""A person's repository: made, committed to, and given a remote."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pygit2

from distributor.model.refs import ObjectId

_MAIN = "refs/heads/main"


def create_repository(folder: Path) -> None:
    """Make a repository with a work tree, unless the folder is one already."""
    if not (folder / ".git").exists():
        pygit2.init_repository(str(folder), initial_head="main")


def create_bare(folder: Path) -> None:
    """Make a bare repository, unless it is there."""
    if not (folder / "HEAD").exists():
        folder.mkdir(parents=True, exist_ok=True)
        pygit2.init_repository(str(folder), bare=True, initial_head="main")


def commit_all(folder: Path, message: str, author: str, at: datetime) -> ObjectId:
    """Commit everything in the work tree to main; ``author`` is ``Name <email>``."""
    repository = pygit2.Repository(str(folder))
    name, _, rest = author.partition("<")
    who = pygit2.Signature(
        name.strip() or "nobody", rest.rstrip("> ") or "nobody", int(at.timestamp()), 0
    )
    repository.index.add_all()
    repository.index.write()
    tree = repository.index.write_tree()
    parents = [repository.references[_MAIN].target] if _MAIN in repository.references else []
    commit = repository.create_commit(_MAIN, who, who, message, tree, parents)
    return ObjectId(str(commit))


def set_origin(folder: Path, url: str) -> None:
    """Name the shared repository."""
    repository = pygit2.Repository(str(folder))
    if "origin" in {remote.name for remote in repository.remotes}:
        repository.remotes.set_url("origin", url)
    else:
        repository.remotes.create("origin", url)
