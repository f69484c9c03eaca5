"""Cells and jobs: layers in their order, what changes a digest and what does not, files by id."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from distributor.errors.catalog import BadValues, SchemaViolation, TooLarge, UnsafeEntry
from distributor.errors.render import OutsideTree
from distributor.errors.secrets import BrokenCiphertext, SecretMisplaced
from distributor.model.fleet import Tier
from distributor.model.package import Fits, GroupVersionKind, NamespaceSpec, Renderer
from distributor.model.refs import Digest, ObjectId
from distributor.model.rendering import RenderJob
from distributor.render import Cells, cells, job, render_input
from distributor.render import jobs as jobs_module
from distributor.testing.trees import LINK, MemoryTrees

TIERS = {
    "slim": Tier(name="slim", tree=ObjectId("2" * 40), component=True),
    "edge": Tier(name="edge", tree=ObjectId("3" * 40), component=False),
}

FILES = Path(__file__).parents[1] / "adapters" / "sops" / "files"


class Case:
    """One cell's arguments; ``cell`` replaces some of them."""

    def __init__(self, make) -> None:
        self.make = make
        self.parts = {
            "catalog": make.catalog(tiers=TIERS),
            "package": make.package(
                env_components=frozenset({"uat"}),
                tier_components=frozenset({"slim", "central"}),
                defaults={"a": 1},
            ),
            "installation": make.installation(patches=({"patch": "x"},)),
            "files": make.files(overlay=ObjectId("4" * 40)),
            "cluster": make.cluster(),
        }

    def cell(self, **parts: object):
        return render_input(*{**self.parts, **parts}.values())

    def changed(self, part: str, **fields: object):
        return self.cell(**{part: replace(self.parts[part], **fields)})


@pytest.fixture
def case(make) -> Case:
    return Case(make)


def test_layers_stand_in_the_order_of_the_formats(case):
    assert [(layer.label, layer.folder) for layer in case.cell().layers] == [
        ("catalog/shop/1.4.2/base", "package/base"),
        ("catalog/shop/1.4.2/env/uat", "package/env/uat"),
        ("catalog/shop/1.4.2/tier/slim", "package/tier/slim"),
        ("environments/tiers/slim", "tiers/slim"),
        ("environments/uat/overlay", "overlay"),
        ("environments/uat/apps/shop.yaml", ""),
    ]


def test_layers_that_are_not_there_are_left_out(case, make):
    cell = case.cell(
        package=make.package(), installation=make.installation(),
        files=make.files(), cluster=make.cluster(tier="edge"),
    )  # fmt: skip
    assert [layer.folder for layer in cell.layers] == ["package/base"]


def test_what_decides_a_render_changes_the_digest(case, make):
    base = case.cell()
    changed = [
        case.changed("package", digest=Digest("sha256:" + "b" * 64)),
        case.changed("package", tier_components=frozenset()),
        case.changed("files", overlay=None),
        case.changed("files", overlay=ObjectId("5" * 40)),
        case.changed("files", environment=make.environment(defaults={"shop": {"a": 2}})),
        case.changed("files", environment=make.environment(registry="mirror.example.com")),
        case.changed("installation", values={"b": 1}),
        case.changed("installation", patches=()),
        case.changed("installation", patches=({"patch": "y"},)),
        case.changed("installation", namespace="other"),
        case.changed("installation", release_name="other"),
        case.changed("installation", instance="other"),
        case.changed("cluster", kubernetes="1.34"),
        case.changed("cluster", tier="central"),
        case.cell(catalog=make.catalog(tiers={"slim": replace(TIERS["slim"], tree=ObjectId("6" * 40))})),
    ]  # fmt: skip
    assert len({base.digest, *(c.digest for c in changed)}) == len(changed) + 1


