"""Ledger records, and the state that a fold of them gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from distributor.model.promotion import Verdict, VerdictOutcome
from distributor.model.refs import Digest, ObjectId
from distributor.model.tags import Verb

LEDGER_FORMAT = 1
"""The ledger format that this program writes; a newer one is refused."""

Key = tuple[str, str]
"""(environment or ``all``, instance or app): one JSONL file of the ledger."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Genesis:
    """The first record: tags that are history already, and the main commit that counts as policy.

    ``key`` is the service's public key in OpenSSH text form (type and blob). ``next_sequence`` is
    above every inventory when a ledger is renewed, else 1. ``repository`` is the catalog's where the ledger
    does not lie beside main; a ``local`` ledger is one service's own.
    """

    at: datetime
    main: ObjectId
    key: str
    tags: Mapping[str, ObjectId] = field(default_factory=dict)
    previous: str = ""
    reason: str = ""
    next_sequence: int = 1
    format: int = LEDGER_FORMAT
    repository: str = ""
    local: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """A tag ref was seen for the first time with this object; ``raw`` is the tag object's bytes."""

    at: datetime
    ref: str
    tag: ObjectId
    raw: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """A verdict was given."""

    at: datetime
    verdict: Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """``holder`` executes this instance until ``expires``; ``released`` ends it early."""

    at: datetime
    holder: str
    number: int
    expires: datetime
    released: bool = False


class Step(StrEnum):
    """What a rollout reached."""

    STARTED = "started"
    WAVE = "wave"  # the wave named has ended
    VERIFIED = "verified"
    DEGRADED = "degraded"
    RECOVERED = "recovered"
    REPLACED = "replaced"
    FAILED = "failed"
    ROLLED_BACK = "rolled back"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Progressed:
    """The rollout of verdict ``sequence`` reached a step; ``targets`` maps clusters to their result."""

    at: datetime
    step: Step
    sequence: int
    wave: str = ""
    targets: Mapping[str, str] = field(default_factory=dict)
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldSet:
    """A hold was set (``on``) or lifted. ``digest`` is the package digest a rollback left, else empty."""

    at: datetime
    on: bool
    by: str
    ref: str = ""
    digest: Digest = Digest("")
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class VetoSet:
    """A version of an app was vetoed (``on``) or the veto lifted."""

    at: datetime
    on: bool
    app: str
    version: str
    by: str
    ref: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetChanged:
    """A cluster joined the targets of the accepted revision, or its facts changed."""

    at: datetime
    joined: bool
    cluster: str
    file: Digest
    sequence: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Tampered:
    """A known tag points elsewhere (``found``) or is gone (``found`` empty); or main was rewound."""

    at: datetime
    ref: str
    recorded: ObjectId
    found: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledged:
    """A person acknowledged what was tampered with."""

    at: datetime
    ref: str
    by: str
    tag_ref: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Archived:
    """The tag may be deleted from the remote: the ledger keeps its raw object."""

    at: datetime
    ref: str
    tag: ObjectId


@dataclass(frozen=True, slots=True, kw_only=True)
class Consented:
    """A person let happen what is not done on the word of a plan alone, for one accepted revision.

    ``verb`` is ``consent`` (guarded deletions, objects taken over) or ``detach`` (what is stuck is let go
    of). ``sequence`` is the verdict that the person saw. ``digest`` is that of the list of what targets asked
    about then, which the ledger keeps beside the records; ``count`` says how long it is. One without a list
    was recorded by a program that kept none: it is about all that is asked for this revision.
    """

    at: datetime
    verb: Verb
    by: str
    sequence: int
    ref: str = ""
    reason: str = ""
    digest: Digest = Digest("")
    count: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyChanged:
    """From the next commit on, the ledger is signed with this key (type and blob), and with no other."""

    at: datetime
    key: str
    reason: str = ""


