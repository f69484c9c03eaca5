"""What an API server will never take is the package's fault: it names the field, and is no fault of the server."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import pytest

from distributor.model.changes import Actuation
from distributor.model.package import NamespaceSpec, Package, Renderer, ValuesSpec
from distributor.model.refs import Digest, ObjectId
from distributor.model.rendering import RenderInput
from distributor.model.versions import Version
from distributor.render import finish
from tests.integration.ownership.conftest import Site, deployment, named

pytestmark = pytest.mark.controlplane


def group(site: Site) -> str:
    return f"{site.namespace}.refusals.example.com"


def definition(site: Site, *fields: str) -> dict[str, Any]:
    spec = {"type": "object", "properties": {f: {"type": "string"} for f in fields}}
    schema = {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec}}}
    names = {
        "kind": "Widget", "plural": "widgets", "singular": "widget", "listKind": "WidgetList"
    }  # fmt: skip
    version = {"name": "v1", "served": True, "storage": True, "schema": schema}
    return named(
        "apiextensions.k8s.io/v1", "CustomResourceDefinition", f"widgets.{group(site)}",
        spec={"group": group(site), "scope": "Namespaced", "names": names, "versions": [version]},
    )  # fmt: skip


def container(**more: Any) -> dict[str, Any]:
    found = deployment()
    found["spec"]["template"]["spec"]["containers"][0] |= more
    return found


def widget(site: Site, **spec: str) -> dict[str, Any]:
    return named(f"{group(site)}/v1", "Widget", "w", spec=spec)


@pytest.mark.parametrize(
    ("refused", "text"),
    [
        (container(imagee="x"), 'spec.template.spec.containers[name="web"].imagee: field not'),
        (container(env=[{"name": "A", "value": "1"}] * 2), 'duplicate entries for key [name="A"]'),
        (container(resources={"limits": {"cpu": "much"}}), "quantities must match"),
        (named("v1", "Secret", "s", data={"a": "not base64!"}), "illegal base64"),
        (named("v1", "Secret", "s", data={"a": 4711}), "data.a: expected string, got something"),
    ],
    ids=["unknown field", "twice", "no quantity", "no base64", "type"],
)
async def test_what_does_not_fit_the_schema_names_the_field(
    site: Site, refused: dict[str, Any], text: str
):
    report = await site.sync(refused, named("v1", "ConfigMap", "b", data={"a": "1"}))
    assert report.actuation is Actuation.FAILED
    assert [(f.code, text in f.message) for f in report.findings] == [("DST402", True)], report
    assert not any(o.retryable for o in report.outcomes)
    assert (await site.get("v1 configmaps/b"))["data"] == {"a": "1"}


@pytest.mark.parametrize("size", [1_900_000, 2_500_000, 4_000_000])
async def test_what_is_too_large_for_the_cluster_says_so(site: Site, size: int):
    await site.sync(definition(site, "a"), widget(site, a="1"))
    report = await site.sync(definition(site, "a"), widget(site, a="x" * size))
    (error,) = [o.error for o in report.outcomes if o.error is not None]
    assert (error.code, "split it" in error.remedy) == ("DST402", True), error


async def test_a_field_that_its_definition_has_just_got_is_no_refusal(site: Site):
    await site.sync(definition(site, "a"), widget(site, a="1"))
    for field in ("b", "c", "d", "e"):
        report = await site.sync(definition(site, "a", field), widget(site, **{field: "1"}))
        assert report.actuation is Actuation.APPLIED, report.findings


async def test_an_exported_object_is_applied_again_and_again(site: Site):
    await site.sync(named("v1", "ConfigMap", "old", data={"a": "1"}))
    exported = await site.get("v1 configmaps/old")
    exported["metadata"] = {
        k: v for k, v in exported["metadata"].items() if k not in {"labels", "annotations"}
    } | {"name": "new"}
    for value in ("1", "2"):
        body = exported | {"data": {"a": value}}
        (made,) = await asyncio.to_thread(_finished, body, site.namespace)
        report = await site.sync(made.data())
        assert report.actuation is Actuation.APPLIED, report.findings
        assert (await site.get("v1 configmaps/new"))["data"] == {"a": value}


def _finished(body: dict[str, Any], namespace: str) -> Any:
    package = Package(
        app="shop", version=Version.parse("1.0.0"), digest=Digest("sha256:" + "a" * 64),
        tree=ObjectId("1" * 40), folder="catalog/shop/1.0.0", renderer=Renderer.RAW, path=".",
        namespace=NamespaceSpec(name=namespace, create=False), values=ValuesSpec(),
    )  # fmt: skip
    cell = RenderInput(
        digest=Digest("sha256:" + "c" * 64), app="shop", version="1.0.0", environment="sit",
        tier="edge", instance=namespace, namespace=namespace, kubernetes="1.33", values=b"{}",
        layers=(),
    )  # fmt: skip
    return finish([orjson.dumps(body)], cell, package)
