"""The hooks and definitions of a chart against a real API server with its own Job controller."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from distributor import log
from distributor.cli.planning import document
from distributor.model.tags import Verb
from distributor.services.asking.planning import plan_promotion
from distributor.services.asking.views import InstanceStage
from tests import realapps
from tests.integration.mainjob.conftest import Pushed, edit, new_pushed, until, view
from tests.integration.mainjob.smallapps import FAILING, GOOD

pytestmark = [pytest.mark.controlplane, pytest.mark.timeout(240)]

CENTRAL, APP = "sit-central-1", "hooked"
JOBS = f"/apis/batch/v1/namespaces/{APP}/jobs"
EVENTS = f"/api/v1/namespaces/{APP}/events"
ROLLOUT = {"maxFailures": 0, "minReady": "0s", "deadline": "90s"}
DEFINITION = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/gears.hooked.example"

JOB = """
apiVersion: batch/v1
kind: Job
metadata:
  name: {name}
  annotations:
    helm.sh/hook: {hook}
    helm.sh/hook-weight: "{weight}"
    helm.sh/hook-delete-policy: {policy}
spec:
  backoffLimit: 0
  template:
    spec:
      restartPolicy: Never
      serviceAccountName: {account}
      containers: [{{name: main, image: {image}, env: [{{name: VERSION, value: {{{{ .Chart.Version | quote }}}}}}]}}]
"""
WEB = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers: [{name: web, image: registry.example/web:1, env: [{name: VERSION, value: {{ .Chart.Version | quote }}}]}]
"""
ACCOUNT = """
apiVersion: v1
kind: ServiceAccount
metadata:
  name: robot
  annotations: {helm.sh/hook: "pre-install,pre-upgrade", helm.sh/hook-weight: "-5"}
"""


def hook_job(name: str, hook: str, *, weight: int = 0, policy: str = "before-hook-creation",
             image: str = GOOD, account: str = "default") -> str:  # fmt: skip
    return JOB.format(
        name=name, hook=hook, weight=weight, policy=policy, image=image, account=account
    )


def definition(*versions: str, stored: str) -> str:
    """A CRD that serves these versions, and stores objects in one of them."""
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    listed = [
        {"name": v, "served": True, "storage": v == stored, "schema": schema} for v in versions
    ]
    names = {"kind": "Gear", "plural": "gears"}
    spec = {"group": "hooked.example", "scope": "Cluster", "names": names, "versions": listed}
    document = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "gears.hooked.example"},
        "spec": spec,
    }
    return yaml.safe_dump(document)


def write_chart(work_tree: Path, version: str, migrate: str, crd: str) -> None:
    """A version of the app: a Deployment, hooks of every kind, and a definition in ``crds/``."""
    folder = work_tree / "catalog" / APP
    files = {
        "Chart.yaml": f"apiVersion: v2\nname: {APP}\nversion: {version}\n",
        "crds/gears.yaml": crd,
        "templates/web.yaml": WEB,
        "templates/account.yaml": ACCOUNT,
        "templates/init.yaml": hook_job("init", "pre-install", account="robot"),
        "templates/migrate.yaml": hook_job("migrate", "pre-upgrade", weight=5, image=migrate, account="robot"),
        "templates/warm.yaml": hook_job("warm", "post-upgrade,post-rollback"),
        "templates/check.yaml": hook_job("check", "post-install", policy="hook-succeeded"),
        "templates/test.yaml": hook_job("test", "test"),
        "templates/undo.yaml": hook_job("undo", "pre-rollback"),
    }  # fmt: skip
    for name, text in files.items():
        path = folder / version / "chart" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    document = {"apiVersion": "distributor.dev/v1alpha1", "metadata": {"name": APP}}
    app = {**document, "kind": "App", "spec": {"summary": "For a test.", "owner": "tests"}}
    (folder / "app.yaml").write_text(yaml.safe_dump(app), "utf-8")
    namespace = {"name": APP, "podSecurity": "privileged"}
    spec = {"version": version, "renderer": "helm", "path": "chart", "namespace": namespace}
    package = {**document, "kind": "Package", "spec": spec}
    (folder / version / "package.yaml").write_text(yaml.safe_dump(package), "utf-8")


@pytest.fixture
def pushed(tmp_path: Path, control_planes) -> Pushed:
    """A sit of one API server that runs this app alone."""
    log.configure("error", "json")
    made = new_pushed(tmp_path / "play", {CENTRAL: control_planes(1, fresh=True)[0]})
    work_tree = made.place.catalog
    for app in (work_tree / "catalog").iterdir():
        shutil.rmtree(app)
    others = [f for f in work_tree.glob("environments/sit/clusters/*.yaml") if f.stem != CENTRAL]
    for file in (*work_tree.glob("environments/*/apps/*.yaml"), *others):
        file.unlink()
    realapps.push(work_tree, CENTRAL)
    edit(work_tree / "environments" / "sit" / "environment.yaml", rollout=ROLLOUT)
    write_chart(work_tree, "1.0.0", GOOD, definition("v1", stored="v1"))
    write_chart(work_tree, "1.1.0", GOOD, definition("v1", "v2", stored="v1"))
    write_chart(work_tree, "1.2.0", FAILING, definition("v1", "v2", stored="v2"))
    write_chart(work_tree, "1.3.0", GOOD, definition("v2", stored="v2"))
    return made


