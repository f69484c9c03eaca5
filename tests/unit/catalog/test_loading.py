"""The loader: nouns, findings with their lines, and nothing read twice."""

from __future__ import annotations

import json

import pytest

from distributor.catalog.digests import package_digest
from distributor.catalog.loading import Loader
from distributor.model.findings import Severity, errors
from distributor.model.fleet import DriftMode, Flavour, Mode, StandbyMode, Toleration
from distributor.model.hooks import Moment
from distributor.model.package import GroupVersionKind, PrunePolicy
from distributor.model.refs import GroupKind, ObjectId
from distributor.testing.trees import LINK, SUBMODULE, MemoryTrees

PACKAGE = "catalog/shop/1.4.2/package.yaml"
CLUSTER = "environments/sit/clusters/one.yaml"
PIPELINE = "environments/pipeline.yaml"


def test_a_sound_repository_has_no_findings(files, load):
    catalog = load(files)
    assert catalog.findings == ()
    assert set(catalog.apps) == {"shop"}
    assert set(catalog.environments) == {"sit", "uat"}
    assert set(catalog.tiers) == {"central", "edge"}
    assert catalog.tiers["edge"].component
    assert not catalog.tiers["central"].component
    assert catalog.pipeline is not None
    assert catalog.pipeline.names == ("sit", "uat")


def test_packages(files):
    trees = MemoryTrees()
    package = Loader(trees).load(trees.add(files)).packages["shop"]["1.4.2"]
    assert str(package) == "shop 1.4.2"
    assert package.folder == "catalog/shop/1.4.2"
    assert package.digest == package_digest(trees, package.tree)
    assert package.fits.requires[0].range.text == ">=1.0.0"
    assert package.values.schema["required"] == ["host"]
    assert package.values.defaults == {"replicas": 2}
    assert package.delivery.timeout == 300
    assert package.delivery.prune == {
        GroupKind("", "PersistentVolumeClaim"): PrunePolicy.KEEP,
        GroupKind("apps", "StatefulSet"): PrunePolicy.CONFIRM,
    }
    assert package.delivery.depends_on == {
        "apps/Deployment/shop/cart": ("Service/shop/redis", "Service/shop/queue")
    }
    assert [(str(h.ref), h.moment, h.timeout) for h in package.delivery.hooks] == [
        ("batch/Job/shop/migrate", Moment.PRE, 90.0),
        ("batch/Job/shop/warm", Moment.POST, None),
    ]
    assert package.env_components == {"uat"}
    assert package.tier_components == {"edge"}


def test_environments_and_clusters(files, load):
    catalog = load(files)
    sit, uat = catalog.environments["sit"], catalog.environments["uat"]
    assert sit.environment.install_by_fit
    assert not sit.environment.signatures_required
    assert sit.environment.rollout.min_ready == 90
    assert sit.environment.rollout.max_unavailable == "10%"
    assert sit.environment.rollout.waves[0].percent == 20
    assert sit.overlay is None
    one = sit.clusters["one"]
    assert (one.mode, one.flavour, one.connection) == (Mode.DIRECTORY, Flavour.K3S, "sit/one")
    assert one.apis == {GroupVersionKind("networking.istio.io", "v1", "Gateway")}
    assert one.nodes[0].os == "windows"
    assert uat.overlay is not None
    assert uat.environment.signatures_required
    assert uat.environment.standby_mode is StandbyMode.WITH
    shop = uat.installations["shop"]
    assert (shop.count, shop.pin, shop.values) == (2, "1.4.2", {"replicas": 5})
    assert shop.tolerations == (Toleration(key="site"),)


