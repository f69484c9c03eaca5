"""The Makefile: it explains itself, and finds a Python that works among names that do not."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
MAKE = shutil.which("make")
pytestmark = pytest.mark.skipif(MAKE is None, reason="make is not installed")
BROKEN = "#!/bin/sh\necho 'command not found in this version' >&2\nexit 127\n"
OLD = '#!/bin/sh\ncase "$*" in *version_info*) exit 1;; esac\n'
TOOLS = ("sh", "cat", "rm", "touch", "mkdir", "awk", "env", "dirname", "uname")


def make(folder: Path, *arguments: str, path: str = "") -> subprocess.CompletedProcess[str]:
    inherited = {
        k: v for k, v in os.environ.items() if k not in {"MAKEFLAGS", "PYTHON", "MAKELEVEL"}
    }
    return subprocess.run(
        [str(MAKE), *arguments],
        cwd=folder,
        env=inherited | ({"PATH": path} if path else {}),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """The Makefile alone, in a folder whose name has spaces."""
    folder = tmp_path / "a clone"
    folder.mkdir()
    shutil.copy(ROOT / "Makefile", folder)
    return folder


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """The only folder on the path: a few tools, no Python yet."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for tool in TOOLS:
        (folder / tool).symlink_to(shutil.which(tool) or "/nowhere")
    return folder


def program(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.write_text(text, "utf-8")
    path.chmod(0o755)


def test_help_is_the_default_and_names_every_target(clone):
    text = (clone / "Makefile").read_text("utf-8")
    targets = set(re.findall(r"^\.PHONY: (\w+)$", text, re.MULTILINE)) - {"FORCE"}
    result = make(clone)
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    assert set(re.findall(r"^  make (\w+) +\S", result.stdout, re.MULTILINE)) == targets
    assert targets >= {"install", "demo", "test", "check", "golden", "bench", "soak", "docs"}


@pytest.mark.parametrize("pythons", [{}, {"python3.13": BROKEN, "python3": OLD, "python": BROKEN}])
def test_without_a_python_that_works_it_says_what_to_do(clone, programs, pythons):
    for name, text in pythons.items():
        program(programs, name, text)
    result = make(clone, "install", path=str(programs))
    assert result.returncode == 2
    assert "DST704" in result.stderr
    assert "make PYTHON=/path/to/python3.13" in result.stderr
    assert not (clone / ".venv").exists()


def test_a_python_that_is_named_and_does_not_work_is_named_back(clone, programs):
    program(programs, "mine", OLD)
    result = make(clone, "install", f"PYTHON={programs / 'mine'}")
    assert result.returncode == 2
    assert f"(PYTHON={programs / 'mine'})" in result.stderr


def test_names_that_do_not_work_are_skipped(clone, programs):
    """Then the environment is made once, and made again where the clone was moved."""
    for name in ("python3.14", "python3.13", "python3.12", "python3.11"):
        program(programs, name, BROKEN)
    program(programs, "python3", f"#!/bin/sh\nexec '{sys.executable}' \"$@\"\n")
    result = make(clone, ".venv/.python", path=str(programs))
    assert result.returncode == 0, result.stderr
    assert f"Python {sys.version.split()[0]}" in result.stdout
    assert (clone / ".venv" / ".home").read_text("utf-8").strip() == str(clone.resolve())
    again = make(clone, ".venv/.python", path=str(programs))
    assert "up to date" in again.stdout
    moved = clone.rename(clone.with_name("moved"))
    assert ".venv with Python" in make(moved, ".venv/.python", path=str(programs)).stdout


def test_the_search_knows_the_versions_that_the_program_supports(clone):
    wanted = re.findall(r"^MINORS := (.*)$", (clone / "Makefile").read_text("utf-8"), re.MULTILINE)
    assert f"3.{sys.version_info.minor}".removeprefix("3.") in wanted[0].split()


def test_ci_runs_from_anywhere_and_says_it_is_ci():
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    text = script.read_text("utf-8")
    assert "set -euo pipefail" in text
    assert text.rstrip().endswith('check test PYTEST_ARGS="-n 2 --dist loadfile"')
