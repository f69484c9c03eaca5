"""What is kept in the store: rollouts, what was seen of targets, and what happened."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRollout:
    """A rollout's state, as ``rollout.encode`` wrote it."""

    environment: str
    instance: str
    sequence: int
    state: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredTarget:
    """What was last seen of a target; times in ISO 8601, ``detail`` a JSON object."""

    environment: str
    instance: str
    cluster: str
    sequence: int
    actuation: str
    health: str
    message: str
    observed_at: str
    detail: str = "{}"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredEvent:
    """Something that happened; ``id`` is given by the store and only grows."""

    at: str
    kind: str
    environment: str = ""
    instance: str = ""
    cluster: str = ""
    message: str = ""
    id: int = 0