BROKEN = [
    # what is wrong, file, replaced, by, code, line, part of the message
    ("unknown field", PACKAGE, "  path:", "  pathh: x\n  path:", "DST102", 8, "mean `path`"),
    ("unknown inner field", CLUSTER, "mode: directory", "mode: directory\n    modee: push",
     "DST102", 17, "mean `mode`"),
    ("duplicate key", PACKAGE, "  path: base", "  path: base\n  path: base", "DST104", 9, "path"),
    ("bad enum", PACKAGE, "kustomize", "kustomise", "DST103", 7, "kustomise"),
    ("bad version in the document", PACKAGE, "version: 1.4.2", "version: '1.4'", "DST103", 6, "1.4"),
    ("another version", PACKAGE, "version: 1.4.2", "version: 1.4.3", "DST106", 6, "1.4.3"),
    ("another name", CLUSTER, "name: one", "name: two", "DST106", 4, "two"),
    ("newer format", CLUSTER, "v1alpha1", "v9", "DST116", 1, "v9"),
    ("another format", CLUSTER, "distributor.dev/v1alpha1", "v1", "DST103", 1, "v1"),
    ("another kind", CLUSTER, "kind: Cluster", "kind: App", "DST103", 2, "App"),
    ("defaults that misfit", PACKAGE, "replicas: 2", "replicas: two", "DST114", 19, "replicas"),
    ("defaults that are unknown", PACKAGE, "replicas: 2", "replica: 2", "DST114", 19, "mean `replicas`"),
    ("content elsewhere", PACKAGE, "path: base", "path: chart", "DST107", 0, "kustomize"),
    ("a schema that is not there", PACKAGE, "values.schema", "v.schema", "DST107", 17, "v.schema"),
    ("bind names a variable twice", PACKAGE, "type: integer}",
     "type: integer}\n      - {name: replicas, type: string}", "DST104", 22, "replicas"),
    ("a path that escapes", PACKAGE, "path: base", "path: ../base", "DST103", 8, "../base"),
    ("an unknown tier", CLUSTER, "tier: edge", "tier: slim", "DST111", 6, "slim"),
    ("an app that does not exist", "environments/uat/apps/shop.yaml", "app: shop", "app: shup",
     "DST111", 6, "shup"),
    ("a pin to no version", "environments/uat/apps/shop.yaml", "version: 1.4.2", "version: 9.9.9",
     "DST111", 14, "9.9.9"),
    ("a standby for nobody", "environments/uat/environment.yaml", "standbyFor: sit",
     "standbyFor: pre", "DST111", 10, "pre"),
    ("a wave of an unknown tier", "environments/sit/environment.yaml", "[edge]", "[slim]",
     "DST111", 10, "slim"),
    ("an unknown environment", PIPELINE, "name: sit", "name: six", "DST111", 7, "six"),
    ("an unknown predecessor", PIPELINE, "after: [sit]", "after: [pre]", "DST111", 8, "pre"),
    ("a circle", PIPELINE, "- name: sit", "- {name: sit, after: [uat]}", "DST110", 6, "sit"),
    ("itself as predecessor", PIPELINE, "after: [sit]", "after: [uat]", "DST110", 6, "uat -> uat"),
    ("an environment listed twice", PIPELINE, "- name: sit", "- name: sit\n    - {name: sit, require: any}",
     "DST104", 8, "twice"),
    ("a Component that is none", "environments/uat/overlay/kustomization.yaml", "Component",
     "Kustomization", "DST103", 1, "Component"),
    ("a mapping is needed", CLUSTER, "", "", "DST103", 1, "mapping"),
]  # fmt: skip


@pytest.mark.parametrize("fault", [b[1:] for b in BROKEN], ids=[b[0] for b in BROKEN])
def test_each_fault_is_found_with_its_line(files, load, fault):
    file, old, new, code, line, message = fault
    text = files[file].decode()
    assert old in text
    files[file] = (text.replace(old, new, 1) if old else "[]").encode()
    found = [f for f in load(files).findings if f.code == code]
    assert found, load(files).findings
    assert found[0].where.line == line, found
    assert any(message in f.message or message in f.where.file for f in found), found
    assert found[0].remedy


def test_all_findings_come_at_once(files, load):
    files[CLUSTER] = files[CLUSTER].replace(b"tier: edge", b"tear: edge").replace(b"k3s", b"k9s")
    files[PACKAGE] = files[PACKAGE].replace(b"path: base", b"path: none\n  bogus: 1")
    codes = [(f.where.file, f.code) for f in load(files).findings]
    assert codes.count((CLUSTER, "DST102")) == 1
    assert codes.count((CLUSTER, "DST103")) == 2  # tier is missing, and the flavour is none
    assert (PACKAGE, "DST102") in codes


def test_what_is_broken_is_left_out_and_its_neighbours_stay(files, load):
    files["environments/sit/clusters/two.yaml"] = files[CLUSTER]  # its name is that of another
    files["catalog/shop/1.4.3/package.yaml"] = b"kind: [\n"
    catalog = load(files)
    assert set(catalog.environments["sit"].clusters) == {"one"}
    assert set(catalog.packages["shop"]) == {"1.4.2"}
    assert {f.where.file for f in catalog.findings} == {
        "environments/sit/clusters/two.yaml",
        "catalog/shop/1.4.3/package.yaml",
    }


def test_an_environment_with_a_broken_overlay_is_left_out(files, load):
    files["environments/uat/overlay/kustomization.yaml"] = b"kind: [\n"
    catalog = load(files)
    assert set(catalog.environments) == {"sit"}
    assert {f.where.file for f in catalog.findings} == {
        "environments/uat/overlay/kustomization.yaml"
    }


