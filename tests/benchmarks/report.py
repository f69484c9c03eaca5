"""A table of the records in a folder, beside those of an earlier folder if one is named.

`python -m tests.benchmarks.report [EARLIER] [--results FOLDER]`
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.benchmarks.results import RIVAL, folder

HEAD = ("figure", "now", "aim", "met", "before", "change")
BESIDE = ("the same work", "Distributor", "Flux", "Flux/Distributor")
Record = Mapping[str, Any]


def records(where: Path) -> dict[str, Record]:
    """The records of a folder by name; files that are no records are left out."""
    found: dict[str, Record] = {}
    for path in sorted(where.glob("*.json")):
        document = json.loads(path.read_text("utf-8"))
        if isinstance(document, dict) and {"name", "figures"} <= set(document):
            found[document["name"]] = document
    return found


def rows(now: Mapping[str, Record], before: Mapping[str, Record]) -> list[tuple[str, ...]]:
    """One row a figure: aims first, the other figures after them."""
    found: list[tuple[str, ...]] = []
    for name, record in now.items():
        aims = {aim["figure"]: aim for aim in record["aims"]}
        old = before.get(name, {}).get("figures", {})
        ordered = sorted(record["figures"], key=lambda key, aims=aims: (key not in aims, key))
        found += [_row(name, f, record["figures"][f], aims.get(f), old) for f in ordered]
    return found


def _row(
    name: str, figure: str, value: float, aim: Mapping[str, Any] | None, old: Mapping[str, float]
) -> tuple[str, ...]:
    limit = f"{aim['limit']:g} {aim['unit']}" if aim else ""
    met = ("yes" if aim["met"] else "NO") if aim else ""
    before = old.get(figure)
    change = f"{(value / before - 1) * 100:+.0f} %" if before else ""
    return (
        f"{name} {figure}",
        f"{value:.4g}",
        limit,
        met,
        "" if before is None else f"{before:.4g}",
        change,
    )


def beside(now: Mapping[str, Record]) -> list[tuple[str, ...]]:
    """One row for each figure that both programs have, in the order of their measuring."""
    found: list[tuple[str, ...]] = []
    for name, record in now.items():
        figures = record["figures"]
        for figure, theirs in figures.items():
            ours = figures.get(figure.removeprefix(RIVAL))
            if figure.startswith(RIVAL) and ours is not None:
                times = f"{theirs / ours:.3g}" if ours else ""
                row = (f"{name} {figure.removeprefix(RIVAL)}", f"{ours:.4g}", f"{theirs:.4g}")
                found.append((*row, times))
    return found


def table(lines: Sequence[tuple[str, ...]], head: tuple[str, ...] = HEAD) -> str:
    """Columns of even width; the first is text, the others are numbers."""
    everything = [head, *lines]
    widths = [max(len(line[i]) for line in everything) for i in range(len(head))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in everything
    )


def causes(now: Mapping[str, Record]) -> list[str]:
    """Why aims were missed."""
    return [
        f"{name} {aim['figure']}: {aim['cause']}"
        for name, record in now.items()
        for aim in record["aims"]
        if not aim["met"]
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; 0 when every aim was met, 1 when not, 2 where there is nothing to show."""
    parser = argparse.ArgumentParser(prog="report", description=__doc__)
    parser.add_argument("earlier", nargs="?", type=Path, help="folder of an earlier run")
    parser.add_argument("--results", type=Path, default=folder(), help="folder of this run")
    options = parser.parse_args(arguments)
    now = records(options.results)
    if not now:
        sys.stderr.write(f"there are no records in {options.results}; run `make bench`\n")
        return 2
    before = records(options.earlier) if options.earlier else {}
    sys.stdout.write(table(rows(now, before)) + "\n")
    if both := beside(now):
        sys.stdout.write("\n" + table(both, BESIDE) + "\n")
    missed = causes(now)
    if missed:
        sys.stdout.write("\nmissed aims:\n" + "\n".join(missed) + "\n")
    return int(bool(missed))


if __name__ == "__main__":
    raise SystemExit(main())
