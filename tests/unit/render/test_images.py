"""Images: references in parts, what is pinned, which registry they come from, and where they are named."""

from __future__ import annotations

import pytest

from distributor.model.package import BindVariable, Image
from distributor.render import Binder
from distributor.render.images import Images, Reference, image_places, runs, set_images

A, B = "sha256:" + "a" * 64, "sha256:" + "b" * 64


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("nginx", ("docker.io", "library/nginx", "", "")),
        ("nginx:1.29-alpine", ("docker.io", "library/nginx", "1.29-alpine", "")),
        ("docker.io/nginx", ("docker.io", "library/nginx", "", "")),
        ("index.docker.io/library/nginx:1", ("docker.io", "library/nginx", "1", "")),
        ("acme/web:1", ("docker.io", "acme/web", "1", "")),
        ("ghcr.io/acme/web:1", ("ghcr.io", "acme/web", "1", "")),
        ("localhost/web", ("localhost", "web", "", "")),
        ("localhost:5000/web:2", ("localhost:5000", "web", "2", "")),
        ("registry:5000/a/b/c:2", ("registry:5000", "a/b/c", "2", "")),
        (f"ghcr.io/a/b@{A}", ("ghcr.io", "a/b", "", A)),
        (f"ghcr.io/a/b:1@{A}", ("ghcr.io", "a/b", "1", A)),
        ("acme/web:${tag}", ("docker.io", "acme/web", "${tag}", "")),
        ("acme/web:${tag:=1.2}", ("docker.io", "acme/web", "${tag:=1.2}", "")),
    ],
)  # fmt: skip
def test_references(text, parts):
    found = Reference.parse(text)
    assert (found.host, found.path, found.tag, found.digest) == parts


@pytest.mark.parametrize(
    "text", ["", "${image}", "${host}/web:1", "Acme/Web", "a b", "a//b", "/a", "a:", "a@", "-a", "https://x/y"]
)  # fmt: skip
def test_what_is_no_reference(text):
    assert Reference.parse(text) is None


LISTED = (
    Image(name="web", reference="ghcr.io/acme/web:1", digest=A),
    Image(name="old", reference="ghcr.io/acme/web:0", digest=B),
    Image(name="db", reference="postgres:17"),
    Image(name="proxy", reference="docker.io/library/nginx", digest=B),
    Image(name="fixed", reference=f"quay.io/x/fixed@{A}", digest=A),
    Image(name="twice", reference="quay.io/x/twice:1", digest=A),
    Image(name="again", reference="quay.io/x/twice:1", digest=B),
)
M = "mirror.example.com:5000/m"


@pytest.mark.parametrize(
    ("text", "pinned", "mirrored"),
    [
        ("ghcr.io/acme/web:1", f"ghcr.io/acme/web:1@{A}", f"{M}/acme/web:1@{A}"),
        ("ghcr.io/acme/web:0", f"ghcr.io/acme/web:0@{B}", f"{M}/acme/web:0@{B}"),
        # An overlay's tag: the same image, and no digest is listed for it.
        ("ghcr.io/acme/web:2", "ghcr.io/acme/web:2", f"{M}/acme/web:2"),
        ("ghcr.io/acme/web", "ghcr.io/acme/web", f"{M}/acme/web"),
        # A digest that is written stays, the listed one or another.
        (f"ghcr.io/acme/web:1@{B}", f"ghcr.io/acme/web:1@{B}", f"{M}/acme/web:1@{B}"),
        (f"ghcr.io/acme/web@{A}", f"ghcr.io/acme/web@{A}", f"{M}/acme/web@{A}"),
        ("ghcr.io/acme/web:${tag}", "ghcr.io/acme/web:${tag}", f"{M}/acme/web:${{tag}}"),
        ("postgres:17", "postgres:17", f"{M}/library/postgres:17"),
        ("docker.io/library/postgres:16", "docker.io/library/postgres:16", f"{M}/library/postgres:16"),
        ("nginx", f"nginx@{B}", f"{M}/library/nginx@{B}"),
        ("nginx:latest", f"nginx:latest@{B}", f"{M}/library/nginx:latest@{B}"),
        ("nginx:1", "nginx:1", f"{M}/library/nginx:1"),
        ("quay.io/x/fixed:3", "quay.io/x/fixed:3", f"{M}/x/fixed:3"),
        ("quay.io/x/twice:1", "quay.io/x/twice:1", f"{M}/x/twice:1"),
        # Not the package's: another registry, another repository, no reference at all.
        ("docker.io/acme/web:1", "docker.io/acme/web:1", "docker.io/acme/web:1"),
        ("ghcr.io/acme/web2:1", "ghcr.io/acme/web2:1", "ghcr.io/acme/web2:1"),
        ("${image}", "${image}", "${image}"),
        (f"{M}/acme/web:1", f"{M}/acme/web:1", f"{M}/acme/web:1"),
    ],
)  # fmt: skip
def test_pinned_and_mirrored(text, pinned, mirrored):
    assert Images(LISTED).written(text) == pinned
    mirror = Images(LISTED, M)
    assert mirror.written(text) == mirrored
    assert mirror.written(mirrored) == mirrored
    assert Images(LISTED).written(pinned) == pinned


