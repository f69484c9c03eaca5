"""The calendar: when a window begins and ends, and when nothing stands in the way any more.

Wall-clock times become instants as RFC 5545 (3.3.5) says: a time that exists twice is the first of the two,
and one that a clock jumps over counts by the offset before the jump. Unlike there, a recurrence at such a
time is not left out: a freeze that vanished would let things in.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from dateutil.rrule import rrulebase, rrulestr

from distributor.model.policy import Window, WindowKind

_SLACK = timedelta(days=2)
"""More than any offset of a time zone and any jump of its clock."""
_MOST = 1000
"""As many steps as are looked ahead; what lasts longer has no end that is worth naming."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spell:
    """Whether a window lasts now; ``until`` is when that ends, or when the next one begins."""

    open: bool
    until: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What is to change: which app of which environment, by a request of which class, in which tiers."""

    environment: str
    app: str
    request_class: str
    tiers: frozenset[str]


def covers(window: Window, scope: Scope) -> bool:
    """Whether the window is about this change."""
    pairs = (
        (window.environments, {scope.environment}),
        (window.apps, {scope.app}),
        (window.classes, {scope.request_class}),
        (window.tiers, scope.tiers),
    )
    return all("*" in wanted or not given.isdisjoint(wanted) for wanted, given in pairs)


def spell(window: Window, now: datetime) -> Spell:
    """How the window stands at a time; those that meet or overlap are one."""
    lasting = [end for start, end in _around(window, now) if start <= now < end]
    if not lasting:
        return Spell(open=False, until=_next(window, now))
    until = max(lasting)
    for _ in range(_MOST):
        ends = [end for start, end in _around(window, until) if start <= until < end]
        if not ends:
            return Spell(open=True, until=until)
        until = max(ends)
    return Spell(open=True, until=None)


def opening(windows: Iterable[Window], now: datetime) -> datetime | None:
    """The first time from ``now`` on at which no freeze lasts, and an allow window does if there are any.

    ``None`` where there is none in sight.
    """
    given = tuple(windows)
    freezes = [w for w in given if w.kind is WindowKind.FREEZE]
    allows = [w for w in given if w.kind is WindowKind.ALLOW]
    at: datetime | None = now
    for _ in range(_MOST):
        if at is None:
            return None
        moment = _after(freezes, allows, at)
        if moment == at:
            return at
        at = moment
    return None


def _after(freezes: list[Window], allows: list[Window], at: datetime) -> datetime | None:
    """The same time where nothing stands in the way, else the next at which that may have changed."""
    frozen = [s for s in (spell(w, at) for w in freezes) if s.open]
    if frozen:
        ends = [s.until for s in frozen if s.until is not None]
        return max(ends) if len(ends) == len(frozen) else None
    spells = [spell(w, at) for w in allows]
    if not spells or any(s.open for s in spells):
        return at
    return min((s.until for s in spells if s.until is not None), default=None)


@lru_cache(maxsize=512)
def _rule(rule: str, start: datetime) -> rrulebase:
    return rrulestr(rule, dtstart=start, cache=True)


def _around(window: Window, now: datetime) -> list[tuple[datetime, datetime]]:
    """All that may last at a time, as instants."""
    local = now.astimezone(window.zone).replace(tzinfo=None)
    first, last = local - window.length - _SLACK, local + _SLACK
    starts = (
        _rule(window.rule, window.start).between(first, last, inc=True)
        if window.rule
        else [window.start]
    )
    return [_instants(window, s) for s in starts if s.date() not in window.left_out]


def _next(window: Window, now: datetime) -> datetime | None:
    """When the next one begins."""
    local = now.astimezone(window.zone).replace(tzinfo=None)
    for begin in _later(window, local - _SLACK):
        start, end = _instants(window, begin)
        if now < start < end and begin.date() not in window.left_out:
            return start
    return None


def _later(window: Window, local: datetime) -> Iterator[datetime]:
    if not window.rule:
        yield window.start
        return
    yield from _rule(window.rule, window.start).xafter(local, count=_MOST, inc=True)


def _instants(window: Window, start: datetime) -> tuple[datetime, datetime]:
    begin = _instant(window, start)
    if window.wall_clock:
        return begin, _instant(window, start + window.length)
    return begin, begin + window.length


def _instant(window: Window, local: datetime) -> datetime:
    return local.replace(tzinfo=window.zone, fold=0).astimezone(UTC)
