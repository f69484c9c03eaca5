"""Findings: what a check says about its input, as data, so that all of them are told at once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from distributor.errors import DistributorError, Terminal, Where, visible


class Severity(StrEnum):
    """How much a finding weighs; only ``error`` stops anything."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that a check found: its stable code, place, message and remedy."""

    code: str
    message: str
    where: Where = field(default_factory=Where)
    remedy: str = ""
    severity: Severity = Severity.ERROR

    def __post_init__(self) -> None:
        object.__setattr__(self, "message", visible(self.message))

    def __str__(self) -> str:
        place = f"{self.where}: " if str(self.where) else ""
        return f"{self.code} {place}{self.message}"

    @classmethod
    def of(
        cls,
        kind: type[DistributorError],
        message: str = "",
        where: Where | None = None,
        *,
        remedy: str = "",
        severity: Severity = Severity.ERROR,
    ) -> Finding:
        """A finding with the code, title and remedy of an error class."""
        text = f"{kind.title()} {message}".strip()
        return cls(
            code=kind.code,
            message=text,
            where=where or Where(),
            remedy=remedy or kind.remedy,
            severity=severity,
        )

    @classmethod
    def from_error(cls, error: DistributorError) -> Finding:
        """The finding that says what an exception said."""
        return cls(
            code=error.code,
            message=f"{error.title()} {error.detail}".strip(),
            where=error.where,
            remedy=error.hint,
        )


class Invalid(Terminal):
    """The input has findings that must be mended first."""

    code = "DST100"
    remedy = "Mend each finding listed; they are all there is."

    def __init__(self, findings: Iterable[Finding], detail: str = "") -> None:
        self.findings = tuple(findings)
        first = self.findings[0].where if self.findings else None
        lines = "".join(f"\n  {finding}" for finding in self.findings)
        super().__init__(f"{detail}{lines}", where=first)


def errors(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Only the findings that stop something."""
    return tuple(f for f in findings if f.severity is Severity.ERROR)