def test_a_registry_that_the_image_is_in_already():
    images = Images(LISTED, "ghcr.io/acme")
    assert images.written("ghcr.io/acme/web:1") == f"ghcr.io/acme/web:1@{A}"
    assert images.rest(f"ghcr.io/acme/web:1@{A}") == f"web:1@{A}"


@pytest.mark.parametrize(
    ("text", "kept", "mirrored"),
    [
        ("docker.io/acme/web:1", "docker.io/acme/web:1", f"{M}/acme/web:1"),
        (f"ghcr.io/acme/web2@{A}", f"ghcr.io/acme/web2@{A}", f"{M}/acme/web2@{A}"),
        ("busybox", "busybox", f"{M}/library/busybox"),
        ("ghcr.io/acme/web:1", f"ghcr.io/acme/web:1@{A}", f"{M}/acme/web:1@{A}"),
        # What no registry can be told of: no reference, or a variable in its name (bound later).
        ("Acme/Web:1", "Acme/Web:1", "Acme/Web:1"),
        ("${image}", "${image}", "${image}"),
    ],
)
def test_what_runs_comes_from_the_registry_listed_or_not(text, kept, mirrored):
    assert Images(LISTED).written(text, run=True) == kept
    assert Images(LISTED, M).written(text, run=True) == mirrored
    assert Images((), M).written(mirrored, run=True) == mirrored


@pytest.mark.parametrize(
    ("path", "run"),
    [
        (("spec", "containers", 0, "image"), True),
        (("spec", "initContainers", 0, "image"), True),
        (("spec", "ephemeralContainers", 0, "image"), True),
        (("spec", "volumes", 0, "image", "reference"), True),
        (("spec", "image"), False),
        (("spec", "sidecars", 0, "image"), False),
        (("image",), False),
    ],
)
def test_places_that_take_nothing_but_an_image(path, run):
    assert runs(path) is run


def pod(image):
    return {"containers": [{"name": "x", "image": image}, "odd", {"name": "y"}],
            "initContainers": [{"image": image}], "ephemeralContainers": [{"image": image}],
            "volumes": [{"name": "v", "image": {"reference": image}}, {"configMap": {"name": "image"}}]}  # fmt: skip


def template(image):
    return {"template": {"spec": pod(image)}}


@pytest.mark.parametrize(
    ("version", "kind", "spec", "count"),
    [
        ("v1", "Pod", pod("nginx"), 4),
        ("apps/v1", "Deployment", template("nginx"), 4),
        ("apps/v1", "DaemonSet", template("nginx"), 4),
        ("batch/v1", "Job", template("nginx"), 4),
        ("batch/v1", "CronJob", {"jobTemplate": {"spec": template("nginx")}}, 4),
        ("argoproj.io/v1alpha1", "Rollout", template("nginx"), 4),
        ("jobset.x-k8s.io/v1", "JobSet", {"replicatedJobs": [{"template": {"spec": template("nginx")}}]}, 4),
        ("db.example/v1", "Cluster", {"image": "nginx", "sidecars": [{"image": "nginx", "args": ["nginx"]}]}, 2),
        ("example.x-k8s.io/v1", "Thing", {"image": "nginx"}, 1),
        ("snapshot.storage.k8s.io/v1", "VolumeSnapshotClass", {"image": "nginx"}, 0),
        ("apiextensions.k8s.io/v1", "CustomResourceDefinition", {"image": "nginx"}, 0),
        ("v1", "ConfigMap", {"image": "nginx"}, 0),
    ],
)  # fmt: skip
def test_where_images_are_named(version, kind, spec, count):
    data = {"apiVersion": version, "kind": kind, "metadata": {"name": "nginx"}, "spec": spec}
    assert len(list(image_places(data))) == count
    set_images(data, Images(LISTED, M))
    assert str(data).count(f"{M}/library/nginx@{B}") == count


@pytest.mark.parametrize(
    ("version", "kind", "spec", "count"),
    [
        ("batch/v1", "Job", template("busybox"), 4),
        ("batch/v1", "CronJob", {"jobTemplate": {"spec": template("busybox")}}, 4),
        ("argoproj.io/v1alpha1", "Rollout", template("busybox"), 4),
        ("serving.knative.dev/v1", "Service", template("busybox"), 4),
        # Elsewhere in such kinds ``image`` may mean anything: a disk, a picture.
        ("kubevirt.io/v1", "VirtualMachine", {"disk": {"image": "busybox"}}, 0),
    ],
)
def test_where_unlisted_images_are_rewritten(version, kind, spec, count):
    data = {"apiVersion": version, "kind": kind, "metadata": {"name": "x"}, "spec": spec}
    set_images(data, Images(LISTED, M))
    assert str(data).count(f"{M}/library/busybox") == count


