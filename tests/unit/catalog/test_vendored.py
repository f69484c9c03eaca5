"""What was vendored is what the lock says, or the version is none; decided from the tree, offline."""

from __future__ import annotations

from dataclasses import replace

import pytest

from distributor.catalog.digests import package_digest
from distributor.catalog.vendor_lock import FILE, write_lock
from distributor.model.artifacts import Vendored
from distributor.model.refs import Digest
from distributor.testing.trees import MemoryTrees

FOLDER = "catalog/shop/1.4.2"
LOCK = f"{FOLDER}/{FILE}"
CHART = {"Chart.yaml": b"name: podinfo\n", "templates/a.yaml": b"kind: ConfigMap\n"}
AT = f"{FOLDER}/base/charts/podinfo"


def entry(**more: object) -> Vendored:
    trees = MemoryTrees()
    made = Vendored(
        path="base/charts/podinfo",
        location="oci://r.example/podinfo",
        tag="1.0.0",
        digest=Digest("sha256:" + "a" * 64),
        layer=Digest("sha256:" + "b" * 64),
        media_type="application/x",
        size=1,
        files=package_digest(trees, trees.add(CHART)),
    )
    return replace(made, **more)


@pytest.fixture
def vendored(files):
    """The small repository with a chart that was vendored into its package."""
    chart = {f"{AT}/{path}": data for path, data in CHART.items()}
    return files | chart | {LOCK: write_lock("shop", [entry()])}


def told(load, files) -> list[tuple[str, str]]:
    found = load(files).findings
    assert all(finding.remedy for finding in found)
    return [(finding.code, finding.where.file) for finding in found]


def test_files_that_are_those_of_the_lock(load, vendored):
    assert told(load, vendored) == []
    assert load(vendored).package("shop", "1.4.2") is not None


def changed(files):
    return files | {f"{AT}/Chart.yaml": b"name: other\n"}


def added(files):
    return files | {f"{AT}/templates/b.yaml": b"kind: Secret\n"}


def removed(files):
    return {path: data for path, data in files.items() if path != f"{AT}/templates/a.yaml"}


def gone(files):
    return {path: data for path, data in files.items() if not path.startswith(f"{AT}/")}


@pytest.mark.parametrize("change", [changed, added, removed, gone])
def test_files_that_are_not_those_of_the_lock_make_no_version(load, vendored, change):
    files = change(vendored)
    assert told(load, files) == [("DST353", AT)]
    catalog = load(files)
    assert catalog.package("shop", "1.4.2") is None
    assert len(catalog.findings_under(FOLDER)) == 1


def test_the_mode_of_a_file_counts(load, vendored):
    modes = {f"{AT}/Chart.yaml": 0o100755}
    assert [f.code for f in load(vendored, modes=modes).findings] == ["DST353"]


def test_every_folder_is_told(load, vendored):
    second = entry(path="base/charts/other")
    files = changed(vendored) | {LOCK: write_lock("shop", [entry(), second])}
    assert told(load, files) == [("DST353", f"{FOLDER}/base/charts/other"), ("DST353", AT)]


def test_other_files_of_the_version_may_change(load, vendored):
    assert told(load, vendored | {f"{FOLDER}/base/cart.yaml": b"kind: Secret\n"}) == []
    assert told(load, vendored | {f"{AT}-more/x.yaml": b"kind: Secret\n"}) == []


@pytest.mark.parametrize("lock", [b"", b"a: [", b"kind: VendorLock\n", b"# x\n" * 300_000])
def test_a_lock_that_cannot_be_read_makes_no_version(load, vendored, lock):
    files = vendored | {LOCK: lock}
    found = load(files)
    assert found.package("shop", "1.4.2") is None
    assert {f.where.file for f in found.findings} == {LOCK}
