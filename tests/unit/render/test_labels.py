"""The recommended labels: what is added, what stays the author's, and that no selector notices."""

from __future__ import annotations

import orjson
import pytest

from distributor.errors.render import BadManifest
from distributor.render import finish
from distributor.render.labels import APP, COMPONENT, INSTANCE, MANAGED_BY, NAME, VERSION, Labels
from distributor.render.pods import containers
from tests.unit.render.test_finishing import cell

TOPOLOGY = {
    "components": [
        {"name": "cart", "kind": "service", "objects": ["apps/Deployment/shop/cart"]},
        {"name": "store", "kind": "database"},
    ]
}


def thing(kind="ConfigMap", name="a", version="v1", labels=None, **parts):
    metadata = {"name": name} if labels is None else {"name": name, "labels": labels}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **parts}


def deployment(*images, name="cart", labels=None, **spec):
    pod = {"containers": [{"name": f"c{n}", "image": i} for n, i in enumerate(images)]}
    spec = {"selector": {"matchLabels": {NAME: "cart"}}, "template": {"spec": pod}, **spec}
    return thing("Deployment", name, "apps/v1", labels, spec=spec)


def added(make, data, *others, topology=TOPOLOGY, instance="shop-2"):
    """The labels of ours that an object ends up with, by their last part."""
    Labels(make.package(topology=topology), instance, [data, *others]).put(data)
    labels = data["metadata"]["labels"]
    return {k.rpartition("/")[2]: v for k, v in labels.items() if k.startswith("app.kubernetes")}


OURS = {"managed-by": "distributor", "instance": "shop-2", "part-of": "shop", "name": "shop"}


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (thing(), OURS),
        (thing(labels={NAME: "mine", APP: "suite", COMPONENT: "cache", VERSION: "7"}),
         {**OURS, "name": "mine", "part-of": "suite", "component": "cache", "version": "7"}),
        (thing(labels={NAME: "", MANAGED_BY: "Helm"}), OURS),
        (deployment("acme/cart:1.2"), {**OURS, "name": "cart", "component": "service", "version": "1.2"}),
        (deployment("acme/cart:1.2", name="other"), {**OURS, "version": "1.2"}),
        (deployment("acme/cart:v1", "envoy:3", name="o", labels={VERSION: "x"}), {**OURS, "version": "x"}),
        (deployment("acme/cart:latest", name="o"), OURS),
        (deployment("acme/cart", name="o"), OURS),
        (deployment("acme/cart@sha256:" + "a" * 64, name="o"), OURS),
        (deployment("acme/cart:${tag}", name="o"), OURS),
        (deployment("acme/cart:" + "1" * 64, name="o"), OURS),
        (deployment(name="o"), OURS),
        (deployment(3, name="o"), OURS),
    ],
)  # fmt: skip
def test_what_is_added(make, data, expected):
    assert added(make, data) == expected


def test_the_packages_version_is_on_no_object(make):
    """Else every version would change every object."""
    labels = added(make, deployment("acme/cart:1.2"))
    assert str(make.package().version) not in labels.values()


def service(labels, **spec):
    return thing("Service", "s", spec={"selector": labels, **spec})


def monitor(**selector):
    return thing("ServiceMonitor", "m", "monitoring.coreos.com/v1", spec={"selector": selector})


def rule(operator, *values, key=NAME):
    return {"matchExpressions": [{"key": key, "operator": operator, "values": list(values)}]}


POD = thing("Pod", "p", spec={"containers": []})
CLAIM = {"spec": {"selector": {"matchLabels": {NAME: "shop"}}}}


@pytest.mark.parametrize(
    ("data", "other", "missing"),
    [
        (POD, service({NAME: "shop"}), {"name"}),
        (POD, service({NAME: "web"}), set()),
        (POD, service({NAME: "shop", INSTANCE: "other"}), set()),
        (POD, service({NAME: "shop", INSTANCE: "shop-2"}), {"name", "instance"}),
        (POD, service({"app": "x", NAME: "shop"}), set()),
        (thing(), service({NAME: "shop"}), set()),  # a Service selects pods alone
        (service({}), monitor(matchLabels={NAME: "shop"}), {"name"}),
        (service({}), monitor(matchLabels={MANAGED_BY: "distributor"}), {"managed-by"}),
        (service({}), monitor(**rule("Exists")), {"name"}),
        (service({}), monitor(**rule("DoesNotExist")), {"name"}),
        (service({}), monitor(**rule("In", "shop", "web")), {"name"}),
        (service({}), monitor(**rule("In", "web")), set()),
        (service({}), monitor(**rule("NotIn", "shop")), {"name"}),
        (service({}), monitor(**rule("NotIn", "web")), set()),
        (service({}), monitor(**rule("Odd", "web")), set()),
        (service({}), monitor(**rule("Exists", key="team")), set()),
        (thing("Namespace"), thing("NetworkPolicy", version="networking.k8s.io/v1", spec={
            "ingress": [{"from": [{"namespaceSelector": {"matchLabels": {APP: "shop"}}}]}]}), {"part-of"}),
        (thing(), thing("NetworkPolicy", version="networking.k8s.io/v1", spec={
            "ingress": [{"from": [{"namespaceSelector": {"matchLabels": {APP: "shop"}}}]}]}), set()),
        (thing("PersistentVolume"), thing("PersistentVolumeClaim", **CLAIM), {"name"}),
        (POD, thing("PersistentVolumeClaim", **CLAIM), set()),
    ],
)  # fmt: skip
def test_no_selector_selects_anything_else(make, data, other, missing):
    data = orjson.loads(orjson.dumps(data))
    assert set(OURS) - set(added(make, data, other)) == missing


def test_an_author_s_own_label_that_is_selected_stays(make):
    chart = {MANAGED_BY: "Helm"}
    labels = added(make, service({}) | {"metadata": {"name": "s", "labels": chart}},
                   monitor(matchLabels=chart))  # fmt: skip
    assert labels["managed-by"] == "Helm"


def test_hooks_and_namespaces_have_them_too(make):
    job = thing("Job", version="batch/v1", spec={"template": {"spec": {"containers": []}}})
    job["metadata"]["annotations"] = {"helm.sh/hook": "pre-upgrade"}
    found = finish([orjson.dumps(job)], cell(), make.package())
    assert [m.data()["metadata"]["labels"][APP] for m in found] == ["shop", "shop"]


@pytest.mark.parametrize("labels", [[], "a", 3])
def test_labels_that_are_no_mapping(make, labels):
    with pytest.raises(BadManifest):
        added(make, thing(labels=labels))


def test_containers_are_all_there():
    pod = {"initContainers": [{"a": 1}, "odd"], "containers": [{"b": 1}], "ephemeralContainers": 3}
    assert [place for place, _ in containers(pod)] == [("initContainers", 0), ("containers", 0)]
