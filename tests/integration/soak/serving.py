"""The service under test: ``distributor serve`` in a process of its own, and how much it holds."""

from __future__ import annotations

import asyncio
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import distributor

SOURCE = Path(distributor.__file__).parents[1]
START = 60.0
END = 60.0
MIB = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Sample:
    """What the process held at one moment: bytes of memory, open files, threads."""

    at: float
    rss: int
    files: int
    threads: int


def environment() -> dict[str, str]:
    """What the program gets from the shell, this source tree first."""
    return os.environ | {"PYTHONPATH": str(SOURCE)}


class Serving:
    """One service that is started, stopped and killed; ``lives`` has what each of its processes held."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.log = root / "serve.log"
        self.lives: list[list[Sample]] = []
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    async def start(self) -> None:
        """Start it and wait until it serves."""
        self.log.touch()
        begin = self.log.stat().st_size
        self._process = self._launch()
        self.lives.append([])
        async with asyncio.timeout(START):
            while b"serving http" not in self._said(begin):
                self.check()
                await asyncio.sleep(0.1)

    def _launch(self) -> subprocess.Popen[bytes]:
        serve = [sys.executable, "-m", "distributor", "serve", "--port", "0"]
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [*serve, "--log-format", "json"],
                cwd=self.root,
                env=environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def _said(self, begin: int) -> bytes:
        with self.log.open("rb") as log:
            log.seek(begin)
            return log.read()

    def check(self) -> None:
        """Fail if it ended by itself."""
        assert self._process is not None
        code = self._process.poll()
        assert code is None, f"the service ended with {code}:\n{self.tail()}"

    async def end(self, number: signal.Signals) -> None:
        """Send a signal and wait for its end; one that was asked to stop says that all is well."""
        process = self._process
        assert process is not None
        if process.poll() is None:
            process.send_signal(number)
        try:
            code = await asyncio.to_thread(process.wait, END)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise
        expected = -number if number is signal.SIGKILL else 0
        assert code == expected, f"{number.name} ended it with {code}:\n{self.tail()}"

    def kill(self) -> None:
        """Leave nothing behind, however the test ended."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def sample(self) -> None:
        """Look at the process that runs now."""
        folder = Path("/proc") / str(self.pid)
        try:
            fields = dict(
                line.split(":", 1) for line in (folder / "status").read_text().splitlines()
            )
            files = len(list((folder / "fd").iterdir()))
        except FileNotFoundError:
            return
        if "VmRSS" in fields:  # a zombie has none
            rss = int(fields["VmRSS"].split()[0]) * 1024
            found = Sample(
                at=time.monotonic(), rss=rss, files=files, threads=int(fields["Threads"])
            )
            self.lives[-1].append(found)

    def errors(self) -> list[str]:
        """What it logged of faults of its own, and what Python itself said of one."""
        lines = self.log.read_text("utf-8", errors="replace").splitlines()
        found = [line for line in lines if '"level": "error"' in line]
        return found + [line for line in lines if line.startswith("Traceback")]

    def tail(self, lines: int = 60) -> str:
        """The last that it logged."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


@dataclass(frozen=True, kw_only=True)
class Growth:
    """How the later part of one life compares with its earlier part; medians of quarters."""

    seconds: float
    early: float
    late: float
    early_files: float
    late_files: float
    threads: float

    def __str__(self) -> str:
        return (
            f"{self.seconds:.0f} s undisturbed: memory {self.early / MIB:.1f} then "
            f"{self.late / MIB:.1f} MiB, open files {self.early_files:.0f} then "
            f"{self.late_files:.0f}, {self.threads:.0f} threads"
        )


def growth(life: Sequence[Sample]) -> Growth:
    """Compare the second quarter of a life with its last; the first one is the warm-up."""
    first, last = life[0].at, life[-1].at
    quarter = (last - first) / 4
    early = [s for s in life if first + quarter <= s.at < first + 2 * quarter]
    late = [s for s in life if s.at >= last - quarter]
    return Growth(
        seconds=last - first,
        early=statistics.median(s.rss for s in early),
        late=statistics.median(s.rss for s in late),
        early_files=statistics.median(s.files for s in early),
        late_files=statistics.median(s.files for s in late),
        threads=statistics.median(s.threads for s in late),
    )
