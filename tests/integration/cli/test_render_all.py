"""Every cell at once: what is bad takes its own files with it, is told once, and holds nobody up."""

from __future__ import annotations

import asyncio
import os

import pytest

from distributor.cli.batch import File, Losses, render_files
from distributor.cli.choosing import Wanted, choose
from distributor.cli.local import LocalRenderer, engine, open_catalog
from distributor.errors.render import RenderTimeout, TemplateFailed, UnboundVariable
from distributor.model.findings import Finding
from distributor.render import Cells
from distributor.settings import Settings

ENDLESS = "{{ range until 100000 }}{{ range until 100000 }}{{ end }}{{ end }}"
BAD = "catalog/shop/1.5.0"


def files_of(local, *environments: str) -> list[File]:
    """A file for each newest version in each environment and tier."""
    found = []
    for app, versions in local.catalog.packages.items():
        package = list(versions.values())[-1]
        for environment in environments:
            for tier in local.catalog.tiers:
                choice = choose(local, package, Wanted(environment=environment, tier=tier))
                made = Cells(local.catalog, package, choice.installation, choice.files)
                path = f"{environment}/{app}/{tier}.yaml"
                found.append(File(path=path, choice=choice, cell=made.of(choice.cluster)))
    return found


class OneBad:
    """Renders, but for one package: that ends as told, when all others are done."""

    def __init__(self, renderer, app, error, others):
        self.renderer, self.app, self.error = renderer, app, error
        self.asked, self.left = [], others
        self.alone = asyncio.Event()

    async def binder(self, cell, choice):
        if cell.app == self.app:
            self.asked.append(cell.digest)
            async with asyncio.timeout(60):
                await self.alone.wait()
            raise self.error
        found = await self.renderer.binder(cell, choice)
        self.left -= 1
        if not self.left:
            self.alone.set()
        return found


@pytest.mark.parametrize(
    ("error", "tries"), [(RenderTimeout("It was stopped."), 1), (TemplateFailed("no"), 6)]
)
async def test_a_bad_package_holds_nobody_up_and_is_told_once(made, error, tries):
    local = open_catalog(made / "repository")
    files = files_of(local, "sit", "prd")
    bad = [file for file in files if file.cell.app == "shop"]
    assert len({file.cell.digest for file in bad}) == 6
    others = {file.cell.digest for file in files} - {file.cell.digest for file in bad}
    losses, seen = Losses(), []
    async with engine(Settings(), workers=2) as pool:
        renderer = OneBad(LocalRenderer(local, pool), "shop", error, len(others))
        texts = await render_files(
            renderer, files, losses, lambda: seen.append(renderer.alone.is_set())
        )
    assert set(texts) == {file.path for file in files} - {file.path for file in bad}
    assert len(renderer.asked) == tries
    (finding,) = losses.findings
    assert (finding.code, finding.where.file) == (error.code, BAD)
    assert "(not written: sit/shop/" in finding.message
    assert finding.message.endswith(" and 3 more)")
    assert losses.files == 6
    assert len(seen) == len(files)
    assert seen.count(False) >= len(others) - 1  # told before the bad one ended


async def test_a_fault_of_the_program_is_no_finding(made):
    local = open_catalog(made / "repository")
    files = files_of(local, "sit")[:1]
    renderer = OneBad(None, files[0].cell.app, ZeroDivisionError(), 0)
    renderer.alone.set()
    with pytest.raises(ZeroDivisionError):
        await render_files(renderer, files, Losses(), lambda: None)


def test_a_cause_names_what_it_costs():
    losses = Losses()
    first, second = Finding.of(RenderTimeout), Finding.of(UnboundVariable)
    losses.add(first)
    assert losses.findings == (first,)
    assert losses.files == 0
    for finding, path in ((first, "a"), (first, "b"), (first, "b"), (second, "b")):
        losses.add(finding, path)
    assert [f.message.rpartition("(")[2] for f in losses.findings] == [
        "not written: a, b)",
        "not written: b)",
    ]
    assert losses.files == 2


