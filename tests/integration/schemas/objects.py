"""Objects to check, as YAML would give them."""

from __future__ import annotations

from typing import Any

from distributor.model.findings import Finding, Severity
from distributor.model.manifest import Manifest, ManifestSet

META = {"name": "web", "namespace": "shop"}
POD = {"containers": [{"name": "web", "image": "nginx:1.27", "ports": [{"containerPort": 80}]}]}


def deployment(**spec: object) -> dict[str, Any]:
    whole = {
        "replicas": 2,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {"metadata": {"labels": {"app": "web"}}, "spec": POD},
        **spec,
    }
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": META, "spec": whole}


def plain(api_version: str, kind: str, **fields: object) -> dict[str, Any]:
    return {"apiVersion": api_version, "kind": kind, "metadata": META, **fields}


def service(**spec: object) -> dict[str, Any]:
    return plain("v1", "Service", spec={"ports": [{"port": 80, "targetPort": "http"}], **spec})


def crd(schema: dict[str, Any], **version: object) -> dict[str, Any]:
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "brokers.iot.example.org", "creationTimestamp": None},
        "spec": {
            "group": "iot.example.org",
            "names": {"kind": "Broker", "plural": "brokers", "singular": "broker"},
            "scope": "Namespaced",
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": schema},
                    **version,
                }
            ],
        },
    }


def broker(version: str = "v1", **fields: object) -> dict[str, Any]:
    return plain(f"iot.example.org/{version}", "Broker", **fields)


def the_set(*objects: dict[str, Any]) -> ManifestSet:
    return ManifestSet.of(Manifest.of(data) for data in objects)


def said(findings: tuple[Finding, ...]) -> list[tuple[str, str]]:
    """The code and field of every error."""
    return [(f.code, f.where.field) for f in findings if f.severity is Severity.ERROR]
