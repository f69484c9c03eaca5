"""Segments: the files of one instance's records, one a year, so that an append stays as cheap as the year is young.

``records/<environment>/<instance>.jsonl`` is written to; when a record of a later year comes, it becomes
``<instance>.<year>.jsonl``, and is never written again. No name of an instance holds a dot.
"""

from __future__ import annotations

from distributor.model.ledger import Key

_END = ".jsonl"
_YEAR = 4
OPEN = 0
"""The year of the segment that is written to."""


def path_of(key: Key, year: int = OPEN) -> str:
    """The path of a segment in a ledger's tree."""
    return f"records/{key[0]}/{key[1]}{f'.{year:04}' if year else ''}{_END}"


def parse_name(name: str) -> tuple[str, int]:
    """The instance and the year that a file's name says."""
    stem = name.removesuffix(_END)
    instance, dot, year = stem.rpartition(".")
    closed = dot and instance and len(year) == _YEAR and year.isascii() and year.isdigit()
    return (instance, int(year)) if closed and int(year) else (stem, OPEN)


def in_order(year: int) -> int:
    """Sorts segments by age: closed ones by year, then the open one."""
    return year or 10**_YEAR
