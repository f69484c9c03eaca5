"""Parity: how a standby's values differ from those of the environment that it stands by for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

EVERY_APP = "*"
"""In place of an app, at the beginning of an excepted path: the value of each app."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """The values of one instance in one environment, and where they come from, upper files first.

    ``files`` maps each file to the values that it sets itself.
    """

    environment: str
    values: Mapping[str, Any]
    files: Mapping[str, Mapping[str, Any]]

    def file_of(self, path: tuple[str, ...]) -> str:
        """The file that sets the value at a path; empty where none does."""
        return next((file for file, own in self.files.items() if _has(own, path)), "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One value that two environments do not share. ``path`` begins with the app, as in ``parity.except``.

    A value is JSON text, empty where it is not set; a file is empty where none sets it.
    """

    path: str
    environment: str
    value: str
    file: str
    other: str
    other_value: str
    other_file: str

    def __str__(self) -> str:
        ours = _said(self.environment, self.value, self.file)
        return f"{self.path} is {ours}, and {_said(self.other, self.other_value, self.other_file)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """One value that a standby has of the environment that it stands in for; ``None`` without ``set``."""

    path: tuple[str, ...]
    set: bool
    value: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StandIn:
    """For which environment another one stands in, and the values that it has of it since."""

    environment: str
    values: tuple[Taken, ...] = ()


def excepted(path: str, excepts: Iterable[str]) -> bool:
    """Whether a path is one of those that may differ, or lies below one."""
    rest = path.partition(".")[2]
    names = (path, f"{EVERY_APP}.{rest}")
    return any(name == each or name.startswith(f"{each}.") for each in excepts for name in names)


def excepted_keys(app: str, excepts: Iterable[str]) -> tuple[tuple[str, ...], ...]:
    """The excepted paths of an app, as keys below its values; sorted, so that what is above comes first."""
    split = (each.split(".") for each in excepts)
    return tuple(
        sorted({tuple(rest) for first, *rest in split if first in (app, EVERY_APP) and rest})
    )


def _said(environment: str, value: str, file: str) -> str:
    return f"{value or 'not set'} in {environment}" + (f" ({file})" if file else "")


def _has(values: Mapping[str, Any], path: tuple[str, ...]) -> bool:
    here: Any = values
    for key in path:
        if not isinstance(here, Mapping):
            return True  # a whole value in place of a map: it set this path too
        if key not in here:
            return False
        here = here[key]
    return True
