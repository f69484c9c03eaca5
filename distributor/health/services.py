"""Rules for the kinds that are neither workloads nor pods."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from distributor.health.fields import (
    Told,
    condition,
    conditions,
    current,
    failed,
    in_progress,
    maps,
    maybe_number,
    text,
)
from distributor.model.health import HealthStatus


def always_ready(_: Mapping[str, Any]) -> Told:
    """Data, or a schedule: nothing to wait for."""
    return current("Resource is always ready")


def service(obj: Mapping[str, Any]) -> Told:
    """A load balancer needs its cluster address; its outer address is the platform's affair (kstatus)."""
    if text(obj, "spec", "type") != "LoadBalancer":
        return current("Service is ready")
    if not text(obj, "spec", "clusterIP"):
        return in_progress("ClusterIP not set. Service type: LoadBalancer")
    outer = "" if maps(obj, "status", "loadBalancer", "ingress") else "; no outer address yet"
    return current(f"Service is ready{outer}")


def claim(obj: Mapping[str, Any]) -> Told:
    """A volume claim is there once it is bound; one whose volume is gone, or cannot grow, has failed."""
    phase = text(obj, "status", "phase", default="unknown")
    if phase == "Lost":
        return failed("PVC has lost its volume")
    resizing = text(obj, "status", "allocatedResourceStatuses", "storage")
    if resizing.endswith("Infeasible"):
        return failed(f"PVC cannot be resized: {resizing}")
    if phase != "Bound":
        return in_progress(f"PVC is not Bound. phase: {phase}")
    return current("PVC is Bound")


def disruption_budget(obj: Mapping[str, Any]) -> Told:
    """Computed once its controller has observed this generation."""
    if maybe_number(obj, "status", "observedGeneration") is None:
        return in_progress("AllowedDisruptions has not been computed.")
    return current("AllowedDisruptions has been computed.")


def resource_definition(obj: Mapping[str, Any]) -> Told:
    """A CRD is usable once it is Established; refused names are a failure."""
    for c in conditions(obj):
        if c.type == "NamesAccepted" and c.status == "False":
            return failed(c.words)
        if c.type == "Established" and c.status == "False" and c.reason != "Installing":
            return failed(c.words)
        if c.type == "Established" and c.status == "True":
            return current("CRD is established")
    return in_progress("Install in progress")


def api_service(obj: Mapping[str, Any]) -> Told:
    """An aggregated API is usable once it is Available."""
    c = condition(obj, "Available")
    if c is None:
        return in_progress("APIService has not been checked yet")
    if c.status == "True":
        return current("APIService is available")
    return in_progress(f"APIService is not available. {c.words}".strip())


def namespace(obj: Mapping[str, Any]) -> Told:
    """A namespace is there, unless its phase says that it goes."""
    if text(obj, "status", "phase") == "Terminating":
        return Told(HealthStatus.TERMINATING, "Namespace is being deleted")
    return current("Namespace is active")


def autoscaler(obj: Mapping[str, Any]) -> Told:
    """It must reach what it scales; missing metrics are told, and leave the replicas as they are."""
    able = condition(obj, "AbleToScale")
    if able is not None and able.status == "False" and able.reason.startswith("Failed"):
        return in_progress(f"Cannot scale. {able.words}")
    active = condition(obj, "ScalingActive")
    if active is not None and active.status == "False":
        return current(f"Autoscaler is inactive. {active.words}".strip())
    return current("Autoscaler is ready")


def ingress(obj: Mapping[str, Any]) -> Told:
    """An Ingress has no condition; whether it has an address is told, and not waited for."""
    outer = maps(obj, "status", "loadBalancer", "ingress")
    return current("Ingress has an address" if outer else "Ingress is there; no address yet")
