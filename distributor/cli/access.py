"""What a push cluster needs: the entry of the settings, and an account with no more rights than needed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

NAMESPACE = "distributor-system"
ACCOUNT = "distributor"
VERBS = ("get", "list", "create", "patch", "delete")
"""Reading, server-side apply (which is create and patch) and pruning."""
_KINDS = (
    ("", ("configmaps", "limitranges", "namespaces", "persistentvolumeclaims", "resourcequotas",
          "secrets", "serviceaccounts", "services")),
    ("apps", ("daemonsets", "deployments", "statefulsets")),
    ("autoscaling", ("horizontalpodautoscalers",)),
    ("batch", ("cronjobs", "jobs")),
    ("networking.k8s.io", ("ingresses", "networkpolicies")),
    ("policy", ("poddisruptionbudgets",)),
    ("rbac.authorization.k8s.io", ("rolebindings", "roles")),
)  # fmt: skip
_RBAC = "rbac.authorization.k8s.io"


def setting(reference: str, kubeconfig: Path | None, context: str) -> str:
    """The table of ``distributor.toml`` that says how the cluster is reached."""
    file = str(kubeconfig.expanduser().absolute()) if kubeconfig else "~/.kube/config"
    lines = [f"[connections.{json.dumps(reference)}]", f"kubeconfig = {json.dumps(file)}"]
    lines += [f"context = {json.dumps(context)}"] if context else []
    return "\n".join(lines) + "\n"


def access() -> list[dict[str, Any]]:
    """The account, its rights on what apps are usually made of, and those on its inventories.

    Kinds of its own, cluster roles and whatever else a package brings must be added knowingly; it can
    grant nobody a right that it does not hold itself (no ``escalate``, no ``bind``).
    """
    rules = [
        {"apiGroups": [group], "resources": list(kinds), "verbs": list(VERBS)}
        for group, kinds in _KINDS
    ]
    inventories = [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["update"]}]
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
        {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {"name": ACCOUNT, "namespace": NAMESPACE},
        },
        _role("ClusterRole", rules),
        _binding("ClusterRole"),
        _role("Role", inventories),
        _binding("Role"),
    ]


def _metadata(kind: str) -> dict[str, str]:
    return {"name": ACCOUNT} | ({} if kind.startswith("Cluster") else {"namespace": NAMESPACE})


def _role(kind: str, rules: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "apiVersion": f"{_RBAC}/v1",
        "kind": kind,
        "metadata": _metadata(kind),
        "rules": rules,
    }


def _binding(role: str) -> dict[str, Any]:
    return {
        "apiVersion": f"{_RBAC}/v1",
        "kind": f"{role}Binding",
        "metadata": _metadata(role),
        "roleRef": {"apiGroup": _RBAC, "kind": role, "name": ACCOUNT},
        "subjects": [{"kind": "ServiceAccount", "name": ACCOUNT, "namespace": NAMESPACE}],
    }
