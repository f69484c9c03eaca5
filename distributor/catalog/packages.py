"""App and Package descriptors -> nouns. The documents have passed their schemas."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from distributor.catalog.documents import Document
from distributor.catalog.durations import seconds
from distributor.model.health import HealthRule, HealthStatus
from distributor.model.hooks import DeclaredHook, Moment
from distributor.model.package import (
    App,
    BindVariable,
    Delivery,
    Fits,
    GroupVersionKind,
    IgnoreRule,
    Image,
    NamespaceSpec,
    Package,
    PrunePolicy,
    Renderer,
    Requirement,
    ValuesSpec,
)
from distributor.model.refs import Digest, GroupKind, ObjectId, ObjectRef
from distributor.model.versions import Version, VersionRange

_MOMENTS = {
    "before-apply": Moment.PRE,
    "after-apply": Moment.POST,
    "on-failure": Moment.FAILURE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionFolder:
    """What a package's folder says besides its descriptor.

    ``schema`` is the JSON Schema of the values, read from the folder where the descriptor names a file.
    """

    app: str
    version: Version
    folder: str
    tree: ObjectId
    digest: Digest = Digest("")
    schema: Mapping[str, Any] = field(default_factory=dict)
    env_components: frozenset[str] = frozenset()
    tier_components: frozenset[str] = frozenset()


def app(document: Document) -> App:
    """The card of an app."""
    spec = document.spec
    name = document.data["metadata"]["name"]
    display = spec.get("displayName", name)
    provider = spec.get("provider", {})
    return App(
        name=name,
        summary=spec["summary"],
        owner=spec["owner"],
        display_name=display if isinstance(display, Mapping) else {"": display},
        description=spec.get("description", ""),
        categories=tuple(spec.get("categories", ())),
        keywords=tuple(spec.get("keywords", ())),
        provider=provider.get("name", ""),
        level=provider.get("level", ""),
        links={link["name"]: link["url"] for link in spec.get("links", ())},
    )


def package(document: Document, folder: VersionFolder) -> Package:
    """One version of an app; raises ``ValueError`` where a range or duration cannot be read."""
    spec = document.spec
    return Package(
        app=folder.app,
        version=folder.version,
        digest=folder.digest,
        tree=folder.tree,
        folder=folder.folder,
        renderer=Renderer(spec["renderer"]),
        path=spec["path"],
        namespace=_namespace(spec["namespace"]),
        app_version=spec.get("appVersion", ""),
        notes=spec.get("notes", ""),
        fits=_fits(spec.get("fits", {})),
        images=tuple(_image(image) for image in spec.get("images", ())),
        values=_values(spec.get("values", {}), folder.schema),
        delivery=_delivery(spec.get("delivery", {})),
        env_components=folder.env_components,
        tier_components=folder.tier_components,
        topology=spec.get("topology", {}),
        capacity=spec.get("capacity", {}),
    )


def kinds(entries: Sequence[Mapping[str, str]]) -> tuple[GroupVersionKind, ...]:
    """Kinds of the Kubernetes API as descriptors list them."""
    return tuple(GroupVersionKind(e["group"], e["version"], e["kind"]) for e in entries)


def _namespace(spec: Mapping[str, Any]) -> NamespaceSpec:
    return NamespaceSpec(
        name=spec["name"],
        create=spec.get("create", True),
        pod_security=spec.get("podSecurity", ""),
        fixed=spec.get("fixed", False),
    )


def _fits(spec: Mapping[str, Any]) -> Fits:
    return Fits(
        kubernetes=VersionRange.parse(spec.get("kubernetes", "")),
        tiers=tuple(spec.get("tiers", ())),
        environments=tuple(spec.get("environments", ())),
        os=tuple(spec.get("os", ())),
        windows_build=spec.get("windowsBuild", ""),
        arch=tuple(spec.get("arch", ())),
        capabilities=tuple(spec.get("capabilities", ())),
        requires_apis=kinds(spec.get("requiresApis", ())),
        requires=tuple(_requirement(r) for r in spec.get("requires", ())),
        conflicts=tuple(_requirement(r) for r in spec.get("conflicts", ())),
    )


def _requirement(spec: Mapping[str, Any]) -> Requirement:
    return Requirement(
        app=spec["app"],
        range=VersionRange.parse(spec.get("range", "")),
        optional=spec.get("optional", False),
    )


def _image(spec: Mapping[str, Any]) -> Image:
    return Image(
        name=spec["name"],
        reference=spec["reference"],
        digest=spec.get("digest", ""),
        platforms=tuple(spec.get("platforms", ())),
        size_bytes=spec.get("sizeBytes", 0),
    )


def _values(spec: Mapping[str, Any], schema: Mapping[str, Any]) -> ValuesSpec:
    return ValuesSpec(
        schema=schema,
        defaults=spec.get("defaults", {}),
        bind=tuple(
            BindVariable(name=v["name"], type=v["type"], default=v.get("default"))
            for v in spec.get("bind", ())
        ),
        per_cluster=tuple(spec.get("perCluster", ())),
    )


def _delivery(spec: Mapping[str, Any]) -> Delivery:
    depends: dict[str, tuple[str, ...]] = {}
    for rule in spec.get("dependsOn", ()):
        depends[rule["object"]] = depends.get(rule["object"], ()) + tuple(rule["on"])
    prune = spec.get("prune", {})
    return Delivery(
        prune={_group_kind(text): PrunePolicy(rule) for text, rule in prune.items()},
        timeout=seconds(spec["timeout"]) if "timeout" in spec else None,
        depends_on=depends,
        offline=spec.get("offline", "keep"),
        hooks=tuple(_hook(entry) for entry in spec.get("hooks", ())),
        health=health_rules(spec.get("health", ())),
        ignore=ignore_rules(spec.get("ignore", ())),
    )


def ignore_rules(entries: Sequence[Mapping[str, Any]]) -> tuple[IgnoreRule, ...]:
    """Ignore rules as ``delivery.ignore`` lists them."""
    return tuple(
        IgnoreRule(
            kind=GroupKind(entry.get("group", ""), entry["kind"]),
            name=entry.get("name", ""),
            fields=tuple(entry.get("fields", ())),
            managers=tuple(entry.get("managers", ())),
            reason=entry.get("reason", ""),
            when=entry.get("when", ""),
        )
        for entry in entries
    )


def health_rules(entries: Sequence[Mapping[str, Any]]) -> dict[GroupKind, tuple[HealthRule, ...]]:
    """Rules by kind; those of a kind that is named twice follow each other."""
    found: dict[GroupKind, tuple[HealthRule, ...]] = {}
    for entry in entries:
        kind = GroupKind(entry.get("group", ""), entry["kind"])
        rules = tuple(
            HealthRule(
                status=HealthStatus(rule["status"]),
                when=rule["when"],
                message=rule.get("message", ""),
            )
            for rule in entry["rules"]
        )
        found[kind] = found.get(kind, ()) + rules
    return found


def _hook(spec: Mapping[str, Any]) -> DeclaredHook:
    return DeclaredHook(
        ref=ObjectRef.parse(spec["object"]),
        moment=_MOMENTS[spec["when"]],
        timeout=seconds(spec["timeout"]) if "timeout" in spec else None,
    )


def _group_kind(text: str) -> GroupKind:
    group, _, kind = text.rpartition("/")
    return GroupKind(group, kind)
