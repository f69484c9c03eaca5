"""Windows in time: recurrences, time zones, and the two nights a year on which the clock jumps.

Berlin: on 2026-03-29 02:00 becomes 03:00 (01:00 UTC); on 2026-10-25 03:00 becomes 02:00 (01:00 UTC).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distributor.model.policy import Window, WindowKind
from distributor.policy.calendar import Scope, Spell, covers, opening, spell

BERLIN = ZoneInfo("Europe/Berlin")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def window(start: str, end: str = "", rule: str = "", **more) -> Window:
    begin = datetime.fromisoformat(start)
    length = datetime.fromisoformat(end) - begin if end else more.pop("length")
    defaults = {"name": "w", "kind": WindowKind.FREEZE, "zone": BERLIN}
    return Window(
        start=begin, length=length, wall_clock=bool(end), rule=rule, **{**defaults, **more}
    )


WEEKEND = window("2026-01-02T16:00", "2026-01-05T07:00", "FREQ=WEEKLY;BYDAY=FR")
ONCE = window("2026-07-01T00:00", "2026-07-02T00:00")
NIGHTS = window("2026-01-01T22:00", "2026-01-02T06:00", "FREQ=DAILY")
HOUR = window("2026-01-01T02:30", length=timedelta(hours=1), rule="FREQ=DAILY")
INSIDE = window("2026-01-01T02:15", "2026-01-01T02:45", "FREQ=DAILY")
FRIDAY_13 = window("2026-02-13T00:00", "2026-02-14T00:00", "FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13")
LAST = window("2026-01-30T00:00", "2026-01-31T00:00", "FREQ=MONTHLY;BYDAY=-1FR")
TWICE = window("2026-01-01T00:00", "2026-01-02T00:00", "FREQ=WEEKLY;COUNT=2")
UNTIL = window("2026-01-01T00:00", "2026-01-02T00:00", "FREQ=WEEKLY;UNTIL=20260108T000000")
LEFT_OUT = replace(WEEKEND, left_out=frozenset({date(2026, 1, 9)}))
NEW_YORK = window("2026-01-05T09:00", "2026-01-05T17:00", "FREQ=DAILY", zone=ZoneInfo("America/New_York"))  # fmt: skip


@pytest.mark.parametrize(
    ("given_window", "now", "lasts", "until"),
    [
        (ONCE, "2026-06-30T21:59:59", False, "2026-06-30T22:00"),
        (ONCE, "2026-06-30T22:00", True, "2026-07-01T22:00"),
        (ONCE, "2026-07-01T22:00", False, None),
        (WEEKEND, "2026-01-09T14:59:59", False, "2026-01-09T15:00"),
        (WEEKEND, "2026-01-09T15:00", True, "2026-01-12T06:00"),
        (WEEKEND, "2026-01-12T06:00", False, "2026-01-16T15:00"),
        # over both changes of the clock a wall-clock end is the same time of day
        (WEEKEND, "2026-03-28T12:00", True, "2026-03-30T05:00"),
        (WEEKEND, "2026-10-24T12:00", True, "2026-10-26T06:00"),
        (NIGHTS, "2026-03-29T00:00", True, "2026-03-29T04:00"),
        (NIGHTS, "2026-10-25T00:00", True, "2026-10-25T05:00"),
        # 02:30 does not exist: it is 03:30 of the new time, and an hour later it is over
        (HOUR, "2026-03-29T01:29:59", False, "2026-03-29T01:30"),
        (HOUR, "2026-03-29T01:30", True, "2026-03-29T02:30"),
        # 02:30 exists twice: it is the first of the two
        (HOUR, "2026-10-25T00:30", True, "2026-10-25T01:30"),
        (HOUR, "2026-10-25T01:30", False, "2026-10-26T01:30"),
        (INSIDE, "2026-10-25T00:15", True, "2026-10-25T00:45"),
        (INSIDE, "2026-10-25T01:15", False, "2026-10-26T01:15"),
        (INSIDE, "2026-03-29T01:15", True, "2026-03-29T01:45"),
        (FRIDAY_13, "2026-02-14T12:00", False, "2026-03-12T23:00"),
        (LAST, "2026-02-01T00:00", False, "2026-02-26T23:00"),
        (TWICE, "2026-01-09T12:00", False, None),
        (UNTIL, "2026-01-08T12:00", True, "2026-01-08T23:00"),
        (UNTIL, "2026-01-09T12:00", False, None),
        (LEFT_OUT, "2026-01-10T12:00", False, "2026-01-16T15:00"),
        # New York changes its clock three weeks before Berlin
        (NEW_YORK, "2026-03-09T12:59:59", False, "2026-03-09T13:00"),
    ],
)
def test_a_window_stands(given_window: Window, now: str, *, lasts: bool, until: str | None) -> None:
    expected = Spell(open=lasts, until=at(until) if until else None)
    assert spell(given_window, at(now)) == expected


def test_windows_that_meet_are_one_and_one_that_never_ends_has_no_end() -> None:
    days = window("2026-01-01T00:00", "2026-01-02T00:00", "FREQ=DAILY;COUNT=10")
    assert spell(days, at("2026-01-03T12:00")).until == at("2026-01-10T23:00")
    assert spell(replace(days, rule="FREQ=DAILY"), at("2026-01-03T12:00")).until is None


ALLOW = window("2026-01-05T09:00", "2026-01-05T17:00", "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH", kind=WindowKind.ALLOW)  # fmt: skip


@pytest.mark.parametrize(
    ("windows", "now", "expected"),
    [
        ((), "2026-01-09T12:00", "2026-01-09T12:00"),
        ((WEEKEND,), "2026-01-09T16:00", "2026-01-12T06:00"),
        ((ALLOW,), "2026-01-06T12:00", "2026-01-06T12:00"),
        ((ALLOW,), "2026-01-08T16:00", "2026-01-12T08:00"),
        ((WEEKEND, ALLOW), "2026-01-09T16:00", "2026-01-12T08:00"),
        # the window that opens lies in a freeze, so the next one is meant
        ((window("2026-01-12T00:00", "2026-01-13T12:00"), ALLOW), "2026-01-09T12:00", "2026-01-13T11:00"),
        ((replace(ALLOW, rule="FREQ=WEEKLY;COUNT=1"),), "2026-01-09T12:00", None),
        ((replace(NIGHTS, start=datetime.fromisoformat("2026-01-01T00:00"), length=timedelta(days=2)),), "2026-02-01T00:00", None),
    ],
)  # fmt: skip
def test_when_nothing_stands_in_the_way(
    windows: tuple[Window, ...], now: str, expected: str | None
) -> None:
    assert opening(windows, at(now)) == (at(expected) if expected else None)


@pytest.mark.parametrize(
    ("more", "covered"),
    [
        ({}, True),
        ({"environments": ("prd", "dr")}, True),
        ({"environments": ("sit",)}, False),
        ({"apps": ("shop", "web")}, True),
        ({"apps": ("web",)}, False),
        ({"classes": ("normal",)}, True),
        ({"classes": ("hotfix",)}, False),
        ({"tiers": ("edge",)}, True),
        ({"tiers": ("slim",)}, False),
    ],
)
def test_what_a_window_is_about(more: dict[str, tuple[str, ...]], *, covered: bool) -> None:
    scope = Scope(
        environment="prd",
        app="shop",
        request_class="normal",
        tiers=frozenset({"central", "edge"}),
    )
    assert covers(replace(ONCE, **more), scope) is covered  # type: ignore[arg-type]  # a table's shorthand


RULES = ["", "FREQ=DAILY", "FREQ=WEEKLY;BYDAY=FR", "FREQ=MONTHLY;BYDAY=1FR", "FREQ=DAILY;COUNT=3"]
windows = st.builds(
    Window,
    name=st.just("w"),
    kind=st.sampled_from(WindowKind),
    zone=st.sampled_from([BERLIN, ZoneInfo("America/New_York"), ZoneInfo("Australia/Lord_Howe")]),
    start=st.sampled_from(
        [datetime.fromisoformat(f"2026-01-02T{hour}:30") for hour in ("00", "02", "23")]
    ),
    length=st.sampled_from([timedelta(minutes=30), timedelta(hours=8), timedelta(days=3)]),
    wall_clock=st.booleans(),
    rule=st.sampled_from(RULES),
)
moments = st.datetimes(
    datetime.fromisoformat("2026-03-01T00:00"),
    datetime.fromisoformat("2026-04-10T00:00"),
    timezones=st.just(UTC),
)


@given(windows, moments)
@settings(max_examples=200, deadline=None)
def test_nothing_changes_before_the_time_that_is_named(given_window: Window, now: datetime) -> None:
    first = spell(given_window, now)
    if first.until is None:
        return
    assert first.until > now
    assert spell(given_window, first.until).open is not first.open
    middle = now + (first.until - now) / 2
    assert spell(given_window, middle) == first


@given(st.lists(windows, max_size=3), moments)
@settings(max_examples=200, deadline=None)
def test_at_the_opening_nothing_stands_in_the_way(several: list[Window], now: datetime) -> None:
    moment = opening(several, now)
    if moment is None:
        return
    assert moment >= now
    assert opening(several, moment) == moment
    spells = [(w.kind, spell(w, moment).open) for w in several]
    assert (WindowKind.FREEZE, True) not in spells
    allows = [lasts for kind, lasts in spells if kind is WindowKind.ALLOW]
    assert not allows or any(allows)
