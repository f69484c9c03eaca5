"""The root of the error tree, and the registry of codes that ``distributor explain`` prints."""

from __future__ import annotations

import functools
import importlib
import inspect
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar

_MODULES = (
    "catalog",
    "policy",
    "render",
    "cluster",
    "rollout",
    "git",
    "service",
    "secrets",
    "vendoring",
)


_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Unicode's categories of what steers a terminal, turns or breaks a line, or cannot be encoded."""


def visible(text: str) -> str:
    r"""The text with what would steer a terminal written out, as in ``\x1b``; newlines and tabs stay.

    Messages quote what strangers wrote: a package, a live object, a server.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        c.encode("unicode_escape").decode("ascii")
        if c not in "\n\t" and unicodedata.category(c) in _UNSEEN
        else c
        for c in text
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """Where a culprit stands: a file, and in it a line and column (from 1) and a field path."""

    file: str = ""
    line: int = 0
    column: int = 0
    field: str = ""

    def __str__(self) -> str:
        place = self.file
        if self.line:
            place += f":{self.line}"
            if self.column:
                place += f":{self.column}"
        if self.field:
            place += f" ({self.field})" if place else self.field
        return visible(place).replace("\n", "\\n")


class DistributorError(Exception):
    """Something went wrong."""

    code: ClassVar[str] = "DST000"
    remedy: ClassVar[str] = "Read the message; `distributor explain CODE` says more."
    retryable: ClassVar[bool] = False
    exit_code: ClassVar[int] = 1
    """What the program exits with: 1, something is wrong with what was looked at."""

    def __init__(self, detail: str = "", *, where: Where | None = None, remedy: str = "") -> None:
        self.detail = visible(detail)
        self.where = where or Where()
        self.hint = remedy or type(self).remedy
        super().__init__(self.detail)

    @classmethod
    def title(cls) -> str:
        """The first line of the docstring: what happened, in one sentence."""
        return inspect.cleandoc(cls.__doc__ or "").partition("\n")[0]

    def __str__(self) -> str:
        place = f"{self.where}: " if str(self.where) else ""
        detail = f" {self.detail}" if self.detail else ""
        return f"{self.code} {place}{self.title()}{detail}"


class Retryable(DistributorError):
    """Trying again later may help."""

    retryable = True
    exit_code = 3


class Terminal(DistributorError):
    """Trying again without a change will not help."""


class Setup(Terminal):
    """How the program is called, or what it is set up to work with, has to change first."""

    exit_code = 2


@functools.cache
def registry() -> Mapping[str, type[DistributorError]]:
    """Every error class that carries a code of its own, by code."""
    for name in _MODULES:
        importlib.import_module(f"distributor.errors.{name}")
    found: dict[str, type[DistributorError]] = {}
    pending: list[type[DistributorError]] = [DistributorError]
    while pending:
        cls = pending.pop()
        pending.extend(cls.__subclasses__())
        if "code" in vars(cls) and cls is not DistributorError:
            found[cls.code] = cls
    return MappingProxyType(dict(sorted(found.items())))


def describe(code: str) -> str | None:
    """The text of ``distributor explain CODE``; ``None`` for a code that does not exist."""
    cls = registry().get(code.upper())
    if cls is None:
        return None
    kind = "may pass by itself and is retried" if cls.retryable else "stays until something changes"
    return (
        f"{cls.code}  {inspect.cleandoc(cls.__doc__ or '')}\n\nThis {kind}; the program exits with "
        f"{cls.exit_code}.\nRemedy: {cls.remedy}\n"
    )
