"""Three public demo apps as packages: real manifests, kept outside this repository, with descriptors written here.

The folder is named by ``DISTRIBUTOR_REAL_APPS``; without it, it is looked for beside the repository. A
test that needs it is skipped where it is missing. What is written goes into a playground of the test's own.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

SETTING = "DISTRIBUTOR_REAL_APPS"
_BESIDE = Path(__file__).parents[2] / "shared" / "real-apps"
API = "distributor.dev/v1alpha1"
ENVIRONMENTS = ("sit", "uat", "pre", "prd", "dr")
TIERS = ("central", "slim", "edge")
VERSIONS = {"bookinfo": "1.20.3", "online-boutique": "0.10.6", "podinfo": "6.14.1"}

ISTIO = "networking.istio.io"
GATEWAYS = "gateway.networking.k8s.io"
MESH_KINDS = (
    (ISTIO, "v1", "Gateway"),
    (ISTIO, "v1", "VirtualService"),
    (ISTIO, "v1", "DestinationRule"),
    (ISTIO, "v1alpha3", "VirtualService"),
    (ISTIO, "v1alpha3", "ServiceEntry"),
    (GATEWAYS, "v1beta1", "Gateway"),
    (GATEWAYS, "v1beta1", "HTTPRoute"),
)
"""Every kind of the apps that Kubernetes itself does not have: group, version, kind."""
_NEEDED = {
    "bookinfo": MESH_KINDS[:3],
    "online-boutique": MESH_KINDS[3:],
    "podinfo": (),
}
_LAYERS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "env": {
        "sit": ("custom-base-url",),
        "uat": ("cymbal-branding", "single-shared-session"),
        "pre": ("google-cloud-operations",),
        "prd": ("network-policies", "cymbal-branding"),
        "dr": ("network-policies", "cymbal-branding"),
    },
    "tier": {
        "central": ("service-mesh-istio",),
        "slim": ("without-loadgenerator",),
        "edge": ("without-loadgenerator", "non-public-frontend", "memorystore"),
    },
}
"""The shop's own components, as the layers of its environments and tiers."""
_REVIEWS = {
    "uat": "virtual-service-reviews-80-20.yaml",
    "prd": "virtual-service-reviews-v3.yaml",
    "dr": "virtual-service-reviews-v3.yaml",
}
"""Which of bookinfo's routings of the reviews an environment takes instead of the base's."""


def real_apps() -> Path:
    """The folder with the apps; skips the test where there is none."""
    folder = Path(os.environ.get(SETTING) or _BESIDE)
    if not all((folder / app).is_dir() for app in VERSIONS):
        pytest.skip(f"the real apps are not here: set {SETTING} to the folder that holds them")
    return folder


def write_catalog(work_tree: Path, source: Path) -> None:
    """Put the three apps in place of the sample's, in a fleet with one cluster in every cell.

    Environments, tiers, their overlays and the policies stay the sample's.
    """
    shutil.rmtree(work_tree / "catalog")
    for app, version in VERSIONS.items():
        folder = work_tree / "catalog" / app
        _write(folder / "app.yaml", _app(app))
        _package(app, folder / version, source / app)
    for environment in ENVIRONMENTS:
        folder = work_tree / "environments" / environment
        _without_defaults(folder / "environment.yaml")
        for old in ("clusters", "apps"):
            shutil.rmtree(folder / old, ignore_errors=True)
        for tier in TIERS:
            name = f"{environment}-{tier}-1"
            _write(folder / "clusters" / f"{name}.yaml", _cluster(environment, tier, name))
        for app in VERSIONS:
            document = {"app": app}
            _write(folder / "apps" / f"{app}.yaml", _document("Installation", app, document))


def _without_defaults(path: Path) -> None:
    """The sample's default values are for apps that are not here."""
    document = yaml.safe_load(path.read_text("utf-8"))
    document["spec"].pop("defaults", None)
    _write(path, document)


def push(work_tree: Path, cluster: str, *, kubernetes: str = "1.36") -> None:
    """Make a cluster one that is pushed to, over the connection of its own name."""
    path = next(work_tree.glob(f"environments/*/clusters/{cluster}.yaml"))
    document = yaml.safe_load(path.read_text("utf-8"))
    document["spec"] |= {
        "kubernetes": kubernetes,
        "delivery": {"mode": "push", "connection": cluster},
    }
    _write(path, document)


