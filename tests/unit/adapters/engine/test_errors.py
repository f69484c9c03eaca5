"""Refusals become errors of the tree, with the place to blame."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import distributor
from distributor.adapters.engine.errors import CODES, death_of, error_of
from distributor.adapters.engine.frames import Refusal
from distributor.errors.render import RenderFailed, TemplateFailed

ENGINE = Path(distributor.__file__).parent / "_engine"


def test_every_code_of_the_engine_has_a_class():
    source = (ENGINE / "errors.go").read_text()
    assert set(re.findall(r'^\s+code\w+\s+= "([a-z-]+)"$', source, re.MULTILINE)) == set(CODES)


@pytest.mark.parametrize(
    ("code", "message", "file", "line"),
    [
        (
            "template",
            'template: web/templates/a.yaml:3:5: executing "x"',
            "web/templates/a.yaml",
            3,
        ),
        ("template", "web/templates/a.yaml:12:7\n  executing x", "web/templates/a.yaml", 12),
        ("template", "parse error at (web/templates/a.yaml:4): x", "web/templates/a.yaml", 4),
        ("template", "execution error at (web/templates/a.yaml:4:2): x", "web/templates/a.yaml", 4),
        ("template", "no place at all", "chart", 0),
        ("bad-yaml", "line 7: the key twice", "chart", 7),
        ("bad-yaml", "yaml: line 9: tab", "chart", 9),
        ("build", "line of text", "chart", 0),
    ],
)
def test_the_place_comes_from_the_message(code, message, file, line):
    error = error_of(Refusal(code=code, message=message, path="chart"))
    assert (error.where.file, error.where.line) == (file, line)
    assert message in str(error)


def test_an_unknown_code_keeps_its_name():
    error = error_of(Refusal(code="new-one", message="m", path=""))
    assert type(error) is RenderFailed
    assert "[new-one] m" in str(error)


def test_classes_keep_their_codes():
    assert error_of(Refusal(code="template", message="m", path="")).code == TemplateFailed.code


@pytest.mark.parametrize(
    ("returncode", "words"),
    [(86, "more memory"), (2, "crashed"), (-9, "signal 9"), (64, "exit code 64"), (None, "None")],
)
def test_a_death_says_its_reason(returncode, words):
    error = death_of(returncode)
    assert words in str(error)
    assert not error.retryable
