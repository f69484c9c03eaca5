"""Small apps for tests of one behaviour each: a Deployment, its Service and settings, written on the spot."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from distributor import log
from tests import realapps
from tests.integration.mainjob.conftest import Pushed, edit, new_pushed

API = "distributor.dev/v1alpha1"
GOOD = "registry.example/web:1"
FAILING = "registry.example/fail:1"
"""The simulated nodes let every image run, but for those whose name begins so."""


def write_app(work_tree: Path, app: str, version: str, *objects: Mapping[str, Any]) -> None:
    """A version of an app from plain objects, in a namespace named like the app."""
    folder = work_tree / "catalog" / app
    _write(folder / "app.yaml", _document("App", app, {"summary": "For a test.", "owner": "tests"}))
    spec = {
        "version": version,
        "renderer": "raw",
        "path": "manifests",
        "namespace": {"name": app, "podSecurity": "baseline"},
    }
    _write(folder / version / "package.yaml", _document("Package", app, spec))
    text = yaml.safe_dump_all(objects, sort_keys=False)
    _text(folder / version / "manifests" / "objects.yaml", text)


def write_installation(work_tree: Path, instance: str, app: str, **spec: object) -> None:
    """An instance of an app in sit."""
    path = work_tree / "environments" / "sit" / "apps" / f"{instance}.yaml"
    _write(path, _document("Installation", instance, {"app": app, **spec}))


def web(image: str = GOOD, *, replicas: int = 1, text: str = "hello") -> tuple[dict[str, Any], ...]:
    """A Deployment called web, with a Service and a ConfigMap."""
    labels = {"app": "web"}
    pod = {"containers": [{"name": "web", "image": image, "ports": [{"containerPort": 8080}]}]}
    spec = {
        "replicas": replicas,
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": pod},
    }
    return (
        _object("apps/v1", "Deployment", "web", spec=spec),
        _object("v1", "Service", "web", spec={"selector": labels, "ports": [{"port": 8080}]}),
        settings("web", text=text),
    )


def autoscaler(name: str, *, lowest: int) -> dict[str, Any]:
    """An autoscaler of a Deployment; without metrics it only keeps the lowest number."""
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}
    load = {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 90}}
    spec = {
        "scaleTargetRef": target,
        "minReplicas": lowest,
        "maxReplicas": lowest + 2,
        "metrics": [{"type": "Resource", "resource": load}],
    }
    return _object("autoscaling/v2", "HorizontalPodAutoscaler", name, spec=spec)


def settings(name: str, namespace: str = "", **data: str) -> dict[str, Any]:
    """A ConfigMap."""
    found = _object("v1", "ConfigMap", name, data=data)
    if namespace:
        found["metadata"]["namespace"] = namespace
    return found


def namespace(name: str) -> dict[str, Any]:
    """A Namespace."""
    return _object("v1", "Namespace", name)


def _object(api_version: str, kind: str, name: str, **fields: object) -> dict[str, Any]:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name}, **fields}


def _document(kind: str, name: str, spec: Mapping[str, Any]) -> dict[str, Any]:
    return {"apiVersion": API, "kind": kind, "metadata": {"name": name}, "spec": dict(spec)}


def _write(path: Path, document: object) -> None:
    _text(path, yaml.safe_dump(document, sort_keys=False))


def _text(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")


def one_cluster(root: Path, control_planes, name: str, **environment: object) -> Pushed:
    """A sit of nothing but one API server, without any app yet; quick to roll out, and to fail."""
    log.configure("error", "json")
    (plane,) = control_planes(1)
    pushed = new_pushed(root, {name: plane})
    work_tree = pushed.place.catalog
    shutil.rmtree(work_tree / "catalog")
    for file in work_tree.glob("environments/*/apps/*.yaml"):
        file.unlink()
    for file in work_tree.glob("environments/sit/clusters/*.yaml"):
        if file.stem != name:
            file.unlink()
    realapps.push(work_tree, name)
    rollout = {"maxFailures": 0, "minReady": "0s", "deadline": "1m"}
    edit(work_tree / "environments/sit/environment.yaml", rollout=rollout, **environment)
    return pushed
