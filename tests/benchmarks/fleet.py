"""A large catalog repository: so many clusters over five environments and three tiers, so many apps.

Clusters differ as real ones do (domain, region, labels, nodes) and still share cells by tier. Every app
is a kustomization of three objects with a component for each environment and one for slim clusters:
fifteen cells.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pygit2

from distributor.model.refs import ObjectId

ENVIRONMENTS = ("sit", "uat", "pre", "dr", "prd")
TIERS = ("central", "slim", "edge")
REGIONS = ("eu-central", "eu-west", "us-east", "ap-south")
VERSION = "1.0.0"
_AFTER = {"sit": [], "uat": ["sit"], "pre": ["uat"], "dr": ["pre"], "prd": ["pre"]}
_AT = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How large the repository is; the issue's figure is 2,000 clusters by 50 apps."""

    clusters: int = 2_000
    apps: int = 50
    environments: tuple[str, ...] = ENVIRONMENTS

    @property
    def targets(self) -> int:
        """Every app fits everywhere."""
        return self.clusters * self.apps


def files(size: Size) -> dict[str, bytes]:
    """Every file of the repository by its path."""
    found = {"environments/pipeline.yaml": _pipeline()}
    for tier in TIERS:
        found |= _tier(tier)
    for name in ENVIRONMENTS:
        found[f"environments/{name}/environment.yaml"] = _environment(name)
    for number, environment in zip(
        range(size.clusters), itertools.cycle(size.environments), strict=False
    ):
        path = f"environments/{environment}/clusters/{environment}-{number:05}.yaml"
        found[path] = _cluster(environment, number)
    for number in range(size.apps):
        found |= dict(_app(app_name(number)))
    return found


def app_name(number: int) -> str:
    return f"app-{number:03}"


def changed(before: Mapping[str, bytes], app: str) -> dict[str, bytes]:
    """The same repository with one value of one app's package changed."""
    path = f"catalog/{app}/{VERSION}/base/config.yaml"
    text = before[path].decode()
    if "level: info" not in text:
        msg = f"{path} has no value to change"
        raise ValueError(msg)
    return {**before, path: text.replace("level: info", "level: debug").encode()}


def released(before: Mapping[str, bytes], app: str, version: str) -> dict[str, bytes]:
    """The same repository with one more version of one app, which differs in its image."""
    folder = f"catalog/{app}/{VERSION}/"
    added = {
        path.replace(VERSION, version): data.replace(VERSION.encode(), version.encode())
        for path, data in before.items()
        if path.startswith(folder)
    }
    return {**before, **added}


def commit(folder: Path, contents: Mapping[str, bytes]) -> ObjectId:
    """Commit the files on main of a bare repository (made if it is not there); the commit."""
    repository = pygit2.init_repository(str(folder), bare=True, initial_head="main")
    tree = _tree(repository, contents)
    main = "refs/heads/main"
    parents = [repository.references[main].target] if main in repository.references else []
    who = pygit2.Signature("Benchmark", "benchmark@distributor.example", int(_AT.timestamp()), 0)
    return ObjectId(str(repository.create_commit(main, who, who, "fleet", tree, parents)))


def _tree(repository: pygit2.Repository, contents: Mapping[str, bytes]) -> pygit2.Oid:
    builder = repository.TreeBuilder()
    below: dict[str, dict[str, bytes]] = {}
    for path, data in contents.items():
        head, _, rest = path.partition("/")
        if rest:
            below.setdefault(head, {})[rest] = data
        else:
            builder.insert(head, repository.create_blob(data), pygit2.enums.FileMode.BLOB)
    for name, nested in below.items():
        builder.insert(name, _tree(repository, nested), pygit2.enums.FileMode.TREE)
    return builder.write()


def _document(kind: str, name: str, spec: str) -> bytes:
    head = f"apiVersion: distributor.dev/v1alpha1\nkind: {kind}\nmetadata:\n  name: {name}\nspec:\n"
    indented = "".join(f"  {line}\n" for line in spec.strip("\n").splitlines())
    return (head + indented).encode()


