"""The caller's side of `guard.py`: start, stop and watch processes that cannot outlive us."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

GUARD = Path(__file__).resolve().parent / "guard.py"


class KeeperError(Exception):
    """A program does not start, or the guard is gone."""


class Keeper:
    """One guard process and, through it, programs by name; safe to call from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._guard = subprocess.Popen(
            [sys.executable, "-I", "-S", str(GUARD)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )

    @property
    def pid(self) -> int:
        return self._guard.pid

    def start(self, name: str, argv: Sequence[str], *, env: Mapping[str, str], log: Path) -> int:
        """Start a program and give its process id; its output is appended to `log`."""
        request = {"do": "start", "name": name, "argv": [*argv], "env": {**env}, "log": str(log)}
        return int(self._ask(request)["pid"])

    def stop(self, name: str, *, grace: float = 5.0) -> None:
        """Ask a program to end; kill it after `grace` seconds. Gone already is fine."""
        self._ask({"do": "stop", "name": name, "grace": grace})

    def running(self) -> dict[str, int]:
        """Give the process ids of the programs that run now."""
        return dict(self._ask({"do": "poll"})["running"])

    def close(self) -> None:
        """Kill everything and wait until it is gone."""
        with self._lock:
            # Closing the pipe is the order to leave; the guard may have left already.
            for pipe in (self._guard.stdin, self._guard.stdout):
                if pipe is not None:
                    with contextlib.suppress(BrokenPipeError):
                        pipe.close()
            try:
                self._guard.wait(timeout=15)
            except subprocess.TimeoutExpired:
                os.killpg(self._guard.pid, signal.SIGKILL)
                self._guard.wait()

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        stdin, stdout = self._guard.stdin, self._guard.stdout
        if stdin is None or stdout is None or stdin.closed:
            msg = "the control plane was stopped"
            raise KeeperError(msg)
        with self._lock:
            try:
                stdin.write(json.dumps(request).encode() + b"\n")
                stdin.flush()
                line = stdout.readline()
            except BrokenPipeError:
                line = b""
        if not line:
            msg = "the guard process of the control plane is gone"
            raise KeeperError(msg)
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise KeeperError(answer["error"])
        return answer
