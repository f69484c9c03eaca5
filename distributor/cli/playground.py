"""A playground: a catalog repository from the sample with a bare remote, keys and a configuration.

The demo plays in one, and tests start from one. Nothing outside its folder is read or written.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pygit2

from distributor.adapters.keys import SshKey, generate, load
from distributor.adapters.workspace.files import copy_sample
from distributor.adapters.workspace.repository import (
    commit_all,
    create_bare,
    create_repository,
    set_origin,
)

SERVICE = "distributor@service"
PEOPLE = {
    "release-manager": "Release Manager <release-manager@distributor.example>",
    "sre": "Site Reliability <sre@distributor.example>",
}
"""The people of the sample's roles, by the name of their key file."""
_SIGNERS = Path("policies") / "signers" / "allowed_signers"
_CONFIG = """# Written by `distributor demo`: run `distributor` commands from here.
repository = "./remote.git"
state_dir = "./state"
directory_root = "./clusters"
service_key = "./keys/service"
poll = 2
resync = 30
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Playground:
    """The folders of a playground."""

    root: Path

    @property
    def remote(self) -> Path:
        """The shared, bare repository."""
        return self.root / "remote.git"

    @property
    def catalog(self) -> Path:
        """A person's work tree."""
        return self.root / "catalog"

    @property
    def clusters(self) -> Path:
        """Where the directory targets are."""
        return self.root / "clusters"

    @property
    def state(self) -> Path:
        """The service's state folder."""
        return self.root / "state"

    @property
    def config(self) -> Path:
        """The settings file."""
        return self.root / "distributor.toml"

    def cluster_folders(self) -> tuple[Path, ...]:
        """One folder a cluster file of the work tree: an environment's name, then the cluster's."""
        files = sorted(self.catalog.glob("environments/*/clusters/*.yaml"))
        return tuple(self.clusters / f.parent.parent.name / f.stem for f in files)

    def key(self, name: str) -> SshKey:
        """The key of a person, or of ``service``."""
        return load(self.root / "keys" / name)

    def commit(self, message: str, at: datetime) -> str:
        """Commit what was changed in the work tree and push it to main; the commit."""
        commit = commit_all(self.catalog, message, PEOPLE["release-manager"], at)
        self.push()
        return commit

    def push(self) -> None:
        """Push main as it is in the work tree's repository."""
        repository = pygit2.Repository(str(self.catalog))
        repository.remotes["origin"].push(["refs/heads/main:refs/heads/main"])


def create_playground(root: Path, at: datetime) -> Playground:
    """Write a playground into an empty or missing folder; its ledger is founded by whoever uses it."""
    place = Playground(root=root)
    (root / "keys").mkdir(parents=True)
    copy_sample(place.catalog)
    lines = [_line(SERVICE, generate(root / "keys" / "service", SERVICE), "git,distributor-ledger")]
    for name, who in PEOPLE.items():
        principal = who.partition("<")[2].rstrip(">")
        lines.append(_line(principal, generate(root / "keys" / name, principal), "git"))
    with (place.catalog / _SIGNERS).open("a", encoding="utf-8") as file:
        file.writelines(lines)
    place.config.write_text(_CONFIG, "utf-8")
    for folder in place.cluster_folders():
        folder.mkdir(parents=True)
    create_repository(place.catalog)
    create_bare(place.remote)
    set_origin(place.catalog, str(place.remote))
    place.commit("The sample catalog", at)
    return place


def _line(principal: str, key: SshKey, namespaces: str) -> str:
    return f'{principal} namespaces="{namespaces}" {key.public_key}\n'
