"""A kind that the cluster does not know yet: its object waits, all others go on, and it comes by itself."""

from __future__ import annotations

from typing import Any

import pytest

from distributor.model.changes import Actuation
from tests.integration.membership.conftest import Instance, codes, settings
from tests.integration.ownership.conftest import named

pytestmark = pytest.mark.controlplane
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


async def test_it_is_applied_when_the_kind_appears(instance: Instance):
    group = f"{instance.namespace}.example"
    thing = named(f"{group}/v1", "Thing", "one")
    for _ in range(2):
        report = await instance.settle(thing, settings("a"))
        assert (report.actuation, codes(report)) == (Actuation.FAILED, ["DST411"])
        assert [o.retryable for o in report.outcomes if o.error] == [True]
        assert await instance.get("v1 configmaps/a")
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    spec: dict[str, Any] = {
        "group": group, "scope": "Namespaced", "names": {"kind": "Thing", "plural": "things"},
        "versions": [version],
    }  # fmt: skip
    made = named(
        "apiextensions.k8s.io/v1", "CustomResourceDefinition", f"things.{group}", spec=spec
    )
    await instance.root("POST", DEFINITIONS, made)
    for _ in range(50):
        report = await instance.resync(thing, settings("a"))
        if report.actuation is Actuation.APPLIED:
            break
    assert codes(report) == []
    assert await instance.get(f"{group}/v1 things/one")
