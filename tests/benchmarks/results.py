"""The record of one benchmark: machine, commit, figures, and each aim with whether it was met."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDER = "DISTRIBUTOR_BENCH_RESULTS"
RIVAL = "flux."
"""Begins the names of figures that another program reached with the same work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Aim:
    """What a figure should stay below; `cause` says where the time or memory went if it did not."""

    figure: str
    measured: float
    limit: float
    unit: str
    cause: str = ""

    @property
    def met(self) -> bool:
        return self.measured <= self.limit


@dataclass(slots=True, kw_only=True)
class Result:
    """One benchmark's outcome. `figures` maps names such as `warm.p50_ms` to numbers."""

    name: str
    figures: dict[str, float] = field(default_factory=dict)
    aims: list[Aim] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    load: float = field(default_factory=lambda: os.getloadavg()[0])

    def aim(self, figure: str, limit: float, unit: str, *, cause: str) -> None:
        """Compare a figure with its aim; the cause is kept only where the aim was missed."""
        found = Aim(figure=figure, measured=self.figures[figure], limit=limit, unit=unit)
        self.aims.append(found if found.met else replace(found, cause=cause + self._busy()))

    def _busy(self) -> str:
        cores = os.cpu_count() or 1
        if self.load <= cores:
            return ""
        return f"; the machine was not ours alone: load {self.load:.1f} on {cores} cores"

    @property
    def met(self) -> bool:
        return all(aim.met for aim in self.aims)

    def document(self) -> dict[str, object]:
        return {
            "name": self.name,
            "at": int(time.time()),
            "commit": commit(),
            "machine": machine() | {"load": round(self.load, 2)},
            "met": self.met,
            "aims": [asdict(aim) | {"met": aim.met} for aim in self.aims],
            "figures": {name: round(value, 4) for name, value in self.figures.items()},
            "notes": self.notes,
        }

    def write(self) -> Path:
        """Write the record and print it as a few lines."""
        path = folder() / f"{self.name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(self.document(), indent=2) + "\n", "utf-8")
        sys.stdout.write("\n" + "\n".join(self.lines()) + "\n")
        return path

    def lines(self) -> list[str]:
        lines = [f"{self.name}: " + ("aims met" if self.met else "AIM MISSED")]
        for aim in self.aims:
            sign = "met" if aim.met else f"MISSED: {aim.cause}"
            lines.append(f"  {aim.figure} {aim.measured:.4g} of {aim.limit:g} {aim.unit}, {sign}")
        return lines


def folder() -> Path:
    """Where records go."""
    named = os.environ.get(FOLDER)
    return Path(named) if named else ROOT / "tests" / "benchmarks" / "results"


def machine() -> dict[str, object]:
    """What the figures depend on, beside the load: that tells whether the machine was ours alone."""
    pages, size = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    return {
        "cores": os.cpu_count(),
        "memory_mib": pages * size >> 20,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
    }


def commit() -> str:
    """The commit that was measured, `+` where files differ from it; empty outside a repository."""
    head = _git("rev-parse", "--verify", "HEAD")
    return head + ("+" if head and _git("status", "--porcelain") else "")


def _git(*arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return done.stdout.strip() if done.returncode == 0 else ""


class Stopwatch:
    """Adds up the seconds of named parts; `seconds` has them in order of their first use."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        began = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - began

    @property
    def total(self) -> float:
        return sum(self.seconds.values())


def medians(runs: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The median of each part over several runs."""
    return {name: statistics.median(run[name] for run in runs) for name in runs[0]}


def largest(parts: Mapping[str, float], unit: str) -> str:
    """The parts from the largest down, as a missed aim's cause."""
    ordered = sorted(parts.items(), key=lambda item: -item[1])
    return ", ".join(f"{name} {value:.3g} {unit}" for name, value in ordered[:5])
