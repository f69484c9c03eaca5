"""Progress of long work, on stderr: a bar for a person who watches, lines for a log that asks for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from distributor.cli.context import interactive
from distributor.cli.output import say

Step = Callable[[], None]
"""Called when one of the parts is done."""

_LINES = 10


@contextmanager
def progress(what: str, total: int, *, wanted: bool | None = None) -> Iterator[Step]:
    """Show how far work of many parts is; ``wanted`` is ``None`` where nobody said.

    At a terminal there is a bar unless it is switched off. Elsewhere there is nothing unless it is asked
    for, and then at most ten lines: a log is read by people too.
    """
    if wanted is False or (wanted is None and not interactive()):
        yield lambda: None
    elif interactive():
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
        )

        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
        )
        with Progress(*columns, console=Console(stderr=True)) as shown:
            task = shown.add_task(what, total=total)
            yield lambda: shown.advance(task)
    else:
        yield _lines(what, total)


def _lines(what: str, total: int) -> Step:
    done = 0

    def step() -> None:
        nonlocal done
        before, done = done * _LINES // max(total, 1), done + 1
        if done * _LINES // max(total, 1) > before:
            say(f"{what}: {done} of {total}")

    return step
