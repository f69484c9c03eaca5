"""Work on one target: what it should hold, and what one reconcile of it has done so far."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from distributor.errors import DistributorError, Where
from distributor.errors.cluster import ChangedMeanwhile, Fenced
from distributor.model.changes import Action, Inventory, Outcome
from distributor.model.consents import DEEDS, NOTHING_PERMITTED, Permits, Question
from distributor.model.drift import Contested
from distributor.model.findings import Finding
from distributor.model.fleet import Cluster, DriftMode
from distributor.model.health import HealthRule
from distributor.model.hooks import DeclaredHook, Hook, HookStep, Occasion
from distributor.model.manifest import ManifestSet
from distributor.model.package import PrunePolicy
from distributor.model.refs import GroupKind, ObjectId, ObjectRef
from distributor.model.tags import Verb
from distributor.plan import NOTHING_IGNORED, Ignoring
from distributor.ports import TargetConnection
from distributor.services.world import World

_MOMENT = timedelta(seconds=2)
"""How long a sequence number that was read or written is believed within a phase."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What one target should hold, and by which verdict.

    ``change`` identifies the revision in full, and ``rolling_back`` says that it is gone back to: hooks
    run once a change. ``started_only`` leaves alone a target that this verdict has not reached.
    ``removing`` is true for a removal: then everything in the inventory goes, by the person's request;
    ``former`` is then what the removed revision names, to tell a lost inventory from one never made.
    ``adopt`` are the field managers whose fields become the instance's own, ``health`` the package's rules,
    ``undo`` the managers, as patterns, whose changes of the instance's fields are undone.
    ``account`` is the service account in whose name its objects are handled, if it is in one's.
    ``resting`` is what is fought for on a target in step, and left alone for a while.
    ``renewed_below``: smaller sequence numbers are of the ledger that this one renews.
    ``names`` are the instances that there are. ``permits`` is what people agreed to for this verdict on this
    target, ``agreed`` the verbs by which they agreed to all of it, before a ledger kept lists. ``patience``:
    for so many seconds beyond its time a deletion is waited for before anybody is asked about it.
    ``guessed`` are kinds that are taken for namespaced although nobody says so.
    """

    environment: str
    instance: str
    cluster: Cluster
    sequence: int
    ledger_commit: ObjectId
    revision: str
    desired: ManifestSet
    owner: str
    change: str = ""
    rolling_back: bool = False
    prune: Mapping[GroupKind, PrunePolicy] = field(default_factory=dict)
    depends_on: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    hooks: tuple[DeclaredHook, ...] = ()
    removing: bool = False
    former: ManifestSet = field(default_factory=lambda: ManifestSet.of(()))
    started_only: bool = False
    adopt: frozenset[str] = frozenset()
    ignore: Ignoring = NOTHING_IGNORED
    drift: DriftMode = DriftMode.HEAL
    agreed: frozenset[Verb] = frozenset()
    permits: Permits = NOTHING_PERMITTED
    patience: float = 30.0
    account: str = ""
    names: Collection[str] = ()
    renewed_below: int = 0
    health: Mapping[GroupKind, tuple[HealthRule, ...]] = field(default_factory=dict)
    undo: frozenset[str] = frozenset()
    resting: frozenset[Contested] = frozenset()
    guessed: frozenset[GroupKind] = frozenset()

    def may(self, asked: Question) -> bool:
        """Whether people agreed to this."""
        blanket = any(asked.deed in DEEDS[verb] for verb in self.agreed)
        return blanket or self.permits.allows(asked)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """The desired objects as this target takes them: its own, the hooks that it can run, and what to say."""

    members: ManifestSet
    hooks: tuple[Hook, ...] = ()
    findings: tuple[Finding, ...] = ()


@dataclass(slots=True, kw_only=True)
class Run:
    """One reconcile of one target, and what it has done so far.

    ``occasion`` is what it is to the target, ``uids`` are those of our objects that were there before,
    ``refused`` are desired objects that are left as they are for an error, ``gone`` those that are not
    wanted and were not there, ``overdue`` those, by their uids,
    whose deletion should have ended. ``questions`` are what people are asked about on the way. ``held`` is
    when the sequence number of the target was last known to be this one's.
    """

    world: World
    connection: TargetConnection
    work: Work
    scope: Scope
    steps: tuple[HookStep, ...]
    inventory: Inventory
    occasion: Occasion | None = None
    uids: Mapping[ObjectRef, str] = field(default_factory=dict)
    refused: frozenset[ObjectRef] = frozenset()
    gone: frozenset[ObjectRef] = frozenset()
    overdue: Mapping[ObjectRef, str] = field(default_factory=dict)
    outcomes: list[Outcome] = field(default_factory=list)
    warnings: list[Finding] = field(default_factory=list)
    questions: list[Question] = field(default_factory=list)
    held: datetime | None = None

    def may(self, asked: Question) -> bool:
        """Whether people agreed to this; if not, they are asked."""
        if self.work.may(asked):
            return True
        self.questions.append(asked)
        return False

    @property
    def failed(self) -> frozenset[ObjectRef]:
        """The objects that an error stopped."""
        return frozenset(o.ref for o in self.outcomes if o.error is not None)

    def fail(self, ref: ObjectRef, error: DistributorError) -> None:
        """Note that an error stopped an object."""
        error.where = Where(file=str(ref))
        self.outcomes.append(
            Outcome(
                ref=ref,
                action=Action.SKIPPED,
                error=Finding.from_error(error),
                retryable=error.retryable,
            )
        )

    def failures(self) -> Sequence[Finding]:
        """Why objects were stopped."""
        return [o.error for o in self.outcomes if o.error is not None]

    async def hold_fence(self) -> None:
        """Read the sequence number again, unless it was known a moment ago."""
        now = self.world.clock.now()
        if self.held is None or not timedelta() <= now - self.held < _MOMENT:
            await self.check_fence()

    async def check_fence(self) -> None:
        """Read the sequence number again: a worker that woke late stops here."""
        asked = self.world.clock.now()
        there = await self.connection.read_inventory(self.work.environment, self.work.instance)
        if there is None or there.sequence > self.work.sequence:
            raise Fenced(f"(in the middle of sequence {self.work.sequence})")
        self.held = asked


def changed_meanwhile(outcome: Outcome) -> bool:
    """Whether an object was not applied because it is not as it was when it was looked at."""
    return outcome.error is not None and outcome.error.code == ChangedMeanwhile.code
