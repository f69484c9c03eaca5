"""Errors: one tree, stable codes; the lowest layer, known to every room.

What lives here: exception classes, one a code. A class's docstring is its message, ``remedy`` says what
to do, ``where`` names the culprit. ``Retryable`` and ``Terminal`` say whether trying again can help,
``exit_code`` what the program exits with.
What never does: logic, I/O, imports of any other room. Called by: everyone.
"""

from distributor.errors.tree import (
    DistributorError,
    Retryable,
    Setup,
    Terminal,
    Where,
    describe,
    registry,
    visible,
)

__all__ = [
    "DistributorError",
    "Retryable",
    "Setup",
    "Terminal",
    "Where",
    "describe",
    "registry",
    "visible",
]