def test_a_deep_object_ends():
    deep = {"image": "nginx"}
    for _ in range(500):
        deep = {"a": deep}
    assert list(image_places({"apiVersion": "x.example/v1", "kind": "X", "spec": deep})) == []


def images_of(bound):
    return [text for m in bound for _, text in image_places(m.data())]


def test_a_cluster_s_registry_is_bound_late(make):
    """One cell, three clusters: none of them costs a render, and what has no image is shared."""
    images = Images(LISTED, "env.example")
    objects = [
        make.manifest("ConfigMap", "plain", data={"image": "env.example/acme/web:1"}),
        make.manifest("Deployment", "web", spec=template(images.written("ghcr.io/acme/web:1"))),
        make.manifest("Deployment", "other", spec=template("ghcr.io/other:1")),
    ]
    binder = Binder(make.set(*objects), (), images)
    assert binder.bind({}) == make.set(*objects)
    assert binder.bind({}, "env.example") is binder.bind({})
    one, two = binder.bind({}, "one.example:5000/m"), binder.bind({}, "two.example")
    assert set(images_of(one)) == {
        f"one.example:5000/m/acme/web:1@{A}",
        "one.example:5000/m/other:1",
    }
    assert set(images_of(two)) == {f"two.example/acme/web:1@{A}", "two.example/other:1"}
    shared = {m.ref.name for m in one if any(m is o for o in objects)}
    assert shared == {"plain"}
    assert binder.bind({}, "one.example:5000/m") == one
    for manifest in one:
        assert type(manifest).of(manifest.data()) == manifest


def test_variables_behind_a_registry_are_bound(make):
    web = make.manifest(
        "Deployment", "web", spec=template("ghcr.io/acme/web:${cluster_tier}-$${cluster_name}")
    )
    off = {"annotations": {"kustomize.toolkit.fluxcd.io/substitute": "disabled"}}
    literal = make.manifest("Deployment", "off", metadata=off, spec=template("postgres:17"))
    binder = Binder(make.set(web, literal), (), Images(LISTED))
    found = set(images_of(binder.bind({"cluster_tier": "edge"}, "r.example")))
    assert found == {"r.example/acme/web:edge-${cluster_name}", "r.example/library/postgres:17"}
    plain = set(images_of(binder.bind({"cluster_tier": "edge"})))
    assert plain == {"ghcr.io/acme/web:edge-${cluster_name}", "postgres:17"}


@pytest.mark.parametrize(
    ("host", "environment", "cluster", "expected"),
    [
        ("ghcr.io/acme", "", "", "ghcr.io/acme/web:1"),
        ("ghcr.io/acme", M, "", f"{M}/acme/web:1"),
        ("ghcr.io/acme", M, "r.example", "r.example/acme/web:1"),
        ("ghcr.io/acme", "", "r.example", "r.example/acme/web:1"),
        # The variable says the mirror itself already.
        (M, M, "", f"{M}/web:1"),
        ("r.example", M, "r.example", "r.example/web:1"),
    ],
)
def test_an_image_whose_registry_is_a_variable_is_mirrored_when_it_is_bound(
    make, host, environment, cluster, expected
):
    declared = (BindVariable(name="host", type="string"),)
    images = Images((), environment)
    data = {"apiVersion": "apps/v1", "kind": "Deployment", "spec": template("${host}/web:1")}
    set_images(data, images)
    objects = make.set(make.manifest("Deployment", "web", spec=data["spec"]))
    bound = Binder(objects, declared, images).bind({"host": host}, cluster)
    assert set(images_of(bound)) == {expected}


def test_a_cluster_s_registry_counts_for_a_package_without_listed_images(make):
    objects = make.set(make.manifest("Deployment", "web", spec=template("nginx")))
    assert set(images_of(Binder(objects, (), Images(())).bind({}, "r.example"))) == {
        "r.example/library/nginx"
    }
    assert Binder(objects, ()).bind({}, "r.example") is objects


def test_an_object_that_opted_out_of_variables_is_mirrored_too(make):
    off = {"annotations": {"kustomize.toolkit.fluxcd.io/substitute": "disabled"}}
    web = make.manifest(
        "Deployment", "off", metadata=off, spec=template("postgres:${cluster_tier}")
    )
    bound = Binder(make.set(web), (), Images(LISTED)).bind({"cluster_tier": "edge"}, "r.example")
    assert set(images_of(bound)) == {"r.example/library/postgres:${cluster_tier}"}
