"""Output: data to stdout as a table, JSON or YAML; talk and errors to stderr."""

from __future__ import annotations

import dataclasses
import re
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import Enum, StrEnum
from typing import Annotated

import typer

from distributor.errors import DistributorError

DONE, FINDINGS, USAGE, REACH, INTERRUPTED = 0, 1, 2, 3, 130
EXITS = (
    "Exit codes: 0 done, 1 findings, differences or a denied gate, 2 usage or configuration, "
    "3 could not reach something (worth a retry), 130 interrupted."
)
"""What the exit codes mean; an error class says which one is its own (``exit_code``)."""


_WIDE = 4000
"""Columns of a table: no cell is cut, a terminal that is narrower wraps the line itself."""
_TRAILING = re.compile(r" +((?:\x1b\[[0-9;]*m)*)$")


class Form(StrEnum):
    """How data is printed."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"


Output = Annotated[Form, typer.Option("-o", "--output", help="How to print the result.")]


def plain(value: object) -> object:
    """The value as JSON knows it: dataclasses become objects, times ISO 8601 texts."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(plain(k)): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        items = [plain(v) for v in value]
        return sorted(items, key=str) if isinstance(value, set | frozenset) else items
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if value is None or isinstance(value, str | int | float | bool):
        return value
    return str(value)


def emit(data: object, form: Form) -> None:
    """Print data as JSON or YAML."""
    if form is Form.YAML:
        import yaml

        sys.stdout.write(yaml.safe_dump(plain(data), sort_keys=False, allow_unicode=True))
        return
    import orjson

    sys.stdout.write(orjson.dumps(plain(data), option=orjson.OPT_INDENT_2).decode() + "\n")


def table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, title: str = "") -> None:
    """Print rows under headings: coloured at a terminal, plain when piped, never cut."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table(title=title or None, box=None, pad_edge=False, title_justify="left")
    for name in columns:
        drawn.add_column(name.upper(), no_wrap=True)
    for row in rows:
        drawn.add_row(*(Text(cell) for cell in row))
    console = Console(width=_WIDE, highlight=False)
    with console.capture() as captured:
        console.print(drawn, soft_wrap=True)
    lines = (_TRAILING.sub(r"\1", line) for line in captured.get().splitlines())
    sys.stdout.write("".join(f"{line}\n" for line in lines))


def say(text: str) -> None:
    """Talk: to stderr, so that stdout holds nothing but data."""
    typer.echo(text, err=True)


def fail(error: DistributorError) -> None:
    """Say what went wrong, where, and what to do."""
    say(str(error))
    if error.hint:
        say(f"  remedy: {error.hint}")


def age(since: datetime | None, now: datetime) -> str:
    """How long ago, in the two largest units."""
    if since is None:
        return "-"
    seconds = max(0, int((now - since).total_seconds()))
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds >= size:
            rest, smaller = (
                divmod(seconds, size)[1],
                {"d": ("h", 3600), "h": ("m", 60), "m": ("s", 1)}[unit],
            )
            return f"{seconds // size}{unit}{rest // smaller[1]}{smaller[0]}"
    return f"{seconds}s"
