"""What commands share: settings from flags, variables and file, and the repository one stands in."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from distributor.errors.git import NotARepository
from distributor.settings import Loaded, Settings, load

_T = TypeVar("_T")


@dataclass(slots=True)
class Options:
    """The program's options, as flags over settings."""

    flags: dict[str, Any] = field(default_factory=dict)


OPTIONS = Options()
"""Set once by the program's callback, before any command runs."""


def loaded(**flags: Any) -> Loaded:  # noqa: ANN401 - a flag has its setting's type
    """Settings with their origins; ``flags`` that are ``None`` were not given."""
    given = OPTIONS.flags | {name: value for name, value in flags.items() if value is not None}
    return load(given, os.environ)


def settings(*, quiet: bool = True, **flags: Any) -> Settings:  # noqa: ANN401 - a flag has its setting's type
    """Settings for work on a repository; without one named, the ``origin`` of where one stands.

    ``quiet`` commands log warnings only, unless a level was asked for.
    """
    found = loaded(**flags)
    result = found.settings
    if not result.repository:
        result = replace(result, repository=origin(Path.cwd()))
    from distributor import log

    asked = found.origins["log_level"] != "default"
    log.configure(result.log_level if asked or not quiet else "error", result.log_format)
    return result


def origin(folder: Path) -> str:
    """The shared repository of a work tree: its remote ``origin``, or itself where it has none."""
    import pygit2

    found = pygit2.discover_repository(str(folder))
    if found is None:
        raise NotARepository(f"({folder})")
    repository = pygit2.Repository(found)
    for remote in repository.remotes:
        if remote.name == "origin" and remote.url:
            path = Path(remote.url)
            local = "://" not in remote.url and not path.is_absolute() and ":" not in remote.url
            return str((folder / path).resolve()) if local else str(remote.url)
    return str(Path(repository.path).resolve())


def run(work: Callable[[], Awaitable[_T]]) -> _T:
    """Run a command's asynchronous part."""

    async def call() -> _T:
        return await work()

    return asyncio.run(call())


def interactive() -> bool:
    """Whether a person watches: then long work shows progress."""
    return sys.stderr.isatty() and not os.environ.get("CI")
