"""Inventories, change sets and apply plans: what is there, what should change, in which order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from distributor.model.consents import Question
from distributor.model.drift import DriftedField, Fight, ObjectDrift
from distributor.model.findings import Finding
from distributor.model.health import ObjectHealth
from distributor.model.hooks import HookLog, HookStep
from distributor.model.manifest import Manifest
from distributor.model.ownership import Claim, Claims
from distributor.model.refs import Digest, ObjectId, ObjectRef


@dataclass(frozen=True, slots=True, kw_only=True)
class InventoryEntry:
    """One object that was (or is about to be) applied. ``uid`` is empty until the cluster said it."""

    ref: ObjectRef
    api_version: str
    digest: Digest
    uid: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """What one instance owns on one target.

    ``sequence`` is the highest verdict sequence number started there, ``ledger_commit`` that verdict's
    ledger commit. ``token`` is the adapter's own guard for the next write (a resourceVersion, a digest).
    ``recovering`` says that an earlier inventory was lost, and its objects are not all found yet.
    """

    environment: str
    instance: str
    cluster: str
    sequence: int = 0
    ledger_commit: str = ""
    revision: str = ""
    applied: Digest = Digest(
        ""
    )  # digest of the ManifestSet last applied in full, as far as a write at its end said so
    entries: Mapping[ObjectRef, InventoryEntry] = field(default_factory=dict)
    hooks: HookLog = field(default_factory=HookLog)
    token: str = ""
    recovering: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What is an instance's by its label, and why some kinds could not be asked for."""

    refs: tuple[ObjectRef, ...] = ()
    unread: tuple[str, ...] = ()


class Action(StrEnum):
    """What is done to one object."""

    CREATED = "created"
    CONFIGURED = "configured"
    UNCHANGED = "unchanged"
    PRUNED = "pruned"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveObject:
    """An object as the target shows it. ``applied`` is the digest annotation we left on it.

    ``read_at`` is when, by the target's own clock, to which the times in the object belong. ``error`` is
    why it could not be read: then nothing else is known of it, not even whether it is there.
    """

    ref: ObjectRef
    api_version: str
    uid: str = ""
    applied: Digest = Digest("")
    owner: str = ""  # the ApplySet label's value, empty for nobody's
    data: Mapping[str, Any] = field(default_factory=dict)
    read_at: datetime | None = field(default=None, compare=False)
    error: Finding | None = None


@dataclass(frozen=True, slots=True)
class Taken:
    """What a deletion would take along, in words; ``barred`` where it must not, whoever agrees.

    ``names`` are all things that would go, as far as a consent to their going has to name them.
    """

    what: str
    barred: bool = False
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One object's change; ``reason`` says why where it is not plain (``skipped``, drift).

    ``manifest`` is there for what is desired, ``entry`` for what only the inventory still names.
    ``claim`` says what becomes of its fields' owners, ``conflicts`` who is in its way; ``recreates`` that it may be deleted and made anew
    where the API server confirms that a field cannot change, ``forgets`` that the inventory names it no
    longer, as nothing of ours is left to take away, ``releases`` that it stays and is let go of first.
    ``drift`` are fields of what was applied that are otherwise now and are put right, ``left`` those that
    are left so: to who holds them, or for a while. ``fields`` are those that the target says would be
    others, ``unasked`` why it was not asked, or its answer says nothing. ``uid`` is that of what would be
    deleted, where it is known; ``asks`` is what somebody would have to agree to first.
    """

    ref: ObjectRef
    action: Action
    manifest: Manifest | None = None
    reason: str = ""
    entry: InventoryEntry | None = None
    claim: Claim | None = None
    conflicts: str = ""
    recreates: bool = False
    forgets: bool = False
    releases: bool = False
    drift: tuple[DriftedField, ...] = ()
    left: tuple[DriftedField, ...] = ()
    fields: tuple[str, ...] = ()
    unasked: str = ""
    uid: str = ""
    asks: Question | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeSet:
    """All changes of one target, the findings that forbid some of them, and the hooks still to run."""

    changes: tuple[Change, ...] = ()
    findings: tuple[Finding, ...] = ()
    hooks: tuple[HookStep, ...] = ()

    def of(self, *actions: Action) -> tuple[Change, ...]:
        """The changes with one of these actions."""
        return tuple(c for c in self.changes if c.action in actions)

    @property
    def held(self) -> tuple[Change, ...]:
        """What the revision has no more and would be deleted, but for the reason that each has."""
        gone = (c for c in self.of(Action.SKIPPED) if c.entry is not None and c.manifest is None)
        return tuple(c for c in gone if not (c.forgets or c.releases))

    @property
    def questions(self) -> tuple[Question, ...]:
        """What people are asked about."""
        return tuple(c.asks for c in self.changes if c.asks is not None)

    @property
    def empty(self) -> bool:
        """Whether nothing would be written, and no hook run."""
        writes = self.of(Action.CREATED, Action.CONFIGURED, Action.PRUNED)
        return not (self.hooks or writes or any(c.releases for c in self.changes))


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyGroup:
    """Objects that may be applied side by side."""

    manifests: tuple[Manifest, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """Groups in order. ``after`` are the objects of earlier phases: a change waits until they are current."""

    name: str
    groups: tuple[ApplyGroup, ...]
    after: frozenset[ObjectRef] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyPlan:
    """What the executor carries out: phases, then prune groups in reverse order.

    ``dependencies`` maps an object to those that must have been applied for it, ``awaits`` to those of
    them that it asks for itself: these must be current.
    """

    phases: tuple[Phase, ...]
    prune: tuple[tuple[InventoryEntry, ...], ...] = ()
    unchanged: tuple[Manifest, ...] = ()
    dependencies: Mapping[ObjectRef, frozenset[ObjectRef]] = field(default_factory=dict)
    claims: Claims = field(default_factory=dict)
    recreates: frozenset[ObjectRef] = frozenset()
    awaits: Mapping[ObjectRef, frozenset[ObjectRef]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What happened to one object: the action, the error if it failed, and the uid the cluster gave.

    ``after`` is the object as the answer showed it, without what says nothing of its health; only of kinds
    that are current by being there.
    """

    ref: ObjectRef
    action: Action
    error: Finding | None = None
    uid: str = ""
    retryable: bool = False
    after: LiveObject | None = None


class Actuation(StrEnum):
    """What we did to a target; not whether it converged."""

    PENDING = "pending"
    APPLYING = "applying"
    APPLIED = "applied"
    FAILED = "failed"
    UNREACHABLE = "unreachable"
    FENCED = "fenced"


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetReport:
    """The result of one reconcile of one target, on the axes actuation and health."""

    environment: str
    instance: str
    cluster: str
    sequence: int
    actuation: Actuation
    health: tuple[ObjectHealth, ...] = ()
    delivered: bool = False  # true where the target can only say "delivered" (directory, branch)
    outcomes: tuple[Outcome, ...] = ()
    findings: tuple[Finding, ...] = ()
    observed_at: datetime
    ledger_commit: ObjectId = ObjectId("")
    drift: tuple[str, ...] = ()  # what was not as applied: an object and why, one line each
    drifted: tuple[ObjectDrift, ...] = ()  # the same, with what becomes of it, field by field
    fights: tuple[Fight, ...] = ()
    questions: tuple[Question, ...] = ()  # what people are asked about


@dataclass(frozen=True, slots=True, kw_only=True)
class Glance:
    """What an instance has on a target, read together with that of others: all of its objects that there are."""

    inventory: Inventory
    live: Mapping[ObjectRef, LiveObject]
