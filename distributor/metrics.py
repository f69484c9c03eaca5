"""Metrics, in Prometheus' form, on a registry of our own; services count what they return."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

REGISTRY = CollectorRegistry()

VERDICTS = Counter(
    "distributor_verdicts", "Verdicts given", ("environment", "outcome"), registry=REGISTRY
)
RENDERS = Counter(
    "distributor_renders", "Renders, by where they came from", ("source",), registry=REGISTRY
)
RECONCILES = Counter(
    "distributor_reconciles",
    "Reconciles of one target",
    ("environment", "actuation"),
    registry=REGISTRY,
)
OBJECTS = Counter(
    "distributor_objects", "Objects, by what was done", ("action",), registry=REGISTRY
)
DRIFT = Counter(
    "distributor_drift",
    "Objects that were not as applied, by what becomes of drift there",
    ("environment", "mode"),
    registry=REGISTRY,
)
CLUSTER_REQUESTS = Counter(
    "distributor_cluster_requests",
    "Requests to API servers, by method and status",
    ("method", "status"),
    registry=REGISTRY,
)
UNASKED = Counter(
    "distributor_targets_unasked",
    "Looks at targets that needed no request, because watches saw nothing move",
    registry=REGISTRY,
)
RESYNC_REQUESTS = Gauge(
    "distributor_resync_requests",
    "Requests to API servers while the last look at all targets ran",
    registry=REGISTRY,
)
RESYNC_LEFT = Gauge(
    "distributor_resync_left",
    "Targets that the last look at all left to the next one, its budget of requests being spent",
    registry=REGISTRY,
)
LEDGER_PUSHES = Counter(
    "distributor_ledger_pushes", "Pushes of the ledger, by result", ("result",), registry=REGISTRY
)
LOOKS = Counter(
    "distributor_looks", "Looks at the remote, by result", ("result",), registry=REGISTRY
)
RECONCILE_SECONDS = Histogram(
    "distributor_reconcile_seconds", "How long one reconcile took", registry=REGISTRY
)
ENGINE_MEMORY = Gauge(
    "distributor_engine_resident_bytes",
    "Resident memory of a render worker",
    ("worker",),
    registry=REGISTRY,
)
STOPPED = Gauge(
    "distributor_decisions_stopped",
    "1 while decisions are stopped for everything",
    registry=REGISTRY,
)


def cluster_requests() -> float:
    """Requests to API servers so far, without the watches."""
    return sum(
        sample.value
        for family in CLUSTER_REQUESTS.collect()
        for sample in family.samples
        if sample.name.endswith("_total") and sample.labels["method"] != "watch"
    )
