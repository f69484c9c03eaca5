"""What one render is asked for: the options of ``distributor render``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from distributor.cli.choosing import Wanted
from distributor.cli.given import Given, given


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The options of one render."""

    path: Path
    environment: str
    tier: str
    cluster: str
    name: str
    namespace: str
    kubernetes: str
    sets: tuple[str, ...]
    files: tuple[Path, ...]
    explain: str
    progress: bool | None = None

    def values(self) -> Mapping[str, Any]:
        """The values of the files, later ones over earlier ones, and ``--set`` over all of them."""
        every = self.given()
        return every[-1].values if every else {}

    def given(self) -> tuple[Given, ...]:
        """The arguments that give values, one by one."""
        return tuple(given(self.files, self.sets))

    def wanted(self) -> Wanted:
        """What was named, for a package."""
        return Wanted(
            environment=self.environment,
            tier=self.tier,
            cluster=self.cluster,
            name=self.name,
            namespace=self.namespace,
            kubernetes=self.kubernetes,
        )
