"""Versions (SemVer 2, lower case) and ranges of them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import total_ordering

_NUMBER = r"(0|[1-9][0-9]*)"
_PRE = r"(?:0|[1-9][0-9]*|[0-9]*[a-z-][0-9a-z-]*)"
_SEMVER = re.compile(
    rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}(?:-({_PRE}(?:\.{_PRE})*))?(?:\+([0-9a-z-]+(?:\.[0-9a-z-]+)*))?"
)
_TERM = re.compile(
    r"(>=|<=|>|<|=|!=)?\s*v?([0-9]+)(?:\.([0-9]+))?(?:\.([0-9]+))?(?:-([0-9a-z.-]+))?"
)


@total_ordering
@dataclass(frozen=True, slots=True, eq=False)
class Version:
    """A SemVer 2 version in lower case, ordered by precedence (semver.org, clause 11)."""

    major: int
    minor: int
    patch: int
    pre: str = ""
    build: str = ""

    @classmethod
    def parse(cls, text: str) -> Version:
        """Read ``1.4.2`` or ``1.5.0-rc.1``; raises ``ValueError`` for anything else."""
        match = _SEMVER.fullmatch(text)
        if match is None or text.endswith(".lock"):
            msg = f"{text!r} is not a SemVer 2 version in lower case"
            raise ValueError(msg)
        major, minor, patch, pre, build = match.groups()
        return cls(int(major), int(minor), int(patch), pre or "", build or "")

    def __str__(self) -> str:
        text = f"{self.major}.{self.minor}.{self.patch}"
        text += f"-{self.pre}" if self.pre else ""
        return text + (f"+{self.build}" if self.build else "")

    def _key(self) -> tuple[int, int, int, int, tuple[tuple[int, int, str], ...]]:
        parts = tuple(
            (0, int(p), "") if p.isdigit() else (1, 0, p) for p in self.pre.split(".") if p
        )
        return (self.major, self.minor, self.patch, 0 if self.pre else 1, parts)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Version) and str(self) == str(other)

    def __lt__(self, other: Version) -> bool:
        return (self._key(), self.build) < (other._key(), other.build)

    def __hash__(self) -> int:
        return hash(str(self))


@dataclass(frozen=True, slots=True)
class VersionRange:
    """Comparators that must all hold, such as ``>=1.29 <1.40``; an empty range holds everything."""

    text: str
    terms: tuple[tuple[str, Version], ...]

    @classmethod
    def parse(cls, text: str) -> VersionRange:
        """Read a range; raises ``ValueError`` where a term is not a comparator with a version."""
        terms: list[tuple[str, Version]] = []
        for word in re.sub(r"([<>=!])\s+", r"\1", text.replace(",", " ")).split():
            match = _TERM.fullmatch(word)
            if match is None:
                msg = f"{word!r} is not a comparator such as >=1.29"
                raise ValueError(msg)
            sign, major, minor, patch, pre = match.groups()
            version = Version(int(major), int(minor or 0), int(patch or 0), pre or "")
            terms.append((sign or "=", version))
        return cls(text, tuple(terms))

    def holds(self, version: Version) -> bool:
        """Whether the version satisfies every comparator."""
        return all(_compare(sign, version, bound) for sign, bound in self.terms)


def _compare(sign: str, version: Version, bound: Version) -> bool:
    match sign:
        case ">=":
            return version >= bound
        case "<=":
            return version <= bound
        case ">":
            return version > bound
        case "<":
            return version < bound
        case "!=":
            return version != bound
        case _:
            return version == bound
