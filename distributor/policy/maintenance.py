"""Maintenance windows of clusters: when a target may be begun, and from when on where it may not."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache

from distributor.model.policy import Window
from distributor.model.rollout import Shut
from distributor.policy.calendar import spell
from distributor.policy.gates.answers import utc


@lru_cache(maxsize=1024)
def kept_closed(windows: tuple[Window, ...], now: datetime) -> Shut | None:
    """Why a cluster with these windows takes nothing new now, until when; ``None`` where it may."""
    # remembered, because the clusters of a fleet are asked together and have few windows
    spells = [spell(window, now) for window in windows]
    if not spells or any(each.open for each in spells):
        return None
    until = min((each.until for each in spells if each.until is not None), default=None)
    when = f"until {utc(until)}" if until is not None else "and none will open any more"
    return Shut(reason=f"outside its maintenance windows {when}", until=until)
