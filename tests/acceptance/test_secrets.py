"""A SOPS secret through the whole service: its plaintext is in the target, and in nothing else at all."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import re
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
import yaml

from distributor.api.application import create_app
from distributor.model.tags import Verb
from distributor.render.documents import parse
from distributor.services.asking.telling import history, why
from distributor.services.asking.views import InstanceStage, instance_views
from tests.integration.mainjob.conftest import edit

FILES = Path(__file__).parents[1] / "unit" / "adapters" / "sops" / "files"
MARKER = b"marker-7f3a"
API = "distributor.dev/v1alpha1"
KUSTOMIZATION = {
    "apiVersion": "kustomize.config.k8s.io/v1beta1",
    "kind": "Kustomization",
    "resources": ["db.sops.yaml", "page.yaml"],
    "secretGenerator": [
        {"name": "api", "envs": ["api.sops.env"]},
        {"name": "tls", "files": ["tls.key"]},
    ],
}
VALUES = {
    ("db", "password"): b"marker-7f3a-${cluster_name}-$${x}",
    ("db", "url"): b"postgres://shop:marker-7f3a@db/${cluster_name}",
    ("db", "token"): b"marker-7f3a-bytes\x00",
    ("api", "API_KEY"): b"marker-7f3a-env",
    ("api", "USER_unencrypted"): b"shop",
    ("tls", "tls.key"): b"tls-marker-7f3a\n\x01",
}
"""What the target must hold, by the Secret's name without its hash, and key."""


def needles() -> set[bytes]:
    """The marker, and what it looks like in base64 at each of the three offsets."""
    found = {MARKER}
    for offset in range(3):
        coded = base64.b64encode(b"\0" * offset + MARKER)
        found.add(coded[4 if offset else 0 : -4])
    return found


def write(path: Path, *documents: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump_all(documents, sort_keys=False), "utf-8")


def descriptor(kind: str, name: str, spec: object) -> dict[str, object]:
    return {"apiVersion": API, "kind": kind, "metadata": {"name": name}, "spec": spec}


def write_vault(
    work_tree: Path, version: str, *, db: str = "demo.sops.yaml", page: str = "", tiers=("slim",)
) -> None:
    folder = work_tree / "catalog" / "vault"
    write(
        folder / "app.yaml", descriptor("App", "vault", {"summary": "Secrets.", "owner": "tests"})
    )
    spec = {
        "version": version,
        "renderer": "kustomize",
        "path": "base",
        "namespace": {"name": "vault"},
        "fits": {"tiers": list(tiers)},
    }
    base = folder / version / "base"
    write(folder / version / "package.yaml", descriptor("Package", "vault", spec))
    write(base / "kustomization.yaml", KUSTOMIZATION)
    text = page or "on ${cluster_name}"
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "page"}}
    write(base / "page.yaml", {**config, "data": {"text": text}})
    for source, name in ((db, "db.sops.yaml"), ("demo.sops.env", "api.sops.env"), ("tls.key",) * 2):
        shutil.copyfile(FILES / source, base / name)


@pytest.fixture
async def vault(play):
    """The playground with such an app in sit, whose slim cluster may hold plaintext."""
    key = play.place.root / "keys" / "age.txt"
    key.write_bytes((FILES / "test-only-key.txt").read_bytes())
    key.chmod(0o600)
    tree = play.place.catalog
    write_vault(tree, "1.0.0")
    sit = tree / "environments" / "sit" / "clusters" / "sit-slim-1.yaml"
    edit(sit, delivery={"plaintextSecrets": "allowed"})
    play.place.commit("An app with secrets", datetime.now(UTC))
    return play


async def view(service):
    await service.look()
    return (await instance_views(service, "sit", "vault"))[0]


def secrets(play) -> dict[tuple[str, str], bytes]:
    found = {}
    for data in play.folder("sit", "sit-slim-1").values():
        for manifest in parse(data).values():
            if manifest.ref.kind == "Secret":
                name = re.sub(r"-[2456789bcdfghkmt]{10}$", "", manifest.ref.name)
                for key, value in manifest.data()["data"].items():
                    found[name, key] = base64.b64decode(value)
    return found


def stat(play) -> dict[str, tuple[int, int]]:
    root = play.place.clusters / "sit" / "sit-slim-1"
    return {p.name: (p.stat().st_mtime_ns, p.stat().st_mode) for p in root.rglob("*.yaml")}


def objects_of(repository: Path) -> bytes:
    """Every object of a repository, as it is inside its compression."""
    done = subprocess.run(
        ["git", "cat-file", "--batch", "--batch-all-objects"],
        cwd=repository,
        capture_output=True,
        check=True,
    )
    return done.stdout


