"""Three public demo apps: what `kubectl kustomize` gives for them, in every combination of their components."""

from __future__ import annotations

import asyncio
import itertools
import random
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from distributor.model.package import Renderer
from distributor.model.rendering import RenderJob
from tests.oracle import difference, kustomize
from tests.oracle.comparing import rendered
from tests.oracle.reading import objects
from tests.realapps import real_apps

SEED = 4
RANDOM = 100
AT_ONCE = 2


@pytest.fixture
def shop(tmp_path):
    """Online Boutique in a folder of the test's own, to add overlays to."""
    return Path(shutil.copytree(real_apps() / "online-boutique", tmp_path / "app"))


def tree(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def components(shop: Path) -> list[str]:
    return sorted(path.name for path in (shop / "components").iterdir() if path.is_dir())


@pytest.fixture
def check(ours, shop):
    """Compare one combination; what differs, if anything does, and whether it builds at all."""
    files, turns = tree(shop), asyncio.Semaphore(AT_ONCE)

    async def one(number: int, names: Sequence[str]) -> tuple[str, bool]:
        """As the layers of a package; alone, also as a person would write it."""
        overlay = shop / f"overlay-{number}"
        overlay.mkdir()
        lines = ["resources: [../base]", "components:", *(f"- ../components/{n}" for n in names)]
        (overlay / "kustomization.yaml").write_text("\n".join(lines))
        layers = tuple(f"components/{name}" for name in names)
        job = RenderJob(renderer=Renderer.KUSTOMIZE, files=files, path="base", layers=layers)
        async with turns:
            theirs = await asyncio.to_thread(kustomize, overlay)
            found = [await ours(what) for what in ((job, overlay) if len(names) == 1 else (job,))]
        for verdict in found:
            if (verdict.objects is None) != (theirs.objects is None):
                return f"{names}: ours {verdict.error!r}, theirs {theirs.error!r}", False
            if verdict.objects is not None and theirs.objects is not None:
                differs = difference(verdict.objects, theirs.objects)
                if differs:
                    return f"{names}:\n{differs}", True
        return "", theirs.objects is not None

    return one


async def compare(check, combinations: Sequence[Sequence[str]]) -> int:
    """How many of the combinations build; none may differ."""
    found = await asyncio.gather(*(check(n, names) for n, names in enumerate(combinations)))
    assert "\n".join(text for text, _ in found if text) == ""
    return sum(builds for _, builds in found)


async def test_every_component_of_the_shop(check, shop):
    names = components(shop)
    assert len(names) >= 14
    assert await compare(check, [(), *((name,) for name in names)]) > len(names) // 2


async def test_every_pair_of_components(check, shop):
    pairs = list(itertools.combinations(components(shop), 2))
    built = await compare(check, pairs)
    assert 0 < built < len(pairs)


async def test_random_combinations_in_random_order(check, shop):
    names = components(shop)
    numbers = random.Random(SEED)
    many = [tuple(numbers.sample(names, numbers.randint(3, len(names)))) for _ in range(RANDOM)]
    built = await compare(check, many)
    assert 0 < built < RANDOM


@pytest.mark.parametrize("path", ["podinfo", "online-boutique", "online-boutique/base"])
async def test_an_app_as_it_comes(ours, tmp_path, path):
    folder = shutil.copytree(real_apps() / path, tmp_path / "app")
    theirs = await asyncio.to_thread(kustomize, folder)
    assert theirs.objects
    assert difference((await ours(folder)).objects, theirs.objects) == ""


@pytest.mark.parametrize("part", ["platform/kube", "networking"])
async def test_manifests_without_a_kustomization(ours, part):
    """Every document of every file, as Kubernetes reads it."""
    folder = real_apps() / "bookinfo"
    job = RenderJob(renderer=Renderer.RAW, files=tree(folder), path=part)
    wanted = rendered(
        item for path in manifests(folder / part) for item in objects(path.read_bytes())
    )
    assert wanted
    assert difference((await ours(job)).objects, wanted) == ""


async def test_manifests_through_a_kustomization(ours, tmp_path):
    """One kustomization a file, with a prefix, a namespace and labels, so that references must follow."""
    files = manifests(real_apps() / "bookinfo")
    assert len(files) >= 7
    for number, path in enumerate(files):
        folder = tmp_path / f"overlay-{number}"
        folder.mkdir()
        shutil.copy(path, folder / "all.yaml")
        (folder / "kustomization.yaml").write_text(
            "resources: [all.yaml]\nnamePrefix: p-\nnamespace: demo\ncommonLabels: {team: blue}\n"
        )
        theirs = await asyncio.to_thread(kustomize, folder)
        assert theirs.objects, theirs.error
        assert difference((await ours(folder)).objects, theirs.objects) == ""


def manifests(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.rglob("*")) if path.suffix in (".yaml", ".yml", ".json")]
