"""Policy nouns: who may do what, and how gates are parametrised."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, tzinfo
from enum import StrEnum
from typing import Any

from distributor.errors import Where
from distributor.model.findings import Finding
from distributor.model.openpgp import PgpKey


class GateSeverity(StrEnum):
    """Whether a gate's failure keeps a request out."""

    ENFORCE = "enforce"
    WARN = "warn"
    OFF = "off"


@dataclass(frozen=True, slots=True, kw_only=True)
class GateBinding:
    """One file under policies/gates: a parametrised use of a gate."""

    name: str
    gate: str
    environments: tuple[str, ...]
    apps: tuple[str, ...] = ("*",)
    severity: GateSeverity = GateSeverity.ENFORCE
    params: Mapping[str, Any] = field(default_factory=dict)
    where: Where = field(default_factory=Where)

    def covers(self, environment: str, app: str) -> bool:
        """Whether it is bound to this environment and app."""
        envs, apps = self.environments, self.apps
        return ("*" in envs or environment in envs) and ("*" in apps or app in apps)


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """What its principals may do, where; ``*`` stands for everything."""

    name: str
    principals: tuple[str, ...]
    may: tuple[str, ...]
    environments: tuple[str, ...] = ("*",)
    apps: tuple[str, ...] = ("*",)
    classes: tuple[str, ...] = ("*",)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignerEntry:
    """One line of an OpenSSH allowed_signers file; ``key`` is the key blob's text form."""

    principals: tuple[str, ...]
    key_type: str
    key: str
    namespaces: tuple[str, ...] = ()
    valid_after: datetime | None = None
    valid_before: datetime | None = None
    cert_authority: bool = False
    line: int = 0


class WindowKind(StrEnum):
    """Whether nothing may change while a window lasts, or only while it lasts."""

    FREEZE = "freeze"
    ALLOW = "allow"


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """One entry of policies/calendar.yaml: times at which things may, or may not, change.

    ``start`` is the wall-clock time of the first one in ``zone``, without a zone of its own. ``length`` is
    elapsed time, or, where ``wall_clock``, a difference of wall-clock times, so that every one ends at the
    same time of day. ``rule`` is an RFC 5545 recurrence that dateutil reads, its UNTIL a wall-clock time;
    empty: once. ``left_out`` are the days on which none begins. Empty ``tiers`` are all.
    """

    name: str
    kind: WindowKind
    zone: tzinfo
    start: datetime
    length: timedelta
    wall_clock: bool = False
    rule: str = ""
    left_out: frozenset[date] = frozenset()
    environments: tuple[str, ...] = ("*",)
    apps: tuple[str, ...] = ("*",)
    classes: tuple[str, ...] = ("*",)
    tiers: tuple[str, ...] = ("*",)
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicySet:
    """Everything under policies/ of one commit; ``findings`` make it fail closed."""

    gates: tuple[GateBinding, ...] = ()
    roles: tuple[Role, ...] = ()
    signers: tuple[SignerEntry, ...] = ()
    revoked: frozenset[str] = frozenset()  # key texts, and fingerprints of OpenPGP keys
    windows: tuple[Window, ...] = ()
    findings: tuple[Finding, ...] = ()
    pgp: tuple[PgpKey, ...] = ()
