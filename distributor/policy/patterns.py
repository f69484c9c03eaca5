"""Pattern lists: which names an entry of ``allowed_signers`` is for (ssh_config(5), PATTERNS)."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase

_NOT = "!"


def fits(name: str, patterns: Iterable[str]) -> bool:
    """Whether one pattern fits and no negated one does; ``*`` and ``?`` alone are special.

    A list of nothing but negated patterns fits nothing, and case matters.
    """
    found = False
    for pattern in patterns:
        if _fits(name, pattern.removeprefix(_NOT)):
            if pattern.startswith(_NOT):
                return False
            found = True
    return found


def is_plain(pattern: str) -> bool:
    """Whether it stands for one name, itself."""
    return bool(pattern) and not set(pattern) & set("!*?")


def _fits(name: str, pattern: str) -> bool:
    return fnmatchcase(name, pattern.replace("[", "[[]"))
