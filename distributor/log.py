"""Logs: structlog, one event a line, as JSON or for a console; secrets never get here."""

from __future__ import annotations

import logging
import sys
from typing import Any

import structlog

_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}
_HIDDEN = ("secret", "password", "token", "authorization")


def configure(level: str, form: str) -> None:
    """Set logging up for this process: talk goes to stderr, never to stdout."""
    console = form == "console" or (form == "auto" and sys.stderr.isatty())
    renderer: Any = (
        structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
        if console
        else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _hide,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS.get(level, 20)),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, force=True)


def _hide(_logger: object, _method: str, event: Any) -> Any:  # noqa: ANN401 - structlog's own event type
    """Blank the values whose names say that they are secret."""
    for name in event:
        if any(word in name.lower() for word in _HIDDEN):
            event[name] = "***"
    return event


def get(room: str) -> Any:  # noqa: ANN401 - structlog's loggers are lazy proxies
    """The logger of a room."""
    return structlog.get_logger(room=room)