def _pipeline() -> bytes:
    steps = "\n".join(
        f"  - name: {name}\n    after: [{', '.join(after)}]" if after else f"  - name: {name}"
        for name, after in _AFTER.items()
    )
    return _document("Pipeline", "pipeline", "environments:\n" + steps)


def _tier(name: str) -> dict[str, bytes]:
    folder = f"environments/tiers/{name}"
    component = f"""apiVersion: kustomize.config.k8s.io/v1alpha1
kind: Component
labels:
  - pairs: {{tier: {name}}}
"""
    return {
        f"{folder}/tier.yaml": _document("Tier", name, f"displayName: {name.title()}"),
        f"{folder}/kustomization.yaml": component.encode(),
    }


def _environment(name: str) -> bytes:
    spec = """
install: by-fit
signatures: optional
rollout:
  waves:
    - name: all
  maxConcurrent: 50
verify:
  floor: 80
  accept: [delivered, not-applicable]
"""
    return _document("Environment", name, spec)


def _cluster(environment: str, number: int) -> bytes:
    tier = TIERS[number // len(ENVIRONMENTS) % len(TIERS)]
    name = f"{environment}-{number:05}"
    return _document(
        "Cluster",
        name,
        f"""
tier: {tier}
tenant: tenant-{number % 20}
region: {REGIONS[number % len(REGIONS)]}
domain: {name}.distributor.example
kubernetes: "1.33"
capabilities: [ingress]
labels:
  site: site-{number % 200}
nodes:
  - role: master
    count: 1
    cpu: 4
    memory: 16Gi
    os: linux
    arch: amd64
  - role: worker
    count: {2 + number % 3}
    cpu: 8
    memory: 32Gi
    os: linux
    arch: amd64
delivery:
  mode: directory
  flavour: k3s
  connection: {environment}/{name}
""",
    )


def _app(name: str) -> Iterator[tuple[str, bytes]]:
    folder = f"catalog/{name}"
    spec = f"summary: The app {name} of a benchmark.\nowner: team-{name}\ncategories: [benchmark]"
    yield f"{folder}/app.yaml", _document("App", name, f"displayName: {name}\n{spec}")
    package = f"""
version: {VERSION}
renderer: kustomize
path: base
namespace:
  name: {name}
fits:
  kubernetes: ">=1.29 <1.40"
images:
  - name: main
    reference: registry.example/{name}:{VERSION}
"""
    yield f"{folder}/{VERSION}/package.yaml", _document("Package", name, package)
    for number, environment in enumerate(ENVIRONMENTS, start=2):
        component = _COMPONENT.replace("NAME", name) + f"  - {{name: {name}, count: {number}}}\n"
        yield f"{folder}/{VERSION}/env/{environment}/kustomization.yaml", component.encode()
    for path, text in _CONTENT.items():
        yield f"{folder}/{VERSION}/{path}", text.replace("NAME", name).encode()


_COMPONENT = """apiVersion: kustomize.config.k8s.io/v1alpha1
kind: Component
replicas:
"""
_CONTENT = {
    "base/kustomization.yaml": """apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources: [config.yaml, deployment.yaml, service.yaml]
""",
    "base/config.yaml": """apiVersion: v1
kind: ConfigMap
metadata: {name: NAME-config}
data:
  cluster: ${cluster_name}
  level: info
""",
    "base/deployment.yaml": """apiVersion: apps/v1
kind: Deployment
metadata: {name: NAME}
spec:
  replicas: 2
  selector:
    matchLabels: {app: NAME}
  template:
    metadata:
      labels: {app: NAME}
    spec:
      containers:
        - name: main
          image: registry.example/NAME:1.0.0
          envFrom:
            - configMapRef: {name: NAME-config}
          resources:
            requests: {cpu: 50m, memory: 64Mi}
""",
    "base/service.yaml": """apiVersion: v1
kind: Service
metadata: {name: NAME}
spec:
  selector: {app: NAME}
  ports: [{port: 80, targetPort: 8080}]
""",
    "tier/slim/kustomization.yaml": _COMPONENT + "  - {name: NAME, count: 1}\n",
}
