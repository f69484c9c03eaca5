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
    deadline: float = 30.0  # of one render, by the clock
    cpu: float = 0.0  # processor time of one render; 0: as much as the deadline
    patience: float = 0.2  # a render older than this makes room for a package that waits
    idle_after: float = 300.0  # an idle worker is stopped after this
    max_objects: int = 20_000
    max_input: int = 32 * MIB  # MAX_BYTES of render.jobs
    max_output: int = 64 * MIB
    max_depth: int = 128
    soft_memory: int = 48 * MIB  # the worker's collector works when its memory is this
    hard_memory: int = 512 * MIB  # the worker ends itself
    recycle_memory: int = 96 * MIB  # a worker that is larger after a render is replaced

    @property
    def cpu_seconds(self) -> float:
        """Processor time that one render may take, over all threads."""
        return self.cpu or self.deadline

    def flags(self) -> tuple[str, ...]:
        """The worker's command line."""
        return (
            f"-max-objects={self.max_objects}",
            f"-max-input={self.max_input}",
            f"-max-output={self.max_output}",
            f"-max-depth={self.max_depth}",
            f"-max-cpu={self.cpu_seconds:.3f}s",
            f"-soft-memory={self.soft_memory}",
            f"-hard-memory={self.hard_memory}",
        )
