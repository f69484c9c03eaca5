"""Objects and inventories for the tests of targets."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

from distributor.model.changes import Inventory, InventoryEntry
from distributor.model.hooks import HookLog, HookResult, HookRun, Moment, Occasion
from distributor.model.manifest import Manifest
from distributor.model.refs import ObjectRef
from distributor.render.applyset import PART_OF, applyset_id

MIGRATED = HookRun(
    moment=Moment.PRE,
    ref=ObjectRef("batch", "Job", "dst-contract", "migrate"),
    api_version="batch/v1",
    run="0123456789abcdef",
    result=HookResult.SUCCEEDED,
    uid="u",
)
ENVIRONMENT, CLUSTER, INSTANCE, NAMESPACE = "sit", "c1", "shop", "dst-contract"


def owned(instance: str = INSTANCE) -> dict[str, str]:
    return {PART_OF: applyset_id(instance)}


def config_map(
    name: str, value: str = "1", *, namespace: str = NAMESPACE, instance: str = INSTANCE
) -> Manifest:
    return Manifest.of(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": name, "namespace": namespace, "labels": owned(instance)},
            "data": {"value": value},
        }
    )


def namespace(name: str = NAMESPACE, *, instance: str = INSTANCE) -> Manifest:
    return Manifest.of(
        {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": name, "labels": owned(instance)},
        }
    )


def secret(name: str, field: str = "stringData", **values: str) -> Manifest:
    return Manifest.of(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": name, "namespace": NAMESPACE, "labels": owned()},
            field: values,
        }
    )


def entry(manifest: Manifest, uid: str = "") -> InventoryEntry:
    return InventoryEntry(
        ref=manifest.ref, api_version=manifest.api_version, digest=manifest.digest, uid=uid
    )


def inventory(*manifests: Manifest, sequence: int = 1, **more: object) -> Inventory:
    made = Inventory(
        environment=ENVIRONMENT,
        instance=INSTANCE,
        cluster=CLUSTER,
        sequence=sequence,
        ledger_commit="a" * 40,
        revision="sha256:1+sha256:2",
        entries={m.ref: entry(m) for m in manifests},
        hooks=HookLog(
            change="sha256:1+sha256:2", occasion=Occasion.UPGRADE, runs={MIGRATED.name: MIGRATED}
        ),
    )
    return replace(made, **cast("dict[str, Any]", more))
