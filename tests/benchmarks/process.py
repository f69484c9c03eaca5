"""`distributor serve` as a process of its own, and what it and its render workers keep in memory."""

from __future__ import annotations

import http.client
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

OK = 200
PAGE = 1000
START_SECONDS = 120.0
ENGINE = "distributor-eng"  # the kernel keeps 15 letters of a name
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Resident MiB of one process: now, and the most it ever was."""

    now: float
    peak: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A running `distributor serve`."""

    pid: int
    port: int

    def get(self, path: str) -> tuple[int, bytes]:
        """Read a path of the API to its end; status and body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def walk(self, path: str) -> int:
        """Read a list page by page; how many items there are."""
        count, cursor = 0, ""
        while True:
            status, body = self.get(f"{path}?limit={PAGE}&cursor={cursor}")
            if status != OK:
                msg = f"{path} answered {status}: {body[:300]!r}"
                raise RuntimeError(msg)
            page = json.loads(body)
            count += len(page["items"])
            cursor = page.get("next") or ""
            if not cursor:
                return count

    def ready(self) -> None:
        """Wait until it decides; raises ``TimeoutError``."""
        deadline = time.monotonic() + START_SECONDS
        while self.get("/readyz")[0] != OK:
            if time.monotonic() > deadline:
                msg = f"not ready within {START_SECONDS:g} s"
                raise TimeoutError(msg)
            time.sleep(0.1)

    def memory(self) -> Memory:
        return memory(self.pid)

    def workers(self) -> list[Memory]:
        """The render workers: its children."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text("ascii").split()
        found: list[Memory] = []
        for pid in map(int, children):
            with suppress(FileNotFoundError, ProcessLookupError):  # it ended while we looked
                if Path(f"/proc/{pid}/comm").read_text("ascii").startswith(ENGINE):
                    found.append(memory(pid))
        return found

    def quiet(self, seconds: float) -> bool:
        """Wait until it hardly uses the processor, so long at most; whether it does."""
        deadline = time.monotonic() + seconds
        calm = 0
        before = self._ticks()
        while time.monotonic() < deadline:
            time.sleep(1)
            now = self._ticks()
            calm = calm + 1 if now - before < TICKS * 0.05 else 0
            before = now
            if calm == 3:
                return True
        return False

    def _ticks(self) -> int:
        fields = Path(f"/proc/{self.pid}/stat").read_text("ascii").rpartition(")")[2].split()
        return int(fields[11]) + int(fields[12])


def memory(pid: int) -> Memory:
    """What the kernel says of a process."""
    text = Path(f"/proc/{pid}/status").read_text("ascii")
    sizes = dict(re.findall(r"^(VmRSS|VmHWM):\s+(\d+) kB$", text, re.MULTILINE))
    return Memory(now=int(sizes["VmRSS"]) / 1024, peak=int(sizes["VmHWM"]) / 1024)


def processor_seconds(pid: int) -> float:
    """The processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


@contextmanager
def served(folder: Path) -> Iterator[Served]:
    """Serve the settings of a folder on a free port until the end."""
    command = [sys.executable, "-m", "distributor", "serve", "--port", "0"]
    command += ["--poll", "3600", "--resync", "3600", "--log-format", "json"]
    said = folder / "serve.log"
    with said.open("wb") as log:
        process = subprocess.Popen(
            command, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    try:
        yield Served(pid=process.pid, port=_port(process, said))
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _port(process: subprocess.Popen[bytes], said: Path) -> int:
    """The port that it says it serves on."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        found = re.search(rb"serving http://[^:/]+:(\d+)", said.read_bytes())
        if found:
            return int(found[1])
        time.sleep(0.05)
    msg = f"it does not serve: {said.read_text('utf-8')[-2000:]}"
    raise RuntimeError(msg)
