"""Tags: a ref name and an annotated tag object, parsed once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from distributor.model.refs import Digest, ObjectId


class Verb(StrEnum):
    """What a tag asks for."""

    PROMOTE = "promote"
    APPROVE = "approve"
    REJECT = "reject"
    UNREJECT = "unreject"
    ROLLBACK = "rollback"
    REMOVE = "remove"
    RETIRE = "retire"
    HOLD = "hold"
    UNHOLD = "unhold"
    PAUSE = "pause"
    RESUME = "resume"
    ABORT = "abort"
    RETRY = "retry"
    ACK = "ack"
    CONSENT = "consent"
    DETACH = "detach"
    FAILOVER = "failover"
    FAILBACK = "failback"


SWITCHES = frozenset(
    {
        Verb.HOLD, Verb.UNHOLD, Verb.PAUSE, Verb.RESUME, Verb.ABORT, Verb.RETRY,
        Verb.ACK, Verb.CONSENT, Verb.DETACH, Verb.FAILOVER, Verb.FAILBACK,
    }
)  # fmt: skip
"""The verbs of ``do/...`` tags."""

CONSENTS = frozenset({Verb.CONSENT, Verb.DETACH})
"""Switches that are about one accepted revision of one instance, and name it."""

OF_SETS = frozenset(
    {Verb.HOLD, Verb.UNHOLD, Verb.PAUSE, Verb.RESUME, Verb.ABORT, Verb.RETRY, Verb.ACK}
)
"""Switches that may name a set: they reach each instance of it."""
ACTIVATIONS = frozenset({Verb.FAILOVER, Verb.FAILBACK})
"""Switches that carry the accepted revision of a standby out once more, with other values."""


SERVICE = "Distributor <distributor@service>"
"""As whom the service signs ledger commits, and makes tags."""


class RequestClass(StrEnum):
    """How urgent a request is, and what it may override."""

    NORMAL = "normal"
    HOTFIX = "hotfix"
    ROLLBACK = "rollback"


@dataclass(frozen=True, slots=True, kw_only=True)
class TagName:
    """The name of a request, without ``refs/tags/``. Parts that a verb does not have are empty.

    ``environment`` may be ``all`` for reject, unreject and switches; ``instance`` is the app in reject
    and unreject, the cluster in retire, ``all`` or empty with ``set_id`` where several are meant.
    ``attempt`` is 1 where the name has no ``_n``.
    """

    verb: Verb
    environment: str
    instance: str = ""
    version: str = ""
    attempt: int = 1
    set_id: str = ""
    principal: str = ""
    principal_attempt: int = 1


SET_MARK = "@"
"""What the name of a set begins with, in tags and in the ledger; no instance is called so."""


def ledger_name(name: TagName) -> str:
    """The name of the ledger file that a tag's verdict goes to, below its environment."""
    return SET_MARK + name.set_id.partition("/")[0] if name.set_id else name.instance


@dataclass(frozen=True, slots=True, kw_only=True)
class Trailers:
    """The ``Promotion-*`` trailers; empty where absent. ``prev`` is a tag object id or ``none``."""

    app: str = ""
    version: str = ""
    environment: str = ""
    digest: Digest = Digest("")
    config: Digest = Digest("")
    rendered: Digest = Digest("")
    prev: str = ""
    request_class: RequestClass = RequestClass.NORMAL
    subject: str = ""
    ticket: str = ""
    reason: str = ""
    tiers: tuple[str, ...] = ()
    override: tuple[str, ...] = ()  # names of gates
    items: tuple[Mapping[str, str], ...] = ()  # of a set: one mapping a promoted instance


@dataclass(frozen=True, slots=True, kw_only=True)
class TagObject:
    """A parsed Git tag object. ``signed`` is what the signature covers, ``signature`` its armour."""

    id: ObjectId
    name: str
    target: ObjectId
    target_type: str
    tagger: str
    tagged_at: datetime
    message: str
    signed: bytes
    signature: bytes = b""
    raw: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedTag:
    """What the remote shows under a ref: the ref, the object, and its raw bytes if it is a tag object."""

    ref: str  # "refs/tags/promote/uat/shop/1.4.2"
    id: ObjectId
    type: str  # Git's object type: tag, commit, tree, blob
    raw: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request whose form is right: name, trailers and tag object belong together."""

    ref: str
    name: TagName
    trailers: Trailers
    tag: TagObject
    principal: str = "anonymous"
    observed_at: datetime | None = None
    extra: Mapping[str, str] = field(default_factory=dict)
