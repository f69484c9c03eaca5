"""The layers hold, and the check that says so can fail: each contract is shown a violation."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.architecture.source import PACKAGE, ROOT, project

CONTRACTS = {
    contract["id"]: contract for contract in project()["tool"]["importlinter"]["contracts"]
}


def layers() -> list[str]:
    """The rooms that the layers contract places, whatever their layer."""
    places = " | ".join(CONTRACTS["layers"]["layers"]).replace(":", "|").split("|")
    return [place.strip(" ()") for place in places]


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        "-c",
        "from importlinter.cli import lint_imports_command as main; main()",
    ]
    return subprocess.run(
        [*command, "--config", str(ROOT / "pyproject.toml"), "--no-cache", "--no-logo"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_the_program_keeps_every_contract():
    result = lint(ROOT)
    assert result.returncode == 0, result.stdout + result.stderr


def test_every_room_is_placed():
    rooms = {
        path.stem
        for path in PACKAGE.iterdir()
        if (path.is_dir() and (path / "__init__.py").exists())
        or (path.suffix == ".py" and path.name != "__init__.py")
    }
    assert rooms <= set(layers())


def test_the_contracts_are_not_blunted():
    assert CONTRACTS["layers"]["exhaustive"] is True
    for contract in CONTRACTS.values():
        assert "as_packages" not in contract  # False keeps a contract green on a violation
        assert not contract.get("ignore_imports")


@pytest.fixture
def skeleton(tmp_path: Path) -> Path:
    """Empty rooms of the right names."""
    rooms = [*layers(), "adapters/git", "adapters/store"]
    for room in ("", *rooms):
        folder = tmp_path / "distributor" / room
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "__init__.py").touch()
    return tmp_path


def test_the_skeleton_is_green(skeleton):
    result = lint(skeleton)
    assert result.returncode == 0, result.stdout + result.stderr


PLANTED = {
    "the core reaches up": ("model/x.py", "import distributor.services"),
    "siblings of a layer": ("plan/x.py", "import distributor.policy"),
    "services know an adapter": ("services/x.py", "import distributor.adapters.git"),
    "adapters know services": ("adapters/git/x.py", "import distributor.services"),
    "adapters know each other": ("adapters/git/x.py", "import distributor.adapters.store"),
    "a core room reads the environment": ("policy/x.py", "import os"),
    "a core room reads the clock": ("rollout/x.py", "from time import monotonic"),
    "a core room awaits": ("plan/x.py", "import asyncio"),
    "a core room logs": ("catalog/x.py", "import logging"),
    "a core room sees disks": ("render/x.py", "from pathlib import Path"),
    "a room that nobody placed": ("cellar/__init__.py", ""),
}


@pytest.mark.parametrize("what", PLANTED)
def test_a_planted_violation_is_red(skeleton, what):
    file, text = PLANTED[what]
    path = skeleton / "distributor" / file
    path.parent.mkdir(exist_ok=True)
    path.write_text(text + "\n", "utf-8")
    result = lint(skeleton)
    assert result.returncode == 1, result.stdout + result.stderr
    assert "BROKEN" in result.stdout or "cellar" in result.stdout
