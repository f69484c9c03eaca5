"""A pool of engine workers behind the ``RenderEngine`` port."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from distributor import log
from distributor.adapters.engine import frames
from distributor.adapters.engine.errors import death_of, error_of
from distributor.adapters.engine.lanes import Lanes, Ticket
from distributor.adapters.engine.settings import EngineSettings
from distributor.adapters.engine.worker import (
    EngineIdentity,
    Worker,
    WorkerGoneError,
    WorkerStatus,
    ask_identity,
)
from distributor.errors.render import EngineProtocol, RenderTimeout, RenderTooLarge
from distributor.model.rendering import RenderJob


class EnginePool:
    """Renders on worker processes, started when needed and one request at a time.

    A render that takes too long, or whose worker dies, fails alone: its worker is replaced. Only what was
    ended from outside is tried again, once: that says nothing of the package. A worker that died while idle is
    replaced before anybody notices. Packages take turns (``Lanes``); while one of them waits for another's
    long renders, up to twice as many workers run.
    """

    def __init__(self, settings: EngineSettings | None = None) -> None:
        self._settings = settings or EngineSettings()
        self._lanes = Lanes(self._settings.workers, self._settings.patience)
        self._idle: dict[Worker, asyncio.TimerHandle] = {}
        self._busy: set[Worker] = set()
        self._retiring: set[asyncio.Task[None]] = set()
        self._requests = 0
        self._identity: EngineIdentity | None = None
        self._closed = False

    @property
    def version(self) -> str:
        """Names the engine and the releases of its renderers; the first call starts a process."""
        return self._known().version

    @property
    def protection(self) -> tuple[str, ...]:
        """What the system enforces on workers: ``rlimits``, ``no-new-privileges``, ``landlock``, ``seccomp``."""
        return self._known().protection

    def _known(self) -> EngineIdentity:
        if self._identity is None:
            self._identity = ask_identity(self._settings)
            tell = log.get("engine")
            if "seccomp" in self._identity.protection or "landlock" in self._identity.protection:
                tell.info("render workers are confined", by=self._identity.protection)
            else:
                tell.warning(
                    "render workers are not confined: this system has neither seccomp nor landlock",
                    by=self._identity.protection,
                )
        return self._identity

    async def render(self, job: RenderJob) -> tuple[bytes, ...]:
        """The objects as JSON bytes; raises the errors of ``errors.render``."""
        size = sum(map(len, job.files.values()))
        if size > self._settings.max_input:
            limit = self._settings.max_input
            raise RenderTooLarge(f"The files hold {size} bytes, the limit is {limit}.")
        self._requests += 1
        request_id = self._requests
        frame = frames.encode_render(request_id, job)
        answer = await self._lanes.run(
            job.package, lambda ticket: self._answer(request_id, frame, ticket)
        )
        if answer.refusal is not None:
            raise error_of(answer.refusal)
        return answer.objects

    def workers(self) -> tuple[WorkerStatus, ...]:
        """Every running worker with its memory, for metrics."""
        return tuple(
            WorkerStatus(
                pid=worker.pid,
                resident=worker.resident,
                renders=worker.renders,
                busy=worker in self._busy,
            )
            for worker in (*self._busy, *self._idle)
        )

    async def aclose(self) -> None:
        """Stop all workers; renders under way fail with a retryable error."""
        self._closed = True
        for timer in self._idle.values():
            timer.cancel()
        idle, self._idle = list(self._idle), {}
        await asyncio.gather(
            *(worker.stop() for worker in idle), *(worker.kill() for worker in list(self._busy))
        )
        await asyncio.gather(*self._retiring)

    async def _answer(self, request_id: int, frame: bytes, ticket: Ticket) -> frames.Answer:
        """Ask one worker; ask a new one only where the first died for no fault of the package."""
        with suppress(WorkerGoneError):
            async with self._worker(ticket) as worker:
                return await self._ask(worker, request_id, frame)
        try:
            async with self._worker(ticket, fresh=True) as worker:
                return await self._ask(worker, request_id, frame, last=True)
        except WorkerGoneError as gone:
            raise EngineProtocol("two workers ended before they began the render") from gone

    async def _ask(
        self, worker: Worker, request_id: int, frame: bytes, *, last: bool = False
    ) -> frames.Answer:
        """Ask, within the deadline; ``WorkerGoneError`` says that the render is not to blame.

        A worker that is killed a second time may well be the kernel's answer to what it used.
        """
        deadline = self._settings.deadline
        try:
            async with asyncio.timeout(deadline):
                return await worker.ask(request_id, frame)
        except TimeoutError:
            raise RenderTimeout(f"It was stopped after {deadline:g} seconds.") from None
        except WorkerGoneError as gone:
            if self._closed:
                raise EngineProtocol("the engine was closed during the render") from None
            returncode = await worker.kill()
            if not gone.begun or (returncode == -signal.SIGKILL and not last):
                raise
            raise death_of(returncode, worker.complaints, self._settings) from None

    @asynccontextmanager
    async def _worker(self, ticket: Ticket, *, fresh: bool = False) -> AsyncIterator[Worker]:
        """A worker for one request. One that did not answer in order is ended, never used again."""
        if self._closed:
            raise EngineProtocol("the engine is closed")
        worker = await (Worker.start(self._settings) if fresh else self._take())
        self._busy.add(worker)
        ticket.on_slow(worker.yield_processor)
        try:
            yield worker
        except BaseException:
            await asyncio.shield(_end(worker))
            raise
        finally:
            self._busy.discard(worker)
        self._give_back(worker)

    async def _take(self) -> Worker:
        while self._idle:
            worker, timer = self._idle.popitem()
            timer.cancel()
            if worker.alive:
                return worker
            await _end(worker)
        return await Worker.start(self._settings)

    def _give_back(self, worker: Worker) -> None:
        if self._closed or worker.yielding or worker.resident > self._settings.recycle_memory:
            self._retire(worker)
            return
        loop = asyncio.get_running_loop()
        self._idle[worker] = loop.call_later(self._settings.idle_after, self._expire, worker)

    def _expire(self, worker: Worker) -> None:
        if self._idle.pop(worker, None) is not None:
            self._retire(worker)

    def _retire(self, worker: Worker) -> None:
        """End a worker in the background; ``aclose`` waits for what is still under way."""
        task = asyncio.create_task(_end(worker))
        self._retiring.add(task)
        task.add_done_callback(self._retiring.discard)


async def _end(worker: Worker) -> None:
    await worker.kill()
