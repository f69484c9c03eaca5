"""The plan asks the API server what it would say: what an apply would be refused, the plan says in the same words."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from typing import Any

import pytest

from distributor.adapters.kube import KubeConnections
from distributor.model.changes import Action, Actuation, Change, ChangeSet, TargetReport
from tests.integration.admission.conftest import admission, changed, hook_certificate, until
from tests.integration.membership.conftest import Instance, codes, settings
from tests.integration.ownership.conftest import deployment, named

__all__ = ["admission", "hook_certificate"]
pytestmark = [pytest.mark.controlplane, pytest.mark.timeout(180)]
RBAC = "/apis/rbac.authorization.k8s.io/v1"


def change(plan: ChangeSet, name: str) -> Change:
    """The only change of an object, by kind and name."""
    (found,) = [c for c in plan.changes if f"{c.ref.kind}/{c.ref.name}" == name]
    return found


def said(found: ChangeSet | TargetReport) -> list[tuple[str, str]]:
    return sorted((finding.code, finding.message) for finding in found.findings)


def other_selector() -> dict[str, Any]:
    found = deployment(replicas=0)
    found["spec"]["selector"] = {"matchLabels": {"app": "web", "more": "1"}}
    found["spec"]["template"]["metadata"]["labels"] = {"app": "web", "more": "1"}
    return found


def typo() -> dict[str, Any]:
    found = deployment(replicas=0)
    found["spec"]["template"]["spec"]["containers"][0]["imagee"] = "web:2"
    return found


def secret(kind: str) -> dict[str, Any]:
    data = {"username": "YQ==", "password": "YQ=="}
    return named("v1", "Secret", "s", type=kind, data=data)


def service(**spec: Any) -> dict[str, Any]:
    return named("v1", "Service", "web", spec={"ports": [{"port": 80}], **spec})


@pytest.mark.parametrize(
    ("before", "after", "code", "text"),
    [
        (deployment(replicas=0), other_selector(), "DST416", "spec.selector"),
        (secret("Opaque"), secret("kubernetes.io/basic-auth"), "DST416", "type"),
        (service(), service(clusterIP="None"), "DST416", "spec.clusterIPs"),
        (deployment(replicas=0), typo(), "DST402", "imagee"),
        (None, typo(), "DST402", "imagee"),
        (None, named("example.com/v1", "Nothing", "n"), "DST411", "Nothing"),
        (None, settings("a", x="1") | {"metadata": {"name": "a", "namespace": "nowhere-at-all"}},
         "DST402", "nowhere-at-all"),
    ],
    ids=["selector", "secret type", "clusterIP", "typo", "typo in new", "no kind", "no namespace"],
)  # fmt: skip
async def test_what_an_apply_is_refused_the_plan_says(instance, before, after, code, text):
    others = [settings("always")]
    if before is not None:
        assert (await instance.sync(before, *others)).actuation is Actuation.APPLIED
    instance.sequence += 1
    plan = await instance.plan(after, *others)
    ((told, message),) = said(plan)
    assert (told, text in message) == (code, True), message
    refused = change(plan, f"{after['kind']}/{after['metadata']['name']}")
    assert (refused.action, code in refused.reason) == (Action.SKIPPED, True), refused
    report = await instance.resync(after, *others)
    assert said(report) == said(plan)


async def test_a_quota_that_is_used_up_is_foreseen(instance):
    async def root_ca() -> bool:
        return bool(await instance.get("v1 configmaps/kube-root-ca.crt"))

    await until("the cluster's own ConfigMap counts", root_ca)
    hard = {"count/configmaps": "1"}
    body = named("v1", "ResourceQuota", "tight", spec={"hard": hard})
    await instance.send("POST", "v1 resourcequotas", body)

    async def counted() -> bool:
        status = (await instance.get("v1 resourcequotas/tight")).get("status", {})
        return status.get("used") == hard

    await until("the quota is counted", counted)
    plan = await instance.plan(settings("a", x="1"), named("v1", "ServiceAccount", "web"))
    assert codes(plan) == ["DST402"]
    assert "exceeded quota: tight" in plan.findings[0].message
    assert change(plan, "ServiceAccount/web").action is Action.CREATED
    report = await instance.sync(settings("a", x="1"), named("v1", "ServiceAccount", "web"))
    assert codes(report) == codes(plan)


async def test_what_a_webhook_refuses_and_changes_is_foreseen(instance, admission):
    def judge(asked: dict[str, Any]) -> Mapping[str, Any] | None:
        if asked["object"]["data"].get("a") == "bad":
            return {"allowed": False, "status": {"message": "says team platform"}}
        return changed(asked, lambda o: o["data"].update(team="platform"))

    await instance.sync(settings("web", a="1"))
    await admission.hook(judge, "configmaps", mutating=True)
    plan = await instance.plan(settings("web", a="bad"))
    assert codes(plan) == ["DST402"]
    assert "says team platform" in plan.findings[0].message
    plan = await instance.plan(settings("web", a="2"))
    assert plan.findings == ()
    assert set(change(plan, "ConfigMap/web").fields) == {"data.a", "data.team"}
    assert "data" in (await instance.get("v1 configmaps/web"))
    assert (await instance.get("v1 configmaps/web"))["data"] == {"a": "1"}


async def test_a_webhook_that_is_down_is_told_as_an_apply_tells_it(instance, admission):
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["*"], "resources": ["configmaps"]}  # fmt: skip
    await admission.make(
        "ValidatingWebhookConfiguration", "effects", webhooks=[{
            "name": "effects.example.com", "admissionReviewVersions": ["v1"],
            "sideEffects": "NoneOnDryRun",
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": instance.namespace}},
            "clientConfig": {"url": "https://127.0.0.1:1/"}, "rules": [rule],
        }],
    )  # fmt: skip

    async def in_force() -> bool:
        return bool((await instance.plan(settings("web", a="1"))).findings)

    await until("it is asked, and down", in_force)
    assert codes(await instance.plan(settings("web", a="1"))) == ["DST404"]


async def test_what_comes_before_an_object_in_the_same_revision_is_waited_for(instance):
    home = f"{instance.namespace}-new"
    group = f"{instance.namespace}.example.com"
    names = {"kind": "Thing", "plural": "things", "singular": "thing", "listKind": "ThingList"}
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    version = {"name": "v1", "served": True, "storage": True, "schema": schema}
    spec = {"group": group, "scope": "Namespaced", "names": names, "versions": [version]}
    definition = named(
        "apiextensions.k8s.io/v1", "CustomResourceDefinition", f"things.{group}", spec=spec
    )
    inside = settings("inside", a="1")
    inside["metadata"]["namespace"] = home
    space = named("v1", "Namespace", home)
    for cluster_wide in (definition, space):
        cluster_wide["metadata"]["namespace"] = ""
    objects = (definition, space, inside, named(f"{group}/v1", "Thing", "t"))
    plan = await instance.plan(*objects)
    assert plan.findings == ()
    assert {c.action for c in plan.changes} == {Action.CREATED}
    assert change(plan, "ConfigMap/inside").unasked == "its namespace is made by this revision"
    assert change(plan, "Thing/t").unasked == "its kind is made by this revision"
    assert not change(plan, f"Namespace/{home}").unasked
    report = await instance.settle(*objects)
    assert report.actuation is Actuation.APPLIED, report.findings


async def test_what_needs_a_refused_object_is_skipped_and_nothing_is_deleted(instance):
    old = (deployment(replicas=0), settings("old", a="1"))
    await instance.sync(*old)
    later = settings("later", a="1")
    where = f"apps/namespaces/{instance.namespace}/Deployment/web"
    later["metadata"]["annotations"] = {"config.kubernetes.io/depends-on": where}
    objects = (other_selector(), later, settings("other", a="1"))
    instance.sequence += 1
    plan = await instance.plan(*objects)
    actions = {c.ref.name: c.action for c in plan.changes}
    assert actions == {
        "web": Action.SKIPPED, "later": Action.SKIPPED, "old": Action.SKIPPED, "other": Action.CREATED,
    }  # fmt: skip
    report = await instance.resync(*objects)
    assert said(report) == said(plan)
    assert [o.ref.name for o in report.outcomes if o.error is None] == ["other"]
    assert await instance.get("v1 configmaps/old")


@pytest.fixture
async def reader(instance: Instance) -> AsyncIterator[Instance]:
    """The instance as somebody sees it who may look at everything and change nothing."""
    user = f"reader-{instance.namespace}"
    look = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list", "watch"]}]
    role = named("rbac.authorization.k8s.io/v1", "ClusterRole", user, rules=look)
    await instance.root("POST", f"{RBAC}/clusterroles", role)
    ref = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": user}
    who = [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}]
    binding = named(
        "rbac.authorization.k8s.io/v1", "ClusterRoleBinding", user, roleRef=ref, subjects=who
    )
    await instance.root("POST", f"{RBAC}/clusterrolebindings", binding)
    kubeconfig = await asyncio.to_thread(instance.plane.kubeconfig_for, user)
    connections = KubeConnections({"c1": {"kubeconfig": str(kubeconfig)}})
    yield replace(instance, world=replace(instance.world, connections=connections))
    await connections.aclose()


async def test_who_may_only_read_is_told_once_and_sees_the_rest(instance, reader):
    await instance.sync(*(settings(f"s{n}", a="1") for n in range(20)), settings("old", a="1"))
    objects = [settings(f"s{n}", a="2") for n in range(20)]
    plan = await reader.plan(*objects)
    (finding,) = plan.findings
    assert (finding.code, finding.severity.value) == ("DST427", "warning")
    assert "cannot patch" in finding.message
    actions = [c.action for c in plan.changes]
    assert (actions.count(Action.CONFIGURED), actions.count(Action.PRUNED)) == (20, 1)
    assert all(c.unasked for c in plan.changes if c.action is Action.CONFIGURED)


async def test_what_is_made_anew_is_no_refusal(instance):
    def job(image: str) -> dict[str, Any]:
        pod = {"restartPolicy": "Never", "containers": [{"name": "a", "image": image}]}
        return named("batch/v1", "Job", "j", spec={"suspend": True, "template": {"spec": pod}})

    await instance.sync(job("a:1"))
    instance.sequence += 1
    plan = await instance.plan(job("a:2"))
    assert plan.findings == ()
    assert "made anew, as spec.template" in change(plan, "Job/j").reason
    report = await instance.resync(job("a:2"))
    assert report.actuation is Actuation.APPLIED, report.findings


async def test_taken_and_handed_over_fields_are_foreseen_as_they_will_be(instance):
    body = deployment(replicas=0)
    await instance.sync(body)
    moved = deployment()
    plan = await instance.plan(moved)
    assert plan.findings == ()
    found = change(plan, "Deployment/web")
    assert "hands over spec.replicas" in found.reason
    assert "spec.replicas" not in found.fields, "it stays as it is"