def run(play, *arguments: str, talk: bool = False) -> str:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("DISTRIBUTOR_")}
    done = subprocess.run(
        [sys.executable, "-m", "distributor", *arguments],
        cwd=play.place.catalog,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode in {0, 1}, (arguments, done.stdout, done.stderr)
    return done.stdout + (done.stderr if talk else "")


def planned(play, version: str) -> dict[str, str]:
    """What a promotion would do to which object of the slim cluster."""
    made = json.loads(run(play, "plan", "sit", "vault", version, "-o", "json"))
    (target,) = made["targets"]
    return {
        c["object"]: f"{c['action']} {c['reason']}".strip()
        for c in target["changes"]
        if c["action"] != "unchanged"
    }


async def answers(play, service) -> bytes:
    """What the API says of it."""
    app = create_app(service, play.settings)
    app.state.service, app.state.settings, app.state.closing = (
        service,
        play.settings,
        asyncio.Event(),
    )
    paths = [
        path
        for path in app.openapi()["paths"]
        if path.startswith("/api/v1/") and "{" not in path and "events" not in path
    ]
    target = "/api/v1/targets/sit/vault/sit-slim-1"
    found = b""
    transport = httpx.ASGITransport(app=app, client=("127.0.0.1", 50_000))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8080") as client:
        for path in [*paths, target]:
            found += (await client.get(path)).content
    assert b"vault" in found
    return found


async def test_the_plaintext_is_in_the_target_and_nowhere_else(vault, capfd):
    async with vault.service() as service:
        await vault.ask(service, Verb.PROMOTE, "sit", "vault", "1.0.0")
        await service.sync()
        seen = await view(service)
        assert (seen.stage, seen.in_step) == (InstanceStage.VERIFIED, 1)
        said = str(await why(service, "sit", "vault")) + str(history(service, "sit", "vault"))
        told = await answers(vault, service)
    assert secrets(vault) == VALUES
    modes = [mode & 0o777 for _, mode in stat(vault).values()]
    assert modes.count(0o600) == 3

    said += run(vault, "render", "catalog/vault/1.0.0", "--env", "sit", "--cluster", "sit-slim-1")
    assert "distributor-sops(package/base/db.sops.yaml#data/token@" in said
    for arguments in (
        ("plan", "sit", "vault", "1.0.0"),
        ("why", "sit", "vault"),
        ("why", "sit", "vault", "sit-slim-1"),
        ("status", "sit", "vault", "-o", "json"),
        ("history", "sit", "vault"),
        ("sync", "--dry-run"),
    ):
        said += run(vault, *arguments, talk=True)
    captured = capfd.readouterr()
    heaps = {
        "what was said": said.encode() + captured.out.encode() + captured.err.encode(),
        "the API": told,
        "the mirror": objects_of(vault.place.state / "repository.git"),
        "the remote": objects_of(vault.place.remote),
    }
    for path in vault.place.root.rglob("*"):
        if path.is_file() and vault.place.clusters not in path.parents:
            heaps[str(path)] = path.read_bytes()
    for inventory in vault.place.clusters.rglob(".dst-*"):
        heaps[str(inventory)] = inventory.read_bytes()
    assert len(heaps) > 100
    for name, heap in heaps.items():
        assert not any(needle in heap for needle in needles()), name


async def test_nothing_is_written_again_and_encrypting_again_is_a_new_revision(vault):
    async with vault.service() as service:
        await vault.promote(service, "1.0.0", "sit", app="vault")
        before = stat(vault)
        await service.sync()
        assert stat(vault) == before
    async with vault.service() as service:  # a restart knows the digests again
        await service.sync()
        assert stat(vault) == before
        assert planned(vault, "1.0.0") == {}
        write_vault(vault.place.catalog, "1.0.1", db="demo-again.sops.yaml")
        vault.place.commit("The same values, encrypted again", datetime.now(UTC))
        assert planned(vault, "1.0.1") == {
            "Secret/vault/db": "configured encrypted again: package/base/db.sops.yaml"
        }
        await vault.promote(service, "1.0.1", "sit", app="vault")
    assert secrets(vault) == VALUES


async def test_a_change_by_hand_is_healed(vault):
    async with vault.service() as service:
        await vault.promote(service, "1.0.0", "sit", app="vault")
        file = next((vault.place.clusters / "sit" / "sit-slim-1").rglob("*Secret*db*.yaml"))
        right = file.read_bytes()
        file.write_bytes(right.replace(base64.b64encode(VALUES["db", "token"]), b"AAAA"))
        await service.sync()
        assert file.read_bytes() == right


async def test_without_its_key_a_secret_fails_and_says_so(vault):
    (vault.place.root / "keys" / "age.txt").unlink()
    async with vault.service() as service:
        await vault.promote(service, "1.0.0", "sit", app="vault")
        seen = await view(service)
        assert seen.stage is not InstanceStage.VERIFIED
        rows = await service.world.store.targets("sit", "vault")
        assert "DST337" in rows[0].message
    assert secrets(vault) == {}


async def test_a_package_cannot_take_the_values_of_another(vault):
    async with vault.service() as service:
        await vault.promote(service, "1.0.0", "sit", app="vault")
        said = run(
            vault, "render", "catalog/vault/1.0.0", "--env", "sit", "--cluster", "sit-slim-1"
        )
        name = re.search(r"distributor-sops\([^)]*\)", said)
        assert name is not None
        write_vault(vault.place.catalog, "1.0.1", page=name[0])
        vault.place.commit("A secret in a page", datetime.now(UTC))
        asked = await vault.ask(service, Verb.PROMOTE, "sit", "vault", "1.0.1")
        await service.sync()
        told = str(history(service, "sit", "vault"))
        assert "An encrypted value stands outside the data of a Secret." in told
        assert asked.ref.removeprefix("refs/tags/") in told
        seen = await view(service)
        assert (seen.version, seen.stage) == ("1.0.0", InstanceStage.VERIFIED)


async def test_a_folder_that_takes_no_plaintext_is_told_before_anything_is_accepted(vault):
    sit = vault.place.catalog / "environments" / "sit" / "clusters" / "sit-slim-1.yaml"
    edit(sit, delivery={"plaintextSecrets": "refused"})
    vault.place.commit("No plaintext here", datetime.now(UTC))
    async with vault.service() as service:
        await vault.promote(service, "1.0.0", "sit", app="vault")
        told = str(history(service, "sit", "vault"))
        assert "may not be written to this target's folder. (Secret/vault/" in told
        assert "(on sit-slim-1)" in told
    assert vault.folder("sit", "sit-slim-1") == {}
