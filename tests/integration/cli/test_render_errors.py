"""What a person is told where something does not render: their own file, the line, what to do."""

from __future__ import annotations

import pytest

SHOP = "catalog/shop/1.5.0"
COMPONENT = "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n"
OVERLAY = "environments/prd/overlay/kustomization.yaml"
BROKEN = {
    "YAML": (f"{SHOP}/base/ads.yaml", b"a: [", "DST308", 0, "Mend the YAML"),
    "twice": (f"{SHOP}/base/ads.yaml", b"a: 1\na: 2\n", "DST308", 2, "Remove one of the two"),
    "NUL": (f"{SHOP}/base/ads.yaml", b"a: \0", "DST308", 0, "UTF-8 text"),
    "not UTF-8": (f"{SHOP}/base/ads.yaml", b"a: \xff", "DST308", 0, "Save the file as UTF-8"),
    "field": (f"{SHOP}/base/kustomization.yaml", b"resorces: []", "DST301", 1, ""),
    "missing": (OVERLAY, f"{COMPONENT}patches: [{{path: no.yaml}}]".encode(), "DST301", 3, ""),
    "outside": (OVERLAY, f"{COMPONENT}resources: [../../no.yaml]".encode(), "DST303", 3, ""),
}


@pytest.mark.parametrize("name", BROKEN)
def test_the_file_of_the_repository_is_named(quick, repository, name):
    file, content, code, line, remedy = BROKEN[name]
    (repository / file).write_bytes(content)
    *_, error, told = quick("render", SHOP, "--env", "prd", code=1).err.splitlines()
    assert error.startswith(f"{code} {file}:{line}: " if line else f"{code} {file}")
    assert remedy in told
    assert "'package/" not in error


def test_the_overlay_is_named_where_kustomize_names_the_base(quick, repository):
    patch = '[{"op": "replace", "path": "/spec/nope/x", "value": 1}]'
    target = "{kind: Deployment}"
    (repository / OVERLAY).write_text(
        f"{COMPONENT}patches:\n  - target: {target}\n    patch: '{patch}'\n"
    )
    refused = quick("render", SHOP, "--env", "prd", code=1).err
    assert "DST301 environments/prd/overlay: " in refused
    assert "path 'environments/prd/overlay'" in refused


@pytest.mark.parametrize(
    ("arguments", "shown"), [(["over"], "base/x.yaml"), (["."], "../base/x.yaml")]
)
def test_the_file_of_a_base_beside_the_overlay_is_named(quick, program, arguments, shown):
    for folder, resource in (("base", "x.yaml"), ("over", "../base")):
        (program.cwd / folder).mkdir()
        text = f"resources: [{resource}]\n"
        (program.cwd / folder / "kustomization.yaml").write_text(text)
    (program.cwd / "base/x.yaml").write_text("a: 1\na: 2\n")
    if arguments == ["."]:
        program.cwd /= "over"
    assert quick("render", *arguments, code=1).err.startswith(f"DST308 {shown}:2: ")


def test_templates_and_single_files_are_named(quick, program):
    chart = program.cwd / "folder"
    (chart / "templates").mkdir(parents=True)
    (chart / "Chart.yaml").write_text("apiVersion: v2\nname: web\nversion: 1.0.0\n")
    (chart / "templates/a.yaml").write_text('a: 1\nb: {{ fail "no" }}\n')
    assert quick("render", "folder", code=1).err.startswith("DST306 folder/templates/a.yaml:2:")
    (program.cwd / "one.txt").write_text("a: 1\n---\na: 2\na: 3\n")
    assert quick("render", "one.txt", code=1).err.startswith("DST308 one.txt:1: ")


CLUSTER = "environments/prd/clusters/prd-slim-hamburg.yaml"


@pytest.mark.parametrize(
    ("file", "old", "new", "told"),
    [
        (CLUSTER, "spec:", "spec: [", "DST101"),
        (CLUSTER, "spec:", "spec:\n  registry: reg:99999", "DST103"),
        (CLUSTER, "spec:", "spec:\n  registry: reg:0", "DST103"),
        ("environments/prd/environment.yaml", "spec:", "spec: [", "DST101"),
        ("environments/prd/overlay/kustomization.yaml", "patches:", "patches: [", "DST101"),
    ],
)
def test_a_broken_file_is_not_taken_for_a_cluster_that_is_not_there(
    quick, repository, file, old, new, told
):
    path = repository / file
    path.write_text(path.read_text().replace(old, new, 1))
    for more in ((), ("--env", "prd")):
        refused = quick("render", SHOP, "--cluster", "prd-slim-hamburg", *more, code=1).err
        assert f"{told} {file}:" in refused
        assert "DST707" not in refused
    if "registry" in new:
        assert "spec.registry" in refused
        assert "1 to 65535" in refused
    assert "DST707" in quick("render", SHOP, "--cluster", "nope", "--env", "uat", code=2).err


def test_a_registry_may_have_any_port_there_is(quick, repository):
    path = repository / CLUSTER
    for port in ("1", "443", "5000", "65535"):
        text = path.read_text().partition("spec:")
        path.write_text(f"{text[0]}spec:\n  registry: reg.example:{port}/mirror{text[2]}")
        quick("render", SHOP, "--cluster", "prd-slim-hamburg", code=0)
        path.write_text("".join(text))


def test_an_empty_folder_has_nothing_to_render(quick, program):
    (program.cwd / "empty").mkdir()
    refused = quick("render", "empty", code=1).err
    assert refused.startswith("DST305 empty: ")
    assert "package.yaml" not in refused
    assert "Name a folder with a kustomization" in refused
