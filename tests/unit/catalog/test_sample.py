"""The repository's own catalog, environments and policies load without findings."""

from __future__ import annotations

from pathlib import Path

import pytest

from distributor.catalog.loading import Loader
from distributor.testing.trees import EXECUTABLE, MemoryTrees

ROOT = Path(__file__).parents[3]
FOLDERS = ("catalog", "environments", "policies")


def read_folders(root: Path) -> tuple[dict[str, bytes], dict[str, int]]:
    """The files of the three folders, and the modes of those that are executable."""
    files: dict[str, bytes] = {}
    modes: dict[str, int] = {}
    for folder in FOLDERS:
        for path in sorted((root / folder).rglob("*")):
            if path.is_file():
                name = path.relative_to(root).as_posix()
                files[name] = path.read_bytes()
                if path.stat().st_mode & 0o100:
                    modes[name] = EXECUTABLE
    return files, modes


@pytest.fixture(scope="module")
def sample():
    trees = MemoryTrees()
    files, modes = read_folders(ROOT)
    return Loader(trees), trees.add(files, modes=modes)


def test_the_sample_has_no_findings(sample):
    loader, root = sample
    catalog = loader.load(root)
    assert [str(finding) for finding in catalog.findings] == []
    assert [str(note) for note in catalog.notes] == []
    assert [str(finding) for finding in loader.policies(root).findings] == []


def test_the_sample_is_whole(sample):
    loader, root = sample
    catalog = loader.load(root)
    assert {"bookinfo", "shop", "website", "iot-gateway", "iis-site"} <= set(catalog.apps)
    assert set(catalog.packages) == set(catalog.apps)
    assert all(len(versions) >= 2 for versions in catalog.packages.values())
    assert catalog.pipeline is not None
    assert set(catalog.pipeline.names) == {"sit", "uat", "pre", "prd", "dr"}
    assert set(catalog.environments) == set(catalog.pipeline.names)
    assert set(catalog.tiers) == {"central", "slim", "edge"}
    assert sum(len(files.clusters) for files in catalog.environments.values()) >= 12
    assert loader.policies(root).roles
