"""Environments, tiers, clusters and installations: where packages go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from distributor.model.package import GroupVersionKind
from distributor.model.policy import Window
from distributor.model.refs import Digest, ObjectId

ALL = "all"
"""The reserved name that stands for every environment or instance in a tag."""


class Mode(StrEnum):
    """How a target gets its objects."""

    PUSH = "push"
    PULL = "pull"
    DIRECTORY = "directory"
    BRANCH = "branch"


class Flavour(StrEnum):
    """What picks a directory up."""

    K3S = "k3s"
    K0S = "k0s"
    PLAIN = "plain"


class StandbyMode(StrEnum):
    """When a standby environment follows the one it stands by for."""

    BEFORE = "before"
    WITH = "with"
    AFTER = "after"


class DriftMode(StrEnum):
    """What becomes of drift where a revision is applied in full."""

    HEAL = "heal"  # brought back
    REPORT = "report"  # told, and left as it is
    PAUSE = "pause"  # not looked at


class Automation(StrEnum):
    """Who asks for versions in an environment: people, or the service for ``newest`` or ``as-predecessor``."""

    MANUAL = "manual"
    NEWEST = "newest"  # the newest that is verified and has soaked before
    AS_PREDECESSOR = "as-predecessor"  # what the environments before run


@dataclass(frozen=True, slots=True, kw_only=True)
class Taint:
    """Keeps instances off a cluster unless they tolerate it."""

    key: str
    value: str = ""
    effect: str = "NoSelect"  # NoSelect | NoSelectIfNew | PreferNoSelect


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeGroup:
    """Nodes of one role and make."""

    role: str
    count: int
    os: str = "linux"
    arch: str = "amd64"
    cpu: str = ""
    memory: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """One cluster of an environment, as its file says.

    ``file_digest`` is the digest of the file's bytes: it tells whether the cluster's facts changed.
    """

    name: str
    environment: str
    tier: str
    mode: Mode
    flavour: Flavour = Flavour.PLAIN
    connection: str = ""
    kubernetes: str = ""  # minor version, such as "1.33"
    region: str = ""
    domain: str = ""
    tenant: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    properties: Mapping[str, Any] = field(default_factory=dict)
    capabilities: frozenset[str] = frozenset()
    apis: frozenset[GroupVersionKind] = frozenset()
    taints: tuple[Taint, ...] = ()
    nodes: tuple[NodeGroup, ...] = ()
    plaintext_secrets: bool = False
    registry: str = ""  # where its images come from; empty: as its environment says
    file_digest: Digest = Digest("")
    windows: tuple[Window, ...] = ()  # of maintenance: outside of them no revision is begun


@dataclass(frozen=True, slots=True, kw_only=True)
class Selector:
    """Which clusters are meant; empty parts ask for nothing."""

    tiers: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    match_labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class WaveRule:
    """One wave of an environment's rollout: ``percent`` of the selected clusters not yet in a wave."""

    name: str
    selector: Selector = field(default_factory=Selector)
    percent: int = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutStrategy:
    """Limits of a rollout; durations in seconds.

    ``max_unavailable`` is a count or a share such as ``"10%"``; empty means one target or 10 %,
    whichever is more.
    """

    waves: tuple[WaveRule, ...] = ()
    max_concurrent: int = 10
    max_unavailable: str = ""
    max_failures: int = 0
    min_ready: float = 0.0
    deadline: float = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyRule:
    """What counts as verified: percent of targets that must be reachable, and weaker results accepted."""

    floor: int = 80
    accept: frozenset[str] = frozenset()  # of "delivered", "not-applicable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """An environment; all but ``defaults``, ``registry`` and ``rollout`` is policy."""

    name: str
    display_name: str = ""
    install_by_fit: bool = False
    configuration_automatic: bool = False
    signatures_required: bool = True
    defaults: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # app -> values
    registry: str = ""
    rollout: RolloutStrategy = field(default_factory=RolloutStrategy)
    verify: VerifyRule = field(default_factory=VerifyRule)
    standby_for: str = ""
    standby_mode: StandbyMode = StandbyMode.AFTER
    drift: DriftMode = DriftMode.HEAL
    promotion: Automation = Automation.MANUAL
    rollback_on_failure: bool = False
    parity_except: tuple[
        str, ...
    ] = ()  # paths of values, the app first, that a standby has of its own


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    """A cluster tier; ``tree`` is the Git tree of its folder, ``component`` whether it is a Component."""

    name: str
    tree: ObjectId
    display_name: str = ""
    component: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Toleration:
    """Lets an installation onto clusters with that taint; an empty value tolerates any."""

    key: str
    value: str = ""
    effect: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """One instance of an app in one environment. ``implicit`` ones come from ``install: by-fit``."""

    app: str
    instance: str
    environment: str
    namespace: str = ""
    release_name: str = ""
    selector: Selector = field(default_factory=Selector)
    count: int = 0  # 0: every cluster selected
    tolerations: tuple[Toleration, ...] = ()
    values: Mapping[str, Any] = field(default_factory=dict)
    patches: tuple[Mapping[str, Any], ...] = ()
    pin: str = ""
    implicit: bool = False
    drift: DriftMode | None = None  # None: as the environment says
    service_account: str = (
        ""  # namespace/name: in whose name objects are applied; empty: in our own
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineStep:
    """One environment's place in the pipeline: those before it, of which all or any must be verified."""

    name: str
    after: tuple[str, ...] = ()
    require_all: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipeline:
    """The order of the environments; acyclic, checked when it is loaded."""

    steps: tuple[PipelineStep, ...]

    def step(self, environment: str) -> PipelineStep | None:
        """The place of an environment, or ``None``."""
        return next((s for s in self.steps if s.name == environment), None)

    @property
    def names(self) -> tuple[str, ...]:
        """Environments in pipeline order."""
        return tuple(s.name for s in self.steps)