class Watched:
    """What ran so far: every Job that ever was, by the version in it."""

    def __init__(self, pushed: Pushed) -> None:
        self.pushed = pushed
        self.uids: dict[str, str] = {}

    async def jobs(self) -> dict[str, dict[str, Any]]:
        found = await self.pushed.get(CENTRAL, JOBS)
        return {item["metadata"]["name"]: item for item in found.get("items", ())}

    async def fresh(self) -> dict[str, str]:
        """Jobs that were made since the last call, with the version that made them."""
        before, jobs = self.uids, await self.jobs()
        self.uids = {name: item["metadata"]["uid"] for name, item in jobs.items()}
        return {n: version_of(jobs[n]) for n, uid in self.uids.items() if before.get(n) != uid}


def version_of(item: dict[str, Any]) -> str:
    return item["spec"]["template"]["spec"]["containers"][0]["env"][0]["value"]


async def test_hooks_run_once_a_change_and_a_failing_one_stops(pushed):
    """Install, upgrade, resync, roll back; then a version whose hook fails; then the removal."""
    await pushed.found()
    watched = Watched(pushed)
    async with pushed.service() as service:
        plan = await plan_promotion(service, "sit", APP, "1.0.0")
        (target,) = document(plan)["targets"]
        assert [line.partition(" (")[0] for line in target["hooks"]] == [
            f"pre-install ServiceAccount/{APP}/robot",
            f"pre-install batch/Job/{APP}/init",
            f"post-install batch/Job/{APP}/check",
        ]

        seen = await pushed.promote(service, "sit", APP, "1.0.0")
        assert (seen.stage, seen.health) == (InstanceStage.VERIFIED, "Current"), seen
        assert await watched.fresh() == {"init": "1.0.0"}, "check succeeded and was deleted"

        seen = await pushed.promote(service, "sit", APP, "1.1.0")
        assert (seen.version, seen.stage) == ("1.1.0", InstanceStage.VERIFIED), seen
        assert await watched.fresh() == {"migrate": "1.1.0", "warm": "1.1.0"}
        web = await pushed.get(CENTRAL, f"/apis/apps/v1/namespaces/{APP}/deployments/web")
        assert version_of(web) == "1.1.0"
        jobs = await watched.jobs()
        assert ended(jobs["migrate"]) <= changed(web) <= began(jobs["warm"])

        await pushed.send(CENTRAL, "DELETE", f"/apis/apps/v1/namespaces/{APP}/deployments/web")
        await asyncio.wait_for(service.sync(), 60)
        assert await pushed.get(CENTRAL, f"/apis/apps/v1/namespaces/{APP}/deployments/web")
        assert await watched.fresh() == {}, "healed, and no hook ran again"

        await pushed.ask(service, Verb.ROLLBACK, "sit", APP, "1.0.0")
        await asyncio.wait_for(service.sync(), 120)
        seen = await view(service, "sit", APP)
        assert (seen.version, seen.stage) == ("1.0.0", InstanceStage.VERIFIED), seen
        assert await watched.fresh() == {"undo": "1.0.0", "warm": "1.0.0"}


async def test_a_failing_hook_stops_its_target_and_a_stored_version_is_kept(pushed):
    await pushed.found()
    async with pushed.service() as service:
        await pushed.promote(service, "sit", APP, "1.1.0")
        seen = await pushed.promote(service, "sit", APP, "1.2.0")
        assert seen.stage is InstanceStage.FAILED, seen
        (target,) = seen.clusters
        assert "DST421" in target.message
        assert f"pre-upgrade batch/Job/{APP}/migrate" in target.message
        web = await pushed.get(CENTRAL, f"/apis/apps/v1/namespaces/{APP}/deployments/web")
        assert version_of(web) == "1.1.0", "nothing after the hook was done"

        live = await pushed.get(CENTRAL, DEFINITION)
        assert live["status"]["storedVersions"] == ["v1", "v2"], "definitions come before hooks"
        seen = await pushed.promote(service, "sit", APP, "1.3.0")
        assert seen.stage is InstanceStage.FAILED, seen
        assert "DST423" in seen.clusters[0].message
        after = await pushed.get(CENTRAL, DEFINITION)
        assert after["spec"] == live["spec"]

        stored = {"status": {"storedVersions": ["v2"]}}
        merge = "application/merge-patch+json"
        await pushed.send(CENTRAL, "PATCH", f"{DEFINITION}/status", stored, kind=merge)
        await pushed.ask(service, Verb.PROMOTE, "sit", APP, "1.3.0")

        async def verified() -> bool:
            await asyncio.wait_for(service.sync(), 120)
            return (await view(service, "sit", APP)).stage is InstanceStage.VERIFIED

        await until("it is verified", verified)
        after = await pushed.get(CENTRAL, DEFINITION)
        assert [v["name"] for v in after["spec"]["versions"]] == ["v2"]

        await pushed.ask(service, Verb.REMOVE, "sit", APP)
        await until("it is removed", lambda: removed(service))
        assert await pushed.get(CENTRAL, DEFINITION) == {}
        assert await pushed.get(CENTRAL, f"/api/v1/namespaces/{APP}") == {}


async def removed(service) -> bool:
    await asyncio.wait_for(service.sync(), 60)
    return (await view(service, "sit", APP)).stage is InstanceStage.REMOVED


def began(job: dict[str, Any]) -> str:
    return job["metadata"]["creationTimestamp"]


def ended(job: dict[str, Any]) -> str:
    return job["status"]["completionTime"]


def changed(item: dict[str, Any]) -> str:
    """When our last write to it was."""
    managed = item["metadata"]["managedFields"]
    return max(m["time"] for m in managed if m["manager"] == "distributor")
