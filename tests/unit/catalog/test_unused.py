"""What a descriptor may say and this release does not do is told; what nothing can serve is left out."""

from __future__ import annotations

import json
from importlib import resources

import pytest

from distributor.catalog.unused import FIELDS
from distributor.model.findings import Severity, errors

PACKAGE = "catalog/shop/1.4.2/package.yaml"
CLUSTER = "environments/sit/clusters/one.yaml"
ENVIRONMENT = "environments/sit/environment.yaml"
STANDBY = "  standbyFor: uat\n  mode: after"
INSTALLATION = "environments/uat/apps/shop.yaml"


@pytest.mark.parametrize("kind", FIELDS)
def test_every_field_of_the_table_is_one_of_the_schema(kind):
    text = (resources.files("distributor.catalog") / "schemas" / f"{kind}.json").read_text("utf-8")
    schema = json.loads(text)
    for each in FIELDS[kind]:
        node = schema["properties"]["spec"]
        for name in each.path.split("."):
            node = schema["$defs"][node["$ref"].rpartition("/")[2]] if "$ref" in node else node
            node = node["properties"][name]
        assert set(each.fine) <= set(node.get("enum", each.fine))


@pytest.mark.parametrize(
    ("file", "lines", "field"),
    [
        (CLUSTER, "  bandwidth: 512kbit", "bandwidth"),
        (CLUSTER, "  lifecycle: {kind: long-term}", "lifecycle"),
        (ENVIRONMENT, "  configuration: automatic", ""),
        (ENVIRONMENT, "  standbyFor: uat\n  mode: with", ""),
        (ENVIRONMENT, STANDBY, ""),
        (ENVIRONMENT, f"{STANDBY}\n  parity: {{except: [shop.replicas]}}", ""),
        (ENVIRONMENT, f"{STANDBY}\n  parity: {{except: []}}", ""),
        (INSTALLATION, "  replicas: {divide: even}", "replicas.divide"),
        (INSTALLATION, "  replicas: {divide: none}", ""),
        (INSTALLATION, "  pin: {version: 1.4.2}", "pin"),
        (PACKAGE, "  capacity: {cpu: 1}", ""),
        (PACKAGE, "  capacity: {pods: 1}", "capacity.pods"),
    ],
)
def test_a_field_that_does_nothing_is_told(files, load, file, lines, field):
    text = _without(files[file].decode(), lines.split("\n")[-1].partition(":")[0] + ":")
    before = load({**files, file: text.encode()})
    catalog = load({**files, file: f"{text}\n{lines}\n".encode()})
    assert errors(catalog.findings) == ()
    found = [f for f in catalog.notes if f not in before.notes]
    told = [(f.code, f.severity, f.where.file, f.where.field) for f in found]
    line = text.count("\n") + 1 + lines.count("\n") + 1
    if field:
        assert told == [("DST125", Severity.WARNING, file, f"spec.{field}")]
        assert found[0].where.line == line
        assert f"spec.{field} " in found[0].message
    else:
        assert told == []


def _without(text: str, key: str) -> str:
    """The text without a field of ``spec``, and what is below it."""
    kept: list[str] = []
    inside = False
    for line in text.rstrip("\n").split("\n"):
        inside = line.startswith(key) or (inside and line.startswith("   "))
        kept += [] if inside else [line]
    return "\n".join(kept)


def test_a_cluster_that_nothing_serves_is_left_out_and_told(files, load):
    text = files[CLUSTER].decode()
    pulled = text[: text.index("  delivery:")] + "  delivery:\n    mode: pull\n"
    catalog = load({**files, CLUSTER: pulled.encode()})
    (found,) = errors(catalog.findings)
    assert (found.code, found.where.file) == ("DST417", CLUSTER)
    assert found.where.field == "spec.delivery.mode"
    assert "one" not in catalog.environments["sit"].clusters
    assert "sit" in catalog.environments
