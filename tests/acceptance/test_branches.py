"""Clusters that follow branches: what was accepted, and nothing else, lies in a branch for each."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
import yaml

from distributor.model.tags import Verb
from distributor.services.asking.views import InstanceStage, instance_views

CLUSTERS = ("sit-central-1", "sit-slim-1")


@pytest.fixture
async def branched(play):
    """Two of sit's clusters follow branches of the catalog repository."""
    for name in CLUSTERS:
        file = play.place.catalog / "environments" / "sit" / "clusters" / f"{name}.yaml"
        document = yaml.safe_load(file.read_text("utf-8"))
        document["spec"]["delivery"] = {"mode": "branch"}
        file.write_text(yaml.safe_dump(document, sort_keys=False), "utf-8")
    play.place.commit("Two clusters follow branches", datetime.now(UTC))
    return play


def objects(play, branch, repository=None):
    """Every object of a branch, by its path."""
    where = repository or play.place.remote
    listed = play.git("ls-tree", "-r", "--name-only", branch, where=where).splitlines()
    return {
        path: yaml.safe_load(play.git("show", f"{branch}:{path}", where=where))
        for path in listed
        if path.endswith(".yaml")
    }


async def stage(service, version):
    await service.look()
    (seen,) = await instance_views(service, "sit", "shop")
    assert (seen.version, seen.stage) == (version, InstanceStage.VERIFIED)
    return service.book.state.instance("sit", "shop").desired


async def test_versions_come_and_go_on_branches(branched):
    play = branched
    main = play.git("rev-parse", "main", where=play.place.remote)
    async with play.service() as service:
        await play.promote(service, "1.4.1", "sit")
        await stage(service, "1.4.1")
        heads = play.git(
            "branch", "--list", "rendered/*", "--format=%(refname:short)", where=play.place.remote
        )
        assert heads.split() == [f"rendered/sit/{name}" for name in CLUSTERS]
        branch = f"rendered/sit/{CLUSTERS[0]}"
        first = objects(play, branch)
        kinds = {found["kind"] for found in first.values()}
        assert {"Namespace", "Deployment", "Service"} <= kinds
        assert all(path.startswith("shop/") for path in first)
        tip = play.git("rev-parse", branch, where=play.place.remote)
        await service.sync()
        assert play.git("rev-parse", branch, where=play.place.remote) == tip
        await play.promote(service, "1.4.2", "sit")
        await stage(service, "1.4.2")
        assert objects(play, branch) != first
        play.git("merge-base", "--is-ancestor", tip, branch, where=play.place.remote)
        await play.ask(service, Verb.REMOVE, "sit", "shop")
        await service.sync()
        assert objects(play, branch) == {}
    assert play.git("rev-parse", "main", where=play.place.remote) == main
    signed = play.git("cat-file", "commit", branch, where=play.place.remote)
    assert "-----BEGIN SSH SIGNATURE-----" in signed


async def test_another_repository_that_goes_away_and_comes_back(branched, tmp_path):
    play = branched
    other, aside = tmp_path / "fleet.git", tmp_path / "aside.git"
    play.git("init", "--quiet", "--bare", str(other))
    for name in CLUSTERS:
        file = play.place.catalog / "environments" / "sit" / "clusters" / f"{name}.yaml"
        file.write_text(
            file.read_text("utf-8").replace("mode: branch", "mode: branch\n    connection: fleet")
        )
    play.place.commit("They follow another repository", datetime.now(UTC))
    entry = {"repository": str(other), "branch": "live/{environment}", "path": "{cluster}"}
    play = replace(play, settings=replace(play.settings, connections={"fleet": entry}))
    async with play.service() as service:
        other.rename(aside)
        await play.promote(service, "1.4.1", "sit")
        aside.rename(other)
        await service.sync()
        found = objects(play, "live/sit", other)
        assert {path.split("/")[0] for path in found} == set(CLUSTERS)
        rows = await service.world.store.targets("sit", "shop")
        assert {row.actuation for row in rows} == {"applied"}
    assert play.git("branch", "--list", "rendered/*", where=play.place.remote) == ""
