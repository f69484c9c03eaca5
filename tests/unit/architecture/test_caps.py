"""Small files and small functions: what passes these sizes is where code starts to rot."""

from __future__ import annotations

import ast
import statistics

import pytest

from tests.unit.architecture.source import ROOT, modules, name, project, tree

FILE_LINES = 400
FUNCTION_LINES = 50
Function = ast.FunctionDef | ast.AsyncFunctionDef
WRITTEN_BY_HAND = [*modules(), *sorted((ROOT / "docs").rglob("*.py"))]


def lines(node: Function) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def functions() -> dict[str, int]:
    return {
        f"{name(path)}:{node.lineno} {node.name}": lines(node)
        for path in WRITTEN_BY_HAND
        for node in ast.walk(tree(path))
        if isinstance(node, Function)
    }


@pytest.mark.parametrize("path", WRITTEN_BY_HAND, ids=name)
def test_a_file_fits_in_its_cap(path):
    assert len(path.read_text("utf-8").splitlines()) <= FILE_LINES


def test_functions_fit_in_their_cap():
    assert {where: size for where, size in functions().items() if size > FUNCTION_LINES} == {}


def test_most_are_far_smaller():
    files = [len(path.read_text("utf-8").splitlines()) for path in modules()]
    assert statistics.median(files) <= 130
    assert statistics.median(functions().values()) <= 10


def test_go_files_fit_in_the_cap_too():
    large = {
        name(path): count
        for path in (ROOT / "distributor" / "_engine").glob("*.go")
        if (count := len(path.read_text("utf-8").splitlines())) > FILE_LINES
    }
    assert large == {}


def test_ruff_holds_the_other_caps():
    lint = project()["tool"]["ruff"]["lint"]
    assert lint["select"] == ["ALL"]
    assert lint["mccabe"]["max-complexity"] == 10
    assert lint["pylint"]["max-statements"] == 40
    assert not {"C901", "PLR0915", "ANN", "D100", "D102", "D103"} & set(lint["ignore"])
