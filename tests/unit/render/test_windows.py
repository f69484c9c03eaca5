"""Pods land on nodes of their package's operating system, or a finding says why they cannot."""

from __future__ import annotations

import copy

import orjson
import pytest

from distributor.errors.render import OsConflict
from distributor.model.package import Fits, NamespaceSpec
from distributor.render import finish
from distributor.render.windows import TOLERATION, settle_os
from tests.unit.render.test_finishing import cell

LABEL = "kubernetes.io/os"
STANDARD = dict(TOLERATION)
WINDOWS = {"nodeSelector": {LABEL: "windows"}, "os": {"name": "windows"}, "tolerations": [STANDARD]}
KINDS = {
    "v1 Pod": ("spec",),
    "v1 PodTemplate": ("template", "spec"),
    "v1 ReplicationController": ("spec", "template", "spec"),
    "apps/v1 Deployment": ("spec", "template", "spec"),
    "apps/v1 StatefulSet": ("spec", "template", "spec"),
    "apps/v1 DaemonSet": ("spec", "template", "spec"),
    "apps/v1 ReplicaSet": ("spec", "template", "spec"),
    "batch/v1 Job": ("spec", "template", "spec"),
    "batch/v1 CronJob": ("spec", "jobTemplate", "spec", "template", "spec"),
    "argoproj.io/v1alpha1 Rollout": ("spec", "template", "spec"),
}


def thing(pod, kind="apps/v1 Deployment", **metadata):
    version, name = kind.split()
    value = pod
    for step in reversed(KINDS[kind]):
        value = {step: value}
    return {"apiVersion": version, "kind": name, "metadata": {"name": "web", **metadata}, **value}


def settled(make, pod, *systems, kind="apps/v1 Deployment"):
    data = thing(copy.deepcopy(pod), kind)
    settle_os([data], make.package(fits=Fits(os=systems)))
    for step in KINDS[kind]:
        data = data[step]
    return data


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_that_runs_pods(make, kind):
    assert settled(make, {"containers": []}, "windows", kind=kind) == {"containers": [], **WINDOWS}
    linux = settled(make, {"containers": []}, "linux", kind=kind)
    assert linux == {"containers": [], "nodeSelector": {LABEL: "linux"}}


def test_hooks_are_no_exception(make):
    job = thing({"containers": []}, "batch/v1 Job", annotations={"helm.sh/hook": "pre-upgrade"})
    namespace = NamespaceSpec(name="shop", create=False)
    package = make.package(fits=Fits(os=("windows",)), namespace=namespace)
    (made,) = finish([orjson.dumps(job)], cell(), package)
    assert made.data()["spec"]["template"]["spec"] == {"containers": [], **WINDOWS}


@pytest.mark.parametrize(
    ("pod", "expected"),
    [
        (WINDOWS, WINDOWS),
        ({"nodeSelector": {"disk": "ssd"}}, {**WINDOWS, "nodeSelector": {LABEL: "windows", "disk": "ssd"}}),
        ({"nodeSelector": None, "tolerations": None, "os": None}, WINDOWS),
        ({"os": {}}, WINDOWS),
        ({"tolerations": [{"key": "x"}]}, {**WINDOWS, "tolerations": [{"key": "x"}, STANDARD]}),
        ({"tolerations": [{"operator": "Exists"}]}, {**WINDOWS, "tolerations": [{"operator": "Exists"}]}),
        ({"tolerations": [{"key": "os", "operator": "Exists"}]}, {**WINDOWS, "tolerations": [{"key": "os", "operator": "Exists"}]}),
        ({"tolerations": [{"key": "os", "value": "windows"}]}, {**WINDOWS, "tolerations": [{"key": "os", "value": "windows"}]}),
        ({"tolerations": [{**STANDARD, "effect": "NoExecute"}]},
         {**WINDOWS, "tolerations": [{**STANDARD, "effect": "NoExecute"}, STANDARD]}),
        ({"tolerations": [{"key": "os", "value": "linux"}]}, {**WINDOWS, "tolerations": [{"key": "os", "value": "linux"}, STANDARD]}),
        ({"hostPID": False, "securityContext": {"runAsNonRoot": True}},
         {**WINDOWS, "hostPID": False, "securityContext": {"runAsNonRoot": True}}),
    ],
)  # fmt: skip
def test_windows_pods_get_what_they_lack(make, pod, expected):
    assert settled(make, pod, "windows") == expected
    assert settled(make, expected, "windows") == expected


