"""Refusals become errors of the tree, with the place to blame."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import distributor
from distributor.adapters.engine.errors import CODES, death_of, error_of
from distributor.adapters.engine.frames import Refusal
from distributor.adapters.engine.settings import EngineSettings
from distributor.catalog import walking
from distributor.errors.render import RenderFailed, TemplateFailed
from distributor.render import jobs

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


@pytest.mark.parametrize(
    ("message", "remedy"),
    [
        ('line 2: the key "a" stands twice in one mapping', "Remove one of the two"),
        ("NUL byte at offset 7", "UTF-8 text"),
        ("the file is not UTF-8", "Save the file as UTF-8"),
        ("yaml: invalid leading UTF-8 octet", "Save the file as UTF-8"),
        ("yaml: line 7: did not find expected '-' indicator", "Mend the YAML"),
        ('line 3: the anchor "x" contains itself', "alias"),
        ("line 1: an integer of 5000 digits; at most 300 can be carried", "quotes"),
        ('line 1: the tag "!!python/object" is not known', "Remove the tag"),
        ("line 1: the object has no apiVersion and kind", "Each object needs apiVersion"),
        ("line 1: an object is expected, not a list", "Each object needs apiVersion"),
    ],
)
def test_bad_content_has_the_remedy_of_its_cause(message, remedy):
    assert remedy in error_of(Refusal(code="bad-yaml", message=message, path="a.yaml")).hint


def test_every_remedy_of_bad_content_answers_something_that_the_engine_says():
    said = "".join((ENGINE / f"{name}.go").read_text() for name in ("json", "scalar", "yaml"))
    for text in ("stands twice in one mapping", "NUL byte at", "is not UTF-8", "contains itself",
                 "an integer of", "no number that JSON", "is not a boolean", "the tag ", "!!binary is not",
                 "a key must", "a merge key needs"):  # fmt: skip
        assert text in said


def test_an_unknown_code_keeps_its_name():
    error = error_of(Refusal(code="new-one", message="m", path=""))
    assert type(error) is RenderFailed
    assert "[new-one] m" in str(error)


def test_classes_keep_their_codes():
    assert error_of(Refusal(code="template", message="m", path="")).code == TemplateFailed.code


SETTINGS = EngineSettings(deadline=7, hard_memory=100 << 20)
NO_MEMORY = "fatal error: runtime: out of memory: cannot allocate 17179869184-byte block (8 in use)"
NO_STACK = "runtime: goroutine stack exceeds 67108864-byte limit\nfatal error: stack overflow"


@pytest.mark.parametrize(
    ("returncode", "complaints", "code", "words"),
    [
        (86, "", "DST322", "more than 100 MiB of memory"),
        (2, NO_MEMORY, "DST322", "more than 100 MiB of memory"),
        (2, "fatal error: runtime: cannot allocate memory", "DST322", "more than 100 MiB"),
        (87, "", "DST323", "more than 7 seconds"),
        (2, NO_STACK, "DST324", "beyond 64 MiB"),
        (2, "", "DST313", "crashed"),
        (2, "fatal error: all goroutines are asleep\nmore", "DST313", "are asleep"),
        (-9, NO_MEMORY, "DST313", "signal 9"),
        (64, "", "DST313", "exit code 64"),
        (None, "", "DST313", "None"),
    ],
)
def test_a_death_says_what_was_exceeded(returncode, complaints, code, words):
    error = death_of(returncode, complaints, SETTINGS)
    assert error.code == code
    assert words in str(error)
    assert "\n" not in str(error)
    assert not error.retryable


def test_the_exit_codes_are_those_of_the_engine():
    found = dict(re.findall(r"exit(Memory|CPU) += (\d+)", (ENGINE / "main.go").read_text()))
    assert found == {"Memory": "86", "CPU": "87"}


def test_every_room_means_the_same_limits():
    """A package that the catalog takes is never too large for the engine's door."""
    engine = EngineSettings()
    assert jobs.MAX_BYTES == walking.MAX_BYTES == engine.max_input
    source = (ENGINE / "limits.go").read_text()
    defaults = {
        name: int(number.replace("_", "")) << int(shift or 0)
        for name, number, shift in re.findall(r"(\w+): +([\d_]+)(?: << (\d+))?,", source)
    }
    assert defaults == {
        "MaxObjects": engine.max_objects,
        "MaxInput": engine.max_input,
        "MaxOutput": engine.max_output,
        "MaxDepth": engine.max_depth,
        "SoftMemory": engine.soft_memory,
        "HardMemory": engine.hard_memory,
    }
