"""The tutorial's commands work: every ``sh`` block is run, in order, in one shell, in a folder of its own."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TUTORIAL = ROOT / "docs" / "tutorial.md"
PROGRAM = f"""#!/bin/sh
PYTHONPATH='{ROOT}' exec '{sys.executable}' -m distributor "$@"
"""


def blocks() -> list[str]:
    """The text of every ``sh`` block; ``console`` blocks are only to be looked at."""
    return re.findall(r"^```sh\n(.*?)^```$", TUTORIAL.read_text("utf-8"), re.DOTALL | re.MULTILINE)


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """A person without any configuration, with ``distributor`` on the path."""
    home = tmp_path / "home"
    programs = home / "bin"
    programs.mkdir(parents=True)
    program = programs / "distributor"
    program.write_text(PROGRAM, "utf-8")
    program.chmod(0o755)
    kept = {
        k: v for k, v in os.environ.items() if not k.startswith(("DISTRIBUTOR_", "GIT_", "XDG_"))
    }
    return kept | {
        "CI": "true",
        "HOME": str(home),
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "GIT_CONFIG_NOSYSTEM": "1",
        "LC_ALL": "C.UTF-8",
    }


def test_there_is_something_to_run():
    assert len(blocks()) > 10
    assert not re.search(r"^```(bash|shell)?\n", "".join(blocks()), re.MULTILINE)


@pytest.mark.timeout(900)  # about forty starts of the program
@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="the tutorial makes a key with it")
def test_the_tutorial(tmp_path, environment):
    work = tmp_path / "a folder"
    work.mkdir()
    script = "set -eu\n" + "".join(
        f"echo '== block {number}'\n{text}" for number, text in enumerate(blocks(), 1)
    )
    result = subprocess.run(
        ["sh", "-c", script],
        cwd=work,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=800,
    )
    assert result.returncode == 0, result.stdout[-6000:]
    clusters = work / "tutorial" / "clusters"
    assert [path.name for path in (clusters / "sit" / "sit-central-1").rglob("*hello*")]
    assert [path.name for path in (clusters / "uat" / "uat-central-1").rglob("*shop*")]
    assert not [path.name for path in (clusters / "prd").rglob("*shop*")]