def test_what_does_not_decide_it_does_not(case, make):
    base = case.cell()
    same = [
        case.changed("cluster", name="c2", region="us", labels={"x": "y"}, properties={"a": 5}),
        case.changed("files", environment=make.environment(defaults={"web": {"a": 2}})),
        case.changed("installation", count=3, release_name="shop"),
        case.changed("package", notes="new notes are in the digest of the package"),
    ]
    assert {c.digest for c in same} == {base.digest}


def test_equal_layers_share_a_cell_over_environments(case, make):
    prd = make.environment(name="prd")
    plain = {"package": make.package(), "installation": make.installation()}
    here = case.cell(files=make.files(), **plain)
    there = case.cell(files=make.files(prd), **plain)
    assert here.digest == there.digest
    assert here.environment != there.environment


def test_per_cluster_values_make_cells(case, make):
    package = make.package(
        per_cluster=("cluster_name", "zone", "size"), defaults={"size": 1, "k": 1}
    )
    one = case.cell(package=package, cluster=make.cluster(properties={"zone": "z"}))
    two = case.cell(package=package, cluster=make.cluster("c2", properties={"zone": "z"}))
    assert one.per_cluster == {"cluster_name": "c1", "zone": "z", "size": 1}
    assert orjson.loads(one.values) == {"k": 1}
    assert one.digest != two.digest
    shared = make.package(per_cluster=("zone",))
    assert (
        case.cell(package=shared, cluster=make.cluster(properties={"zone": "z"})).digest
        == case.cell(package=shared, cluster=make.cluster("c2", properties={"zone": "z"})).digest
    )


def test_values_are_checked_with_the_clusters_own(case, make):
    schema = {"properties": {"zone": {"enum": ["a"]}}, "required": ["zone"]}
    package = make.package(schema=schema, per_cluster=("zone", "cluster_name"))
    assert case.cell(package=package, cluster=make.cluster(properties={"zone": "a"}))
    for properties in ({"zone": "b"}, {}):
        with pytest.raises(BadValues, match="zone"):
            case.cell(package=package, cluster=make.cluster(properties=properties))


def test_one_clusters_bad_values_are_its_own(make):
    package = make.package(schema={"properties": {"zone": {"enum": ["a"]}}}, per_cluster=("zone",))
    made = Cells(make.catalog(), package, make.installation(), make.files())
    with pytest.raises(BadValues, match="zone"):
        made.of(make.cluster(properties={"zone": "b"}))
    assert made.of(make.cluster("c2", properties={"zone": "a"})).per_cluster == {"zone": "a"}


def test_namespaces(case, make):
    fixed = make.package(namespace=NamespaceSpec(name="shop", fixed=True))
    assert case.cell(package=fixed).namespace == "shop"
    assert case.cell(package=fixed, installation=make.installation(namespace="shop"))
    assert case.cell(installation=make.installation(namespace="mine")).namespace == "mine"
    with pytest.raises(SchemaViolation, match="must run in namespace shop, not mine"):
        case.cell(package=fixed, installation=make.installation(namespace="mine"))


@pytest.mark.parametrize("path", ["..", "base/../..", "/base", "a\\b", "a\0"])
def test_paths_stay_inside(case, make, path):
    with pytest.raises(OutsideTree):
        case.cell(package=make.package(path=path))


@pytest.mark.parametrize(("path", "folder"), [(".", "package"), ("./a//b/", "package/a/b")])
def test_paths_are_shortened(case, make, path, folder):
    assert case.cell(package=make.package(path=path)).layers[0].folder == folder


