"""Each room opens with its law, and its front door holds nothing but re-exports."""

from __future__ import annotations

import ast

import pytest

from tests.unit.architecture.source import PACKAGE, name, packages, tree


def door(node: ast.stmt) -> bool:
    """Whether a statement may stand in an ``__init__.py``."""
    if isinstance(node, ast.ImportFrom):
        return (node.module or "").startswith(("distributor", "__future__"))
    if isinstance(node, ast.Assign):
        return [ast.unparse(target) for target in node.targets] == ["__all__"]
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


@pytest.mark.parametrize("path", packages(), ids=name)
def test_a_room_says_what_lives_here_what_never_does_and_who_calls(path):
    law = " ".join((ast.get_docstring(tree(path)) or "").split())
    for words in ("lives here", "What never", "Called by"):
        assert words in law, f"{name(path)} does not say: {words}"


@pytest.mark.parametrize("path", [PACKAGE / "__init__.py", *packages()], ids=name)
def test_a_front_door_holds_only_re_exports(path):
    strange = [ast.unparse(node) for node in tree(path).body if not door(node)]
    assert not strange


@pytest.mark.parametrize("path", packages(), ids=name)
def test_what_a_front_door_imports_is_named_in_all(path):
    body = tree(path).body
    brought = {
        alias.asname or alias.name
        for node in body
        if isinstance(node, ast.ImportFrom) and node.module != "__future__"
        for alias in node.names
    }
    lists = [ast.literal_eval(node.value) for node in body if isinstance(node, ast.Assign)]
    assert brought == set(*lists or [[]])


BANNED_WORDS = {"utils", "util", "helpers", "helper", "manager", "common", "misc"}


def test_no_room_is_a_drawer_for_everything():
    parts = {part for path in packages() for part in path.relative_to(PACKAGE).parts}
    assert not parts & BANNED_WORDS
    files = {path.stem for path in PACKAGE.rglob("*.py")}
    assert not files & BANNED_WORDS