def test_environments_with_clusters_of_a_broken_tier_are_left_out(files, load):
    files["environments/tiers/edge/kustomization.yaml"] = b"kind: Kustomization\n"
    catalog = load(files)
    assert set(catalog.tiers) == {"central"}
    assert set(catalog.environments) == {"uat"}
    assert [f.where.file for f in catalog.findings] == [
        "environments/tiers/edge/kustomization.yaml"
    ]


def test_the_part_that_a_verdict_pins_reads_back(files, load):
    """What it does not hold (other tiers, environments, versions) keeps nothing out."""
    gone = ("catalog/shop/1.4.2/", "environments/sit/", "environments/tiers/central/", PIPELINE)
    new = "catalog/shop/1.4.3/"
    pinned = {p: d for p, d in files.items() if not p.startswith(gone)}
    for path in [p for p in files if p.startswith(gone[0])]:
        pinned[path.replace(gone[0], new)] = files[path].replace(b"1.4.2", b"1.4.3")
    pinned["environments/uat/environment.yaml"] += (
        b"  rollout:\n    waves:\n      - {name: a, selector: {tiers: [slim]}}\n"
    )
    catalog = load(pinned)
    assert [f.where.file for f in catalog.findings] == [PIPELINE]
    assert set(catalog.environments["uat"].installations) == {"shop"}
    assert set(catalog.packages["shop"]) == {"1.4.3"}


def test_a_broken_app_is_no_unknown_app(files, load):
    files["catalog/shop/app.yaml"] = b"nonsense"
    catalog = load(files)
    assert {f.where.file for f in catalog.findings} == {"catalog/shop/app.yaml"}
    assert "shop" in catalog.environments["uat"].installations


@pytest.mark.parametrize(
    ("folder", "code"),
    [
        ("1.4", "DST105"), ("v1.4.2", "DST105"), ("1.4.2-RC1", "DST105"), ("01.4.2", "DST105"),
        ("base", "DST105"), ("1.4.2-a.lock", "DST113"), ("1.0.0-" + "a" * 200, "DST113"),
    ],
)  # fmt: skip
def test_versions_that_cannot_be(files, load, folder, code):
    files[f"catalog/shop/{folder}/package.yaml"] = files[PACKAGE]
    found = load(files).findings
    assert [(f.code, f.where.file) for f in found] == [(code, f"catalog/shop/{folder}")]


@pytest.mark.parametrize("name", ["Shop", "all", "a_b", "-a", "a" * 64])
def test_names_that_cannot_be(files, load, name):
    files[f"catalog/{name}/app.yaml"] = files["catalog/shop/app.yaml"]
    catalog = load(files)
    assert "DST115" in {f.code for f in catalog.findings}
    assert set(catalog.apps) == {"shop"}


def test_environments_that_the_pipeline_does_not_list_are_left_out(files, load):
    for path in [p for p in files if p.startswith("environments/sit/")]:
        text = files[path].replace(b"name: sit", b"name: pre")
        files[path.replace("/sit/", "/pre/")] = text
    catalog = load(files)
    assert [f.code for f in catalog.findings] == ["DST111"]
    assert set(catalog.environments) == {"sit", "uat"}


@pytest.mark.parametrize(
    "path", ["catalog/shop/app.yaml", PACKAGE, PIPELINE, "environments/sit/environment.yaml",
             "environments/tiers/edge/tier.yaml", "catalog/shop/1.4.2/base/kustomization.yaml"]
)  # fmt: skip
def test_missing_files(files, load, path):
    del files[path]
    found = [f for f in load(files).findings if f.code == "DST107"]
    assert [f.where.file for f in found] == [path]


def test_strays_among_the_clusters_are_not_ignored(files, load):
    files["environments/sit/clusters/two.yml"] = b""
    files["environments/sit/clusters/group/three.yaml"] = b""
    files["environments/sit/clusters/README.md"] = b""
    found = [(f.code, f.where.file) for f in load(files).findings]
    assert found == [
        ("DST106", "environments/sit/clusters/group"),
        ("DST106", "environments/sit/clusters/two.yml"),
    ]


