"""The calendar's file: what it gives, and each mistake with its code and field."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest
import yaml

from distributor.catalog.loading import Loader
from distributor.testing.trees import MemoryTrees

WINDOW = {
    "name": "weekend",
    "kind": "freeze",
    "environments": ["sit"],
    "timeZone": "Europe/Berlin",
    "start": "2026-01-02T16:00",
    "end": "2026-01-05T07:00",
    "rule": "FREQ=WEEKLY;BYDAY=FR",
}


def read(files, *windows, **more):
    document = {
        "apiVersion": "distributor.dev/v1alpha1",
        "kind": "Calendar",
        "metadata": {"name": "calendar"},
        "spec": {"windows": list(windows)},
    } | more
    files["policies/calendar.yaml"] = yaml.safe_dump(document, sort_keys=False).encode()
    trees = MemoryTrees()
    return Loader(trees).policies(trees.add(files))


def test_a_sound_calendar(files):
    found = read(files, WINDOW | {"except": ["2026-01-09"], "classes": ["normal"], "reason": "r"})
    assert found.findings == ()
    (window,) = found.windows
    assert str(window.zone) == "Europe/Berlin"
    assert (window.start, window.length) == (
        datetime.fromisoformat("2026-01-02T16:00"),
        timedelta(days=2, hours=15),
    )
    assert window.wall_clock
    assert window.left_out == {date(2026, 1, 9)}
    assert (window.classes, window.apps, window.tiers) == (("normal",), ("*",), ("*",))


def test_without_a_calendar_there_is_no_window(files):
    trees = MemoryTrees()
    assert Loader(trees).policies(trees.add(files)).windows == ()


def without(*names, **more):
    return {k: v for k, v in WINDOW.items() if k not in names} | more


def rule(text):
    return without(rule=text)


@pytest.mark.parametrize(
    ("window", "code", "field", "said"),
    [
        (without("start"), "DST103", "spec.windows[0]", "start"),
        (without(duration="1h"), "DST103", "spec.windows[0]", ""),
        (without("end"), "DST103", "spec.windows[0]", ""),
        (without(kind="frost"), "DST103", "spec.windows[0].kind", "freeze, allow"),
        (without(starts="x"), "DST102", "spec.windows[0].starts", "Did you mean `start`"),
        (without(environments=["nowhere"]), "DST111", "spec.windows[0].environments[0]", "nowhere"),
        (without(timeZone="Europe/Berlim"), "DST262", "spec.windows[0].timeZone", "Europe/Berlin?"),
        (without(timeZone="right/UTC/x"), "DST262", "spec.windows[0].timeZone", "no IANA"),
        (without(start="2026-02-30T16:00"), "DST262", "spec.windows[0].start", "2026-02-30"),
        (without(start="1970-01-02T16:00"), "DST262", "spec.windows[0].start", "2000"),
        (without(end="2026-01-02T16:00"), "DST262", "spec.windows[0].end", "more than nothing"),
        (without(end="2027-02-02T16:00"), "DST262", "spec.windows[0].end", "366 days"),
        (without("end", duration="0s"), "DST262", "spec.windows[0].duration", "more than nothing"),
        (without(start="2026-01-01T16:00"), "DST262", "spec.windows[0].start", "first at 2026-01-02"),
        (without(**{"except": ["2026-01-10"]}), "DST262", "spec.windows[0].except[0]", "None begins"),
        (without(**{"except": ["2026-13-01"]}), "DST262", "spec.windows[0].except[0]", "no day"),
        (rule("WEEKLY"), "DST262", "spec.windows[0].rule", "NAME=VALUE"),
        (rule("FREQ=SECONDLY"), "DST262", "spec.windows[0].rule", "DAILY, WEEKLY"),
        (rule("BYDAY=FR"), "DST262", "spec.windows[0].rule", "FREQ is needed"),
        (rule("FREQ=WEEKLY;FREQ=DAILY"), "DST262", "spec.windows[0].rule", "twice"),
        (rule("FREQ=WEEKLY;COUNT=2;UNTIL=20270101"), "DST262", "spec.windows[0].rule", "exclude"),
        (rule("FREQ=WEEKLY;BYMONTHDAY=13"), "DST262", "spec.windows[0].rule", "does not go with"),
        (rule("FREQ=WEEKLY;BYDAY=1FR"), "DST262", "spec.windows[0].rule", "does not go with"),
        (rule("FREQ=WEEKLY;BYDAY=FRI"), "DST262", "spec.windows[0].rule", "does not go with"),
        (rule("FREQ=WEEKLY;BYHOUR=3"), "DST262", "spec.windows[0].rule", "does not go with"),
        (rule("FREQ=WEEKLY;INTERVAL=0"), "DST262", "spec.windows[0].rule", "from 1"),
        (rule("FREQ=WEEKLY;COUNT=99999"), "DST262", "spec.windows[0].rule", "10000"),
        (rule("FREQ=WEEKLY;UNTIL=2027"), "DST262", "spec.windows[0].rule", "no time"),
        (rule("FREQ=WEEKLY;WKST=XX"), "DST262", "spec.windows[0].rule", "no day of the week"),
        (rule("FREQ=MONTHLY;BYMONTH=2;BYMONTHDAY=30"), "DST262", "spec.windows[0].start", "never"),
    ],
)  # fmt: skip
def test_what_is_wrong_has_its_field_and_closes_the_policy(files, window, code, field, said):
    found = read(files, window)
    assert code in {f.code for f in found.findings}, found.findings
    finding = next(f for f in found.findings if f.code == code)
    assert finding.where.file == "policies/calendar.yaml"
    assert finding.where.line > 0
    assert finding.where.field == field
    assert said in finding.message
    assert finding.remedy


def test_all_mistakes_are_told_at_once(files):
    found = read(files, without(timeZone="x"), without(name="b", start="2026-99-01T00:00"), WINDOW, WINDOW)  # fmt: skip
    assert [f.where.field for f in found.findings] == [
        "spec.windows[0].timeZone",
        "spec.windows[1].start",
        "spec.windows[3].name",
    ]


@pytest.mark.parametrize(
    ("until", "expected"),
    [
        ("20260401T120000Z", "20260401T140000"),
        ("20260401T120000", "20260401T120000"),
        ("20260401", "20260401T235959"),
    ],
)
def test_until_becomes_a_wall_clock_time(files, until, expected):
    (window,) = read(files, rule(f"FREQ=WEEKLY;UNTIL={until}")).windows
    assert window.rule == f"FREQ=WEEKLY;UNTIL={expected}"


def test_a_calendar_of_another_name_is_not_overlooked(files):
    files["policies/calendar.yml"] = b"spec: {}"
    trees = MemoryTrees()
    (finding,) = Loader(trees).policies(trees.add(files)).findings
    assert (finding.code, finding.where.file) == ("DST106", "policies/calendar.yml")
