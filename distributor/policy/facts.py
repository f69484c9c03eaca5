"""The facts that gates look at: gathered by whoever asks, and all a gate ever sees.

A fact that is ``None`` was not gathered; a gate that needs it answers *error* and never passes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from distributor.model.capacity import Resources
from distributor.model.consents import Questions
from distributor.model.findings import Finding
from distributor.model.fleet import Environment, Pipeline
from distributor.model.ledger import HoldSet, Soak, VetoSet
from distributor.model.openpgp import PgpSeal
from distributor.model.package import Fits
from distributor.model.parity import Difference
from distributor.model.policy import PolicySet
from distributor.model.promotion import Revision, Verdict
from distributor.model.refs import Digest, ObjectId, ObjectRef
from distributor.model.tags import Request, TagName, Verb


class Source(StrEnum):
    """Whose policy it is: the head of main, or what the environment's last verdict accepted."""

    MAIN = "main"
    ACCEPTED = "accepted"


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyView:
    """The policy of one commit: ``policies/``, the environments' files, the pipeline.

    A request must be allowed by every view it is judged by.
    """

    source: Source
    commit: ObjectId
    policies: PolicySet
    environments: Mapping[str, Environment] = field(default_factory=dict)
    pipeline: Pipeline | None = None

    def __str__(self) -> str:
        return f"the policy of {self.source.value} ({self.commit[:12]})"


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentFact:
    """How the requested package stands in another environment.

    ``targets`` counts the clusters that the app is placed on there, at the requested commit. ``verified``
    and ``desired`` say whether any instance of the app there was verified with, or is to run, this very
    package digest. ``tiers`` names the tiers with targets there whose tree differs from the one that was
    verified. ``soak`` says how long it has been there. ``differs``: of an environment that stands by for the
    one asked, or the other way round, the values of the instance that are not the same in both.
    """

    targets: int
    verified: bool = False
    desired: bool = False
    tiers: tuple[str, ...] = ()
    soak: Soak = field(default_factory=Soak)
    differs: tuple[Difference, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """What the request would change, against the revision accepted before.

    ``pruned`` maps each cluster to the objects that vanish from it, ``emptied`` names clusters that stay
    targets and would keep nothing, ``changed`` those with any change, ``clusters`` counts all clusters of
    the environment.
    """

    pruned: Mapping[str, tuple[ObjectRef, ...]] = field(default_factory=dict)
    emptied: frozenset[str] = frozenset()
    changed: frozenset[str] = frozenset()
    clusters: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbour:
    """An app that is to run on a cluster; ``verified`` says whether the ledger knows that it does."""

    app: str
    version: str
    verified: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterFact:
    """One target: which of the apps that matter run there, what is asked of it, taken by others, and there."""

    neighbours: tuple[Neighbour, ...] = ()
    need: Resources = field(default_factory=Resources)
    taken: Resources = field(default_factory=Resources)
    supply: Resources = field(default_factory=Resources)


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """One person's accepted approval of a request, and the result that it is bound to."""

    by: str
    rendered: Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Retirement:
    """How a cluster stands that is to be retired.

    ``declared``: main still has its file. ``instances``: those that have it as a target; ``rolling``: those
    of them whose rollout has not ended.
    """

    declared: bool
    instances: tuple[str, ...]
    rolling: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class GateFacts:
    """Everything about one request that gates may look at.

    - ``request``: what parsing the tag gave. ``first_observed``: when the ledger first saw the tag.
    - ``app``: the app of the instance, from its Installation or the ledger, never from the tag.
    - ``principal``: who asks; ``authorise`` fills it in once gate 2 has answered.
    - ``stopped``: why decisions for the instance have stopped; empty where they have not.
    - ``reachable``: the tagged commit is main's head or behind it.
    - ``instance_exists``: the environment has the instance (for ``remove``: it runs).
    - ``revision``: what the tagged commit holds for the request (in a rollback: the revision gone back
      to); ``None`` where the commit has no such version of the app.
    - ``content``: what is wrong with the files that would have given the instance or the revision.
    - ``released``: the verdict by which this version of the app was first accepted anywhere, if one was.
    - ``prev``: the tag of the request accepted before, or ``none``.
    - ``elsewhere``: the other environments that order or parity may ask about.
    - ``verified_here``: a rollback's revision was verified by this instance.
    - ``tiers``: of the clusters that change. ``targets``: the clusters placed. ``renders``: findings of each cell, empty for one that renders.
    - ``fits``: what the package asks of a cluster. ``clusters``: what each target that renders has.
    - ``unfit``: clusters that run the app already and that the package does not fit, with the reason.
    - ``rendered``: the hash that approvals bind to. ``approvals``: those of this very tag object.
      ``authors``: the addresses, in lower case, of whoever wrote what the request brings.
    - ``approves``: the request that an approval points at, as the remote shows it under that name.
    - ``rollout``: what the ledger says of the instance's rollout: ``running``, ``failed``, ``ended``; empty
      where nothing was accepted. ``schemas``: findings of all objects.
    - ``retirement``: of a cluster that is to be retired, how it stands.
    - ``questions``: what targets ask that a consent would answer; ``None`` where none was seen yet.
      ``listed``: the digest of that list.
    - ``stands_in``: the environment that this one stands in for now; empty where for none.
    - ``seals``: what gpg says of the tag's signature under the keys of each policy, by its commit.
    """

    ref: str
    request: Request | Finding
    policies: tuple[PolicyView, ...]
    app: str = ""
    first_observed: datetime | None = None
    principal: str = ""
    stopped: str = ""
    reachable: bool | None = None
    instance_exists: bool | None = None
    revision: Revision | None = None
    content: tuple[Finding, ...] = ()
    released: Verdict | None = None
    prev: str = ""
    veto: VetoSet | None = None
    holds: tuple[HoldSet, ...] = ()
    elsewhere: Mapping[str, EnvironmentFact] = field(default_factory=dict)
    verified_here: bool | None = None
    tiers: tuple[str, ...] | None = None
    targets: tuple[str, ...] | None = None
    renders: Mapping[str, tuple[Finding, ...]] | None = None
    rendered: Digest = Digest("")
    approvals: tuple[Approval, ...] = ()
    authors: frozenset[str] = frozenset()
    approves: Request | Finding | None = None
    rollout: str | None = None
    schemas: tuple[Finding, ...] | None = None
    reach: Reach | None = None
    fits: Fits | None = None
    clusters: Mapping[str, ClusterFact] | None = None
    unfit: Mapping[str, str] = field(default_factory=dict)
    retirement: Retirement | None = None
    seals: Mapping[ObjectId, PgpSeal | Finding] = field(default_factory=dict)
    questions: Questions | None = None
    listed: Digest = Digest("")
    stands_in: str | None = None

    @property
    def asked(self) -> Request:
        """The request; only for gates after the first, which lets nothing else through."""
        if isinstance(self.request, Finding):
            msg = "the request was not understood"
            raise TypeError(msg)
        return self.request

    @property
    def name(self) -> TagName:
        """The request's name."""
        return self.asked.name

    @property
    def verb(self) -> Verb:
        """What is asked for."""
        return self.asked.name.verb
