"""Errors of renders name the files of the repository, and the line where it can be told."""

from __future__ import annotations

import pytest

from distributor.errors import Where
from distributor.errors.render import BadManifest, DuplicateObject, RenderFailed, TemplateFailed
from distributor.model.findings import Finding, Invalid
from distributor.model.package import Renderer
from distributor.model.refs import Digest
from distributor.model.rendering import Layer, RenderInput, RenderJob
from distributor.render import blamed, renamed

SHOP = "catalog/shop/1.0.0"
OVERLAY = "environments/prd/overlay"
INSTALLATION = "environments/prd/apps/shop.yaml"
JOB = RenderJob(
    renderer=Renderer.KUSTOMIZE,
    path="package/base",
    layers=("tiers/edge", "overlay"),
    files={
        "package/package.yaml": b"",
        "package/base/kustomization.yaml": b"resorces:\n  - a.yaml\n  - nope.yaml\n",
        "package/base/a b.yaml": b"",
        "package/chart/templates/a.yaml": b"",
        "package/chart/charts/db/templates/b.yaml": b"",
        "tiers/edge/kustomization.yaml": b"",
        "overlay/kustomization.yaml": b"x.yaml\n# x.yaml again\n",
    },
)
LAYERS = (
    ("package/base", f"{SHOP}/base"),
    ("tiers/edge", "environments/tiers/edge"),
    ("overlay", OVERLAY),
    ("", INSTALLATION),
)


def cell(*layers: tuple[str, str]) -> RenderInput:
    made = tuple(Layer(label=label, tree="t", folder=folder) for folder, label in layers)
    names = dict.fromkeys(
        ("app", "version", "environment", "tier", "instance", "namespace", "kubernetes"), "x"
    )
    return RenderInput(digest=Digest("sha256:0"), layers=made, values=b"{}", **names)


def told(detail: str, file: str, kind=RenderFailed, layers=LAYERS):
    return blamed(kind(detail, where=Where(file=file), remedy="Do."), cell(*layers), JOB)


@pytest.mark.parametrize(
    ("file", "shown"),
    [
        ("package/base/kustomization.yaml", f"{SHOP}/base/kustomization.yaml"),
        ("package/base/gone.yaml", f"{SHOP}/base/gone.yaml"),
        ("package", SHOP),
        ("tiers/edge", "environments/tiers/edge"),
        ("overlay/kustomization.yaml", f"{OVERLAY}/kustomization.yaml"),
        ("elsewhere/x.yaml", "elsewhere/x.yaml"),
        ("", ""),
    ],
)
def test_the_file_is_the_repositorys(file, shown):
    error = told("m", file, BadManifest)
    assert error.where.file == shown
    assert (error.detail, error.hint) == ("m", "Do.")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("from 'package/base/a b.yaml': x", f"from '{SHOP}/base/a b.yaml': x"),
        ("path 'overlay': x", f"path '{OVERLAY}': x"),
        ("package/base/gone.yaml.", f"{SHOP}/base/gone.yaml."),
        ("it lies outside the package, or 'overlays'", None),
        ("../overlay/x and x/package/base", None),
        ("package/nowhere/x.yaml", None),
    ],
)
def test_paths_in_the_message_too_and_nothing_but_paths(text, shown):
    assert told(text, "overlay", BadManifest).detail == (shown or text)


def test_the_innermost_file_that_kustomize_names_is_to_blame():
    text = "accumulating 'package/base': in 'package/base/a b.yaml': x: from 'nope.yaml'"
    assert told(text, "package/base").where.file == f"{SHOP}/base"  # a name with a space is cut
    text = "accumulating components: path 'overlay': no"
    assert told(text, "package/base").where.file == OVERLAY
    text = "accumulating 'package/base': at 'package/base/kustomization.yaml'"
    error = told(text, "package/base", DuplicateObject)
    assert error.where.file == f"{SHOP}/base/kustomization.yaml"
    assert error.detail == f"accumulating '{SHOP}/base': at '{SHOP}/base/kustomization.yaml'"


def test_patches_of_the_installation_are_blamed_for_what_nothing_else_did():
    error = told("no matches for Id Deployment/x", "package/base")
    assert error.where == Where(file=INSTALLATION, field="spec.patches")
    for text in (
        "replace operation does not apply: doc is missing path: /x",
        "unable to parse patch",
    ):
        assert told(text, "package/base").where.file == INSTALLATION
    assert told("the renderer panicked", "package/base").where == Where(file=f"{SHOP}/base")
    without = told("no matches for Id Deployment/x", "package/base", layers=LAYERS[:-1])
    assert without.where == Where(file=f"{SHOP}/base")


@pytest.mark.parametrize(
    ("file", "text", "line"),
    [
        ("package/base/kustomization.yaml", 'json: unknown field "resorces"', 1),
        ("package/base/kustomization.yaml", 'resources names "nope.yaml", which', 3),
        ("package/base/kustomization.yaml", 'resources names "absent.yaml", which', 0),
        ("package/base/kustomization.yaml", 'is "nope.yaml"', 0),
        ("overlay/kustomization.yaml", 'resources names "x.yaml", which', 0),  # twice
    ],
)
def test_the_line_of_what_the_message_quotes(file, text, line):
    assert told(text, file).where.line == line


@pytest.mark.parametrize(
    ("file", "shown"),
    [
        ("web/templates/a.yaml", f"{SHOP}/chart/templates/a.yaml"),
        ("web/charts/db/templates/b.yaml", f"{SHOP}/chart/charts/db/templates/b.yaml"),
        ("web/templates/gone.yaml", "web/templates/gone.yaml"),
    ],
)
@pytest.mark.parametrize("path", ["package/chart", "package/base"])
def test_templates_lie_in_the_charts_folder_whatever_it_is_called(file, shown, path):
    error = TemplateFailed(f"at ({file}:3): x", where=Where(file=file, line=3, column=4))
    job = RenderJob(renderer=Renderer.HELM, files=JOB.files, path=path)
    found = renamed(error, job, {"package": SHOP})
    assert found.where == Where(file=shown, line=3, column=4)
    assert found.detail == f"at ({shown}:3): x"


def test_where_one_stands_needs_no_name():
    found = renamed(BadManifest("", where=Where(file="content/base/x.yaml")), JOB, {"content": "."})
    assert found.where.file == "base/x.yaml"


def test_findings_tell_their_own_places():
    error = Invalid([Finding.of(BadManifest, "package/base/x.yaml")])
    assert renamed(error, JOB, {"package": SHOP}) is error
