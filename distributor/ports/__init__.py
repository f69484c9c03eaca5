"""Ports: the few doors to the outside world, as small Protocols. Adapters implement them, fakes ship.

What lives here: what services may ask of the world. What never does: how it is done. Called by: services;
implemented by: adapters and testing.
"""

from __future__ import annotations

from distributor.ports.clusters import Connections, Entries, TargetConnection, Watch
from distributor.ports.content import (
    Expressions,
    RenderCache,
    RenderEngine,
    SchemaSource,
    SecretOpener,
)
from distributor.ports.git import CheckSeal, GitObjects, Remote, Signer, TreeChange
from distributor.ports.store import Store
from distributor.ports.times import Clock, Timers

__all__ = [
    "CheckSeal",
    "Clock",
    "Connections",
    "Entries",
    "Expressions",
    "GitObjects",
    "Remote",
    "RenderCache",
    "RenderEngine",
    "SchemaSource",
    "SecretOpener",
    "Signer",
    "Store",
    "TargetConnection",
    "Timers",
    "TreeChange",
    "Watch",
]