@pytest.mark.parametrize(
    ("path", "mode", "data"),
    [
        ("catalog/shop/1.4.2/base/link.yaml", LINK, b"../../../../etc/passwd"),
        ("catalog/shop/1.4.2/module", SUBMODULE, b"1" * 40),
        ("catalog/shop/1.5.0", LINK, b"1.4.2"),
        ("catalog/shop/app.yaml", LINK, b"x"),
        ("catalog/other", SUBMODULE, b"1" * 40),
        ("environments/sit/clusters/two.yaml", LINK, b"one.yaml"),
        ("environments/tiers/edge/link", LINK, b"x"),
        ("environments/uat/overlay/link", LINK, b"x"),
    ],
)
def test_links_and_submodules_are_refused(files, load, path, mode, data):
    files[path] = data
    found = load(files, modes={path: mode}).findings
    assert ("DST109", path) in {(f.code, f.where.file) for f in found}


def test_lfs_pointers_are_refused_wherever_they_are(files, load):
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n"
    files["catalog/shop/1.4.2/base/cart.yaml"] = pointer
    files[CLUSTER] = pointer
    found = [(f.code, f.where.file) for f in load(files).findings]
    assert found == [("DST109", "catalog/shop/1.4.2/base/cart.yaml"), ("DST109", CLUSTER)]


def test_a_large_descriptor_is_refused_unread(files):
    trees = MemoryTrees()
    files[CLUSTER] = b"#" * (1 << 20) + b"\n"
    root = trees.add(files)
    loader = Loader(trees)
    found = [(f.code, f.where.file) for f in loader.load(root).findings]
    assert found == [("DST112", CLUSTER)]


def test_a_fifty_megabyte_package_is_refused_unread(files):
    class Sizes(MemoryTrees):
        def size(self, blob: ObjectId) -> int:
            return 50 << 20 if super().size(blob) == 7 else super().size(blob)

    trees = Sizes()
    files["catalog/shop/1.4.2/a.bin"] = b"content"
    files["catalog/shop/1.4.2/b.bin"] = b"contens"
    found = Loader(trees).load(trees.add(files)).findings
    assert [(f.code, f.where.file) for f in found] == [("DST112", "catalog/shop/1.4.2")]


def test_neither_catalog_nor_environments(load):
    assert [f.code for f in load({"README.md": b""}).findings] == ["DST117"]
    assert "DST109" in {f.code for f in load({"catalog": b"a file"}).findings}


def test_a_catalog_alone_says_nothing_about_environments(files, load):
    only = {path: data for path, data in files.items() if path.startswith("catalog/")}
    assert load(only).findings == ()
    rest = {path: data for path, data in files.items() if path.startswith("environments/")}
    assert load(rest).findings == ()


def test_names_that_may_lie_elsewhere_are_warnings(files, load):
    files[PACKAGE] = (
        files[PACKAGE]
        .replace(b"{app: shop,", b"{app: mesh,")
        .replace(b"tiers: [central, edge]", b"environments: [prd]")
    )
    catalog = load(files)
    assert {f.severity for f in catalog.findings} == {Severity.WARNING}
    assert len(catalog.findings) == 2
    assert "1.4.2" in catalog.packages["shop"]


@pytest.mark.parametrize(
    ("schema", "code"),
    [
        (b"{", "DST103"), (b"[]", "DST103"), (b'{"type": "strin"}', "DST103"),
        (b'{"$ref": "http://127.0.0.1:9/x.json"}', "DST103"), (b"[" * 100_000, "DST103"),
        (b'{"$ref": "file:///etc/passwd"}', "DST103"), (b'{"pattern": "("}', "DST103"),
        (b" " * (1 << 20) + b"{}", "DST112"),
    ],
)  # fmt: skip
def test_bad_value_schemas(files, load, schema, code):
    files["catalog/shop/1.4.2/values.schema.json"] = schema
    found = load(files).findings
    assert code in {f.code for f in found}
    assert {f.where.file for f in found} <= {"catalog/shop/1.4.2/values.schema.json", PACKAGE}


def test_inline_schemas_and_other_renderers(files, load):
    text = files[PACKAGE].decode().replace("schema: values.schema.json", "schema: {type: object}")
    files[PACKAGE] = text.replace("kustomize", "helm").replace("path: base", "path: chart").encode()
    files["catalog/shop/1.4.2/chart/Chart.yaml"] = b"name: shop\n"
    assert load(files).findings == ()
    files[PACKAGE] = files[PACKAGE].replace(b"helm", b"raw").replace(b"path: chart", b"path: base")
    assert load(files).findings == ()


def test_an_unchanged_tree_is_not_read_again(files):
    trees = MemoryTrees()
    loader = Loader(trees)
    root = trees.add(files)
    first = loader.load(root)
    loader.policies(root)
    trees.reads.clear()
    assert loader.load(root) is first
    loader.policies(root)
    assert not trees.reads


