"""Apps and packages: what the catalog offers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from distributor.model.health import HealthRule
from distributor.model.hooks import DeclaredHook
from distributor.model.refs import Digest, GroupKind, ObjectId
from distributor.model.versions import Version, VersionRange

type_names = ("string", "integer", "number", "boolean")


class Renderer(StrEnum):
    """How a package's content becomes objects."""

    KUSTOMIZE = "kustomize"
    HELM = "helm"
    RAW = "raw"


class PrunePolicy(StrEnum):
    """What happens to an object that a new revision no longer has."""

    DELETE = "delete"
    KEEP = "keep"
    CONFIRM = "confirm"


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """The card of an app: changes slowly, has no version."""

    name: str
    summary: str
    owner: str
    display_name: Mapping[str, str]  # by language; "" for the one name without a language
    description: str = ""
    categories: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()
    provider: str = ""
    level: str = ""
    links: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class NamespaceSpec:
    """The namespace of a package: ``fixed`` ones cannot be changed by an Installation."""

    name: str
    create: bool = True
    pod_security: str = ""
    fixed: bool = False


@dataclass(frozen=True, slots=True, order=True)
class GroupVersionKind:
    """A kind at a version of its API."""

    group: str
    version: str
    kind: str

    @property
    def group_kind(self) -> GroupKind:
        """Without the version."""
        return GroupKind(self.group, self.kind)

    def __str__(self) -> str:
        return (
            f"{self.group}/{self.version}/{self.kind}"
            if self.group
            else f"{self.version}/{self.kind}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """Another app that must (or must not) be there."""

    app: str
    range: VersionRange
    optional: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Fits:
    """Where a package can run; an empty tuple asks for nothing."""

    kubernetes: VersionRange = VersionRange("", ())
    tiers: tuple[str, ...] = ()
    environments: tuple[str, ...] = ()
    os: tuple[str, ...] = ()
    windows_build: str = ""
    arch: tuple[str, ...] = ()
    capabilities: tuple[str, ...] = ()
    requires_apis: tuple[GroupVersionKind, ...] = ()
    requires: tuple[Requirement, ...] = ()
    conflicts: tuple[Requirement, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BindVariable:
    """A variable that late binding may substitute; ``default`` is ``None`` where there is none."""

    name: str
    type: str = "string"  # one of type_names
    default: str | int | float | bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ValuesSpec:
    """The values of a package: JSON Schema, defaults, late-bound variables, per-cluster values."""

    schema: Mapping[str, Any] = field(default_factory=dict)
    defaults: Mapping[str, Any] = field(default_factory=dict)
    bind: tuple[BindVariable, ...] = ()
    per_cluster: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An image that a package runs; ``digest`` is empty where it is not known."""

    name: str
    reference: str
    digest: str = ""
    platforms: tuple[str, ...] = ()
    size_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class IgnoreRule:
    """Fields of objects that others may change: it is no drift, and is left as it is.

    ``fields`` are JSON pointers, where a step into a list may name the entry by its keys; none means every
    field of ``managers``. With ``managers`` only what these own is ignored. An empty name means any.
    ``when`` is a CEL expression over the live object, and the rule counts only while it holds.
    """

    kind: GroupKind
    name: str = ""
    fields: tuple[str, ...] = ()
    managers: tuple[str, ...] = ()
    reason: str = ""
    when: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """How objects are delivered: prune policy by kind, and how long a target may take (seconds)."""

    prune: Mapping[GroupKind, PrunePolicy] = field(default_factory=dict)
    timeout: float | None = None
    depends_on: Mapping[str, tuple[str, ...]] = field(
        default_factory=dict
    )  # ObjectRef text -> texts
    offline: str = "keep"
    hooks: tuple[DeclaredHook, ...] = ()
    ignore: tuple[IgnoreRule, ...] = ()
    health: Mapping[GroupKind, tuple[HealthRule, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """One version of an app, immutable once on main.

    ``digest`` is the package digest (``catalog.digests``), ``tree`` the Git tree of the version's folder,
    ``folder`` its path from the repository's root.
    """

    app: str
    version: Version
    digest: Digest
    tree: ObjectId
    folder: str
    renderer: Renderer
    path: str
    namespace: NamespaceSpec
    app_version: str = ""
    notes: str = ""
    fits: Fits = field(default_factory=Fits)
    images: tuple[Image, ...] = ()
    values: ValuesSpec = field(default_factory=ValuesSpec)
    delivery: Delivery = field(default_factory=Delivery)
    env_components: frozenset[str] = frozenset()  # environments with an env/<env>/ Component
    tier_components: frozenset[str] = frozenset()
    topology: Mapping[str, Any] = field(default_factory=dict)
    capacity: Mapping[str, Any] = field(default_factory=dict)  # declared requests: cpu, memory

    def __str__(self) -> str:
        return f"{self.app} {self.version}"
