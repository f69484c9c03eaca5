"""One instance on one real API server, reconciled as the service does it, without a catalog around it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import urllib.error
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from distributor.adapters.kube import KubeConnections
from distributor.model.changes import ChangeSet, TargetReport
from distributor.model.consents import Permits
from distributor.model.fleet import Cluster, Mode
from distributor.model.manifest import Manifest, ManifestSet
from distributor.model.refs import ObjectId
from distributor.model.tags import Verb
from distributor.render.applyset import PART_OF, applyset_id
from distributor.services.targets.reconciling import plan_target, reconcile_target
from distributor.services.targets.work import Work
from distributor.services.world import World
from distributor.testing.clock import FakeClock
from tests.controlplane import ControlPlane

CLUSTER = Cluster(name="c1", environment="sit", tier="edge", mode=Mode.PUSH, connection="c1")
APPLY = "application/apply-patch+yaml"
ADOPTED = frozenset({"kubectl-client-side-apply", "before-first-apply"})


class AnyLedger:
    """An object database in which every commit descends from every other."""

    def is_ancestor(self, _ancestor: ObjectId, _descendant: ObjectId) -> bool:
        return True


@dataclass
class Site:
    """An instance in a namespace of its own; each `sync` is a new revision."""

    plane: ControlPlane
    world: World
    namespace: str
    sequence: int = 0

    def work(
        self,
        *objects: Mapping[str, Any],
        adopt: frozenset[str] = ADOPTED,
        agreed: frozenset[Verb] = frozenset(),
        answers: TargetReport | ChangeSet | None = None,
    ) -> Work:
        """The work of a revision; ``answers`` is what was asked and agreed to, and nothing else is."""
        owner = applyset_id(self.namespace)
        manifests = []
        for body in objects:
            labels = {**body["metadata"].get("labels", {}), PART_OF: owner}
            notes = {"distributor.dev/adopt": "existing", **body["metadata"].get("annotations", {})}
            metadata = {"namespace": self.namespace, **body["metadata"]}
            metadata |= {"labels": labels, "annotations": notes}
            manifests.append(Manifest.of({**body, "metadata": metadata}))
        return Work(
            environment="sit",
            instance=self.namespace,
            cluster=CLUSTER,
            sequence=self.sequence,
            ledger_commit=ObjectId("a" * 40),
            revision=f"shop 1.0.{self.sequence}",
            desired=ManifestSet.of(manifests),
            owner=owner,
            adopt=adopt,
            agreed=agreed,
            permits=Permits.of(answers.questions if answers else ()),
        )

    async def sync(self, *objects: Mapping[str, Any], **how: Any) -> TargetReport:
        self.sequence += 1
        return await reconcile_target(self.world, self.work(*objects, **how))

    async def resync(self, *objects: Mapping[str, Any], **how: Any) -> TargetReport:
        return await reconcile_target(self.world, self.work(*objects, **how))

    async def plan(self, *objects: Mapping[str, Any], **how: Any) -> ChangeSet:
        return await plan_target(self.world, self.work(*objects, **how))

    async def get(self, path: str) -> dict[str, Any]:
        """Read below the namespace, such as `apps/v1 deployments/web`; empty where nothing is."""
        return await asyncio.to_thread(self._get, path)

    def _get(self, path: str) -> dict[str, Any]:
        try:
            return self.plane.client.get(self.path(path))
        except urllib.error.HTTPError as error:
            error.close()
            if error.code not in {404, 429}:  # 429: a kind whose storage is being set up
                raise
            return {}

    def path(self, text: str) -> str:
        version, _, rest = text.partition(" ")
        root = f"/apis/{version}" if "/" in version else f"/api/{version}"
        return f"{root}/namespaces/{self.namespace}/{rest}"

    async def send(self, method: str, path: str, body: object, **how: str) -> dict[str, Any]:
        """Write below the namespace by hand."""
        return await asyncio.to_thread(self.plane.client.send, method, self.path(path), body, **how)

    async def kubectl(self, *words: str, **document: Any) -> None:
        """Run kubectl in the namespace, with a document as its input."""
        program = Path(sys.executable).with_name("kubectl")
        where = ["--kubeconfig", str(self.plane.kubeconfig), "-n", self.namespace]
        await asyncio.to_thread(
            subprocess.run,
            [str(program), *words, *where],
            input=yaml.safe_dump(document),
            text=True,
            check=True,
            capture_output=True,
            timeout=60,
        )


def managers(found: Mapping[str, Any]) -> dict[str, str]:
    """The managers of a live object with how they write."""
    return {m["manager"]: m["operation"] for m in found["metadata"]["managedFields"]}


def named(api_version: str, kind: str, name: str, **fields_of_it: Any) -> dict[str, Any]:
    return {
        "apiVersion": api_version, "kind": kind, "metadata": {"name": name}, **fields_of_it
    }  # fmt: skip


def deployment(name: str = "web", image: str = "web:1", **spec: Any) -> dict[str, Any]:
    labels = {"app": name}
    pod = {
        "metadata": {"labels": labels},
        "spec": {"containers": [{"name": "web", "image": image}]},
    }
    return named(
        "apps/v1", "Deployment", name, spec={"selector": {"matchLabels": labels}, "template": pod, **spec}
    )  # fmt: skip


@pytest.fixture
async def site(control_planes) -> AsyncIterator[Site]:
    """Without controllers: what they would write is written by the tests, in their names."""
    (plane,) = control_planes(1, controllers=False)
    connections = KubeConnections({"c1": {"kubeconfig": str(plane.kubeconfig)}})
    parts: dict[str, Any] = dict.fromkeys(f.name for f in fields(World))
    parts["objects"] = AnyLedger()
    parts["connections"] = connections
    parts["clock"] = FakeClock(datetime(2026, 3, 1, tzinfo=UTC))
    yield Site(plane=plane, world=World(**parts), namespace=plane.new_namespace())
    await connections.aclose()
