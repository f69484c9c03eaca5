"""Rules for built-in kinds that tell of themselves in their own words, and for the Gateway API's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from distributor.health.fields import (
    Condition,
    Told,
    at,
    condition,
    conditions,
    conditions_of,
    current,
    failed,
    in_progress,
    maps,
    maybe_number,
    text,
)


def volume(obj: Mapping[str, Any]) -> Told:
    """A volume is there in every phase but the first; one that could not be reclaimed has failed."""
    match text(obj, "status", "phase", default="Pending"):
        case "Failed":
            return failed(f"Volume failed. {text(obj, 'status', 'message')}".strip())
        case "Pending":
            return in_progress("Volume is not available yet")
        case phase:
            return current(f"Volume is {phase}")


def attachment(obj: Mapping[str, Any]) -> Told:
    """A volume's attachment to a node."""
    if at(obj, "status", "attached") is True:
        return current("Volume is attached")
    why = text(obj, "status", "attachError", "message")
    return in_progress(f"Volume is not attached. {why}".strip())


def certificate_request(obj: Mapping[str, Any]) -> Told:
    """Issued, or refused for good; an approval alone is no certificate yet."""
    for c in conditions(obj):
        if c.type in {"Denied", "Failed"} and c.status != "False":
            return failed(f"Certificate request is {c.type.lower()}. {c.words}".strip())
    if text(obj, "status", "certificate") or text(obj, "status", "certificateChain"):
        return current("Certificate is issued")
    approved = condition(obj, "Approved") is not None
    return in_progress("Approved, not issued yet" if approved else "Not approved yet")


def flow(obj: Mapping[str, Any]) -> Told:
    """Flow control that refers to nothing is not in force."""
    c = condition(obj, "Dangling")
    if c is not None and c.status == "True":
        return in_progress(c.words or "It refers to something that is not there")
    return current("Resource is current")


def migration(obj: Mapping[str, Any]) -> Told:
    """A migration of stored versions ends by itself."""
    for c in conditions(obj):
        if c.status == "True" and c.type in {"Succeeded", "Failed"}:
            tell = current if c.type == "Succeeded" else failed
            return tell(f"Migration {c.type.lower()}. {c.words}".strip())
    return in_progress("Migration is under way")


def gateway(obj: Mapping[str, Any]) -> Told:
    """Accepted, and programmed where that is told (gateway.networking.k8s.io, GatewayConditionType)."""
    return _all_true(obj, conditions(obj), ("Accepted", "Programmed"))


def gateway_class(obj: Mapping[str, Any]) -> Told:
    """Accepted by its controller."""
    return _all_true(obj, conditions(obj), ("Accepted",))


def route(obj: Mapping[str, Any]) -> Told:
    """Accepted, with all references found, by every parent that it names."""
    parents = maps(obj, "status", "parents")
    wanted = maps(obj, "spec", "parentRefs")
    if len(parents) < len(wanted):
        return in_progress(f"{len(parents)} of {len(wanted)} parents have looked at it")
    for parent in parents:
        told = _all_true(obj, conditions_of(parent), ("Accepted", "ResolvedRefs"))
        if told.status != current("").status:
            return told
    return current("Every parent has accepted it")


def _all_true(obj: Mapping[str, Any], found: Iterable[Condition], wanted: tuple[str, ...]) -> Told:
    """Every wanted condition true for this generation; what is not told at all is waited for."""
    by_type = {c.type: c for c in found}
    generation = maybe_number(obj, "metadata", "generation")
    for name in wanted:
        c = by_type.get(name)
        if c is None or c.status == "Unknown":
            return in_progress(f"Not {name} yet. {c.words if c else ''}".strip())
        if c.observed is not None and generation is not None and c.observed < generation:
            return in_progress(f"The {name} condition speaks of an earlier generation")
        if c.status != "True":
            return in_progress(f"Not {name}. {c.words}".strip())
    return current(f"It is {' and '.join(wanted)}")
