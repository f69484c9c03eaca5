"""New files to start from: an app, its next version, a cluster. What comes out loads without findings."""

from __future__ import annotations

from collections.abc import Mapping

from distributor.catalog.documents import Document, read
from distributor.catalog.names import check_name, check_version
from distributor.catalog.schema import API_VERSION, check
from distributor.errors import Where
from distributor.errors.catalog import AlreadyExists, MissingFile, SchemaViolation
from distributor.model.findings import Finding, Invalid

FIRST_VERSION = "0.1.0"
_DESCRIPTOR = "package.yaml"


def new_app(name: str, *, owner: str = "") -> Mapping[str, bytes]:
    """The files of an app with a first version, by path from the repository's root.

    Raises ``Invalid`` where the name cannot be an app's.
    """
    _refuse(check_name(name, f"catalog/{name}"))
    folder = f"catalog/{name}"
    version = f"{folder}/{FIRST_VERSION}"
    texts = {
        f"{folder}/app.yaml": _APP,
        f"{folder}/README.md": _README,
        f"{version}/{_DESCRIPTOR}": _PACKAGE,
        f"{version}/base/kustomization.yaml": _KUSTOMIZATION,
        f"{version}/base/deployment.yaml": _DEPLOYMENT,
        f"{version}/base/service.yaml": _SERVICE,
    }
    files = {path: _fill(text, name, owner or f"team-{name}") for path, text in texts.items()}
    _verify(files[f"{folder}/app.yaml"], f"{folder}/app.yaml", "App")
    return files


def new_version(app: str, files: Mapping[str, bytes], version: str) -> Mapping[str, bytes]:
    """The files of a next version, by path from the root; ``files`` are the old one's, by path in its folder.

    Only ``spec.version`` is changed, on its line, so comments and order stay. Raises ``Invalid``.
    """
    folder = f"catalog/{app}/{version}"
    wrong = check_version(version, folder)
    _refuse((*check_name(app, f"catalog/{app}"), *_findings(wrong)))
    if _DESCRIPTOR not in files:
        raise MissingFile(where=Where(file=_DESCRIPTOR))
    document = read(files[_DESCRIPTOR], _DESCRIPTOR)
    if not isinstance(document, Document):
        raise Invalid(document)
    _refuse(check(document, "Package"))
    old = document.spec["version"]
    if old == version:
        raise AlreadyExists(f"{app} {version}.", where=Where(file=folder))
    changed = {f"{folder}/{path}": data for path, data in files.items()}
    descriptor = f"{folder}/{_DESCRIPTOR}"
    changed[descriptor] = _with_version(document, old, version)
    written = _verify(changed[descriptor], descriptor, "Package")
    if written.spec["version"] != version:
        message = "spec.version must stand on one line with its value."
        _refuse((Finding.of(SchemaViolation, message, document.where(("spec", "version"))),))
    return changed


def new_cluster(
    name: str,
    environment: str,
    tier: str,
    *,
    kubernetes: str = "1.33",
    mode: str = "directory",
    flavour: str = "k3s",
    region: str = "",
    domain: str = "",
) -> Mapping[str, bytes]:
    """The file of a cluster, by its path from the root. Raises ``Invalid`` where it would have findings."""
    file = f"environments/{environment}/clusters/{name}.yaml"
    _refuse((*check_name(name, file), *check_name(environment, f"environments/{environment}")))
    lines = [f"apiVersion: {API_VERSION}", "kind: Cluster", "metadata:", f"  name: {name}"]
    lines += ["spec:", f"  tier: {tier}", f'  kubernetes: "{kubernetes}"']
    lines += [f"  region: {region}"] if region else []
    lines += [f"  domain: {domain}"] if domain else []
    lines += ["  delivery:", f"    mode: {mode}"]
    lines += [f"    flavour: {flavour}"] if mode == "directory" else []
    lines += [f"    connection: {environment}/{name}"]
    data = ("\n".join(lines) + "\n").encode()
    _verify(data, file, "Cluster")
    return {file: data}


def _with_version(document: Document, old: str, version: str) -> bytes:
    """The text with the version replaced on the line that the parser found it on."""
    lines = document.text.split("\n")
    index = document.where(("spec", "version")).line - 1
    before, colon, after = lines[index].partition(":")
    while colon and not before.rstrip(" \"'").endswith("version"):
        more, colon, after = after.partition(":")
        before += ":" + more
    lines[index] = before + colon + after.replace(old, version, 1)
    return "\n".join(lines).encode()


def _verify(data: bytes, file: str, kind: str) -> Document:
    document = read(data, file)
    if not isinstance(document, Document):
        raise Invalid(document)
    _refuse(check(document, kind))
    return document


def _findings(found: object) -> tuple[Finding, ...]:
    return (found,) if isinstance(found, Finding) else ()


def _refuse(findings: tuple[Finding, ...]) -> None:
    if findings:
        raise Invalid(findings)


def _fill(text: str, name: str, owner: str) -> bytes:
    filled = text.lstrip("\n").replace("{name}", name).replace("{owner}", owner)
    return filled.replace("{api}", API_VERSION).replace("{version}", FIRST_VERSION).encode()


_APP = """
apiVersion: {api}
kind: App
metadata:
  name: {name}
spec:
  summary: What {name} does, in one sentence.
  owner: {owner}
  categories: []
"""

_README = """
# {name}

What it does, how to configure it, whom to ask.
"""

_PACKAGE = """
apiVersion: {api}
kind: Package
metadata:
  name: {name}
spec:
  version: {version}
  renderer: kustomize
  path: base
  namespace:
    name: {name}
    podSecurity: restricted
  fits:
    kubernetes: ">=1.29"
    os: [linux]
  values:
    schema:
      type: object
      additionalProperties: false
      properties:
        replicas:
          type: integer
          minimum: 0
          description: How many pods run in each cluster.
    defaults:
      replicas: 1
    bind:
      - name: replicas
        type: integer
        description: How many pods run in each cluster.
"""

_KUSTOMIZATION = """
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources:
  - deployment.yaml
  - service.yaml
"""

_DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {name}
  labels:
    app.kubernetes.io/name: {name}
spec:
  replicas: ${replicas}
  selector:
    matchLabels:
      app.kubernetes.io/name: {name}
  template:
    metadata:
      labels:
        app.kubernetes.io/name: {name}
    spec:
      securityContext:
        runAsNonRoot: true
        runAsUser: 65532
        seccompProfile:
          type: RuntimeDefault
      containers:
        - name: {name}
          image: registry.k8s.io/pause:3.10
          ports:
            - name: http
              containerPort: 8080
          resources:
            requests: {cpu: 10m, memory: 16Mi}
            limits: {memory: 64Mi}
          securityContext:
            allowPrivilegeEscalation: false
            readOnlyRootFilesystem: true
            capabilities:
              drop: [ALL]
"""

_SERVICE = """
apiVersion: v1
kind: Service
metadata:
  name: {name}
  labels:
    app.kubernetes.io/name: {name}
spec:
  selector:
    app.kubernetes.io/name: {name}
  ports:
    - name: http
      port: 80
      targetPort: http
"""