def test_an_endless_package_costs_its_limit_once(program, repository):
    program("new", "app", "bomb")
    package = repository / "catalog/bomb/0.1.0"
    text = (package / "package.yaml").read_text()
    text = text.replace("renderer: kustomize", "renderer: helm").replace(
        "path: base", "path: chart"
    )
    (package / "package.yaml").write_text(text)
    (package / "chart/templates").mkdir(parents=True)
    (package / "chart/Chart.yaml").write_text("apiVersion: v2\nname: bomb\nversion: 0.1.0\n")
    (package / "chart/templates/a.yaml").write_text(ENDLESS)
    (repository / "distributor.toml").write_text("render_timeout = 2\n")
    done = program("render", "--all", "../all", "--env", "sit", "--progress", "-o", "json", code=1)
    written = {row["file"] for row in done.json()}
    there = (repository.parent / "all").rglob("*.yaml")
    assert written == {p.relative_to(repository.parent / "all").as_posix() for p in there}
    assert not any("bomb" in name for name in written)
    assert done.err.count("DST309") + done.err.count("DST323") == 1
    assert "(not written: sit/bomb/sit-central-1.yaml" in done.err
    lines = done.err.splitlines()
    assert f"{len(written)} files written to {repository.parent / 'all'}" in lines


def test_what_nobody_installs_stops_nobody(program, repository):
    program("new", "app", "spare")
    spare = repository / "catalog/spare/0.1.0/base"
    (spare / "link.yaml").symlink_to("/etc/hostname")
    os.mkfifo(repository / "catalog/spare/README.md.fifo")
    done = program("render", "--all", "../all", "--env", "prd", code=1)
    assert "DST109 catalog/spare/0.1.0/base/link.yaml" in done.err
    assert "not written" not in done.err
    assert (repository.parent / "all/prd/shop/prd-slim-hamburg.yaml").is_file()


def test_a_file_that_cannot_be_read_is_a_finding_of_its_package(program, repository):
    file = repository / "catalog/shop/1.5.0/base/ads.yaml"
    file.unlink()
    os.mkfifo(file)
    done = program("render", "--all", "../all", "--env", "prd", code=1)
    assert "DST714 catalog/shop/1.5.0/base/ads.yaml" in done.err
    assert "(not written: prd/shop/" in done.err  # not 1.4.2 in its place
    assert {p.name for p in (repository.parent / "all/prd").iterdir()} >= {"website"}
    assert not (repository.parent / "all/prd/shop").exists()
    alone = program("render", "catalog/shop/1.5.0", code=1)
    assert "DST714 catalog/shop/1.5.0/base/ads.yaml" in alone.err
    assert program("render", "catalog/website/1.1.0", "--env", "prd").code == 0


def test_an_older_version_that_is_broken_is_told_and_costs_nothing(program, repository):
    file = repository / "catalog/shop/1.4.2/package.yaml"
    file.write_text(file.read_text().replace("  renderer:", "  rendrer: x\n  renderer:"))
    done = program("render", "--all", "../all", "--env", "prd", code=1)
    assert "Did you mean `renderer`?" in done.err
    assert "not written" not in done.err
    assert (repository.parent / "all/prd/shop/prd-slim-hamburg.yaml").is_file()


def test_nothing_is_written_where_nothing_renders(program, repository):
    for file in (repository / "environments").glob("*/environment.yaml"):
        file.write_text("a: [")
    done = program("render", "--all", "../all", code=1)
    assert "Nothing was written." in done.err
    assert sorted(p.name for p in repository.parent.iterdir()) == ["repository"]


UNUSED = """kind: Component
patches:
  - target: {kind: NetworkPolicy}
    patch: "- {op: add, path: /spec/policyTypes, value: [Ingress]}"
"""


def test_a_shared_component_that_finds_nothing_is_told_where_all_was_rendered(program, repository):
    for folder in ("prd/overlay", "tiers/slim"):
        (repository / "environments" / folder / "kustomization.yaml").write_text(UNUSED)
    prd = "warning: DST124 environments/prd/overlay/kustomization.yaml:2 (patches): A shared Component"
    slim = (
        "warning: DST124 environments/tiers/slim/kustomization.yaml:2 (patches): A shared Component"
    )
    told = program("render", "--all", "../all").err
    assert (told.count("DST124"), told.count(prd), told.count(slim)) == (2, 1, 1)
    assert "Remedy: Remove the Component or mend its targets." in told
    told = program("render", "--all", "../prd", "--env", "prd").err
    assert (told.count("DST124"), told.count(prd)) == (
        1,
        1,
    )  # other environments have that tier too
    assert "DST124" not in program("render", "--all", "../slim", "--tier", "slim").err
