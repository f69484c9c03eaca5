"""A case: one request on its way to a verdict, with all that is known of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from distributor.model.consents import Questions
from distributor.model.fleet import Cluster
from distributor.model.manifest import ManifestSet
from distributor.model.parity import StandIn
from distributor.model.promotion import GateAnswer, Verdict
from distributor.model.refs import ObjectId
from distributor.model.tags import ObservedTag
from distributor.policy import GateFacts
from distributor.ports import TreeChange
from distributor.services.rendering.renderer import Subject


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A request with its facts, and what an acceptance would have to pin."""

    tag: ObservedTag
    facts: GateFacts
    root: ObjectId | None = None  # the root tree whose package and configuration would be pinned
    subject: Subject | None = None
    clusters: Mapping[str, Cluster] = field(default_factory=dict)
    verdict_before: Verdict | None = None
    fleet: Mapping[str, TreeChange] = field(default_factory=dict)  # cluster files, by path
    manifests: Mapping[str, ManifestSet] = field(default_factory=dict)  # what rendered, by cluster
    members: tuple[Case, ...] = ()  # of a set: its promotions, each as if it stood alone
    followers: tuple[
        Case, ...
    ] = ()  # the same asked of standbys, to be recorded in one commit with it
    questions: Questions = field(default_factory=dict)  # what targets ask that the request answers
    answers: tuple[GateAnswer, ...] = ()  # as far as gates were asked
    stand_in: StandIn | None = None  # of a standby that is to have values of another environment
