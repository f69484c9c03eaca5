"""Below the pure line: no waiting, no clock, no chance, no disk, no environment."""

from __future__ import annotations

import ast

import pytest

from tests.unit.architecture.source import imported, name, pure_modules, tree

CALLS = {"open", "input", "print", "exec", "eval", "breakpoint", "__import__"}
CLOCK = {"now", "utcnow", "today", "monotonic", "perf_counter"}
MODULES = {
    "asyncio", "contextvars", "logging", "multiprocessing", "os", "pathlib", "random", "secrets",
    "shutil", "signal", "socket", "sqlite3", "subprocess", "tempfile", "threading", "time", "uuid",
    "warnings",
}  # fmt: skip


def impure(node: ast.AST) -> str:
    """What is wrong with a node, or nothing."""
    if isinstance(node, ast.AsyncFunctionDef | ast.Await | ast.AsyncFor | ast.AsyncWith):
        return "waits"
    if isinstance(node, ast.Call):
        if isinstance(node.func, ast.Name) and node.func.id in CALLS:
            return f"calls {node.func.id}"
        if isinstance(node.func, ast.Attribute) and node.func.attr in CLOCK:
            return f"reads the clock: {ast.unparse(node.func)}"
    return ""


@pytest.mark.parametrize("path", pure_modules(), ids=name)
def test_a_core_module_is_pure(path):
    found = [
        f"line {node.lineno}: {what}" for node in ast.walk(tree(path)) if (what := impure(node))
    ]
    found += [f"line {line}: {n}" for n, line in imported(path) if n.partition(".")[0] in MODULES]
    assert not found


PLANTED = (
    "async def f(): ...",
    "open('x')",
    "datetime.now(UTC)",
    "datetime.datetime.utcnow()",
    "date.today()",
    "print('x')",
)


@pytest.mark.parametrize("text", PLANTED)
def test_the_check_sees_what_it_is_shown(text):
    assert any(impure(node) for node in ast.walk(ast.parse(text)))