def test_only_what_changed_is_read(files):
    trees = MemoryTrees()
    loader = Loader(trees)
    for number in range(50):
        name = f"c{number}"
        files[f"environments/sit/clusters/{name}.yaml"] = files[CLUSTER].replace(
            b"name: one", b"name: " + name.encode()
        )
    loader.load(trees.add(files))
    files[CLUSTER] = files[CLUSTER].replace(b"1.33", b"1.34")
    root = trees.add(files)
    trees.reads.clear()
    catalog = loader.load(root)
    assert catalog.root == root
    assert catalog.environments["sit"].clusters["one"].kubernetes == "1.34"
    assert trees.reads["blob"] <= 6  # the cluster twice, environment.yaml, pipeline.yaml
    files["policies/README.md"] = b"only here"
    root = trees.add(files)
    trees.reads.clear()
    assert loader.load(root).root == root
    assert trees.reads["blob"] == 0


def test_two_thousand_clusters(files, load):
    text = files[CLUSTER].decode()
    for number in range(2_000):
        name = f"c{number}"
        path = f"environments/sit/clusters/{name}.yaml"
        files[path] = text.replace("name: one", f"name: {name}").encode()
    schema = json.dumps({"type": "object"})
    for number in range(50):
        for path in [p for p in files if p.startswith("catalog/shop/1.4.2/")]:
            data = files[path].replace(b"1.4.2", f"2.{number}.0".encode())
            files[path.replace("1.4.2", f"2.{number}.0")] = data
        files[f"catalog/shop/2.{number}.0/values.schema.json"] = schema.encode()
    catalog = load(files)
    assert catalog.findings == ()
    assert len(catalog.environments["sit"].clusters) == 2_001
    assert len(catalog.packages["shop"]) == 51
    assert list(catalog.packages["shop"])[:2] == ["1.4.2", "2.0.0"]


def test_the_account_of_an_installation(files, load):
    file = "environments/uat/apps/shop.yaml"
    catalog = load({**files, file: files[file] + b"  serviceAccount: team-a/robot.v1\n"})
    assert errors(catalog.findings) == ()
    assert catalog.environments["uat"].installations["shop"].service_account == "team-a/robot.v1"


@pytest.mark.parametrize(
    "account",
    ["robot", "a/b/c", "/robot", "team-a/", "Team/robot", "a/..", '"a/b\\r\\nImpersonate-Group: x"',
     '"a/b\\n"', "a/b:c", f"{'n' * 64}/a", f"a/{'n' * 300}"],
)  # fmt: skip
def test_an_account_that_is_none_is_refused(files, load, account):
    file = "environments/uat/apps/shop.yaml"
    line = f"  serviceAccount: {account}\n".encode()
    found = errors(load({**files, file: files[file] + line}).findings)
    assert found, account
    assert "serviceAccount" in str(found[0]) or "serviceAccount" in found[0].where.field


def test_drift_modes_and_ignore_rules(files, load):
    installation = "environments/uat/apps/shop.yaml"
    rule = "{group: apps, kind: Deployment, managers: [scaler], fields: [/spec/replicas]}"
    more = {
        "environments/sit/environment.yaml": "  defaults: {drift: report}\n",
        installation: "  drift: pause\n",
    }
    texts = {path: files[path] + line.encode() for path, line in more.items()}
    delivery = f"  delivery:\n    ignore: [{rule}]\n".encode()
    texts[PACKAGE] = files[PACKAGE].replace(b"  delivery:\n", delivery)
    catalog = load({**files, **texts})
    assert errors(catalog.findings) == ()
    assert catalog.environments["sit"].environment.drift is DriftMode.REPORT
    assert catalog.environments["uat"].environment.drift is DriftMode.HEAL
    assert catalog.environments["uat"].installations["shop"].drift is DriftMode.PAUSE
    (found,) = catalog.packages["shop"]["1.4.2"].delivery.ignore
    assert str(found.kind) == "apps/Deployment"
    assert (found.fields, found.managers) == (("/spec/replicas",), ("scaler",))


@pytest.mark.parametrize(
    "rule",
    [
        "{kind: Deployment}",
        "{kind: Deployment, fields: [spec]}",
        "{kind: Deployment, fields: [/metadata/name]}",
        "{kind: Deployment, fields: [/kind]}",
        "{kind: Deployment, managers: []}",
        "{fields: [/spec]}",
    ],
)
def test_ignore_rules_that_are_none(files, load, rule):
    text = files[PACKAGE].replace(b"  delivery:\n", f"  delivery:\n    ignore: [{rule}]\n".encode())
    found = errors(load({**files, PACKAGE: text}).findings)
    assert found
    assert all(f.where.field.startswith("spec.delivery.ignore") for f in found)
