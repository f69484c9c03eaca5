"""Rollout: waves, budgets, readiness, pause and halt, as one state machine.

What lives here: ``advance(state, event, now) -> (state, commands)`` and what it needs; the state's form on
disk. What never does: applying anything, reading clusters, the ledger's own form, I/O, clocks. Called by:
services (run_rollout, rebuild, views).

The service saves the new state, then performs the commands. After a restart ``resume`` says what to ask
again: doing any of it twice is harmless.
"""

from distributor.rollout.coding import decode, encode
from distributor.rollout.machine import (
    advance,
    advance_all,
    resume,
    same_progress,
    shut_out,
    thawed,
    waits,
    wanted,
)
from distributor.rollout.waves import start

__all__ = [
    "advance",
    "advance_all",
    "decode",
    "encode",
    "resume",
    "same_progress",
    "shut_out",
    "start",
    "thawed",
    "waits",
    "wanted",
]
