"""Vendoring into a package: what is written, what is never lost, and what a run that ends in the middle leaves."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import yaml

from distributor.adapters.oci import PackageFolder
from distributor.adapters.oci.staging import Staging
from distributor.adapters.workspace import read_work_tree
from distributor.catalog.digests import package_digest
from distributor.catalog.vendor_lock import FILE, check_path, overlaps, read_lock, write_lock
from distributor.errors.service import AlreadyRunning, BadArgument, NotFound, NotWritable
from distributor.errors.vendoring import ArtifactMissing, HostileArchive, VendoredDiffers
from distributor.model.artifacts import Artifact, Reference, Vendored
from distributor.model.findings import Finding, Invalid
from distributor.model.refs import Digest
from distributor.services.asking.vendoring import Ask, check, vendor
from tests.contract.oci.fake_registry import CHART, digest
from tests.contract.oci.tars import BUNDLE, entry, packed, tgz
from tests.contract.oci.tars import CHART as FILES

FLUX = "application/vnd.cncf.flux.content.v1.tar+gzip"
NEWER = FILES | {"podinfo/values.yaml": "replicas: 2\n", "podinfo/README.md": "hello\n"}
PACKAGE = """apiVersion: distributor.dev/v1alpha1
kind: Package
metadata: {name: shop}
spec: {version: 1.0.0, renderer: helm, path: chart}
"""


@dataclass
class Shelf:
    """A registry that is a dictionary."""

    layers: dict[str, tuple[bytes, str]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    async def resolve(self, reference: Reference) -> Artifact:
        self.asked.append(str(reference))
        for name, (data, media_type) in self.layers.items():
            known = digest(name.encode())
            at_tag = name == f"{reference.location}:{reference.tag}"
            if known == reference.digest or (at_tag and not reference.digest):
                return Artifact(
                    reference=reference,
                    digest=Digest(known),
                    layer=Digest(digest(data)),
                    media_type=media_type,
                    size=len(data),
                )
        raise ArtifactMissing

    async def fetch(self, artifact: Artifact) -> bytes:
        return next(d for d, _ in self.layers.values() if digest(d) == artifact.layer)


OLD_REF, NEW_REF = "oci://r.example/charts/podinfo:1.0.0", "oci://r.example/charts/podinfo:2.0.0"
BUNDLE_REF = "oci://r.example/bundle:1"


@pytest.fixture
def shelf() -> Shelf:
    return Shelf(
        {
            OLD_REF: (packed(FILES), CHART),
            NEW_REF: (packed(NEWER), CHART),
            BUNDLE_REF: (packed(BUNDLE), FLUX),
        }
    )


def package(folder: Path) -> Path:
    place = folder / "catalog" / "shop" / "1.0.0"
    place.mkdir(parents=True)
    (place / "package.yaml").write_text(PACKAGE)
    return place


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return package(tmp_path)


def asking(*references: str, **more: object) -> Ask:
    return replace(Ask(references=tuple(map(Reference.parse, references))), **more)


async def bring(shelf: Shelf, folder: Path, *references: str, **more: object):
    return await vendor(shelf, PackageFolder(folder), asking(*references, **more), lambda _: None)


def content(folder: Path) -> dict[str, str]:
    """Every file of a folder but the lock."""
    return {
        path.relative_to(folder).as_posix(): path.read_text()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in {FILE, "package.yaml"}
    }


def chart(files: dict[str, str], at: str = "chart") -> dict[str, str]:
    return {f"{at}/{path.partition('/')[2]}": text for path, text in files.items()}


def messages(folder: Path) -> list[str]:
    return [str(finding) for finding in check(PackageFolder(folder))]


# -- what is written ------------------------------------------------------------------------------


async def test_a_chart_and_its_lock(shelf: Shelf, folder: Path) -> None:
    (made,) = await bring(shelf, folder, OLD_REF)
    assert content(folder) == chart(FILES)
    assert yaml.safe_load((folder / FILE).read_text()) == {
        "apiVersion": "distributor.dev/v1alpha1",
        "kind": "VendorLock",
        "metadata": {"name": "shop"},
        "spec": {
            "artifacts": [
                {
                    "path": "chart",
                    "reference": "oci://r.example/charts/podinfo",
                    "tag": "1.0.0",
                    "digest": digest(OLD_REF.encode()),
                    "mediaType": CHART,
                    "layer": digest(packed(FILES)),
                    "size": len(packed(FILES)),
                    "files": made.files,
                }
            ]
        },
    }
    assert sorted(path.name for path in folder.parent.iterdir()) == ["1.0.0"]
    assert messages(folder) == []


async def test_the_digest_of_the_files_is_that_of_git(shelf: Shelf, folder: Path) -> None:
    (made,) = await bring(shelf, folder, OLD_REF)
    tree = read_work_tree(folder / "chart", raw=True)
    assert made.files == package_digest(tree, tree.root)


async def test_modes_are_those_that_git_keeps(folder: Path) -> None:
    data = tgz(entry("a.sh", b"#!\n", mode=0o4711), entry("b", b"", mode=0o200))
    await bring(Shelf({BUNDLE_REF: (data, FLUX)}), folder, BUNDLE_REF, to="base")
    modes = {name: (folder / "base" / name).stat().st_mode & 0o7777 for name in ("a.sh", "b")}
    assert modes == {"a.sh": 0o755, "b": 0o644}
    assert messages(folder) == []
    (folder / "base" / "b").chmod(0o755)
    assert len(messages(folder)) == 1


async def test_several_references_get_a_folder_each(shelf: Shelf, folder: Path) -> None:
    await bring(shelf, folder, OLD_REF, BUNDLE_REF)
    assert set(content(folder)) == {
        *chart(FILES, "chart/charts/podinfo"),
        "chart/charts/bundle/kustomization.yaml",
        "chart/charts/bundle/config.yaml",
    }


async def test_a_newer_version_replaces_all_of_the_old_one(shelf: Shelf, folder: Path) -> None:
    await bring(shelf, folder, NEW_REF)
    await bring(shelf, folder, OLD_REF)
    assert content(folder) == chart(FILES)
    (entry_,) = PackageFolder(folder).lock()
    assert entry_.tag == "1.0.0"


async def test_other_entries_stay(shelf: Shelf, folder: Path) -> None:
    await bring(shelf, folder, OLD_REF)
    await bring(shelf, folder, BUNDLE_REF, to="extra")
    assert [e.path for e in PackageFolder(folder).lock()] == ["chart", "extra"]


async def test_the_lock_alone_brings_everything_back(shelf: Shelf, folder: Path) -> None:
    await bring(shelf, folder, OLD_REF)
    await bring(shelf, folder, BUNDLE_REF, to="extra")
    before, lock = content(folder), (folder / FILE).read_bytes()
    shutil.rmtree(folder / "chart")
    shelf.asked.clear()
    (made,) = await bring(shelf, folder)
    assert made.path == "chart"
    assert shelf.asked == [f"oci://r.example/charts/podinfo@{digest(OLD_REF.encode())}"]
    assert (content(folder), (folder / FILE).read_bytes()) == (before, lock)
    assert await bring(shelf, folder) == ()


async def test_a_registry_that_changed_its_mind_is_caught(shelf: Shelf, folder: Path) -> None:
    await bring(shelf, folder, OLD_REF)
    shutil.rmtree(folder / "chart")
    shelf.layers[OLD_REF] = (packed(NEWER), CHART)  # the fake's digest is that of the name
    with pytest.raises(VendoredDiffers, match="unpacks to"):
        await bring(shelf, folder)
    assert content(folder) == {}


# -- what is never lost ---------------------------------------------------------------------------


async def test_content_that_no_lock_accounts_for_stays(shelf: Shelf, folder: Path) -> None:
    (folder / "chart").mkdir()
    (folder / "chart" / "mine.yaml").write_text("x: 1\n")
    with pytest.raises(VendoredDiffers, match="not vendored") as refused:
        await bring(shelf, folder, OLD_REF)
    assert refused.value.hint.startswith("Add --replace")
    assert content(folder) == {"chart/mine.yaml": "x: 1\n"}
    assert shelf.asked == []
    await bring(shelf, folder, OLD_REF, replace=True)
    assert content(folder) == chart(FILES)


async def test_a_change_by_hand_stays(shelf: Shelf, folder: Path) -> None:
    await bring(shelf, folder, OLD_REF)
    (folder / "chart" / "values.yaml").write_text("replicas: 9\n")
    for references in ((NEW_REF,), ()):
        with pytest.raises(VendoredDiffers, match="by hand"):
            await bring(shelf, folder, *references)
    await bring(shelf, folder, replace=True)
    assert content(folder) == chart(FILES)


async def test_one_bad_reference_changes_nothing(shelf: Shelf, folder: Path) -> None:
    await bring(shelf, folder, OLD_REF)
    before = (content(folder), (folder / FILE).read_bytes())
    with pytest.raises(ArtifactMissing):
        await bring(shelf, folder, BUNDLE_REF, "oci://r.example/nope:1", to="extra")
    shelf.layers[BUNDLE_REF] = (tgz(entry("../x", b"x")), FLUX)
    with pytest.raises(HostileArchive):
        await bring(shelf, folder, BUNDLE_REF, to="extra")
    assert (content(folder), (folder / FILE).read_bytes()) == before
    assert sorted(path.name for path in folder.parent.iterdir()) == ["1.0.0"]


async def test_two_runs_at_once_are_one(shelf: Shelf, folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        with pytest.raises(AlreadyRunning):
            await bring(shelf, folder, OLD_REF)
    finally:
        os.close(descriptor)


@pytest.mark.parametrize(
    ("references", "to"),
    [
        ((OLD_REF,), "../x"),
        ((OLD_REF,), "/"),
        ((OLD_REF,), "/etc/chart"),
        ((OLD_REF,), "~/chart"),
        ((OLD_REF,), "env/prd"),
        ((OLD_REF,), "tier"),
        ((OLD_REF,), ".git"),
        ((OLD_REF,), "a//b"),
        ((OLD_REF,), "a\\b"),
        ((OLD_REF,), "chart/charts/podinfo"),
        ((BUNDLE_REF, BUNDLE_REF), "extra"),
        ((), "extra"),
    ],
)
async def test_a_folder_that_cannot_be_vendored_to(
    shelf: Shelf, folder: Path, references: tuple[str, ...], to: str
) -> None:
    await bring(shelf, folder, BUNDLE_REF, to="chart")
    with pytest.raises(BadArgument):
        await bring(shelf, folder, *references, to=to)


async def test_a_link_does_not_lead_out(shelf: Shelf, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (folder / "chart").symlink_to(tmp_path / "outside")
    for to in ("chart", "chart/inner"):
        with pytest.raises(VendoredDiffers, match="symbolic link"):
            await bring(shelf, folder, OLD_REF, to=to, replace=True)
    assert list((tmp_path / "outside").iterdir()) == []


def test_a_folder_without_a_package(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"package\.yaml"):
        PackageFolder(tmp_path)


# -- the check ------------------------------------------------------------------------------------


async def test_every_difference_is_named(shelf: Shelf, folder: Path) -> None:
    for to in ("one", "two", "three", "four"):
        await bring(shelf, folder, BUNDLE_REF, to=to)
    (folder / "one" / "config.yaml").write_text("changed\n")
    (folder / "two" / "more.yaml").write_text("added\n")
    shutil.rmtree(folder / "three")
    (folder / "four" / "link").symlink_to("/etc/passwd")
    found = messages(folder)
    assert len(found) == 4
    assert all(text.startswith("DST353") for text in found)
    remedies = [finding.remedy for finding in check(PackageFolder(folder))]
    assert "link" in remedies[0]
    assert "--replace" in remedies[1]
    assert "--replace" not in remedies[2]
    assert ["one" in found[1], "two" in found[3], "missing" in found[2], "link" in found[0]] == [
        True
    ] * 4


@pytest.mark.parametrize(
    "change",
    [
        "", "[]", "a: [", "kind: VendorLock", "\x00",
        lambda t: t.replace("VendorLock", "Lock"),
        lambda t: t.replace("v1alpha1", "v9"),
        lambda t: t.replace('path: "chart"', "path: ../chart"),
        lambda t: t.replace('path: "chart"', "path: env/prd"),
        lambda t: t.replace('path: "chart"', "path: 1"),
        lambda t: t.replace('  digest: "sha256:', '  digest: "sha512:'),
        lambda t: t.replace("    size: ", "    size: -"),
        lambda t: t.replace("    size: ", "    site: "),
        lambda t: t.replace("oci://r.example", "oci://u:p@r.example"),
        lambda t: t + t[t.index("    - path"):],
        lambda t: t + t[t.index("    - path"):].replace("chart", "chart/x", 1),
    ],
    ids=range(16),
)  # fmt: skip
async def test_a_lock_that_cannot_be_used(shelf: Shelf, folder: Path, change) -> None:
    await bring(shelf, folder, OLD_REF)
    lock = folder / FILE
    text = lock.read_text()
    changed = change if isinstance(change, str) else change(text)
    assert changed != text
    lock.write_text(changed)
    with pytest.raises(Invalid):
        check(PackageFolder(folder))
    with pytest.raises(Invalid):
        await bring(shelf, folder, OLD_REF)
    assert lock.read_text() == changed


def test_locks_are_written_alike_and_read_back() -> None:
    one = Vendored(
        path="b",
        location="oci://r.example/x",
        tag="",
        digest=Digest("sha256:" + "1" * 64),
        layer=Digest("sha256:" + "2" * 64),
        media_type="x/tar+gzip",
        size=1,
        files=Digest("sha256:" + "3" * 64),
    )
    two = replace(one, path="a", tag="1e3")
    data = write_lock("shop", [one, two])
    assert data == write_lock("shop", [two, one])
    found = read_lock(data, FILE)
    assert found == (two, one)
    assert not any(isinstance(f, Finding) for f in found)


def test_overlaps() -> None:
    assert list(overlaps(["a", "a-b", "ab", "b/c", "b/d"])) == []
    assert list(overlaps(["a/b", "a", "a-b"])) == [("a/b", "a")]
    assert list(overlaps(["a", "a"])) == [("a", "a")]
    assert [bool(check_path(path)) for path in ("chart", "x/env", "env", "", "a/..")] == [
        False, False, True, True, True,
    ]  # fmt: skip


# -- ends in the middle ---------------------------------------------------------------------------


class Killed(BaseException):
    """Nothing after this runs, as after a signal."""


class Mortal(Staging):
    """Dies at the n-th step, in the middle of it where the step is a write; then nothing is done any more."""

    left = 0

    def _step(self) -> None:
        type(self).left -= 1
        if self.left <= 0:
            raise Killed

    def recover(self) -> None:
        if self.left > 0:
            super().recover()

    def _put(self, path: Path, data: bytes) -> None:
        try:
            self._step()
        except Killed:
            path.write_bytes(data[: len(data) // 2])
            raise
        super()._put(path, data)

    def _rename(self, old: Path, new: Path) -> None:
        self._step()
        super()._rename(old, new)

    def _remove(self) -> None:
        for child in sorted(self._folder.rglob("*"), reverse=True):
            if child.name == "lock.yaml":
                continue
            if not child.is_dir():
                self._step()
                (self._folder / "lock.yaml").unlink(missing_ok=True)
                child.unlink()
        super()._remove()


def steps() -> Iterator[int]:
    yield from range(1, 60)


@pytest.mark.parametrize("upgrade", [False, True], ids=["install", "upgrade"])
async def test_killed_at_any_step(shelf: Shelf, tmp_path: Path, *, upgrade: bool) -> None:
    for step in steps():
        folder = package(tmp_path / str(step))
        if upgrade:
            await bring(shelf, folder, OLD_REF)
        old = content(folder)
        Mortal.left = step
        finished = True
        try:
            place = PackageFolder(folder, stage=Mortal)
            await vendor(shelf, place, asking(NEW_REF), lambda _: None)
        except Killed:
            finished = False
        assert content(folder) in ({}, old, chart(NEWER))  # never something in between
        if not finished:
            assert messages(folder) != []  # and it is said
        again = step % 2 == 0
        if again:  # asked for again: the new one
            await bring(shelf, folder, NEW_REF)
        else:  # put right from the lock alone: all of the old one, or all of the new one
            await bring(shelf, folder)
        assert content(folder) in ((chart(NEWER),) if again else (old, chart(NEWER)))
        assert messages(folder) == []
        assert sorted(path.name for path in folder.parent.iterdir()) == ["1.0.0"]
        if finished:
            assert step > 8
            return
    pytest.fail("it never finished")


async def test_a_disk_that_is_full_leaves_the_old_content(shelf: Shelf, folder: Path) -> None:
    class Full(Staging):
        def _put(self, path: Path, data: bytes) -> None:
            del data
            raise OSError(28, "No space left on device", str(path))

    await bring(shelf, folder, OLD_REF)
    with pytest.raises(NotWritable, match="No space"):
        await vendor(shelf, PackageFolder(folder, stage=Full), asking(NEW_REF), lambda _: None)
    assert content(folder) == chart(FILES)
    assert messages(folder) == []
