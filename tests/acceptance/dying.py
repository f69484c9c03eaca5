"""``distributor`` in a process that kills itself (-9) at its n-th step towards the outside world.

A step is a rename of a file, a database commit, or the start or the end of a git program: everything
that anybody else can see this process do happens between two of them. Run as ``python dying.py N ARGS``.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys

import sqlalchemy as sa

from distributor.cli.main import main


class Countdown:
    """Counts steps down; at zero nothing more happens in this process."""

    def __init__(self, steps: int) -> None:
        self.left = steps

    def step(self) -> None:
        self.left -= 1
        if self.left <= 0:
            os.kill(os.getpid(), signal.SIGKILL)


def install(countdown: Countdown) -> None:
    """Put the countdown before and after each step, at the operating system's and libraries' doors."""
    rename, start = os.replace, asyncio.create_subprocess_exec

    def replace(*arguments, **options) -> None:
        countdown.step()
        rename(*arguments, **options)
        countdown.step()

    async def create(*arguments, **options):
        if "git" not in str(arguments[0]):
            return await start(*arguments, **options)
        countdown.step()
        process = await start(*arguments, **options)
        communicate = process.communicate

        async def finish(*given):
            result = await communicate(*given)
            countdown.step()
            return result

        process.communicate = finish
        return process

    os.replace = replace
    asyncio.create_subprocess_exec = create
    sa.event.listen(sa.Engine, "commit", lambda _: countdown.step())


if __name__ == "__main__":
    install(Countdown(int(sys.argv[1])))
    sys.argv = ["distributor", *sys.argv[2:]]
    main()