def definitions() -> Iterable[dict[str, Any]]:
    """A permissive CustomResourceDefinition for each kind that is not Kubernetes' own."""
    kinds: dict[tuple[str, str], list[str]] = {}
    for group, version, kind in MESH_KINDS:
        kinds.setdefault((group, kind), []).append(version)
    for (group, kind), versions in kinds.items():
        yield _definition(group, kind, versions)


def plural(kind: str) -> str:
    """The name of a kind in paths."""
    return kind.lower().removesuffix("y") + "ies" if kind.endswith("ry") else kind.lower() + "s"


def _definition(group: str, kind: str, versions: list[str]) -> dict[str, Any]:
    anything = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    # Kubernetes guards the groups that end in k8s.io: a definition in them must name its review.
    review = {"api-approved.kubernetes.io": "unapproved, a stand-in for tests"}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural(kind)}.{group}", "annotations": review},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"kind": kind, "plural": plural(kind), "singular": kind.lower()},
            "versions": [
                {
                    "name": version,
                    "served": True,
                    "storage": number == 0,
                    "subresources": {"status": {}},
                    "schema": {"openAPIV3Schema": anything},
                }
                for number, version in enumerate(versions)
            ],
        },
    }


def _package(app: str, folder: Path, source: Path) -> None:
    """The version's folder: the manifests as they are, and what they lack to be a package."""
    spec: dict[str, Any] = {
        "version": VERSIONS[app],
        "renderer": "kustomize",
        "path": "base",
        "namespace": {"name": app, "podSecurity": "baseline"},
    }
    if _NEEDED[app]:
        keys = ("group", "version", "kind")
        spec["fits"] = {
            "requiresApis": [dict(zip(keys, k, strict=True)) for k in _NEEDED[app]],
        }
    folder.mkdir(parents=True)
    {"bookinfo": _bookinfo, "online-boutique": _boutique, "podinfo": _podinfo}[app](folder, source)
    _write(folder / "package.yaml", _document("Package", app, spec))


def _bookinfo(folder: Path, source: Path) -> None:
    """It comes without a kustomization: one is written around a choice of its files."""
    shutil.copytree(source, folder / "base")
    resources = [
        "platform/kube/bookinfo.yaml",
        "platform/kube/bookinfo-versions.yaml",
        "networking/bookinfo-gateway.yaml",
        "networking/destination-rule-all.yaml",
        "networking/virtual-service-all-v1.yaml",
    ]
    _write(folder / "base" / "kustomization.yaml", {"resources": resources})
    for environment, file in _REVIEWS.items():
        layer = folder / "env" / environment
        layer.mkdir(parents=True)
        shutil.copy(source / "networking" / file, layer / "reviews.yaml")
        _write(layer / "kustomization.yaml", _component(patches=[{"path": "reviews.yaml"}]))


def _boutique(folder: Path, source: Path) -> None:
    """Its components become layers: each is named by the layer's own kustomization."""
    for part in ("base", "components"):
        shutil.copytree(source / part, folder / part)
    for axis, layers in _LAYERS.items():
        for name, parts in layers.items():
            named = [f"../../components/{part}" for part in parts]
            _write(folder / axis / name / "kustomization.yaml", _component(components=named))


def _podinfo(folder: Path, source: Path) -> None:
    shutil.copytree(source, folder / "base")


def _component(**fields: object) -> dict[str, object]:
    return {"apiVersion": "kustomize.config.k8s.io/v1alpha1", "kind": "Component", **fields}


def _app(app: str) -> dict[str, Any]:
    return _document("App", app, {"summary": f"{app}, as its makers publish it.", "owner": "tests"})


def _cluster(environment: str, tier: str, name: str) -> dict[str, Any]:
    node = {"role": "worker", "count": 1, "cpu": 16, "memory": "64Gi", "disk": "100Gi"}
    return _document(
        "Cluster",
        name,
        {
            "tier": tier,
            "tenant": "tests",
            "region": "eu-central",
            "domain": f"{environment}.distributor.example",
            "kubernetes": "1.33",
            "capabilities": ["mesh"],
            "apis": [{"group": g, "version": v, "kind": k} for g, v, k in MESH_KINDS],
            "nodes": [{**node, "os": "linux", "arch": "amd64", "hostname": "worker-{n}"}],
            "delivery": {
                "mode": "directory",
                "flavour": "k3s",
                "connection": f"{environment}/{name}",
            },
        },
    )


def _document(kind: str, name: str, spec: Mapping[str, Any]) -> dict[str, Any]:
    return {"apiVersion": API, "kind": kind, "metadata": {"name": name}, "spec": dict(spec)}


def _write(path: Path, document: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(document, sort_keys=False), "utf-8")
