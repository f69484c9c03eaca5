"""Checks of a tag: each binding that a request must have, told by itself."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from distributor.errors import DistributorError
from distributor.model.findings import Finding


class CheckResult(StrEnum):
    """What became of one check; ``unknown`` where what it needs is not here."""

    OK = "ok"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class TagCheck:
    """One binding of a tag: what was looked at, what came out, and what to do where it does not hold."""

    what: str
    result: CheckResult
    text: str
    code: str = ""
    remedy: str = ""

    @classmethod
    def ok(cls, what: str, text: str) -> TagCheck:
        """It holds."""
        return cls(what=what, result=CheckResult.OK, text=text)

    @classmethod
    def unknown(cls, what: str, text: str, remedy: str = "") -> TagCheck:
        """It cannot be told from what is here."""
        return cls(what=what, result=CheckResult.UNKNOWN, text=text, remedy=remedy)

    @classmethod
    def failed(cls, what: str, finding: Finding) -> TagCheck:
        """It does not hold, for this reason."""
        return cls(
            what=what,
            result=CheckResult.FAILED,
            text=finding.message,
            code=finding.code,
            remedy=finding.remedy,
        )

    @classmethod
    def refused(cls, what: str, kind: type[DistributorError], text: str) -> TagCheck:
        """It does not hold; as ``failed``, from a kind of error."""
        return cls.failed(what, Finding.of(kind, text))
