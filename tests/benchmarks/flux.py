"""What Flux's kustomize-controller is given of the crowd: definitions, objects, and revisions as archives. No I/O.

The definitions are ours and say nothing of the fields: only as much as the controller needs to read and
write its objects.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.benchmarks.crowd import LEVEL, NAMESPACE, Crowd, contents

PROGRAM, APPS = "BENCH_FLUX", "BENCH_FLUX_APPS"
MOST = 100
"""So many apps at most unless told otherwise: it gets through about nine a second."""
PLACE, SOURCE = "benchmark", "crowd"
SOURCES, KUSTOMIZATIONS = "source.toolkit.fluxcd.io", "kustomize.toolkit.fluxcd.io"
KINDS = (
    (SOURCES, "GitRepository", "gitrepositories"),
    (SOURCES, "OCIRepository", "ocirepositories"),
    (SOURCES, "Bucket", "buckets"),
    (SOURCES, "ExternalArtifact", "externalartifacts"),
    (KUSTOMIZATIONS, "Kustomization", "kustomizations"),
)
"""It watches them all, and does not start where one is unknown; the crowd has only the first and the last."""
AT = "2026-01-01T00:00:00Z"


class RivalError(Exception):
    """Flux's controller cannot be measured; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rival:
    """The controller's program, and the part of the crowd that it installs."""

    program: Path
    crowd: Crowd


def chosen(environ: Mapping[str, str], crowd: Crowd) -> Rival | None:
    """The rival that the environment names, none where it names none.

    Raises:
        RivalError: there is no such program, or no such number of apps.

    """
    named = environ.get(PROGRAM, "")
    if not named:
        return None
    program = Path(named).expanduser().resolve()
    if not program.is_file():
        msg = f"{PROGRAM} names no file: {named}; give the path of Flux's kustomize-controller"
        raise RivalError(msg)
    if not os.access(program, os.X_OK):
        msg = f"{PROGRAM} names a file that cannot be executed: {named}; `chmod +x` it, or give another"
        raise RivalError(msg)
    apps = environ.get(APPS) or str(min(crowd.apps, MOST))
    if not apps.isascii() or not apps.isdigit() or not 1 <= int(apps) <= crowd.apps:
        msg = f"{APPS} must be a whole number from 1 to {crowd.apps}, the apps of the crowd: {apps}"
        raise RivalError(msg)
    return Rival(program=program, crowd=Crowd(apps=int(apps)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """One state of the crowd's repository, as the source's status tells of it."""

    path: str
    data: bytes
    revision: str
    digest: str

    def status(self, address: str) -> dict[str, Any]:
        """The status of a source that has this artifact, fetched from ``address``."""
        return {
            "observedGeneration": 1,
            "artifact": {
                "path": self.path,
                "url": f"{address}/{self.path}",
                "revision": self.revision,
                "digest": self.digest,
                "lastUpdateTime": AT,
                "size": len(self.data),
            },
            "conditions": [
                {
                    "type": "Ready",
                    "status": "True",
                    "reason": "Succeeded",
                    "message": f"stored artifact for revision '{self.revision}'",
                    "lastTransitionTime": AT,
                    "observedGeneration": 1,
                }
            ],
        }


def revision(crowd: Crowd, levels: Mapping[str, str], remark: str) -> Revision:
    """The crowd with other levels for some apps, and a remark that no app is made of."""
    files = {"REMARKS.md": remark.encode()}
    for name in crowd.names:
        for file, text in contents(name, levels.get(name, LEVEL)).items():
            files[f"apps/{name}/{file}"] = text
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as archive:
        for path, text in sorted(files.items()):
            entry = tarfile.TarInfo(path)
            entry.size, entry.mode = len(text), 0o644
            archive.addfile(entry, io.BytesIO(text))
    data = gzip.compress(plain.getvalue(), mtime=0)
    digest = hashlib.sha256(data).hexdigest()
    commit = digest[:40]
    return Revision(
        path=f"gitrepository/{PLACE}/{SOURCE}/{commit}.tar.gz",
        data=data,
        revision=f"main@sha1:{commit}",
        digest=f"sha256:{digest}",
    )


def definition(group: str, kind: str, plural: str) -> dict[str, Any]:
    """A namespaced kind with a status and any fields."""
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "schema": {
            "openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
        },
    }
    names = {"kind": kind, "listKind": f"{kind}List", "plural": plural, "singular": kind.lower()}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {"group": group, "scope": "Namespaced", "names": names, "versions": [version]},
    }


def source(address: str) -> dict[str, Any]:
    """The one source; nobody fetches it, its status is written by the benchmark."""
    return {
        "apiVersion": f"{SOURCES}/v1",
        "kind": "GitRepository",
        "metadata": {"name": SOURCE, "namespace": PLACE},
        "spec": {"interval": "1h", "url": f"{address}/crowd.git", "ref": {"branch": "main"}},
    }


def kustomization(app: str) -> dict[str, Any]:
    """One app; pruned as ours is, and not waited for: a Deployment of no replicas is ready at once."""
    return {
        "apiVersion": f"{KUSTOMIZATIONS}/v1",
        "kind": "Kustomization",
        "metadata": {"name": app, "namespace": PLACE},
        "spec": {
            "interval": "1h",
            "retryInterval": "10s",
            "path": f"./apps/{app}",
            "prune": True,
            "targetNamespace": NAMESPACE,
            "sourceRef": {"kind": "GitRepository", "name": SOURCE},
        },
    }


def behind(items: list[Mapping[str, Any]], wanted: str) -> list[str]:
    """Which Kustomizations have not applied a revision, and what they say of it."""
    found: list[str] = []
    for item in items:
        status = item.get("status", {})
        ready = next((c for c in status.get("conditions", ()) if c["type"] == "Ready"), {})
        if status.get("lastAppliedRevision") != wanted or ready.get("status") != "True":
            said = ready.get("message", "nothing said")
            found.append(f"{item['metadata']['name']}: {said}")
    return found