@pytest.mark.parametrize(
    ("pod", "systems", "expected"),
    [
        ({}, (), {}),
        ({}, ("linux", "windows"), {}),
        ({"nodeSelector": {LABEL: "linux"}}, ("linux", "windows"), {"nodeSelector": {LABEL: "linux"}}),
        ({"nodeSelector": {LABEL: "windows"}}, ("linux", "windows"), WINDOWS),
        ({"os": {"name": "windows"}}, ("windows", "linux"), WINDOWS),
        ({"nodeSelector": {LABEL: "windows"}}, (), WINDOWS),
        ({"nodeSelector": {LABEL: "${node_os}"}}, ("linux",), {"nodeSelector": {LABEL: "${node_os}"}}),
    ],
)  # fmt: skip
def test_a_package_of_both_or_none_lets_each_pod_say(make, pod, systems, expected):
    assert settled(make, pod, *systems) == expected


REFUSED = [
    ({"nodeSelector": {LABEL: "linux"}}, "nodeSelector.kubernetes.io/os"),
    ({"nodeSelector": {f"beta.{LABEL}": "linux"}}, "nodeSelector.beta.kubernetes.io/os"),
    ({"os": {"name": "linux"}}, "os.name"),
    ({"hostPID": True}, "hostPID"),
    ({"hostIPC": True}, "hostIPC"),
    ({"hostUsers": False}, "hostUsers"),
    ({"shareProcessNamespace": False}, "shareProcessNamespace"),
    ({"resources": {"limits": {"cpu": 1}}}, "resources"),
    *[({"securityContext": {field: value}}, f"securityContext.{field}") for field, value in {
        "runAsUser": 0, "runAsGroup": 1, "fsGroup": 1, "fsGroupChangePolicy": "Always", "sysctls": [],
        "supplementalGroups": [1], "supplementalGroupsPolicy": "Strict", "seLinuxOptions": {},
        "seLinuxChangePolicy": "x", "seccompProfile": {"type": "RuntimeDefault"}, "appArmorProfile": {}}.items()],
    *[({key: [{}, {"securityContext": {field: value}}]}, f"{key}[1].securityContext.{field}")
      for key, field, value in [
        ("containers", "runAsUser", 0), ("containers", "capabilities", {}), ("containers", "privileged", False),
        ("containers", "readOnlyRootFilesystem", True), ("containers", "procMount", "Default"),
        ("initContainers", "allowPrivilegeEscalation", False), ("containers", "seccompProfile", {}),
        ("initContainers", "runAsGroup", 1), ("ephemeralContainers", "seLinuxOptions", {}),
        ("containers", "appArmorProfile", {})]],
]  # fmt: skip


@pytest.mark.parametrize(("pod", "field"), REFUSED)
def test_what_windows_refuses(make, pod, field):
    with pytest.raises(OsConflict) as caught:
        settled(make, pod, "windows")
    assert str(caught.value).startswith("DST328")
    assert f"Deployment/web spec.template.spec.{field}" in str(caught.value)


@pytest.mark.parametrize("pod", [{"nodeSelector": {LABEL: "windows"}}, {"os": {"name": "windows"}}])
def test_a_windows_pod_in_a_linux_package(make, pod):
    with pytest.raises(OsConflict):
        settled(make, pod, "linux")


def test_everything_is_named_at_once(make):
    pod = {"hostPID": True, "containers": [{"securityContext": {"privileged": True}}]}
    objects = [thing(pod), thing({"os": {"name": "linux"}}, "batch/v1 CronJob")]
    with pytest.raises(OsConflict) as caught:
        settle_os(objects, make.package(fits=Fits(os=("windows",))))
    assert str(caught.value).count(";") == 2
    assert "CronJob/web spec.jobTemplate.spec.template.spec.os.name" in str(caught.value)


@pytest.mark.parametrize("pod", [None, 3, []])
def test_what_is_no_pod_is_left_to_the_schemas(make, pod):
    assert settled(make, pod, "windows") == pod
