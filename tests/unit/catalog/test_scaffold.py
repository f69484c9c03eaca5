"""Scaffolds load without findings, and bad names make none."""

from __future__ import annotations

import pytest

from distributor.catalog.scaffold import FIRST_VERSION, new_app, new_cluster, new_version
from distributor.errors import DistributorError
from distributor.errors.catalog import AlreadyExists, MissingFile
from distributor.model.findings import Invalid


def inside(files, folder):
    return {p.removeprefix(folder + "/"): d for p, d in files.items() if p.startswith(folder + "/")}


def test_a_new_app_loads(files, load):
    files.update(new_app("cart-2", owner="team-cart"))
    catalog = load(files)
    assert catalog.findings == ()
    assert catalog.apps["cart-2"].owner == "team-cart"
    assert list(catalog.packages["cart-2"]) == [FIRST_VERSION]


def test_a_new_version_loads_and_keeps_its_comments(files, load):
    folder = "catalog/shop/1.4.2"
    path = f"{folder}/package.yaml"
    files[path] = files[path].replace(b"version: 1.4.2", b'version: "1.4.2"  # since 1.4.2')
    made = new_version("shop", inside(files, folder), "1.5.0-rc.1")
    assert (
        b'  version: "1.5.0-rc.1"  # since 1.4.2\n' in made["catalog/shop/1.5.0-rc.1/package.yaml"]
    )
    assert len(made) == len(inside(files, folder))
    files.update(made)
    catalog = load(files)
    assert catalog.findings == ()
    assert list(catalog.packages["shop"]) == ["1.4.2", "1.5.0-rc.1"]


def test_versions_written_in_one_line(files):
    old = inside(files, "catalog/shop/1.4.2")
    old["package.yaml"] = (
        b"apiVersion: distributor.dev/v1alpha1\nkind: Package\nmetadata: {name: shop}\n"
        b"spec: {appVersion: 1.0.0, version: 1.0.0, renderer: raw, path: base, namespace: {name: x}}\n"
    )
    made = new_version("shop", old, "2.0.0")["catalog/shop/2.0.0/package.yaml"]
    assert b"{appVersion: 1.0.0, version: 2.0.0," in made


def test_a_new_cluster_loads(files, load):
    files.update(new_cluster("two", "sit", "edge", region="north", domain="two.example"))
    files.update(new_cluster("three", "sit", "central", mode="push", kubernetes="1.34"))
    catalog = load(files)
    assert catalog.findings == ()
    assert catalog.environments["sit"].clusters["two"].connection == "sit/two"


def version_of():
    package = b"apiVersion: distributor.dev/v1alpha1\nkind: Package\nmetadata: {name: shop}\nspec:\n  version:\n    1.0.0\n"
    package += b"  renderer: raw\n  path: base\n  namespace: {name: x}\n"
    return {"package.yaml": package}


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (lambda: new_app("Shop"), Invalid), (lambda: new_app("all"), Invalid), (lambda: new_app("../x"), Invalid),
        (lambda: new_app("a", owner="[x"), Invalid), (lambda: new_cluster("A", "sit", "edge"), Invalid),
        (lambda: new_cluster("a", "all", "edge"), Invalid), (lambda: new_cluster("a", "sit", "huge"), Invalid),
        (lambda: new_cluster("a", "sit", "edge", kubernetes="latest"), Invalid), (lambda: new_version("a", {}, "1.0.0"), MissingFile),
        (lambda: new_version("shop", version_of(), "1.0"), Invalid), (lambda: new_version("shop", version_of(), "1.0.0"), AlreadyExists),
        (lambda: new_version("shop", version_of(), "2.0.0"), Invalid), (lambda: new_version("S", version_of(), "2.0.0"), Invalid),
        (lambda: new_version("shop", {"package.yaml": b"["}, "2.0.0"), Invalid),
        (lambda: new_version("shop", {"package.yaml": b"{}"}, "2.0.0"), Invalid),
    ],
)  # fmt: skip
def test_what_is_not_made(make, kind):
    with pytest.raises(kind) as caught:
        make()
    assert isinstance(caught.value, DistributorError)
