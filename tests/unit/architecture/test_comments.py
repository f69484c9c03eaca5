"""No notes to self, and no check silenced without a code and a reason."""

from __future__ import annotations

import re
import tokenize
from pathlib import Path

import pytest

from tests.unit.architecture.source import ROOT, modules, name

SOURCES = [
    *modules(),
    *sorted((ROOT / "tests").rglob("*.py")),
    *sorted((ROOT / "docs").glob("*.py")),
]
TEXTS = [
    path
    for pattern in (
        "distributor/**/*.go",
        "docs/**/*.md",
        "*.md",
        "Makefile",
        ".ci/*",
        "pyproject.toml",
    )
    for path in sorted(ROOT.glob(pattern))
]
NOTE = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b")
SILENCED = {
    "noqa": re.compile(r"# noqa: [A-Z]+\d+(, ?[A-Z]+\d+)* - \w.{5,}"),
    "type: ignore": re.compile(r"# type: ignore\[[a-z, -]+\] +# \w.{5,}"),
}


def comments(path: Path) -> list[tuple[int, str]]:
    with path.open("rb") as file:
        return [
            (token.start[0], token.string)
            for token in tokenize.tokenize(file.readline)
            if token.type == tokenize.COMMENT
        ]


def unexplained(comment: str) -> bool:
    """Whether a comment silences a check without saying which one and why."""
    return any(
        re.match(rf"# ?{word}\b", comment) and not form.match(comment)
        for word, form in SILENCED.items()
    )


def test_no_notes_to_self():
    found = [
        f"{name(path)}:{number}"
        for path in (*SOURCES, *TEXTS)
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if NOTE.search(line)
    ]
    assert found == []


def test_a_document_that_is_named_is_in_the_repository():
    found = [
        f"{name(path)}: {word}"
        for path in SOURCES
        for word in re.findall(r"`([\w./-]+\.md)`", path.read_text("utf-8"))
        if not (ROOT / word).is_file()
    ]
    assert found == []


def test_a_silenced_check_says_which_and_why():
    found = [
        f"{name(path)}:{line} {text}"
        for path in SOURCES
        for line, text in comments(path)
        if unexplained(text)
    ]
    assert found == []


@pytest.mark.parametrize(
    ("comment", "expected"),
    [
        ("# noqa", True),
        ("# noqa: S603", True),
        ("# noqa: S603 - the program is the one that was found", False),
        ("# type: ignore", True),
        ("# type: ignore[attr-defined]", True),
        ("# type: ignore[attr-defined]  # the package has no types", False),
        ("# an ordinary comment about noqa", False),
    ],
)
def test_the_check_sees_what_it_is_shown(comment, expected):
    assert unexplained(comment) is expected
