"""One engine process: start it bounded, ask it one thing at a time, end it."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import subprocess
import sys
from asyncio.subprocess import PIPE, Process
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from distributor.adapters.engine import frames
from distributor.adapters.engine.complaints import Complaints
from distributor.adapters.engine.settings import MIB, EngineSettings
from distributor.errors.render import EngineMissing, EngineProtocol

_STOP_SECONDS = 2.0
_VERSION_SECONDS = 20.0
_HEADER_ROOM = MIB  # an answer's header: sizes of the objects, or one message
_CHUNK = 1 << 16
_YIELDING = 5  # niceness: about a third of the processor where somebody else wants it, all where nobody does
_OPEN_FILES = 32  # the Go runtime needs a handful; a render needs none


class WorkerGoneError(Exception):
    """The process ended before it answered; private to this adapter.

    ``begun`` says whether it had begun with the request, so that the request may be to blame.
    """

    def __init__(self, *, begun: bool) -> None:
        super().__init__(begun)
        self.begun = begun


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerStatus:
    """One worker, for metrics: resident memory in bytes (0 where unknown), renders answered."""

    pid: int
    resident: int
    renders: int
    busy: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineIdentity:
    """Which engine this is, and what the system enforces on its processes."""

    version: str
    protection: tuple[str, ...]


class Worker:
    """A running engine process; not safe for two requests at once."""

    def __init__(self, process: Process, settings: EngineSettings) -> None:
        self._process = process
        self._frame_limit = settings.max_output + _HEADER_ROOM
        self._complaints = Complaints()
        self._listener = asyncio.create_task(self._listen())
        self.renders = 0
        self.yielding = False

    @classmethod
    async def start(cls, settings: EngineSettings) -> Worker:
        """Start a worker with an empty environment, in a process group of its own."""
        try:
            process = await asyncio.create_subprocess_exec(
                settings.binary, *settings.flags(),
                stdin=PIPE, stdout=PIPE, stderr=PIPE, env={}, cwd="/", process_group=0,
            )  # fmt: skip
        except OSError as error:
            raise missing(settings.binary, error) from error
        _bound(process.pid)
        return cls(process, settings)

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the process runs, asked of the kernel: the event loop learns of a death later."""
        if self._process.returncode is not None:
            return False
        if sys.platform != "linux":
            return True
        try:
            flags = os.WEXITED | os.WNOHANG | os.WNOWAIT
            return os.waitid(os.P_PID, self.pid, flags) is None
        except ChildProcessError:
            return False

    @property
    def resident(self) -> int:
        """Resident memory in bytes; 0 where the machine does not tell."""
        try:
            pages = int(Path(f"/proc/{self.pid}/statm").read_bytes().split()[1])
        except (OSError, IndexError, ValueError):
            return 0
        return pages * os.sysconf("SC_PAGE_SIZE")

    @property
    def complaints(self) -> str:
        """What the runtime said of a fault since the last request was sent."""
        return self._complaints.text()

    def yield_processor(self) -> None:
        """Leave the processor to others from now on; there is no way back without privileges."""
        self.yielding = True
        with suppress(OSError):
            # On Linux each thread has a priority of its own; those to come inherit it.
            for thread in Path(f"/proc/{self.pid}/task").iterdir():
                os.setpriority(os.PRIO_PROCESS, int(thread.name), _YIELDING)

    async def ask(self, request_id: int, frame: bytes) -> frames.Answer:
        """Send a request and read its answer; raises ``WorkerGoneError`` or ``EngineProtocol``."""
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:  # both are pipes: see start()
            raise WorkerGoneError(begun=False)
        begun = False
        self._complaints.clear()
        try:
            stdin.write(frame)
            await stdin.drain()
            answer = await self._read(stdout, request_id)
            while answer.begun:
                begun = True
                answer = await self._read(stdout, request_id)
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            raise WorkerGoneError(begun=begun) from error
        self.renders += 1
        return answer

    async def _read(self, stdout: asyncio.StreamReader, request_id: int) -> frames.Answer:
        prefix = await stdout.readexactly(frames.PREFIX_SIZE)
        header, blob = frames.lengths(prefix, limit=self._frame_limit)
        answer = frames.decode(await stdout.readexactly(header), await stdout.readexactly(blob))
        if answer.id != request_id:
            raise EngineProtocol(f"an answer to request {answer.id}, not {request_id}")
        return answer

    async def wait(self) -> int:
        """Wait for the end of the process and take its exit code."""
        return await self._process.wait()

    async def kill(self) -> int:
        """End the process at once.

        Not by ``Process.kill``: that asks for the exit code of a process that is dead already, and so
        takes it away from the event loop, which then reports 255.
        """
        if self.alive:
            with suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
        return await self._finish()

    async def stop(self) -> None:
        """End an idle process by closing its input; kill it if it lingers."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            async with asyncio.timeout(_STOP_SECONDS):
                await self._finish()
        except TimeoutError:
            await self.kill()

    async def _finish(self) -> int:
        returncode = await self._process.wait()
        if self._process.stdin is not None:
            self._process.stdin.close()
            with suppress(ConnectionError):
                await self._process.stdin.wait_closed()
        await asyncio.wait([self._listener])  # which a caller that gives up does not cancel
        return returncode

    async def _listen(self) -> None:
        """Take in what the process says on standard error, to its end."""
        stderr = self._process.stderr
        while stderr is not None and (data := await stderr.read(_CHUNK)):
            self._complaints.feed(data)


def ask_identity(settings: EngineSettings) -> EngineIdentity:
    """Start the engine once and ask which it is; takes about 50 ms. Raises ``EngineMissing``."""
    try:
        done = subprocess.run(  # noqa: S603 - the binary is a setting of the operator
            [settings.binary, *settings.flags()], input=frames.encode_version(1),
            capture_output=True, env={}, cwd="/", timeout=_VERSION_SECONDS, check=True,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError) as error:
        raise missing(settings.binary, error) from error
    version = dict(_last_answer(done.stdout).version)
    protection = tuple(version.pop("sandbox", "").split())
    named = " ".join(f"{name}/{release}" for name, release in version.items())
    return EngineIdentity(version=named, protection=protection)


def _last_answer(stream: bytes) -> frames.Answer:
    while len(stream) >= frames.PREFIX_SIZE:
        header, blob = frames.lengths(stream[: frames.PREFIX_SIZE], limit=MIB)
        start, end = frames.PREFIX_SIZE + header, frames.PREFIX_SIZE + header + blob
        answer = frames.decode(stream[frames.PREFIX_SIZE : start], stream[start:end])
        if not answer.begun:
            return answer
        stream = stream[end:]
    raise EngineProtocol("no answer to the question for its version")


def missing(binary: Path, error: Exception) -> EngineMissing:
    """The error for an engine that cannot be started."""
    return EngineMissing(f"{binary} cannot be started: {error}")


def _bound(pid: int) -> None:
    """Take away what a render never needs: files to write, core dumps, many open files."""
    if sys.platform != "linux":
        return
    for limit, value in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, _OPEN_FILES),
    ):
        with suppress(ProcessLookupError):
            resource.prlimit(pid, limit, (value, value))
