"""A thousand small apps on one cluster: each a kustomization of four objects, each a package of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

VERSION, NEXT = "1.0.0", "1.0.1"
ENVIRONMENT, TIER, CLUSTER, NAMESPACE = "sit", "central", "sit-1", "crowd"
ENVIRONMENTS = ("sit", "uat", "pre", "dr", "prd")
"""The roles of the sample name all of them; only the first has a cluster, and apps."""
OBJECTS = 4
LEVEL = "info"


@dataclass(frozen=True, slots=True, kw_only=True)
class Crowd:
    """How many apps there are; the issue's figure is 1,000."""

    apps: int = 1_000

    @property
    def objects(self) -> int:
        return self.apps * OBJECTS

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(f"app-{number:04}" for number in range(self.apps))


def files(crowd: Crowd) -> dict[str, bytes]:
    """Every file of the catalog by its path."""
    found = {
        "environments/pipeline.yaml": _document("Pipeline", "pipeline", _PIPELINE),
        f"environments/tiers/{TIER}/tier.yaml": _document("Tier", TIER, "displayName: Central"),
        f"environments/{ENVIRONMENT}/clusters/{CLUSTER}.yaml": _document(
            "Cluster", CLUSTER, _CLUSTER
        ),
    }
    for name in ENVIRONMENTS:
        install = "by-fit" if name == ENVIRONMENT else "explicit"
        spec = f"install: {install}\n{_ENVIRONMENT}"
        found[f"environments/{name}/environment.yaml"] = _document("Environment", name, spec)
    for name in crowd.names:
        card = f"summary: The app {name}.\nowner: team-{name}\ncategories: [benchmark]"
        found[f"catalog/{name}/app.yaml"] = _document("App", name, f"displayName: {name}\n{card}")
        found |= dict(version(name, VERSION, LEVEL))
    return found


def version(name: str, number: str, level: str) -> Iterator[tuple[str, bytes]]:
    """The files of one version of one app; ``level`` is the one value that differs."""
    folder = f"catalog/{name}/{number}"
    package = f"version: {number}\nrenderer: kustomize\npath: base\nnamespace:\n  name: {NAMESPACE}\n  create: false\n"
    package += f"images:\n  - name: main\n    reference: registry.example/{name}:{VERSION}\n"
    yield f"{folder}/package.yaml", _document("Package", name, package)
    for file, text in contents(name, level).items():
        yield f"{folder}/base/{file}", text


def contents(name: str, level: str) -> dict[str, bytes]:
    """The kustomization of one app."""
    return {
        file: text.replace("NAME", name).replace("LEVEL", level).encode()
        for file, text in _CONTENT.items()
    }


def _document(kind: str, name: str, spec: str) -> bytes:
    head = f"apiVersion: distributor.dev/v1alpha1\nkind: {kind}\nmetadata:\n  name: {name}\nspec:\n"
    return (head + "".join(f"  {line}\n" for line in spec.strip("\n").splitlines())).encode()


_PIPELINE = "environments:\n" + "".join(f"  - name: {name}\n" for name in ENVIRONMENTS)
_ENVIRONMENT = """
signatures: optional
rollout:
  waves:
    - name: all
"""
_CLUSTER = f"""
tier: {TIER}
tenant: benchmark
region: eu-central
domain: bench.distributor.example
kubernetes: "1.33"
capabilities: [ingress]
nodes:
  - role: worker
    count: 3
    cpu: 64
    memory: 256Gi
    os: linux
    arch: amd64
delivery:
  mode: push
  connection: bench
"""
_CONTENT: Mapping[str, str] = {
    "kustomization.yaml": """apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources: [account.yaml, service.yaml, ingress.yaml, deployment.yaml]
""",
    "account.yaml": """apiVersion: v1
kind: ServiceAccount
metadata: {name: NAME}
""",
    "service.yaml": """apiVersion: v1
kind: Service
metadata: {name: NAME}
spec:
  clusterIP: None
  selector: {app: NAME}
  ports: [{name: http, port: 80, targetPort: 8080}]
""",
    "ingress.yaml": """apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: NAME}
spec:
  rules:
    - host: NAME.distributor.example
      http:
        paths:
          - path: /
            pathType: Prefix
            backend: {service: {name: NAME, port: {number: 80}}}
""",
    "deployment.yaml": """apiVersion: apps/v1
kind: Deployment
metadata: {name: NAME}
spec:
  replicas: 0
  selector:
    matchLabels: {app: NAME}
  template:
    metadata:
      labels: {app: NAME}
    spec:
      serviceAccountName: NAME
      containers:
        - name: main
          image: registry.example/NAME:1.0.0
          env: [{name: LOG, value: LEVEL}]
          ports: [{containerPort: 8080}]
          resources:
            requests: {cpu: 50m, memory: 64Mi}
""",
}
