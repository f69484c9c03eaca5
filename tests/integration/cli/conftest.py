"""The real program on repositories of its own: one is made by `init`, every test gets a copy."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from distributor.cli.main import main


@dataclass(frozen=True)
class Done:
    """What a command said, and how it ended."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        return json.loads(self.out)


@dataclass
class Program:
    """Runs the program in a folder, away from the person's own keys and state."""

    home: Path
    cwd: Path

    def __call__(self, *arguments: object, cwd: Path | None = None, code: int | None = 0) -> Done:
        own = {n: v for n, v in os.environ.items() if not n.startswith(("DISTRIBUTOR_", "GIT_"))}
        own |= {
            "HOME": str(self.home), "XDG_CONFIG_HOME": str(self.home / "config"),
            "XDG_STATE_HOME": str(self.home / "state"), "GIT_CONFIG_NOSYSTEM": "1", "CI": "1",
        }  # fmt: skip
        ran = subprocess.run(
            [sys.executable, "-m", "distributor", *map(str, arguments)],
            cwd=cwd or self.cwd, env=own, capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
        assert "Traceback" not in ran.stderr, ran.stderr
        if code is not None:
            assert ran.returncode == code, ran.stdout + ran.stderr
        return Done(ran.returncode, ran.stdout, ran.stderr)


@dataclass
class Quick:
    """The same program in this process: for tables of many short runs."""

    program: Program
    monkeypatch: pytest.MonkeyPatch
    capsys: pytest.CaptureFixture[str]

    def __call__(self, *arguments: object, code: int) -> Done:
        self.monkeypatch.chdir(self.program.cwd)
        self.monkeypatch.setenv("CI", "1")
        for name in ("CONFIG", "STATE"):
            self.monkeypatch.setenv(f"XDG_{name}_HOME", str(self.program.home / name.lower()))
        self.monkeypatch.setattr(sys, "argv", ["distributor", *map(str, arguments)])
        self.capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = self.capsys.readouterr()
        assert ended.value.code == code, out + err
        return Done(code, out, err)


@pytest.fixture
def quick(
    program: Program, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Quick:
    return Quick(program, monkeypatch, capsys)


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds a home and the repository that `init` made there."""
    top = tmp_path_factory.mktemp("cli")
    (top / "home").mkdir()
    Program(top / "home", top)("init", "repository")
    return top


@pytest.fixture
def program(tmp_path: Path, made: Path) -> Program:
    """The program, in an empty folder; the service's key is there already."""
    shutil.copytree(made / "home", tmp_path / "home")
    (tmp_path / "work").mkdir()
    return Program(tmp_path / "home", tmp_path / "work")


@pytest.fixture
def repository(program: Program, made: Path) -> Path:
    """A catalog repository of one's own, where the program then stands."""
    folder = program.cwd / "repository"
    shutil.copytree(made / "repository", folder)
    program.cwd = folder
    return folder


@pytest.fixture
def git() -> Iterator[Callable[..., str]]:
    def run(folder: Path, *arguments: str) -> str:
        names = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
        command = ["git", "-C", str(folder), *names, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
        return done.stdout.strip()

    return run
