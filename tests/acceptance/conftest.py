"""Acceptance: the running service on a playground of the sample, with real Git, engine and folders."""

from __future__ import annotations

import os
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from distributor import log
from distributor.app import open_service
from distributor.cli.playground import PEOPLE, Playground, create_playground
from distributor.model.refs import ObjectId
from distributor.model.tags import Verb
from distributor.services.asking.founding import found_ledger
from distributor.services.promotion.requesting import Ask, Asked, make_request
from distributor.services.service import Service
from distributor.settings import Settings, load


@dataclass(frozen=True, kw_only=True)
class Play:
    """A playground with the few moves that tests make in it."""

    place: Playground
    settings: Settings

    @asynccontextmanager
    async def service(self, **changes) -> AsyncIterator[Service]:
        async with open_service(replace(self.settings, **changes), writing=True) as service:
            yield service

    async def ask(
        self,
        service: Service,
        verb: Verb,
        environment: str,
        instance: str,
        version: str = "",
        *,
        key: str = "release-manager",
        commit: str = "",
    ) -> Asked:
        """Push a request's tag; unsigned in sit, signed elsewhere."""
        snapshot = await service.look()
        ask = Ask(
            verb=verb,
            environment=environment,
            instance=instance,
            version=version,
            reason="test",
            commit=ObjectId(commit),
        )
        signer = self.place.key(key) if environment != "sit" and key else None
        return await make_request(
            service.world, snapshot, ask, tagger=PEOPLE.get(key, PEOPLE["sre"]), signer=signer
        )

    async def promote(self, service: Service, version: str, *environments: str, app: str = "shop"):
        """Promote through environments, one after the other, each carried out to its end."""
        for environment in environments:
            await self.ask(service, Verb.PROMOTE, environment, app, version)
            await service.sync()

    def git(self, *arguments: str, where: Path | None = None) -> str:
        """Run git in the work tree (or elsewhere), as the release manager."""
        name, _, rest = PEOPLE["release-manager"].partition(" <")
        who = {"NAME": name, "EMAIL": rest.rstrip(">")}
        identity = {f"GIT_{r}_{k}": v for r in ("AUTHOR", "COMMITTER") for k, v in who.items()}
        done = subprocess.run(
            ["git", *arguments],
            cwd=where or self.place.catalog,
            env=os.environ | identity | {"GIT_CONFIG_GLOBAL": "/dev/null"},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def folder(self, environment: str, cluster: str) -> dict[str, bytes]:
        """Every delivered file of a cluster, by its path; inventories and locks left out."""
        root = self.place.clusters / environment / cluster
        return {
            str(p.relative_to(root)): p.read_bytes()
            for p in sorted(root.rglob("*"))
            if p.is_file() and not p.name.startswith(".")
        }

    def fleet(self) -> dict[str, dict[str, bytes]]:
        """Every cluster's files."""
        return {
            f"{f.parent.name}/{f.name}": self.folder(f.parent.name, f.name)
            for f in self.place.cluster_folders()
        }


@pytest.fixture
async def play(tmp_path: Path) -> Play:
    """A playground with a founded ledger, before the first request."""
    return await new_play(tmp_path / "play")


@pytest.fixture
async def other_play(tmp_path: Path) -> Play:
    """A second one, to compare with."""
    return await new_play(tmp_path / "other")


async def new_play(root: Path) -> Play:
    log.configure("error", "json")
    place = create_playground(root, datetime.now(UTC))
    settings = load({}, {}, place.root).settings
    async with open_service(settings, writing=True) as service:
        await found_ledger(service.world)
    return Play(place=place, settings=settings)
