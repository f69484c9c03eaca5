"""Finishing: namespaces, labels, hooks, images, duplicates; ApplySet ids and ``Rendered``."""

from __future__ import annotations

import base64
import hashlib

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distributor.errors.render import BadManifest, DuplicateObject
from distributor.model.package import Image, NamespaceSpec
from distributor.model.refs import Digest, ObjectRef
from distributor.model.rendering import Layer, RenderInput
from distributor.render import PART_OF, applyset_id, finish, rendered_digest


def cell(**parts: object) -> RenderInput:
    given = {
        "digest": Digest("sha256:" + "c" * 64), "app": "shop", "version": "1.4.2",
        "environment": "uat", "tier": "slim", "instance": "shop", "namespace": "shop",
        "kubernetes": "1.33", "values": b"{}",
        "layers": (Layer(label="catalog/shop/1.4.2/base", tree="", folder="package/base"),),
    }  # fmt: skip
    return RenderInput(**{**given, **parts})


def done(make, *objects: object, package=None, **parts: object):
    package = package or make.package(namespace=NamespaceSpec(name="shop", create=False))
    finished = finish([orjson.dumps(o) for o in objects], cell(**parts), package)
    return {str(m.ref): m.data() for m in finished}


def thing(kind="ConfigMap", name="a", version="v1", **parts: object):
    metadata = {"name": name, **parts.pop("metadata", {})}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **parts}


def test_labels(make):
    own = {"app.kubernetes.io/managed-by": "Helm", "app.kubernetes.io/instance": "kept", "x": "y"}
    found = done(make, thing(), thing(name="b", metadata={"labels": own}))
    assert found["ConfigMap/shop/a"]["metadata"] == {
        "name": "a",
        "namespace": "shop",
        "labels": {
            "app.kubernetes.io/name": "shop",
            "app.kubernetes.io/instance": "shop",
            "app.kubernetes.io/part-of": "shop",
            "app.kubernetes.io/managed-by": "distributor",
            PART_OF: applyset_id("shop"),
        },
    }
    labels = found["ConfigMap/shop/b"]["metadata"]["labels"]
    assert labels["app.kubernetes.io/managed-by"] == "distributor"
    assert labels["app.kubernetes.io/instance"] == "kept"
    assert labels["x"] == "y"


def test_pod_templates_are_not_touched(make):
    template = {"metadata": {"labels": {"a": "b"}}}
    found = done(make, thing("Deployment", version="apps/v1", spec={"template": template}))
    assert found["apps/Deployment/shop/a"]["spec"] == {"template": template}


@pytest.mark.parametrize(
    ("kind", "version", "given_namespace", "ref"),
    [
        ("Service", "v1", None, "Service/shop/a"),
        ("Service", "v1", "", "Service/shop/a"),
        ("Service", "v1", "other", "Service/other/a"),
        ("Namespace", "v1", None, "Namespace//a"),
        (
            "ClusterRole",
            "rbac.authorization.k8s.io/v1",
            "shop",
            "rbac.authorization.k8s.io/ClusterRole//a",
        ),
        ("Gauge", "metrics.example/v1", None, "metrics.example/Gauge//a"),
        ("Meter", "metrics.example/v1", None, "metrics.example/Meter/shop/a"),
        ("Node", "metrics.example/v1", None, "metrics.example/Node/shop/a"),
    ],
)
def test_namespaces_are_explicit(make, kind, version, given_namespace, ref):
    metadata = {} if given_namespace is None else {"namespace": given_namespace}
    crds = [
        thing("CustomResourceDefinition", f"{k.lower()}s.metrics.example", "apiextensions.k8s.io/v1",
              spec={"group": "metrics.example", "scope": scope, "names": {"kind": k}})
        for k, scope in (("Gauge", "Cluster"), ("Meter", "Namespaced"))
    ]  # fmt: skip
    broken = thing("CustomResourceDefinition", "broken", "apiextensions.k8s.io/v1")
    assert ref in done(make, thing(kind, version=version, metadata=metadata), broken, *crds)


def test_service_accounts_of_bindings_get_a_namespace(make):
    version = "rbac.authorization.k8s.io/v1"
    subjects = [{"kind": "ServiceAccount", "name": "x"}, {"kind": "User", "name": "u"},
                {"kind": "ServiceAccount", "name": "y", "namespace": "z"}]  # fmt: skip
    found = done(
        make,
        thing("ClusterRoleBinding", version=version, subjects=subjects),
        thing("RoleBinding", version=version, subjects=subjects, metadata={"namespace": "other"}),
    )
    wide = found["rbac.authorization.k8s.io/ClusterRoleBinding//a"]["subjects"]
    assert [s.get("namespace") for s in wide] == ["shop", None, "z"]
    inside = found["rbac.authorization.k8s.io/RoleBinding/other/a"]["subjects"]
    assert [s.get("namespace") for s in inside] == ["other", None, "z"]


