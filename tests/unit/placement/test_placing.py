"""Placement: a table of facts and reasons, and the laws that hold for any fleet."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distributor.model.catalog import Catalog, EnvironmentFiles
from distributor.model.fleet import (
    Cluster,
    Environment,
    Installation,
    Mode,
    NodeGroup,
    Selector,
    Taint,
    Toleration,
)
from distributor.model.package import (
    App,
    Fits,
    GroupVersionKind,
    NamespaceSpec,
    Package,
    Renderer,
)
from distributor.model.refs import Digest, ObjectId
from distributor.model.versions import Version, VersionRange
from distributor.placement import Placer, installations, place, selects

MESH = GroupVersionKind("networking.istio.io", "v1", "Gateway")
LINUX = NodeGroup(role="worker", count=2)
WINDOWS = NodeGroup(role="worker", count=1, os="windows")
INSTALL = Installation(app="shop", instance="shop", environment="uat")


def cluster(name: str = "c1", **facts: object) -> Cluster:
    given: dict[str, object] = {
        "environment": "uat",
        "tier": "central",
        "mode": Mode.DIRECTORY,
        "kubernetes": "1.33",
        "region": "eu",
    }
    return Cluster(name=name, **{**given, **facts})


def package(**fits: object) -> Package:
    return Package(
        app="shop",
        version=Version.parse("1.4.2"),
        digest=Digest("sha256:" + "0" * 64),
        tree=ObjectId("1" * 40),
        folder="catalog/shop/1.4.2",
        renderer=Renderer.KUSTOMIZE,
        path="base",
        namespace=NamespaceSpec(name="shop"),
        fits=Fits(**fits),
    )


def fleet(*clusters: Cluster, by_fit: bool = False, **installed: Installation) -> EnvironmentFiles:
    return EnvironmentFiles(
        environment=Environment(name="uat", install_by_fit=by_fit),
        clusters={c.name: c for c in clusters},
        installations=installed,
    )


@pytest.mark.parametrize(
    ("fits", "facts", "reason"),
    [
        ({}, {}, ""),
        ({"tiers": ("central", "slim")}, {}, ""),
        ({"tiers": ("slim", "edge")}, {}, "tier central: the package fits slim or edge"),
        ({"environments": ("prd",)}, {}, "environment uat: the package fits prd"),
        ({"kubernetes": VersionRange.parse(">=1.29 <1.34")}, {}, ""),
        (
            {"kubernetes": VersionRange.parse(">=1.34")},
            {},
            "Kubernetes 1.33: the package fits >=1.34",
        ),
        ({"kubernetes": VersionRange.parse(">=1.33.0 <1.33.1")}, {}, ""),
        (
            {"kubernetes": VersionRange.parse(">=1.29")},
            {"kubernetes": ""},
            "no Kubernetes version declared: the package fits >=1.29",
        ),
        (
            {"kubernetes": VersionRange.parse(">=1.29")},
            {"kubernetes": "newest"},
            "Kubernetes 'newest' is not a version such as 1.33",
        ),
        ({}, {"kubernetes": ""}, ""),
        ({}, {"nodes": (WINDOWS,)}, "no linux nodes"),
        ({"os": ("windows",)}, {"nodes": (LINUX,)}, "no windows nodes"),
        ({"os": ("windows",)}, {"nodes": (LINUX, WINDOWS)}, ""),
        ({"os": ("windows",)}, {"nodes": (replace(WINDOWS, count=0),)}, "no windows nodes"),
        ({"os": ("windows",)}, {}, "no windows nodes"),
        ({"arch": ("amd64",)}, {}, ""),
        ({"arch": ("arm64",)}, {"nodes": (LINUX,)}, "no linux nodes of arm64"),
        (
            {"os": ("windows",), "arch": ("arm64",)},
            {"nodes": (WINDOWS, replace(LINUX, arch="arm64"))},
            "no windows nodes of arm64",
        ),
        ({"capabilities": ("mesh", "gpu")}, {"capabilities": frozenset({"gpu"})}, "lacks mesh"),
        ({"capabilities": ("gpu",)}, {"capabilities": frozenset({"gpu"})}, ""),
        (
            {"requires_apis": (MESH,)},
            {},
            "does not serve networking.istio.io/v1/Gateway",
        ),
        ({"requires_apis": (MESH,)}, {"apis": frozenset({MESH})}, ""),
    ],
)
def test_fit(fits, facts, reason):
    result = place(package(**fits), INSTALL, fleet(cluster(**facts)))
    assert result.left_out == ({"c1": reason} if reason else {})
    assert [t.name for t in result.targets] == ([] if reason else ["c1"])


@pytest.mark.parametrize(
    ("selector", "reason"),
    [
        (Selector(), ""),
        (Selector(tiers=("central",), regions=("eu",), match_labels={"ring": "1"}), ""),
        (Selector(tiers=("edge",)), "not selected: tier central, asked for edge"),
        (Selector(regions=("us", "ap")), "not selected: region eu, asked for us or ap"),
        (Selector(match_labels={"ring": "2"}), "not selected: label ring is 1, asked for 2"),
        (Selector(match_labels={"site": "a"}), "not selected: label site is unset, asked for a"),
    ],
)
def test_selectors(selector, reason):
    one = cluster(labels={"ring": "1"})
    assert selects(selector, one) is (reason == "")
    result = place(package(), replace(INSTALL, selector=selector), fleet(one))
    assert result.left_out.get("c1", "") == reason


@pytest.mark.parametrize(
    ("taint", "toleration", "placed"),
    [
        (Taint(key="lab"), None, False),
        (Taint(key="lab"), Toleration(key="lab"), True),
        (Taint(key="lab"), Toleration(key="other"), False),
        (Taint(key="lab", value="a"), Toleration(key="lab", value="b"), False),
        (Taint(key="lab", value="a"), Toleration(key="lab", value="a"), True),
        (Taint(key="lab"), Toleration(key="lab", effect="PreferNoSelect"), False),
        (Taint(key="lab", effect="PreferNoSelect"), None, True),
        (Taint(key="lab", effect="NoSelectIfNew"), None, True),
    ],
)
def test_taints(taint, toleration, placed):
    asked = replace(INSTALL, tolerations=(toleration,) if toleration else ())
    result = place(package(), asked, fleet(cluster(taints=(taint,))))
    assert bool(result.targets) is placed
    assert placed or result.left_out == {"c1": "taint lab is not tolerated"}


def test_a_taint_for_new_ones_spares_those_that_are_there():
    taints = (Taint(key="draining", effect="NoSelectIfNew"),)
    files = fleet(cluster("a", taints=taints), cluster("b", taints=taints), cluster("c"))
    result = place(package(), INSTALL, files, present=frozenset({"a"}))
    assert [t.name for t in result.targets] == ["a", "c"]
    assert result.left_out == {"b": "taint draining keeps new instances off"}


def test_count_takes_by_name_and_avoids_where_it_can():
    avoid = (Taint(key="old", effect="PreferNoSelect"),)
    files = fleet(cluster("d"), cluster("a", taints=avoid), cluster("b"), cluster("c"))
    result = place(package(), replace(INSTALL, count=2), files)
    assert [t.name for t in result.targets] == ["b", "c"]
    assert result.left_out == {"a": "count 2 is reached", "d": "count 2 is reached"}
    assert [t.name for t in place(package(), replace(INSTALL, count=9), files).targets] == [*"abcd"]


def test_installations_explicit_only():
    files = fleet(cluster(), shop=INSTALL)
    catalog = Catalog(
        root=ObjectId("0" * 40),
        apps={n: App(name=n, summary="", owner="", display_name={}) for n in ("shop", "web")},
        environments={"uat": files},
    )
    assert list(installations(catalog, "uat")) == ["shop"]
    assert installations(catalog, "nowhere") == {}


def test_installations_by_fit_fill_in_what_is_not_installed():
    blue = replace(INSTALL, instance="shop-blue")
    taken = replace(INSTALL, app="other", instance="docs")
    files = fleet(cluster(), by_fit=True, **{"shop-blue": blue, "docs": taken})
    apps = {n: App(name=n, summary="", owner="", display_name={}) for n in ("web", "shop", "docs")}
    catalog = Catalog(root=ObjectId("0" * 40), apps=apps, environments={"uat": files})
    found = installations(catalog, "uat")
    assert list(found) == ["docs", "shop-blue", "web"]
    assert found["docs"].app == "other"
    assert found["web"] == Installation(app="web", instance="web", environment="uat", implicit=True)


LABELS = st.dictionaries(st.sampled_from("xyz"), st.sampled_from("12"), max_size=2)
CLUSTERS = st.builds(
    cluster,
    name=st.from_regex(r"[a-z]{1,6}", fullmatch=True),
    tier=st.sampled_from(("central", "slim", "edge")),
    region=st.sampled_from(("", "eu", "us")),
    kubernetes=st.sampled_from(("", "1.28", "1.33")),
    labels=LABELS,
    taints=st.lists(
        st.builds(
            Taint,
            key=st.sampled_from("xy"),
            effect=st.sampled_from(("NoSelect", "NoSelectIfNew", "PreferNoSelect")),
        ),
        max_size=2,
    ).map(tuple),
)


@settings(deadline=None)
@given(
    clusters=st.lists(CLUSTERS, max_size=12, unique_by=lambda c: c.name),
    tiers=st.sets(st.sampled_from(("central", "slim", "edge"))),
    labels=LABELS,
    count=st.integers(0, 5),
)
def test_every_cluster_is_a_target_or_has_a_reason(clusters, tiers, labels, count):
    selector = Selector(match_labels=labels)
    asked = replace(INSTALL, selector=selector, count=count)
    wanted = package(tiers=tuple(sorted(tiers)), kubernetes=VersionRange.parse(">=1.29"))
    result = place(wanted, asked, fleet(*clusters))
    names = [t.name for t in result.targets]
    assert names == sorted(names)
    assert list(result.left_out) == sorted(result.left_out)
    assert all(result.left_out.values())
    assert sorted([*names, *result.left_out]) == sorted(c.name for c in clusters)
    assert not count or len(names) <= count
    for target in result.targets:
        assert selects(selector, target.cluster)
        assert not tiers or target.cluster.tier in tiers
    # One by one gives what all together give: groups of equal facts change no answer.
    if not count:
        alone = {c.name: place(wanted, asked, fleet(c)).left_out.get(c.name, "") for c in clusters}
        assert alone == {c.name: result.left_out.get(c.name, "") for c in clusters}


def test_fifty_packages_over_two_thousand_clusters_are_quick():
    clusters = [
        cluster(f"c{n:04}", tier=("central", "slim", "edge")[n % 3], labels={"ring": str(n % 9)})
        for n in range(2000)
    ]
    files = fleet(*clusters)
    began = time.process_time()
    placer = Placer(files)
    placed = sum(
        len(placer.place(package(tiers=("central", "edge")), INSTALL).targets) for _ in range(50)
    )
    assert placed == 50 * 1333
    assert time.process_time() - began < 1.5
