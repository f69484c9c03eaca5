"""What a push cluster needs: the entry of the settings, and an account with no more rights than needed."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

NAMESPACE = "distributor-system"
ACCOUNT = "distributor"
LOOKING = ("get", "list", "watch")
VERBS = (*LOOKING, "create", "patch", "delete")
"""Reading, watching for drift, server-side apply (which is create and patch) and pruning."""
_INVENTORIES = (*LOOKING, "create", "update", "delete")
_RBAC = "rbac.authorization.k8s.io"
_USUAL = (
    ("", ("configmaps", "limitranges", "namespaces", "persistentvolumeclaims", "resourcequotas",
          "secrets", "serviceaccounts", "services")),
    ("apps", ("daemonsets", "deployments", "statefulsets")),
    ("autoscaling", ("horizontalpodautoscalers",)),
    ("batch", ("cronjobs", "jobs")),
    ("networking.k8s.io", ("ingresses", "networkpolicies")),
    ("policy", ("poddisruptionbudgets",)),
    (_RBAC, ("rolebindings", "roles")),
)  # fmt: skip

Object = dict[str, Any]
Rule = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Resource:
    """A kind as access control names it."""

    group: str
    plural: str
    namespaced: bool = True


NAMESPACES = Resource(group="", plural="namespaces", namespaced=False)
USUAL = frozenset(
    Resource(group=group, plural=plural, namespaced=plural != "namespaces")
    for group, plurals in _USUAL
    for plural in plurals
)
"""What apps are usually made of. Cluster roles, kinds of one's own and all else are added knowingly."""


def setting(
    reference: str,
    kubeconfig: Path | None,
    context: str,
    *,
    namespaces: Sequence[str] = (),
    in_cluster: bool = False,
) -> str:
    """The table of ``distributor.toml`` that says how the cluster is reached."""
    file = str(kubeconfig.expanduser().absolute()) if kubeconfig else "~/.kube/config"
    lines = [f"[connections.{json.dumps(reference)}]"]
    lines += ["in_cluster = true"] if in_cluster else [f"kubeconfig = {json.dumps(file)}"]
    lines += [f"context = {json.dumps(context)}"] if context else []
    lines += [f"namespaces = {json.dumps(list(namespaces))}"] if namespaces else []
    return "\n".join(lines) + "\n"


def access(
    *,
    resources: Collection[Resource] = USUAL,
    namespaces: Sequence[str] = (),
    accounts: Sequence[str] = (),
) -> list[Object]:
    """The account, its rights on ``resources``, in ``namespaces`` alone if any are given, and on inventories.

    ``accounts`` are service accounts (``namespace/name``) in whose name instances are delivered: each may
    do what an app of its namespace needs, and nothing elsewhere.
    """
    within = [r for r in resources if r.namespaced]
    across = [r for r in resources if not r.namespaced]
    objects = [_namespace(), _account(NAMESPACE, ACCOUNT)]
    if namespaces:
        named = [_named(NAMESPACES, LOOKING, namespaces)]
        objects += _granted("ClusterRole", named + _rules(set(across) - {NAMESPACES}))
        for each in namespaces:
            objects += _granted("Role", _rules(within), namespace=each)
    else:
        objects += _granted("ClusterRole", _rules(resources))
    inventories = [{"apiGroups": [""], "resources": ["secrets"], "verbs": list(_INVENTORIES)}]
    objects += _granted("Role", inventories, name=f"{ACCOUNT}-inventories", namespace=NAMESPACE)
    for account in accounts:
        objects += _tenant(account, within)
    return objects


def _tenant(account: str, resources: Collection[Resource]) -> list[Object]:
    """A service account that may fill its namespace, and our right to act in its name, and no other's."""
    namespace, _, name = account.partition("/")
    ours = f"{ACCOUNT}-as-{name}"
    there = {"kind": "ServiceAccount", "name": name, "namespace": namespace}
    theirs = f"{ACCOUNT}:{namespace}:{name}"
    impersonate = _named(Resource(group="", plural="serviceaccounts"), ("impersonate",), (name,))
    return [
        _account(namespace, name),
        *_granted("Role", [impersonate], name=ours, namespace=namespace),
        *_granted(
            "Role",
            _rules(resources),
            name=f"{ACCOUNT}-tenant-{name}",
            namespace=namespace,
            to=there,
        ),
        *_granted(
            "ClusterRole", [_named(NAMESPACES, ("get",), (namespace,))], name=theirs, to=there
        ),
    ]


def _rules(resources: Collection[Resource]) -> list[Rule]:
    groups: dict[str, list[str]] = {}
    for each in sorted(resources):
        groups.setdefault(each.group, []).append(each.plural)
    return [
        {"apiGroups": [group], "resources": plurals, "verbs": list(VERBS)}
        for group, plurals in groups.items()
    ]


def _named(resource: Resource, verbs: Sequence[str], names: Sequence[str]) -> Rule:
    return {
        "apiGroups": [resource.group],
        "resources": [resource.plural],
        "resourceNames": list(names),
        "verbs": list(verbs),
    }


def _namespace() -> Object:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}


def _account(namespace: str, name: str) -> Object:
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}


def _granted(
    kind: str,
    rules: Sequence[Rule],
    *,
    name: str = ACCOUNT,
    namespace: str = "",
    to: Mapping[str, str] | None = None,
) -> list[Object]:
    """A role and its binding; nothing where there are no rules."""
    if not rules:
        return []
    subject = to or {"kind": "ServiceAccount", "name": ACCOUNT, "namespace": NAMESPACE}
    metadata = {"name": name} | ({"namespace": namespace} if namespace else {})
    reference = {"apiGroup": _RBAC, "kind": kind, "name": name}
    return [
        {"apiVersion": f"{_RBAC}/v1", "kind": kind, "metadata": metadata, "rules": list(rules)},
        {
            "apiVersion": f"{_RBAC}/v1",
            "kind": f"{kind}Binding",
            "metadata": metadata,
            "roleRef": reference,
            "subjects": [dict(subject)],
        },
    ]
