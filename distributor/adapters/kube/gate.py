"""The gate of one API server: shut for all requests while the server asks to be left alone, or says nothing."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from distributor.errors.cluster import ClusterUnreachable, Throttled

FIRST_PAUSE = 0.5
"""Seconds to wait when a throttling server names no time; twice as long after each refusal in a row."""
_LONGEST = 60.0
"""The most seconds that are waited whatever a server says, so that a mad answer locks nobody out."""
_LONGEST_SILENCE = 10.0
_SPREAD = 0.25
_RANDOM = random.SystemRandom()


def pause_after(retry_after: float | None, refusals: int) -> float:
    """How long to wait after so many refusals in a row: what the server said, else ever longer."""
    return min(retry_after or FIRST_PAUSE * 2 ** min(max(refusals - 1, 0), 10), _LONGEST)


def spread(pause: float) -> float:
    """The pause and up to a quarter more, another one each time: who waits together comes back apart."""
    return pause * (1 + _RANDOM.uniform(0, _SPREAD))


class Gate:
    """Shut by refusals that mean everybody; after one, requests go one by one until one is answered.

    A storm of refusals is waited out for ``longest`` seconds, counted from its first: who comes later does not
    wait all over again.

    Shut too by silence: while a server answers nobody, one request at a time finds out whether it still does
    not, with pauses between; all others are told at once instead of waiting for what one has waited for.
    """

    def __init__(self, longest: float) -> None:
        self._longest = longest
        self._since = 0.0
        self._until = 0.0
        self._refusals = 0
        self._turn = asyncio.Lock()
        self._silence: ClusterUnreachable | None = None
        self._silences = 0
        self._probed_at = 0.0
        self._probing = False
        self._answered_at = 0.0

    @property
    def shut(self) -> bool:
        """Whether nothing may be asked now."""
        return self._left() > 0

    def refused(self, retry_after: float | None) -> None:
        """The server asked everybody to wait. Refusals of what was under way already count as one."""
        now = asyncio.get_running_loop().time()
        self._since = self._since if self._refusals else now
        self._refusals += not self.shut
        pause = pause_after(retry_after, self._refusals)
        self._until = max(self._until, now + pause)

    def taken(self) -> None:
        """The server took a request."""
        self._refusals = 0

    def answered(self) -> None:
        """The server answered, whatever it said."""
        self._answered_at = asyncio.get_running_loop().time()
        self._silence, self._silences = None, 0

    def unanswered(self, since: float, error: ClusterUnreachable) -> None:
        """A request of then got no answer; that means everybody if nobody got one since."""
        now = asyncio.get_running_loop().time()
        if self._answered_at >= since or (self._silence is not None and now < self._probed_at):
            return
        pause = min(2.0**self._silences, _LONGEST_SILENCE)
        self._silence, self._silences = error, min(self._silences + 1, 10)
        self._probed_at = now + spread(pause)

    async def passed(self, patience: float) -> float:
        """Wait until it opens; the seconds that took. Raises ``Throttled`` where it takes longer than allowed."""
        self._check()
        waited = 0.0
        while (left := self._left()) > 0:
            stormed = asyncio.get_running_loop().time() - self._since
            if waited + left > patience or stormed > self._longest:
                raise Throttled(f"It is not asked again for {left:.1f} s, as it said.")
            pause = spread(left)
            await asyncio.sleep(pause)
            waited += pause
        return waited

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """A turn to ask: at once, or after a refusal one after the other."""
        if self._silence is not None:
            self._check()
            self._probing = True
            try:
                yield
            finally:
                self._probing = False
        elif self._refusals:
            async with self._turn:
                yield
        else:
            yield

    def _check(self) -> None:
        """Raise what the last one met, where nobody may ask now."""
        early = asyncio.get_running_loop().time() < self._probed_at
        if self._silence is not None and (early or self._probing):
            raise type(self._silence)(self._silence.detail, remedy=self._silence.hint)

    def _left(self) -> float:
        return self._until - asyncio.get_running_loop().time() if self._until else 0.0