KEYS: Key = ("_", "keys")
"""The ledger file of changes of the service's key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retired:
    """A cluster is no target any more; ``drained`` says that what ran there is gone.

    ``sequence`` is the verdict that ran there, ``number`` that of the retirement itself.
    """

    at: datetime
    cluster: str
    sequence: int
    number: int
    by: str
    ref: str = ""
    drained: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Parted:
    """A request was recorded while the shared repository could not be reached, and the instance moved there.

    ``ref`` and ``tag`` are that request's; ``found`` is the one that was accepted last in the shared ledger then.
    Both stay recorded, and what is to run next is for people to say.
    """

    at: datetime
    ref: str
    tag: ObjectId
    found: str = ""


Record = (
    Observed
    | Decided
    | Claimed
    | Progressed
    | HoldSet
    | VetoSet
    | FleetChanged
    | Tampered
    | Acknowledged
    | Archived
    | Consented
    | KeyChanged
    | Retired
    | Parted
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far the rollout of one accepted verdict came."""

    sequence: int
    started_at: datetime | None = None
    waves: tuple[str, ...] = ()  # names of the waves that ended
    verified_at: datetime | None = None
    degraded: tuple[tuple[datetime, datetime | None], ...] = ()
    ended_at: datetime | None = None  # replaced, failed, rolled back or removed
    end: Step | None = None
    targets: Mapping[str, str] = field(default_factory=dict)
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Soak:
    """How long a package has been in an environment, since it was verified there and while not degraded.

    ``longest`` is the longest residence that does not grow: it ended, or is degraded (``degraded`` then says
    that it goes on once that is over). ``since`` is when the residence that grows would have begun had it
    never been degraded, so that it says the same whenever it is asked; ``None`` where none grows.
    """

    longest: timedelta = timedelta()
    since: datetime | None = None
    degraded: bool = False

    def at(self, now: datetime) -> timedelta:
        """The longest residence, completed or current."""
        current = now - self.since if self.since is not None else timedelta()
        return max(self.longest, current)

    def until(self, duration: timedelta) -> datetime | None:
        """When it will have lasted so long, if nothing comes between; ``None`` where it does not grow."""
        if self.since is None or datetime.max.replace(tzinfo=UTC) - self.since < duration:
            return None
        return self.since + duration


@dataclass(frozen=True, slots=True, kw_only=True)
class Thrown:
    """A switch of a rollout that was accepted: pause, resume, abort or retry."""

    at: datetime
    verb: Verb
    by: str
    ref: str
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Debt:
    """Gates that a hotfix overrode; stands until somebody else acknowledges it."""

    at: datetime
    ref: str
    by: str
    gates: tuple[str, ...]
    reason: str = ""

    def __str__(self) -> str:
        return f"{self.by} overrode {', '.join(self.gates)} with {self.ref}: {self.reason}"


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceState:
    """The fold of one JSONL file."""

    environment: str
    instance: str
    accepted: tuple[Verdict, ...] = ()  # promote, rollback and remove, in order of sequence
    accepted_at: Mapping[int, datetime] = field(default_factory=dict)
    outcomes: Mapping[ObjectId, VerdictOutcome] = field(default_factory=dict)  # by tag object
    last_verdicts: Mapping[str, Verdict] = field(default_factory=dict)  # by ref
    observed: Mapping[str, ObjectId] = field(default_factory=dict)  # by ref
    observed_at: Mapping[str, datetime] = field(default_factory=dict)
    progress: Mapping[int, Progress] = field(default_factory=dict)
    claim: Claimed | None = None
    claims: int = 0
    holds: tuple[HoldSet, ...] = ()  # standing ones
    vetoes: tuple[VetoSet, ...] = ()  # standing ones
    fleet: tuple[FleetChanged, ...] = ()
    switches: tuple[Thrown, ...] = ()  # of rollouts, oldest first
    tampered: tuple[Tampered, ...] = ()  # not acknowledged
    archived: frozenset[str] = frozenset()
    records: int = 0
    sequence: int = 0  # the highest one in this file
    last_at: datetime | None = None
    consents: tuple[Consented, ...] = ()  # those that stand for what is desired now
    debts: tuple[Debt, ...] = ()  # not acknowledged
    keys: tuple[str, ...] = ()  # of the service, after that of the genesis record
    retired: tuple[
        Retired, ...
    ] = ()  # clusters that are no targets since, by the last record of each
    parted: tuple[Parted, ...] = ()  # not acknowledged

    @property
    def desired(self) -> Verdict | None:
        """The last accepted verdict; ``None`` before the first, a ``remove`` after a removal."""
        return self.accepted[-1] if self.accepted else None


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerState:
    """The fold of a whole ledger at one head."""

    head: ObjectId
    genesis: Genesis
    instances: Mapping[Key, InstanceState] = field(default_factory=dict)
    sequence: int = 0  # the highest one given out
    last_at: datetime | None = None

    def instance(self, environment: str, instance: str) -> InstanceState:
        """The state of an instance; an empty one where nothing is recorded."""
        found = self.instances.get((environment, instance))
        return found or InstanceState(environment=environment, instance=instance)