def test_the_namespace_is_created_with_its_pod_security(make):
    spec = NamespaceSpec(name="shop", pod_security="restricted")
    level = "pod-security.kubernetes.io/enforce"
    made = done(make, thing(), package=make.package(namespace=spec), namespace="mine")
    assert made["Namespace//mine"]["metadata"]["labels"][level] == "restricted"
    own = thing("Namespace", "shop", metadata={"labels": {level: "baseline", "x": "y"}})
    kept = done(make, own, package=make.package(namespace=spec))
    assert kept["Namespace//shop"]["metadata"]["labels"][level] == "baseline"
    assert list(kept) == ["Namespace//shop"]
    assert "Namespace//default" not in done(
        make, thing(), package=make.package(), namespace="default"
    )


@pytest.mark.parametrize(
    ("hook", "kept"),
    [
        ("test", False),
        ("test-success", False),
        ("pre-delete", False),
        ("post-rollback, post-delete", True),
        ("post-delete,pre-delete", False),
        ("pre-install", True),
        ("test,post-upgrade", True),
        (None, True),
    ],
)
def test_hooks(make, hook, kept):
    annotations = {"helm.sh/hook": hook} if hook else {}
    found = done(make, thing("Pod", metadata={"annotations": annotations}))
    assert bool(found) is kept


def test_lists_are_expanded_and_unset_times_dropped(make):
    inner = thing("List", items=[thing(name="b", metadata={"creationTimestamp": None})])
    found = done(make, {"apiVersion": "v1", "kind": "List", "items": [thing(), inner]})
    assert list(found) == ["ConfigMap/shop/a", "ConfigMap/shop/b"]
    assert "creationTimestamp" not in found["ConfigMap/shop/b"]["metadata"]


def test_every_duplicate_is_named(make):
    with pytest.raises(DuplicateObject) as caught:
        done(
            make,
            thing(),
            thing(metadata={"namespace": "shop"}),
            *[thing(name="b")] * 2,
            thing(name="c"),
        )
    assert "ConfigMap/shop/a, ConfigMap/shop/b" in str(caught.value)
    assert "shop/c" not in str(caught.value)


@pytest.mark.parametrize(
    "raw",
    [
        b"", b"nonsense", b"[]", b"3", b"{}", b'{"kind": "A"}',
        b'{"apiVersion":"v1","kind":"A","metadata":[]}',
        b'{"apiVersion":"v1","kind":"A","metadata":{"generateName":"a-"}}',
        b'{"apiVersion":"v1","kind":"A","metadata":{"name":"a","namespace":3}}',
        b'{"apiVersion":"v1","kind":"A","metadata":{"name":"a","labels":[]}}',
        b'{"apiVersion":"v1","kind":"List","items":{"a":1}}',
        b'{"apiVersion":"v1","kind":"List","items":[3]}',
        b'{"apiVersion":7,"kind":"A","metadata":{"name":"a"}}',
    ],
)  # fmt: skip
def test_what_is_no_object_is_refused(make, raw):
    with pytest.raises(BadManifest):
        finish([raw], cell(), make.package())


def test_images_are_pinned_and_come_from_the_environments_registry(make):
    digest = "sha256:" + "d" * 64
    images = (
        Image(name="a", reference="ghcr.io/acme/a:1", digest=digest),
        Image(name="b", reference="acme/b:1"),
        Image(name="c", reference=f"localhost:5000/c@{digest}", digest=digest),
    )
    package = make.package(images=images, namespace=NamespaceSpec(name="shop", create=False))
    names = [i.reference for i in images] + ["ghcr.io/other:1"]
    containers = [{"name": "x", "image": n} for n in names]
    pod = {"containers": containers, "initContainers": [{"image": names[0]}, "odd", {}]}
    job = thing(
        "CronJob", version="batch/v1", spec={"jobTemplate": {"spec": {"template": {"spec": pod}}}}
    )

    def written(registry: str) -> list[str]:
        (found,) = done(make, job, package=package, registry=registry).values()
        spec = found["spec"]["jobTemplate"]["spec"]["template"]["spec"]
        assert spec["initContainers"][0]["image"] == spec["containers"][0]["image"]
        return [c["image"] for c in spec["containers"]]

    assert written("") == [f"ghcr.io/acme/a:1@{digest}", *names[1:]]
    assert written("mirror.example.com/m") == [
        f"mirror.example.com/m/acme/a:1@{digest}",
        "mirror.example.com/m/acme/b:1",
        f"mirror.example.com/m/c@{digest}",
        "mirror.example.com/m/other:1",
    ]


