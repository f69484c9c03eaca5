"""The world: all the ports that services speak to, and the few numbers they need."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field

from distributor.catalog.loading import Loader
from distributor.model.changes import Glance
from distributor.model.fleet import Cluster
from distributor.ports import (
    CheckSeal,
    Clock,
    Connections,
    Expressions,
    GitObjects,
    Remote,
    RenderCache,
    RenderEngine,
    SchemaSource,
    Signer,
    Store,
    Watch,
)
from distributor.services.sealing import Seal

Glances = Callable[[Cluster, Collection[str]], Awaitable[Mapping[str, Glance]]]
"""Reads what many instances have on one cluster, for few requests: inventory and objects by instance.

One is left out unless everything in its inventory was seen. It is good to tell that nothing is to be done;
before anything is written, all is read again.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Composed by ``app``; ``signer`` is ``None`` for a process that only looks.

    ``holder`` names this process' place in claims; ``claim_seconds`` is how long one lasts.
    ``adopt_managers`` are the field managers whose fields instances take over on clusters,
    ``undo_managers`` those, as patterns, whose changes of instances' fields are undone. Without
    ``expressions``, rules that packages write as such cannot be told; ``resync_requests`` is
    the budget of one look at all targets, 0 for none; without ``watch`` every look at a target reads it,
    and without ``glances`` one by one; without ``openpgp`` no OpenPGP signature can be told.
    ``ledger_at`` says where the ledger is if not beside main, ``catalog_at`` where main is, both without
    passwords; a ``local_ledger`` is seen by no other service.
    """

    objects: GitObjects
    remote: Remote
    loader: Loader
    engine: RenderEngine
    cache: RenderCache
    schemas: SchemaSource
    connections: Connections
    store: Store
    clock: Clock
    signer: Signer | None
    holder: str = ""
    main: str = "main"
    ledger: str = "ledger"
    claim_seconds: float = 60.0
    target_concurrency: int = 16
    seal: Seal = field(default_factory=Seal)
    adopt_managers: frozenset[str] = frozenset()
    expressions: Expressions | None = None
    watch: Watch | None = None
    glances: Glances | None = None
    resync_requests: int = 0
    undo_managers: frozenset[str] = frozenset()
    openpgp: CheckSeal | None = None
    ledger_at: str = ""
    catalog_at: str = ""
    local_ledger: bool = False

    @property
    def local_label(self) -> str:
        """What everybody is told of a local ledger; empty for a shared one."""
        at = f"the ledger is local, in {self.ledger_at}"
        told = f"{at}: this service decides alone, and nobody else sees what it decided"
        return told if self.local_ledger else ""

    @property
    def main_ref(self) -> str:
        """Where main's head was last seen."""
        return f"refs/observed/heads/{self.main}"

    @property
    def ledger_ref(self) -> str:
        """Where the ledger's head was last seen."""
        return f"refs/observed/heads/{self.ledger}"
