"""Maintenance windows: from a cluster's file to what a rollout is told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from distributor.catalog.calendar import maintenance
from distributor.policy.maintenance import kept_closed

SUNDAY = {
    "rule": "FREQ=WEEKLY;BYDAY=SU",
    "start": "02:00",
    "duration": "3h",
    "timezone": "Europe/Berlin",
}


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "until"),
    [
        ("2026-06-07T00:00:00", None),  # 02:00 in Berlin, a Sunday
        ("2026-06-07T02:59:59", None),
        ("2026-06-07T03:00:00", "2026-06-14T00:00:00"),
        ("2026-06-06T23:59:59", "2026-06-07T00:00:00"),
        ("2026-12-05T12:00:00", "2026-12-06T01:00:00"),  # winter
    ],
)
def test_a_cluster_is_closed_outside_its_windows_until_the_next_one(now, until):
    found = kept_closed((maintenance(0, SUNDAY),), at(now))
    if until is None:
        assert found is None
        return
    assert found is not None
    assert found.until == at(until)
    assert found.reason == f"outside its maintenance windows until {until.replace('T', ' ')} UTC"


def test_one_open_window_is_enough_and_none_at_all_never_closes():
    daily = maintenance(1, {**SUNDAY, "rule": "FREQ=DAILY"})
    wednesday = at("2026-06-10T00:30:00")
    assert kept_closed((maintenance(0, SUNDAY),), wednesday) is not None
    assert kept_closed((maintenance(0, SUNDAY), daily), wednesday) is None
    assert kept_closed((), wednesday) is None


def test_a_rule_that_has_ended_says_so():
    over = maintenance(0, {**SUNDAY, "rule": "FREQ=WEEKLY;BYDAY=SU;UNTIL=20200101"})
    found = kept_closed((over,), at("2026-06-10T00:30:00"))
    assert found is not None
    assert found.until is None
    assert found.reason.endswith("none will open any more")


def test_every_second_week_has_a_fixed_beginning():
    window = maintenance(
        0, {**SUNDAY, "rule": "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO", "timezone": "UTC"}
    )
    opens = [
        kept_closed((window,), at("2026-06-02T12:00:00") + timedelta(weeks=n)).until
        for n in range(3)
    ]
    assert len(set(opens)) == 2


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"timezone": "Europe/Berln"}, "windows[3].timeZone: There is no IANA time zone"),
        ({"rule": "FREQ=DAILY;COUNT=3"}, "windows[3].rule: COUNT needs a first day"),
        ({"rule": "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"}, "windows[3].rule: It never happens"),
        ({"rule": "FREQ=WEEKLY;BYHOUR=1"}, "windows[3].rule: BYHOUR does not go with"),
        ({"duration": "0s"}, "windows[3].duration: It lasts"),
    ],
)
def test_a_window_without_sense_is_told(change, text):
    with pytest.raises(ValueError, match="windows") as refused:
        maintenance(3, {**SUNDAY, **change})
    assert text in str(refused.value)