def test_every_object_keeps_its_selectors_and_templates(make):
    """Whatever is added stands outside of what Kubernetes does not let anybody change."""
    pod = {"containers": [{"name": "x", "image": "nginx:1"}]}
    template = {"metadata": {"labels": {"app": "x"}}, "spec": pod}
    spec = {"selector": {"matchLabels": {"app": "x"}}, "template": template,
            "volumeClaimTemplates": [{"metadata": {"name": "data"}}]}  # fmt: skip
    found = done(make, thing("StatefulSet", version="apps/v1", spec=spec))
    assert found["apps/StatefulSet/shop/a"]["spec"] == spec


@settings(deadline=None)
@given(st.permutations([thing(name=n) for n in "abcd"]))
def test_the_order_of_a_render_does_not_matter(make, objects):
    straight = finish([orjson.dumps(thing(name=n)) for n in "abcd"], cell(), make.package())
    assert finish([orjson.dumps(o) for o in objects], cell(), make.package()) == straight


def test_applyset_id_is_that_of_the_kep():
    name = b"dst-shop.distributor-system.Secret."
    want = base64.urlsafe_b64encode(hashlib.sha256(name).digest()).decode().rstrip("=")
    assert applyset_id("shop") == f"applyset-{want}-v1"
    assert len(applyset_id("x" * 63)) <= 63
    assert applyset_id("shop") != applyset_id("web")


DIGESTS = st.sampled_from([Digest("sha256:" + c * 64) for c in "abc"])
REFS = st.builds(ObjectRef, st.just("apps"), st.just("D"), st.just("n"), st.sampled_from("xyz"))


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from("klm"), DIGESTS), st.lists(REFS))
def test_rendered_knows_no_order(lines, vanished):
    backwards = dict(reversed(lines.items()))
    assert rendered_digest(lines, vanished) == rendered_digest(backwards, vanished[::-1] * 2)


@settings(deadline=None)
@given(
    st.dictionaries(st.sampled_from("klm"), DIGESTS), st.sets(REFS),
    st.dictionaries(st.sampled_from("klm"), DIGESTS), st.sets(REFS),
)  # fmt: skip
def test_rendered_differs_where_anything_differs(lines, vanished, others, gone):
    equal = (lines, vanished) == (others, gone)
    assert (rendered_digest(lines, vanished) == rendered_digest(others, gone)) is equal


@pytest.mark.parametrize(
    "exported",
    [{"uid": "u"}, {"resourceVersion": "1"}, {"managedFields": [{"manager": "kubectl"}]}],
)
def test_what_an_exported_object_says_of_itself_is_left_out(make, exported):
    (clean,), (found,) = done(make, thing()).values(), done(make, thing(metadata=exported)).values()
    assert found == clean


def test_a_name_that_is_made_up_each_time_is_refused_with_what_to_do_instead(make):
    made_up = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"generateName": "x-"}}
    with pytest.raises(BadManifest, match="generateName 'x-'") as caught:
        done(make, made_up)
    assert "before-hook-creation" in caught.value.hint
    (kept,) = done(make, thing(metadata={"generateName": "x-"})).values()
    assert kept["metadata"]["name"] == "a"


def scoped(scope: str, name: str = "a", kind: str = "Wheel"):
    notes = {"annotations": {"distributor.dev/scope": scope}} if scope else {}
    return thing(kind, name, version="gears.example/v1", metadata=notes)


def test_an_object_says_that_its_kind_is_cluster_wide(make):
    found = done(make, scoped("Cluster"), scoped("", "b"), scoped("Namespaced", kind="Cog"))
    assert sorted(found) == [
        "gears.example/Cog/shop/a",
        "gears.example/Wheel//a",
        "gears.example/Wheel//b",
    ]


def test_a_definition_knows_better_than_an_object(make):
    spec = {"group": "gears.example", "scope": "Namespaced", "names": {"kind": "Wheel"}}
    crd = thing("CustomResourceDefinition", "w", version="apiextensions.k8s.io/v1", spec=spec)
    assert "gears.example/Wheel/shop/a" in done(make, crd, scoped("Cluster"))


@pytest.mark.parametrize("second", ["cluster", "Namespaced"])
def test_a_scope_that_says_nothing_or_two_things_is_refused(make, second):
    with pytest.raises(BadManifest, match=r"distributor\.dev/scope"):
        done(make, scoped("Cluster"), scoped(second, "b"))
