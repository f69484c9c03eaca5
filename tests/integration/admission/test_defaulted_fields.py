"""Every built-in kind with what the API server fills in, and values spelled oddly: applied once, and never again."""

from __future__ import annotations

from typing import Any

import pytest

from distributor.model.changes import Actuation, ChangeSet
from distributor.model.tags import Verb
from tests.integration.admission.conftest import until, written
from tests.integration.ownership.conftest import deployment, named

pytestmark = [pytest.mark.controlplane, pytest.mark.timeout(240)]

POD = {
    "metadata": {"labels": {"app": "web"}},
    "spec": {
        "containers": [
            {
                "name": "web",
                "image": "registry.example/web:1",
                "ports": [{"containerPort": 8080}, {"containerPort": 53, "protocol": "UDP"}],
                "resources": {
                    "requests": {"cpu": "0.1", "memory": "1024Mi", "ephemeral-storage": "1e3"},
                    "limits": {"cpu": 1, "memory": "2048Mi", "ephemeral-storage": "1000000k"},
                },
                "env": [
                    {"name": "A", "value": ""},
                    {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
                    {"name": "CPU", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu", "divisor": "1000m"}}},
                ],
                "livenessProbe": {"httpGet": {"port": 8080}},
                "readinessProbe": {"grpc": {"port": 8080}},
                "volumeMounts": [{"name": "work", "mountPath": "/work"}, {"name": "conf", "mountPath": "/conf"}],
                "securityContext": {},
                "args": [],
            }
        ],
        "initContainers": [{"name": "first", "image": "registry.example/web", "restartPolicy": "Always"}],
        "volumes": [
            {"name": "work", "emptyDir": {"sizeLimit": "1024Ki"}},
            {"name": "conf", "configMap": {"name": "web"}},
            {"name": "all", "projected": {"sources": [{"serviceAccountToken": {"path": "t"}}, {"secret": {"name": "web"}}]}},
            {"name": "down", "downwardAPI": {"items": [{"path": "l", "fieldRef": {"fieldPath": "metadata.labels"}}]}},
            {"name": "host", "hostPath": {"path": "/x"}},
        ],
        "nodeSelector": {},
        "tolerations": [{"operator": "Exists"}],
        "topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway"}],
        "hostAliases": [{"ip": "::0001", "hostnames": ["a"]}],
        "serviceAccount": "web",
        "serviceAccountName": "web",
    },
}  # fmt: skip
JOB_POD = {"spec": {**POD["spec"], "restartPolicy": "Never", "hostAliases": []}}
SELECTOR = {"matchLabels": {"app": "web"}}
CLAIM = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1024Mi"}}}
KINDS: tuple[dict[str, Any], ...] = (
    named("v1", "ConfigMap", "web", data={"a": "1"}, binaryData={"b": "AAEC"}),
    named("v1", "Secret", "web", stringData={"a": "1"}, data={"b": "Yg=="}),
    named("v1", "ServiceAccount", "web"),
    named("v1", "Service", "web", spec={"selector": {"app": "web"}, "ports": [{"name": "web", "port": 80}, {"name": "dns", "port": 53, "protocol": "UDP"}]}),
    named("v1", "Service", "headless", spec={"clusterIP": "None", "ports": [{"port": 80, "name": "a"}]}),
    named("v1", "Service", "outside", spec={"type": "ExternalName", "externalName": "a.example"}),
    named("v1", "Service", "balanced", spec={"type": "LoadBalancer", "ports": [{"port": 80, "targetPort": "http"}], "externalIPs": ["192.0.2.7"], "sessionAffinity": "ClientIP"}),
    named("v1", "Endpoints", "plain", subsets=[{"addresses": [{"ip": "192.0.2.9"}], "ports": [{"port": 80}]}]),
    named("v1", "PersistentVolumeClaim", "web", spec=CLAIM),
    named("v1", "ReplicationController", "web", spec={"replicas": 0, "template": POD}),
    named("v1", "PodTemplate", "web", template=POD),
    named("v1", "ResourceQuota", "web", spec={"hard": {"pods": "0.1k", "requests.cpu": "100000m", "limits.memory": "1024Gi"}}),
    named("v1", "LimitRange", "web", spec={"limits": [{"type": "Container", "max": {"cpu": "4000m"}, "default": {"memory": "1024Mi"}}]}),
    deployment(replicas=0),
    named("apps/v1", "Deployment", "full", spec={"replicas": 0, "selector": SELECTOR, "template": POD, "strategy": {"rollingUpdate": {"maxSurge": "50%"}}}),
    named("apps/v1", "StatefulSet", "web", spec={"replicas": 0, "serviceName": "web", "selector": SELECTOR, "template": POD, "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": CLAIM}]}),
    named("apps/v1", "DaemonSet", "web", spec={"selector": SELECTOR, "template": {**POD, "spec": {**POD["spec"], "nodeSelector": {"no": "where"}}}}),
    named("apps/v1", "ReplicaSet", "web", spec={"replicas": 0, "selector": {"matchLabels": {"app": "web", "rs": "1"}}, "template": {**POD, "metadata": {"labels": {"app": "web", "rs": "1"}}}}),
    named("batch/v1", "Job", "web", spec={"suspend": True, "template": JOB_POD}),
    named("batch/v1", "CronJob", "web", spec={"schedule": "@daily", "suspend": True, "jobTemplate": {"spec": {"template": JOB_POD}}}),
    named("autoscaling/v2", "HorizontalPodAutoscaler", "web", spec={
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "nothing"}, "maxReplicas": 3,
        "metrics": [{"type": "Pods", "pods": {"metric": {"name": "m"}, "target": {"type": "AverageValue", "averageValue": "1000m"}}}],
    }),
    named("autoscaling/v1", "HorizontalPodAutoscaler", "old", spec={"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "no"}, "maxReplicas": 3, "targetCPUUtilizationPercentage": 50}),
    named("policy/v1", "PodDisruptionBudget", "web", spec={"selector": SELECTOR, "maxUnavailable": "30%"}),
    named("networking.k8s.io/v1", "Ingress", "web", spec={"rules": [{"host": "a.example", "http": {"paths": [{"pathType": "Prefix", "path": "/", "backend": {"service": {"name": "web", "port": {"number": 80}}}}]}}]}),
    named("networking.k8s.io/v1", "NetworkPolicy", "web", spec={"podSelector": {}, "ingress": [{"from": [{"ipBlock": {"cidr": "2001:db8::/32"}}], "ports": [{"port": 53}]}]}),
    named("discovery.k8s.io/v1", "EndpointSlice", "web", addressType="IPv6", endpoints=[{"addresses": ["2001:db8::1"]}], ports=[{"port": 80}]),
    named("rbac.authorization.k8s.io/v1", "Role", "web", rules=[{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]),
    named("rbac.authorization.k8s.io/v1", "RoleBinding", "web", roleRef={"kind": "Role", "name": "web", "apiGroup": "rbac.authorization.k8s.io"}, subjects=[{"kind": "ServiceAccount", "name": "web"}, {"kind": "User", "name": "eve"}]),
    named("coordination.k8s.io/v1", "Lease", "web", spec={"holderIdentity": "a"}),
)  # fmt: skip


async def test_each_is_written_once(instance):
    async def applied() -> bool:
        report = await instance.sync(*KINDS)
        assert not report.findings, [f.message for f in report.findings]
        return report.actuation is Actuation.APPLIED

    await until("all are applied", applied)
    assert reasons(await instance.plan(*KINDS)) == {}
    report = await instance.resync(*KINDS)
    assert (report.outcomes, report.drift) == ((), ())


async def test_a_new_version_writes_those_that_changed_alone(instance):
    await instance.sync(*KINDS)
    newer = [
        {**body, "metadata": {**body["metadata"], "labels": {"new": "1"}}}
        if body["kind"] == "Ingress"
        else body
        for body in KINDS
    ]
    assert written(await instance.sync(*newer)) == ["Ingress/web"]
    assert reasons(await instance.plan(*newer)) == {}


def reasons(planned: ChangeSet) -> dict[str, str]:
    """What would be done, and why."""
    told = {str(c.ref): f"{c.action.value} {c.reason}" for c in planned.changes}
    return {ref: text for ref, text in told.items() if text != "unchanged "}


def cluster_wide(name: str) -> tuple[dict[str, Any], ...]:
    """Kinds that are in no namespace, under a name that no other test has."""
    group = f"{name}.example.com"
    hook = {
        "name": f"a.{group}",
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
        "failurePolicy": "Ignore",
        "clientConfig": {"service": {"namespace": "none", "name": "none"}},
        "rules": [{"apiGroups": [group], "apiVersions": ["*"], "operations": ["*"], "resources": ["*"]}],
    }  # fmt: skip
    schema = {"type": "object", "properties": {"spec": {"type": "object", "properties": {"size": {"type": "integer", "default": 3}}}}}  # fmt: skip
    versions = [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}]  # fmt: skip
    names = {"plural": "things", "kind": "Thing"}
    admission = "admissionregistration.k8s.io/v1"
    match = {"resourceRules": [{"apiGroups": [group], "apiVersions": ["*"], "operations": ["*"], "resources": ["*"]}]}  # fmt: skip
    return (
        named("scheduling.k8s.io/v1", "PriorityClass", name, value=7),
        named("storage.k8s.io/v1", "StorageClass", name, provisioner="example.com/none"),
        named("storage.k8s.io/v1", "CSIDriver", group, spec={}),
        named("node.k8s.io/v1", "RuntimeClass", name, handler="none", overhead={"podFixed": {"cpu": "0.1"}}),
        named("networking.k8s.io/v1", "IngressClass", name, spec={"controller": "example.com/none"}),
        named("v1", "PersistentVolume", name, spec={"capacity": {"storage": "1024Mi"}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": "/x"}, "storageClassName": name}),
        named("apiextensions.k8s.io/v1", "CustomResourceDefinition", f"things.{group}", spec={"group": group, "scope": "Namespaced", "names": names, "versions": versions}),
        named("rbac.authorization.k8s.io/v1", "ClusterRole", name, rules=[{"nonResourceURLs": ["/none"], "verbs": ["get"]}]),
        named("rbac.authorization.k8s.io/v1", "ClusterRole", f"{name}-sum", aggregationRule={"clusterRoleSelectors": [{"matchLabels": {"sum": name}}]}, rules=[]),
        named("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", name, roleRef={"kind": "ClusterRole", "name": name, "apiGroup": "rbac.authorization.k8s.io"}, subjects=[{"kind": "Group", "name": "g"}]),
        named(admission, "ValidatingWebhookConfiguration", name, webhooks=[hook]),
        named(admission, "MutatingWebhookConfiguration", name, webhooks=[hook]),
        named(admission, "ValidatingAdmissionPolicy", name, spec={"matchConstraints": match, "validations": [{"expression": "true"}]}),
        named(admission, "ValidatingAdmissionPolicyBinding", name, spec={"policyName": name, "validationActions": ["Deny"]}),
        named("flowcontrol.apiserver.k8s.io/v1", "FlowSchema", name, spec={"priorityLevelConfiguration": {"name": "catch-all"}}),
        named("flowcontrol.apiserver.k8s.io/v1", "PriorityLevelConfiguration", name, spec={"type": "Limited", "limited": {"limitResponse": {"type": "Reject"}}}),
        named(f"{group}/v1", "Thing", "web", spec={}),
    )  # fmt: skip


async def test_so_is_each_that_is_in_no_namespace(instance):
    objects = tuple(_placed(body, instance.namespace) for body in cluster_wide(instance.namespace))

    async def applied() -> bool:
        report = await instance.sync(*objects)
        bad = [f.message for f in report.findings if f.code != "DST411"]
        assert bad == []
        return report.actuation is Actuation.APPLIED

    try:
        await until("all are applied", applied)
        assert reasons(await instance.plan(*objects)) == {}
        report = await instance.resync(*objects)
        assert (report.outcomes, report.drift) == ((), ())
    finally:
        await instance.remove(Verb.CONSENT)


def _placed(body: dict[str, Any], namespace: str) -> dict[str, Any]:
    place = namespace if body["kind"] == "Thing" else ""
    return {**body, "metadata": {**body["metadata"], "namespace": place}}
