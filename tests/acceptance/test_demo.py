"""``distributor demo`` with ``CI=true``: exits 0, and every folder holds exactly what the catalog says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from distributor.app import open_service
from distributor.placement import installations
from distributor.services.asking.views import instance_views
from distributor.services.rendering.renderer import Subject
from distributor.settings import load

COMMAND = [sys.executable, "-m", "distributor"]


@pytest.fixture(scope="module")
def demo(tmp_path_factory) -> Path:
    """The folder of a demo that was played to its end."""
    folder = tmp_path_factory.mktemp("demo") / "demo"
    done = run("demo", "--folder", str(folder), where=folder.parent)
    assert done.returncode == 0, done.stderr
    assert "!!" not in done.stderr
    for line in ("== 1.", "== 2.", "== 3.", "== 4.", "gate 13 blast-radius", "targets in step"):
        assert line in done.stderr
    return folder


def run(*arguments: str, where: Path) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("DISTRIBUTOR_")}
    return subprocess.run(
        [*COMMAND, *arguments],
        cwd=where,
        env=environment | {"CI": "true"},
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )


def identity(obj) -> tuple[str, str, str]:
    return obj["kind"], obj["metadata"].get("namespace", ""), obj["metadata"]["name"]


def images(objects) -> dict[tuple[str, str, str], list[str]]:
    """The images that workloads run: they differ from version to version."""
    found = {}
    for obj in objects:
        template = obj.get("spec", {}).get("template", {})
        if isinstance(template, dict) and "spec" in template:
            found[identity(obj)] = [c["image"] for c in template["spec"]["containers"]]
    return found


def delivered(folder: Path) -> list[dict]:
    """Every object in a cluster's folder, whatever its layout."""
    files = [p for p in folder.rglob("*.yaml") if not p.name.startswith(".")]
    return [d for p in sorted(files) for d in yaml.safe_load_all(p.read_text()) if d]


async def rendered_from_main(demo: Path) -> dict[tuple[str, str], list[dict]]:
    """What main's catalog says for every accepted version, by environment and cluster."""
    found: dict[tuple[str, str], list[dict]] = {}
    async with open_service(load({}, {}, demo).settings, writing=False) as service:
        snapshot = await service.look()
        for view in await instance_views(service):
            assert (view.stage.value, view.in_step) == ("verified", view.targets)
            files = snapshot.catalog.environments[view.environment]
            subject = Subject(
                catalog=snapshot.catalog,
                package=snapshot.catalog.package(view.app, view.version),
                installation=installations(snapshot.catalog, view.environment)[view.instance],
                files=files,
            )
            clusters = {t.cluster: files.clusters[t.cluster] for t in view.clusters}
            rendered = await service.renderer.render(subject, clusters)
            for name, manifests in rendered.manifests.items():
                key = (view.environment, name)
                found.setdefault(key, []).extend(m.data() for m in manifests)
    return found


async def test_every_folder_holds_exactly_what_was_accepted(demo):
    wanted = await rendered_from_main(demo)
    folders = [p for e in sorted((demo / "clusters").iterdir()) for p in sorted(e.iterdir())]
    assert len(folders) >= 12
    assert {(p.parent.name, p.name) for p in folders} == set(wanted)
    for folder in folders:
        found, expected = delivered(folder), wanted[folder.parent.name, folder.name]
        assert sorted(map(identity, found)) == sorted(map(identity, expected)), folder
        assert images(found) == images(expected), folder


def test_the_render_command_agrees(demo):
    done = run(
        "render", "catalog/shop/1.4.1", "--env", "prd", "--cluster", "prd-slim-hamburg", "-o", "json",
        where=demo / "catalog",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    shop = [
        o
        for o in delivered(demo / "clusters" / "prd" / "prd-slim-hamburg")
        if o["metadata"].get("labels", {}).get("app.kubernetes.io/instance") == "shop"
    ]
    objects = json.loads(done.stdout)
    assert sorted(map(identity, objects)) == sorted(map(identity, shop))
    assert images(objects) == images(shop)


def test_the_demo_leaves_a_repository_that_the_commands_understand(demo):
    assert run("fsck", where=demo).returncode == 0
    told = run("why", "uat", "shop", where=demo)
    assert "13 blast-radius" in told.stdout
    history = json.loads(run("history", "prd", "shop", "-o", "json", where=demo).stdout)
    assert [t["kind"] for t in history if t["kind"] == "accepted"] == ["accepted"] * 3
    plan = run("plan", "prd", "shop", "1.4.2", "--sign", "keys/release-manager", where=demo)
    assert plan.returncode == 1
    assert "hold" in plan.stdout
    assert "would not be accepted" in plan.stdout


def test_a_folder_that_is_no_demo_is_left_alone(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "precious.txt").write_text("keep me")
    done = run("demo", "--folder", "mine", where=tmp_path)
    assert done.returncode == 2
    assert (tmp_path / "mine" / "precious.txt").read_text() == "keep me"
