"""Environment, Tier, Cluster, Installation and Pipeline descriptors -> nouns, once the schemas held."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from distributor.catalog.calendar import maintenance
from distributor.catalog.documents import Document
from distributor.catalog.durations import seconds
from distributor.catalog.packages import kinds
from distributor.model.fleet import (
    Automation,
    Cluster,
    DriftMode,
    Environment,
    Flavour,
    Installation,
    Mode,
    NodeGroup,
    Pipeline,
    PipelineStep,
    RolloutStrategy,
    Selector,
    StandbyMode,
    Taint,
    Tier,
    Toleration,
    VerifyRule,
    WaveRule,
)
from distributor.model.refs import Digest, ObjectId


def cluster(document: Document, environment: str, file_digest: Digest) -> Cluster:
    """A cluster of an environment."""
    spec = document.spec
    delivery = spec["delivery"]
    return Cluster(
        name=document.data["metadata"]["name"],
        environment=environment,
        tier=spec["tier"],
        mode=Mode(delivery["mode"]),
        flavour=Flavour(delivery.get("flavour", "plain")),
        connection=delivery.get("connection", ""),
        kubernetes=spec["kubernetes"],
        region=spec.get("region", ""),
        domain=spec.get("domain", ""),
        tenant=spec.get("tenant", ""),
        labels=spec.get("labels", {}),
        properties=spec.get("properties", {}),
        capabilities=frozenset(spec.get("capabilities", ())),
        apis=frozenset(kinds(spec.get("apis", ()))),
        taints=tuple(
            Taint(key=t["key"], value=t.get("value", ""), effect=t["effect"])
            for t in spec.get("taints", ())
        ),
        nodes=tuple(_nodes(group) for group in spec.get("nodes", ())),
        plaintext_secrets=delivery.get("plaintextSecrets") == "allowed",
        registry=spec.get("registry", ""),
        file_digest=file_digest,
        windows=tuple(maintenance(n, w) for n, w in enumerate(spec.get("windows", ()))),
    )


def _nodes(spec: Mapping[str, Any]) -> NodeGroup:
    return NodeGroup(
        role=spec["role"],
        count=spec["count"],
        os=spec.get("os", "linux"),
        arch=spec.get("arch", "amd64"),
        cpu=str(spec.get("cpu", "")),
        memory=str(spec.get("memory", "")),
    )


def installation(document: Document, environment: str) -> Installation:
    """One instance of an app."""
    spec = document.spec
    placement = spec.get("placement", {})
    return Installation(
        app=spec["app"],
        instance=document.data["metadata"]["name"],
        environment=environment,
        namespace=spec.get("namespace", ""),
        release_name=spec.get("releaseName", ""),
        selector=_selector(placement.get("selector", {})),
        count=placement.get("count", 0),
        tolerations=tuple(
            Toleration(key=t["key"], value=t.get("value", ""), effect=t.get("effect", ""))
            for t in placement.get("tolerations", ())
        ),
        values=spec.get("values", {}),
        patches=tuple(spec.get("patches", ())),
        pin=spec.get("pin", {}).get("version", ""),
        drift=DriftMode(spec["drift"]) if "drift" in spec else None,
        service_account=spec.get("serviceAccount", ""),
    )


def environment(document: Document) -> Environment:
    """An environment; raises ``ValueError`` where a duration cannot be read."""
    spec = document.spec
    defaults = spec.get("defaults", {})
    verify = spec.get("verify", {})
    return Environment(
        name=document.data["metadata"]["name"],
        display_name=spec.get("displayName", ""),
        install_by_fit=spec.get("install") == "by-fit",
        configuration_automatic=spec.get("configuration") == "automatic",
        signatures_required=spec.get("signatures", "required") == "required",
        defaults=defaults.get("values", {}),
        registry=defaults.get("registry", ""),
        rollout=_rollout(spec.get("rollout", {})),
        verify=VerifyRule(
            floor=verify.get("floor", 80), accept=frozenset(verify.get("accept", ()))
        ),
        standby_for=spec.get("standbyFor", ""),
        standby_mode=StandbyMode(spec.get("mode", "after")),
        drift=DriftMode(defaults.get("drift", "heal")),
        promotion=Automation(spec.get("promotion", "manual")),
        rollback_on_failure=spec.get("rollout", {}).get("onFailure") == "rollback",
        parity_except=tuple(spec.get("parity", {}).get("except", ())),
    )


def _rollout(spec: Mapping[str, Any]) -> RolloutStrategy:
    return RolloutStrategy(
        waves=tuple(
            WaveRule(
                name=wave["name"],
                selector=_selector(wave.get("selector", {})),
                percent=wave.get("percent", 100),
            )
            for wave in spec.get("waves", ())
        ),
        max_concurrent=spec.get("maxConcurrent", 10),
        max_unavailable=str(spec.get("maxUnavailable", "")),
        max_failures=spec.get("maxFailures", 0),
        min_ready=seconds(spec.get("minReady", "0s")),
        deadline=seconds(spec.get("deadline", "10m")),
    )


def _selector(spec: Mapping[str, Any]) -> Selector:
    return Selector(
        tiers=tuple(spec.get("tiers", ())),
        regions=tuple(spec.get("regions", ())),
        match_labels=spec.get("matchLabels", {}),
    )


def tier(document: Document, tree: ObjectId, *, component: bool) -> Tier:
    """A tier, with the tree of its folder."""
    return Tier(
        name=document.data["metadata"]["name"],
        tree=tree,
        display_name=document.spec.get("displayName", ""),
        component=component,
    )


def pipeline(document: Document) -> Pipeline:
    """The order of environments, still to be checked for unknown names and cycles."""
    return Pipeline(
        steps=tuple(
            PipelineStep(
                name=step["name"],
                after=tuple(step.get("after", ())),
                require_all=step.get("require", "all") == "all",
            )
            for step in document.spec["environments"]
        )
    )
