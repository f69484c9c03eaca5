"""Accounts on real API servers that have the rights that ``distributor cluster add`` prints, and no others."""

from __future__ import annotations

import urllib.error
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import yaml

from distributor.app import open_service
from distributor.cli.access import ACCOUNT, NAMESPACE
from distributor.services.service import Service
from distributor.settings import load
from tests.controlplane import ControlPlane
from tests.integration.mainjob.conftest import Pushed

CONFLICT, MISSING = 409, 404
APPLY = "application/apply-patch+yaml"
_PLURALS = {
    "Namespace": "namespaces", "ServiceAccount": "serviceaccounts", "Role": "roles",
    "RoleBinding": "rolebindings", "ClusterRole": "clusterroles",
    "ClusterRoleBinding": "clusterrolebindings",
}  # fmt: skip


def path_of(body: Mapping[str, Any]) -> str:
    """Where an object of the kinds that grant access lies."""
    version, metadata = body["apiVersion"], body["metadata"]
    group = f"/apis/{version}" if "/" in version else f"/api/{version}"
    inside = f"/namespaces/{metadata['namespace']}" if "namespace" in metadata else ""
    name = quote(metadata["name"], safe=":")
    return f"{group}{inside}/{_PLURALS[body['kind']]}/{name}"


def give(plane: ControlPlane, objects: Sequence[Mapping[str, Any]]) -> None:
    """Apply objects as an administrator does, in the order in which they are printed."""
    for body in objects:
        where = f"{path_of(body)}?fieldManager=admin&force=true"
        plane.client.send("PATCH", where, body, kind=APPLY)


def take(plane: ControlPlane, objects: Sequence[Mapping[str, Any]]) -> None:
    """Take what was given away again; what it is in stays."""
    for body in objects:
        if body["kind"] not in {"Namespace", "ServiceAccount"}:
            try:
                plane.client.send("DELETE", path_of(body))
            except urllib.error.HTTPError as error:
                error.close()
                if error.code != MISSING:
                    raise


def token(plane: ControlPlane, account: str = f"{NAMESPACE}/{ACCOUNT}") -> str:
    """A token of a service account, as the kubelet would ask for one."""
    namespace, _, name = account.partition("/")
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    where = f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token"
    return plane.client.send("POST", where, body)["status"]["token"]


def write_config(
    path: Path, plane: ControlPlane, user: Mapping[str, Any], **cluster: object
) -> Path:
    """A kubeconfig of one context, with any user and any way to the cluster; ``None`` leaves a field out."""
    way = {"server": plane.url, "certificate-authority": str(plane.ca), **cluster}
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {k: v for k, v in way.items() if v is not None}}],
        "users": [{"name": "u", "user": dict(user)}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    path.write_text(yaml.safe_dump(document), "utf-8")
    return path


@dataclass(frozen=True, kw_only=True)
class Limited(Pushed):
    """A playground whose connections say more than an administrator's kubeconfig."""

    connections: dict[str, dict[str, str]] = field(default_factory=dict)

    @asynccontextmanager
    async def service(self) -> AsyncIterator[Service]:
        settings = load({}, {}, self.place.root).settings
        settings = replace(settings, connections=self.connections)
        async with open_service(settings, writing=True) as service:
            yield service
