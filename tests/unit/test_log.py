"""Logs go to stderr, one event a line, without secrets."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from distributor import log


@pytest.fixture(autouse=True)
def _restore() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


def events(text: str) -> list[dict[str, str]]:
    return [json.loads(line) for line in text.splitlines()]


def test_json_lines_go_to_stderr(capsys):
    log.configure("info", "json")
    log.get("git").info("fetched", tags=3)
    out, err = capsys.readouterr()
    assert out == ""
    (event,) = events(err)
    assert event["event"] == "fetched"
    assert event["tags"] == 3
    assert event["room"] == "git"
    assert event["level"] == "info"
    assert event["timestamp"].endswith("Z")


def test_not_at_a_terminal_auto_means_json(capsys):
    log.configure("info", "auto")
    log.get("git").warning("slow")
    assert events(capsys.readouterr().err)[0]["event"] == "slow"


def test_console(capsys):
    log.configure("info", "console")
    log.get("git").info("fetched", tags=3)
    err = capsys.readouterr().err
    assert "fetched" in err
    assert "tags=3" in err
    assert "\x1b" not in err


@pytest.mark.parametrize(
    ("level", "seen"),
    [
        ("debug", ["debug", "info", "warning", "error"]),
        ("info", ["info", "warning", "error"]),
        ("warning", ["warning", "error"]),
        ("error", ["error"]),
    ],
)
def test_levels(capsys, level, seen):
    log.configure(level, "json")
    logger = log.get("x")
    for name in ("debug", "info", "warning", "error"):
        getattr(logger, name)("said")
    assert [event["level"] for event in events(capsys.readouterr().err)] == seen


@pytest.mark.parametrize(
    "name", ["secret", "webhook_secret", "Password", "api_token", "Authorization"]
)
@pytest.mark.parametrize("form", ["json", "console"])
def test_secrets_are_blanked(capsys, name, form):
    log.configure("info", form)
    log.get("api").info("asked", **{name: "hunter2"})
    err = capsys.readouterr().err
    assert "hunter2" not in err
    assert "***" in err


def test_an_exception_is_one_line_of_json(capsys):
    log.configure("info", "json")
    try:
        int("broken")
    except ValueError:
        log.get("x").exception("failed")
    (event,) = events(capsys.readouterr().err)
    assert "ValueError: invalid literal" in event["exception"]


def test_other_libraries_speak_up_only_when_something_is_wrong(capsys):
    log.configure("debug", "json")
    logging.getLogger("elsewhere").info("chatter")
    logging.getLogger("elsewhere").warning("trouble")
    err = capsys.readouterr().err
    assert "chatter" not in err
    assert "trouble" in err
