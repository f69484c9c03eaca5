"""What a pool of engine workers may cost."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import distributor

MIB = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSettings:
    """Limits of the pool, of one render, and of one worker; sizes in bytes, times in seconds."""

    binary: Path = Path(distributor.__file__).parent / "_engine" / "bin" / "distributor-engine"
    workers: int = 2
    deadline: float = 30.0
    idle_after: float = 300.0  # an idle worker is stopped after this
    max_objects: int = 20_000
    max_input: int = 32 * MIB
    max_output: int = 64 * MIB
    max_depth: int = 128
    soft_memory: int = 64 * MIB  # the worker's collector works harder from here on
    hard_memory: int = 512 * MIB  # the worker ends itself
    recycle_memory: int = 96 * MIB  # a worker that is larger after a render is replaced

    def flags(self) -> tuple[str, ...]:
        """The worker's command line."""
        return (
            f"-max-objects={self.max_objects}",
            f"-max-input={self.max_input}",
            f"-max-output={self.max_output}",
            f"-max-depth={self.max_depth}",
            f"-soft-memory={self.soft_memory}",
            f"-hard-memory={self.hard_memory}",
        )
