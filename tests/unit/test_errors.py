"""The error tree: stable codes, each unique, in its range, with a remedy, and documented."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import distributor
from distributor.errors import (
    DistributorError,
    Retryable,
    Setup,
    Terminal,
    Where,
    describe,
    registry,
)
from distributor.errors.catalog import UnknownField
from distributor.errors.git import RemoteUnreachable
from distributor.model.findings import Invalid

ROOT = Path(__file__).resolve().parents[2]
RANGES = {"catalog": "1", "policy": "2", "render": "3", "cluster": "4", "rollout": "5"} | {
    "git": "6",
    "service": "7",
    "secrets": "3",
    "vendoring": "3",
    "distributor.model.findings": "1",  # carries findings, so it stands above the tree
}
CODES = registry()


def classes(root: type[DistributorError]) -> Iterator[type[DistributorError]]:
    """Every class below ``root`` that this program defines."""
    for cls in root.__subclasses__():
        if cls.__module__.startswith("distributor."):
            yield cls
        yield from classes(cls)


ALL = sorted(
    set(classes(DistributorError)) - {Retryable, Setup, Terminal}, key=lambda cls: cls.__name__
)


def test_no_two_classes_share_a_code():
    assert len(ALL) == len(CODES) > 80
    assert len({cls.__name__ for cls in ALL}) == len(ALL)  # the reference lists them by name
    assert {cls.code for cls in ALL} == set(CODES)


def test_findings_together_have_a_code_too():
    assert CODES["DST100"] is Invalid


@pytest.mark.parametrize("cls", ALL, ids=lambda cls: cls.__name__)
def test_an_error_class_is_complete(cls):
    room = cls.__module__.removeprefix("distributor.errors.")
    assert "code" in vars(cls), "a class without a code of its own cannot be looked up"
    assert re.fullmatch(rf"DST{RANGES[room]}\d\d", cls.code)
    assert "remedy" in vars(cls)
    assert cls.remedy.endswith((".", "!", "?"))
    assert cls.title().endswith(".")
    assert issubclass(cls, Retryable) != issubclass(cls, Terminal)
    assert cls.retryable is issubclass(cls, Retryable)
    assert cls.exit_code == (3 if cls.retryable else 2 if issubclass(cls, Setup) else 1)


@pytest.mark.parametrize(
    ("codes", "exit_code"),
    [
        ("DST100 DST117 DST118 DST210 DST301 DST612 DST713", 1),
        ("DST317 DST414 DST603 DST604 DST605 DST606 DST607 DST608 DST610 DST701 DST716", 2),
        ("DST401 DST601 DST602 DST709", 3),
    ],
)
def test_alike_errors_end_the_program_alike(codes, exit_code):
    assert {CODES[code].exit_code for code in codes.split()} == {exit_code}


@pytest.mark.parametrize("code", CODES)
def test_a_code_is_documented(code):
    page = (ROOT / "docs" / "reference" / "errors.md").read_text("utf-8")
    assert f"\n### {code} {CODES[code].__name__}\n" in page


def test_codes_that_are_mentioned_exist():
    texts = [*(ROOT / "distributor").rglob("*.py"), *(ROOT / "distributor").rglob("*.go")]
    texts += [*(ROOT / "docs").rglob("*.md"), ROOT / "README.md", ROOT / "CHANGELOG.md"]
    mentioned = {c for path in texts for c in re.findall(r"DST\d{3}\b", path.read_text("utf-8"))}
    assert mentioned - set(CODES) - {DistributorError.code} == set()


@pytest.mark.parametrize(
    ("where", "text"),
    [
        (Where(), ""),
        (Where(file="a.yaml"), "a.yaml"),
        (Where(file="a.yaml", line=3), "a.yaml:3"),
        (Where(file="a.yaml", line=3, column=7), "a.yaml:3:7"),
        (Where(file="a.yaml", column=7), "a.yaml"),
        (Where(file="a.yaml", line=3, field="spec.version"), "a.yaml:3 (spec.version)"),
        (Where(field="spec.version"), "spec.version"),
    ],
)
def test_a_place_reads_like_a_compilers(where, text):
    assert str(where) == text


def test_an_error_reads_as_code_place_message_and_detail():
    error = UnknownField("(did you mean 'replicas'?)", where=Where(file="a.yaml", line=3))
    assert str(error) == (
        "DST102 a.yaml:3: The document has a field that its schema does not know."
        " (did you mean 'replicas'?)"
    )
    assert error.hint == UnknownField.remedy
    assert str(RemoteUnreachable()) == "DST601 The Git remote cannot be reached."
    assert RemoteUnreachable(remedy="Plug it in.").hint == "Plug it in."


def test_explain():
    text = describe("dst601")
    assert text is not None
    assert text.startswith("DST601  The Git remote cannot be reached.")
    assert "retried; the program exits with 3." in text
    assert text.endswith(f"Remedy: {RemoteUnreachable.remedy}\n")
    assert "stays until something changes" in (describe("DST102") or "")
    assert describe("DST999") is None


def test_every_code_is_given_by_some_part_of_the_program():
    """Of what nothing raises the reference would say that it can be met."""
    root = Path(distributor.__file__).parent
    files = [f for f in root.rglob("*.py") if "errors" not in f.parts[-2:]]
    text = "\n".join(f.read_text("utf-8") for f in files)
    words = frozenset(re.findall(r"\w+", text))
    assert [c.code for c in ALL if not {c.__name__, c.code} & words] == []
