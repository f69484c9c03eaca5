"""How gates answer: one way to pass, fail, or say that evidence is missing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from distributor.errors import DistributorError
from distributor.errors.policy import GateCrashed
from distributor.model.findings import Finding
from distributor.model.promotion import GateAnswer, GateResult


@dataclass(frozen=True, slots=True)
class Speaker:
    """A gate's voice: its number and name on every answer."""

    number: int
    gate: str

    def passes(
        self,
        message: str = "",
        *,
        evidence: Mapping[str, str] | None = None,
        warnings: Iterable[Finding] = (),
    ) -> GateAnswer:
        """It passes; with warnings where there is something to say all the same."""
        findings = tuple(warnings)
        result = GateResult.WARN if findings else GateResult.PASS
        return self._answer(result, message, findings, evidence)

    def skipped(self, message: str) -> GateAnswer:
        """It has nothing to judge here."""
        return self._answer(GateResult.SKIPPED, message, (), None)

    def fails(
        self,
        findings: Iterable[Finding],
        message: str = "",
        *,
        evidence: Mapping[str, str] | None = None,
    ) -> GateAnswer:
        """It keeps the request out, for these reasons."""
        found = tuple(findings)
        return self._answer(GateResult.FAIL, message or said(found), found, evidence)

    def refuses(self, kind: type[DistributorError], message: str = "") -> GateAnswer:
        """It keeps the request out, for one reason."""
        return self.fails((Finding.of(kind, message),))

    def lacks(self, what: str) -> GateAnswer:
        """It cannot be evaluated, because a fact was not gathered. Missing evidence never passes."""
        return self.errors((Finding.of(GateCrashed, f"It lacks {what}."),))

    def waits(
        self,
        message: str = "",
        *,
        findings: Iterable[Finding] = (),
        until: datetime | None = None,
        evidence: Mapping[str, str] | None = None,
    ) -> GateAnswer:
        """It may let the request in later, without a new one: at ``until``, or once something has happened.

        The reasons must not change with the clock, or each look would be a new verdict.
        """
        found = tuple(findings)
        answer = self._answer(GateResult.PENDING, message or said(found), found, evidence)
        return replace(answer, until=until)

    def errors(self, findings: Iterable[Finding]) -> GateAnswer:
        """It could not be evaluated; it will be asked again."""
        found = tuple(findings)
        return self._answer(GateResult.ERROR, said(found), found, None)

    def _answer(
        self,
        result: GateResult,
        message: str,
        findings: tuple[Finding, ...],
        evidence: Mapping[str, str] | None,
    ) -> GateAnswer:
        return GateAnswer(
            number=self.number,
            gate=self.gate,
            result=result,
            message=message,
            findings=findings,
            evidence=evidence or {},
        )


def said(findings: Iterable[Finding], limit: int = 3) -> str:
    """The first findings as one line, and how many more there are."""
    found = tuple(findings)
    text = "; ".join(finding.message for finding in found[:limit])
    more = len(found) - limit
    return f"{text} (and {more} more)" if more > 0 else text


def utc(at: datetime) -> str:
    """A time for people, to the second."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def span(time: timedelta) -> str:
    """A duration as policy files write it, to the second: ``1h30m``."""
    minutes, rest = divmod(int(time.total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    parts = ((hours, "h"), (minutes, "m"), (rest, "s"))
    return "".join(f"{count}{unit}" for count, unit in parts if count) or "0s"


def placed(finding: Finding) -> Finding:
    """The finding with its file in the message: where that is what has to be mended."""
    return replace(finding, message=f"{finding.where}: {finding.message}".removeprefix(": "))