def test_cells_in_bulk_are_shared_and_quick(make):
    clusters = [
        make.cluster(f"c{n:04}", tier=("slim", "edge")[n % 2], kubernetes=("1.32", "1.33")[n % 4 // 2])
        for n in range(2000)
    ]  # fmt: skip
    catalog, files = make.catalog(tiers=TIERS), make.files()
    package = make.package(defaults={"a": {"b": list(range(50))}}, schema={"type": "object"})
    began = time.process_time()
    for _ in range(50):
        found = cells(catalog, package, make.installation(), files, clusters)
    assert time.process_time() - began < 3.0
    assert len({c.digest for c in found.values()}) == 4
    assert len({id(c) for c in found.values()}) == 4
    for cluster in clusters[:4]:
        alone = render_input(catalog, package, make.installation(), files, cluster)
        assert alone == found[cluster.name]


def test_a_job_holds_the_files_of_every_layer(case, make):
    trees = MemoryTrees()
    tree = trees.add(
        {"package.yaml": b"p", "base/a.yaml": b"a", "env/uat/kustomization.yaml": b"e"}
    )
    overlay = trees.add({"kustomization.yaml": b"o"})
    tier = trees.add({"tier.yaml": b"t", "kustomization.yaml": b"k"})
    package = make.package(tree=tree, env_components=frozenset({"uat"}))
    installation = make.installation(patches=({"patch": "x", "target": {"kind": "Service"}},))
    cell = case.cell(
        catalog=make.catalog(tiers={"slim": replace(TIERS["slim"], tree=tier)}),
        package=package, installation=installation, files=make.files(overlay=overlay),
    )  # fmt: skip
    made = job(cell, package, installation, trees)
    assert made.files == {
        "package/package.yaml": b"p",
        "package/base/a.yaml": b"a",
        "package/env/uat/kustomization.yaml": b"e",
        "tiers/slim/tier.yaml": b"t",
        "tiers/slim/kustomization.yaml": b"k",
        "overlay/kustomization.yaml": b"o",
    }
    assert (made.path, made.layers) == (
        "package/base",
        ("package/env/uat", "tiers/slim", "overlay"),
    )
    assert orjson.loads(made.patches) == [{"patch": "x", "target": {"kind": "Service"}}]
    assert made.chart is None


def test_all_versions_of_an_app_take_turns_as_one(case, make):
    """Whatever its content: else many hanging versions of one app were many packages."""
    trees = MemoryTrees()
    turns = set()
    for number in range(4):
        package = make.package(tree=trees.add({"base/a.yaml": b"%d" % number}))
        cell = case.cell(catalog=make.catalog(), package=package, files=make.files())
        turns.add(job(cell, package, make.installation(), trees).package)
    assert turns == {"shop"}


def test_a_job_shows_encrypted_files_by_placeholders(case, make):
    trees = MemoryTrees()
    cipher = (FILES / "demo.sops.yaml").read_bytes()
    tree = trees.add({"package.yaml": b"p", "base/a.yaml": b"a", "base/db.sops.yaml": cipher})
    package = make.package(tree=tree)
    cell = case.cell(catalog=make.catalog(), package=package, files=make.files())
    made = job(cell, package, make.installation(), trees)
    text = made.files["package/base/db.sops.yaml"].decode()
    assert "ENC[" not in text
    assert len(made.placeholders) == 3
    assert all(one in text for one in made.placeholders)
    # Path and key in the render, not of the version, so that a new version keeps the same objects.
    assert all("sops(package/base/db.sops.yaml#" in one for one in made.placeholders)


def test_a_broken_encrypted_file_is_named_as_in_the_repository(case, make):
    trees = MemoryTrees()
    cipher = (FILES / "all.sops.yaml").read_bytes()
    package = make.package(tree=trees.add({"base/db.sops.yaml": cipher}))
    with pytest.raises(SecretMisplaced) as raised:
        job(case.cell(catalog=make.catalog(), package=package), package, make.installation(), trees)
    assert raised.value.where.file == "catalog/shop/1.4.2/base/db.sops.yaml"


def test_many_hostile_encrypted_files_end_early(case, make):
    """Each of them is small enough; together they would hold everybody up."""
    trees = MemoryTrees()
    text = "sops: {mac: 'ENC[AES256_GCM,'}\nx: [" + "[]," * 12_000 + "]\n"
    tree = trees.add({f"base/{n}.txt": text.encode() for n in range(400)})
    package, files = make.package(tree=tree), make.files()
    cell = case.cell(catalog=make.catalog(), package=package, files=files)
    begin = time.process_time()
    with pytest.raises(BrokenCiphertext, match="100000 values"):
        job(cell, package, make.installation(), trees)
    assert time.process_time() - begin < 5


def test_a_job_for_a_chart(case, make):
    trees = MemoryTrees()
    package = make.package(
        tree=trees.add({"chart/Chart.yaml": b"c"}), renderer=Renderer.HELM, path="chart",
        defaults={"a": {"x": 1}, "b": 2}, per_cluster=("b",),
        fits=Fits(requires_apis=(GroupVersionKind("g.io", "v1", "K"), GroupVersionKind("", "v1", "Pod"))),
    )  # fmt: skip
    installation = make.installation(values={"a": {"y": 2}}, release_name="rel", namespace="ns")
    cell = case.cell(
        catalog=make.catalog(), package=package, installation=installation, files=make.files(),
        cluster=make.cluster(properties={"b": 3}),
    )  # fmt: skip
    chart = job(cell, package, installation, trees).chart
    assert (chart.release_name, chart.namespace, chart.kube_version) == ("rel", "ns", "1.33")
    assert orjson.loads(chart.values) == {"a": {"x": 1, "y": 2}, "b": 3}
    assert chart.api_versions == ("g.io/v1", "v1", "v1/Pod", "g.io/v1/K")


@pytest.mark.parametrize(
    ("values", "wrong"),
    [
        ({"a": 2**53, "b": -(2**53), "c": 2**60, "d": 1.5, "e": True}, []),
        ({"a": 2**53 + 1}, ["spec.values.a is 9007199254740993"]),
        ({"a": {"b": [1, -(2**53) - 1]}, "c": 123456789012345678},
         ["spec.values.a.b[1] is -9007199254740993", "spec.values.c is 123456789012345678"]),
    ],
)  # fmt: skip
def test_a_number_that_a_chart_would_change_is_refused(case, make, values, wrong):
    trees = MemoryTrees()
    package = make.package(
        tree=trees.add({"chart/Chart.yaml": b"c"}), renderer=Renderer.HELM, path="chart"
    )
    installation = make.installation(values=values)
    parts = {"catalog": make.catalog(), "files": make.files(), "cluster": make.cluster()}
    cell = case.cell(package=package, installation=installation, **parts)
    if not wrong:
        assert orjson.loads(job(cell, package, installation, trees).chart.values) == values
        return
    with pytest.raises(BadValues) as caught:
        job(cell, package, installation, trees)
    assert all(line in str(caught.value) for line in wrong)
    assert caught.value.where.file == "environments/uat/apps/shop.yaml"
    assert "quotes" in caught.value.hint


def test_hostile_trees(case, make, monkeypatch):
    trees = MemoryTrees()

    def made(tree: ObjectId) -> RenderJob:
        package = make.package(tree=tree)
        parts = {
            "catalog": make.catalog(),
            "installation": make.installation(),
            "files": make.files(),
        }
        return job(case.cell(package=package, **parts), package, make.installation(), trees)

    with pytest.raises(UnsafeEntry) as caught:
        made(trees.add({"base/link": b"/etc/passwd"}, modes={"base/link": LINK}))
    assert caught.value.where.file == "catalog/shop/1.4.2/base/link"
    with pytest.raises(TooLarge, match="nested"):
        made(trees.add({"a/" * 40 + "x": b""}))
    monkeypatch.setattr(jobs_module, "MAX_FILES", 3)
    with pytest.raises(TooLarge, match="3 files"):
        made(trees.add({f"f{n}": b"" for n in range(4)}))
    monkeypatch.setattr(jobs_module, "MAX_BYTES", 10)
    trees.reads.clear()
    with pytest.raises(TooLarge, match="10 bytes"):
        made(trees.add({"big": b"x" * 11}))
