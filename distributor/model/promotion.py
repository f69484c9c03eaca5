"""Revisions, gate answers and verdicts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from distributor.model.findings import Finding
from distributor.model.refs import Digest, ObjectId
from distributor.model.tags import RequestClass, Verb


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """What an instance should run in an environment: equal (package digest, Config) is the same one."""

    app: str
    version: str
    digest: Digest
    config: Digest

    def same(self, other: Revision | None) -> bool:
        """Whether both are the same revision, whatever they are called."""
        return other is not None and (self.digest, self.config) == (other.digest, other.config)

    def __str__(self) -> str:
        return f"{self.app} {self.version} ({self.digest[7:19]}+{self.config[7:19]})"


class GateResult(StrEnum):
    """One gate's answer; anything but pass keeps a request out."""

    PASS = "pass"  # noqa: S105 - a gate's answer, no password
    WARN = "warn"
    FAIL = "fail"
    PENDING = "pending"
    ERROR = "error"
    SKIPPED = "skipped"


WORSE = (
    GateResult.SKIPPED,
    GateResult.PASS,
    GateResult.WARN,
    GateResult.PENDING,
    GateResult.ERROR,
    GateResult.FAIL,
)
"""From what keeps nobody out to what refuses: of several answers the last in this order counts."""
KEEPS_OUT = frozenset({GateResult.FAIL, GateResult.PENDING, GateResult.ERROR})
"""The answers with which a gate keeps a request out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GateAnswer:
    """What one gate said, with its evidence; ``until`` is when a pending one is worth asking again."""

    number: int
    gate: str
    result: GateResult
    message: str = ""
    findings: tuple[Finding, ...] = ()
    evidence: Mapping[str, str] = field(default_factory=dict)
    until: datetime | None = None


OVERRIDE, OVERRIDDEN = "override", "used"
"""The evidence by which an answer says that a hotfix named its gate, and that it would have kept it out."""


class VerdictOutcome(StrEnum):
    """What became of a request."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    PENDING = "pending"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The decision about one request, as it is recorded.

    ``sequence`` is 0 unless accepted. ``targets`` are the clusters placed, sorted.
    """

    ref: str
    tag: ObjectId
    verb: Verb
    environment: str
    instance: str
    outcome: VerdictOutcome
    answers: tuple[GateAnswer, ...]
    principal: str
    request_class: RequestClass = RequestClass.NORMAL
    sequence: int = 0
    revision: Revision | None = None
    commit: ObjectId = ObjectId("")
    policy_commit: ObjectId = ObjectId("")
    prev: str = ""
    rendered: Digest = Digest("")
    targets: tuple[str, ...] = ()
    reason: str = ""
    stands_in: str = ""  # the environment for which this one stands in from then on

    @property
    def accepted(self) -> bool:
        """Whether it was let in."""
        return self.outcome is VerdictOutcome.ACCEPTED

    @property
    def overridden(self) -> tuple[str, ...]:
        """The gates that would have kept it out, had it not overridden them."""
        return tuple(a.gate for a in self.answers if a.evidence.get(OVERRIDE) == OVERRIDDEN)

    def reasons(self) -> tuple[str, ...]:
        """Why it was not let in: one line a gate that did not pass."""
        return tuple(
            f"gate {a.number} {a.gate}: {a.message}" for a in self.answers if a.result in KEEPS_OUT
        )
