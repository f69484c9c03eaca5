"""What pods of a Windows package may say: our table against the validation of a real API server."""

from __future__ import annotations

import copy
import json
import urllib.error

import pytest

from distributor.errors.render import OsConflict
from distributor.model.package import Fits, NamespaceSpec, Package, Renderer
from distributor.model.refs import Digest, ObjectId
from distributor.model.versions import Version
from distributor.render.windows import settle_os

pytestmark = pytest.mark.controlplane

PACKAGE = Package(
    app="site", version=Version.parse("1.0.0"), digest=Digest("sha256:" + "a" * 64), tree=ObjectId("1" * 40),
    folder="catalog/site/1.0.0", renderer=Renderer.RAW, path="manifests",
    namespace=NamespaceSpec(name="site"), fits=Fits(os=("windows",)),
)  # fmt: skip
PROFILE = {"type": "RuntimeDefault"}
POD = {
    "hostPID": True, "hostIPC": True, "hostUsers": False, "shareProcessNamespace": True,
    "securityContext.runAsUser": 1, "securityContext.runAsGroup": 1, "securityContext.fsGroup": 1,
    "securityContext.fsGroupChangePolicy": "Always", "securityContext.supplementalGroups": [1],
    "securityContext.seLinuxOptions": {"level": "s0"}, "securityContext.seccompProfile": PROFILE,
    "securityContext.appArmorProfile": PROFILE, "securityContext.sysctls": [{"name": "kernel.shm_rmid_forced", "value": "1"}],
    "securityContext.supplementalGroupsPolicy": "Merge",
}  # fmt: skip
CONTAINER = {
    "runAsUser": 1, "runAsGroup": 1, "privileged": False, "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True, "procMount": "Default", "capabilities": {"drop": ["ALL"]},
    "seLinuxOptions": {"level": "s0"}, "seccompProfile": PROFILE, "appArmorProfile": PROFILE,
}  # fmt: skip
ALLOWED = {
    "hostPID": False, "securityContext.runAsNonRoot": True, "hostname": "a", "priority": 0,
    "securityContext.windowsOptions": {"runAsUserName": "ContainerUser"}, "terminationGracePeriodSeconds": 1,
}  # fmt: skip


def deployment(pod):
    labels = {"app": "web"}
    template = {"metadata": {"labels": labels}, "spec": pod}
    spec = {"selector": {"matchLabels": labels}, "template": template}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": spec,
    }


def pods():
    """Each pod with one field more, the field, and whether Windows may have it."""
    base = {"containers": [{"name": "c", "image": "example.com/web:1"}]}
    yield base, "", True
    for fields, fine in ((POD, False), (ALLOWED, True)):
        for field, value in fields.items():
            pod = copy.deepcopy(base)
            *before, last = field.split(".")
            holder = pod.setdefault(before[0], {}) if before else pod
            holder[last] = value
            yield pod, field, fine
    for field, value in CONTAINER.items():
        pod = copy.deepcopy(base)
        pod["containers"][0]["securityContext"] = {field: value}
        yield pod, f"containers[0].securityContext.{field}", False


def refusal(plane, namespace, pod):
    """The fields that the API server refuses, without storing anything."""
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments?dryRun=All"
    try:
        plane.client.send("POST", path, deployment(pod))
    except urllib.error.HTTPError as error:
        with error:
            causes = json.loads(error.read()).get("details", {}).get("causes", [])
        return [cause["field"] for cause in causes]
    return []


def test_we_refuse_what_the_cluster_refuses(control_planes):
    (plane,) = control_planes(1, controllers=False)
    namespace = plane.new_namespace()
    for pod, field, fine in pods():
        windows = {**pod, "os": {"name": "windows"}}
        refused = refusal(plane, namespace, windows)
        assert [f.removeprefix("spec.template.spec.") for f in refused] == ([] if fine else [field])
        data = deployment(copy.deepcopy(pod))
        if fine:
            settle_os([data], PACKAGE)
            assert refusal(plane, namespace, data["spec"]["template"]["spec"]) == []
        else:
            with pytest.raises(OsConflict) as caught:
                settle_os([data], PACKAGE)
            assert f"spec.template.spec.{field}" in str(caught.value)
