"""The program's own source, as the architecture tests look at it."""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
PACKAGE = ROOT / "distributor"
PURE = (
    "model",
    "catalog",
    "placement",
    "render",
    "policy",
    "plan",
    "health",
    "rollout",
    "ledger",
    "checks",
)


@cache
def modules() -> tuple[Path, ...]:
    """Every Python file of the program."""
    return tuple(sorted(PACKAGE.rglob("*.py")))


def pure_modules() -> list[Path]:
    return [path for path in modules() if path.relative_to(PACKAGE).parts[0] in PURE]


def packages() -> list[Path]:
    """Every ``__init__.py`` below the top."""
    return [path for path in modules() if path.name == "__init__.py" and path.parent != PACKAGE]


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"), str(path))


def imported(path: Path) -> Iterator[tuple[str, int]]:
    """Full names that a file imports, with their lines; ``from a import b`` gives ``a.b``."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from ((f"{node.module}.{alias.name}", node.lineno) for alias in node.names)


@cache
def project() -> dict[str, Any]:
    """What pyproject.toml says."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
