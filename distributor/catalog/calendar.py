"""``policies/calendar.yaml`` -> windows: times, zones and recurrences are checked, and what is wrong has its line.

Recurrences are RFC 5545's, of the frequencies that people plan by. A rule that dateutil would search for
without an end is not let through.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from dateutil.rrule import rrulebase, rrulestr

from distributor.catalog.documents import Document, FieldPath
from distributor.catalog.durations import seconds
from distributor.errors.policy import BadCalendar
from distributor.model.findings import Finding
from distributor.model.policy import Window, WindowKind

FILE = "policies/calendar.yaml"
_LONGEST = timedelta(days=366)
_YEARS = range(2000, 2200)
_DAYS = ("BYDAY", "BYMONTH")
_PARTS: Mapping[str, tuple[str, ...]] = {
    "DAILY": _DAYS,
    "WEEKLY": _DAYS,
    "MONTHLY": (*_DAYS, "BYMONTHDAY", "BYSETPOS"),
    "YEARLY": (*_DAYS, "BYMONTHDAY", "BYSETPOS", "BYYEARDAY", "BYWEEKNO"),
}
"""What a rule of a frequency may say beside FREQ, INTERVAL, COUNT, UNTIL and WKST."""
_ALWAYS = ("FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST")
_DAY = re.compile(r"([-+]?[0-9]{1,2})?(MO|TU|WE|TH|FR|SA|SU)")
_RANGES = {
    "INTERVAL": range(1, 1000),
    "COUNT": range(1, 10_001),
    "BYMONTH": range(1, 13),
    "BYMONTHDAY": range(-31, 32),
    "BYSETPOS": range(-366, 367),
    "BYYEARDAY": range(-366, 367),
    "BYWEEKNO": range(-53, 54),
}
_LISTS = frozenset({"BYMONTH", "BYMONTHDAY", "BYSETPOS", "BYYEARDAY", "BYWEEKNO"})


class _WrongError(ValueError):
    """What is wrong, and with which field of the window."""

    def __init__(self, field: str, text: str, index: int | None = None) -> None:
        super().__init__(text)
        self.path: FieldPath = (field,) if index is None else (field, index)


def read_windows(document: Document) -> tuple[tuple[Window, ...], tuple[Finding, ...]]:
    """The windows of a calendar that follows its schema, and everything that is wrong with them."""
    windows: list[Window] = []
    findings: list[Finding] = []
    for index, data in enumerate(document.spec["windows"]):
        path: FieldPath = ("spec", "windows", index)
        try:
            windows.append(_window(data, {window.name for window in windows}))
        except _WrongError as wrong:
            where = document.where((*path, *wrong.path))
            findings.append(Finding.of(BadCalendar, str(wrong), where))
    return tuple(windows), tuple(findings)


def maintenance(number: int, data: Mapping[str, Any]) -> Window:
    """One maintenance window of a cluster that follows its schema; raises ``ValueError`` where it has no sense.

    Its rule counts from Monday, 1 January 2001: that is where an INTERVAL begins, and the day that a rule
    without one means.
    """
    try:
        zone = _zone(data["timezone"])
        rule = _rule(data["rule"], zone)
        if "COUNT=" in rule:
            raise _WrongError("rule", "COUNT needs a first day, and a cluster's window has none.")
        hour, _, minute = data["start"].partition(":")
        start = _EPOCH.replace(hour=int(hour), minute=int(minute))
        if rrulestr(rule, dtstart=start).after(start, inc=True) is None:
            raise _WrongError("rule", "It never happens.")
        length = _length(data, start)
    except ValueError as error:
        field = f".{error.path[0]}" if isinstance(error, _WrongError) else ""
        text = f"windows[{number}]{field}: {str(error).removesuffix('.')}"
        raise ValueError(text) from error
    name = data.get("name", f"window-{number + 1}")
    return Window(
        name=name, kind=WindowKind.ALLOW, zone=zone, start=start, length=length, rule=rule
    )


_EPOCH = datetime.fromisoformat("2001-01-01")
"""A wall-clock time in whatever zone a window has."""


def _window(data: Mapping[str, Any], taken: set[str]) -> Window:
    if data["name"] in taken:
        raise _WrongError("name", f"There are two windows called {data['name']!r}.")
    zone = _zone(data["timeZone"])
    start = _time(data, "start")
    length = _length(data, start)
    text = data.get("rule", "")
    rule = _rule(text, zone) if text else ""
    return Window(
        name=data["name"],
        kind=WindowKind(data["kind"]),
        zone=zone,
        start=start,
        length=length,
        wall_clock="end" in data,
        rule=rule,
        left_out=frozenset(_left_out(data, _starts(rule, start))),
        environments=tuple(data["environments"]),
        apps=tuple(data.get("apps", ("*",))),
        classes=tuple(data.get("classes", ("*",))),
        tiers=tuple(data.get("tiers", ("*",))),
        reason=data.get("reason", ""),
    )


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


def _zone(name: str) -> ZoneInfo:
    if name not in _zones():
        close = difflib.get_close_matches(name, _zones(), n=1, cutoff=0.6)
        hint = f" Did you mean {close[0]}?" if close else ""
        raise _WrongError("timeZone", f"There is no IANA time zone {name!r}.{hint}")
    return ZoneInfo(name)


def _time(data: Mapping[str, Any], field: str) -> datetime:
    try:
        time = datetime.fromisoformat(data[field])
    except ValueError as error:
        raise _WrongError(field, f"{data[field]} is no time: {error}.") from error
    if time.year not in _YEARS:
        text = f"{data[field]}: a year from {_YEARS.start} to {_YEARS.stop - 1} is needed."
        raise _WrongError(field, text)
    return time


def _length(data: Mapping[str, Any], start: datetime) -> timedelta:
    field = "end" if "end" in data else "duration"
    length = (
        _time(data, "end") - start
        if field == "end"
        else timedelta(seconds=seconds(data["duration"]))
    )
    if not timedelta() < length <= _LONGEST:
        raise _WrongError(
            field, f"It lasts {length}; more than nothing and at most 366 days is needed."
        )
    return length


def _rule(text: str, zone: ZoneInfo) -> str:
    """The rule as dateutil reads it with a start without a zone: UNTIL becomes a wall-clock time."""
    parts: dict[str, str] = {}
    for part in text.upper().split(";"):
        name, equals, value = part.partition("=")
        if not equals or not value:
            raise _WrongError("rule", f"{part!r} is not of the form NAME=VALUE.")
        if name in parts:
            raise _WrongError("rule", f"{name} stands there twice.")
        parts[name] = value
    known = _PARTS.get(parts.get("FREQ", ""))
    if known is None:
        raise _WrongError("rule", f"FREQ is needed, one of {', '.join(_PARTS)}.")
    if "COUNT" in parts and "UNTIL" in parts:
        raise _WrongError("rule", "COUNT and UNTIL exclude each other.")
    for name, value in parts.items():
        if name not in (*_ALWAYS, *known):
            text = f"{name} does not go with FREQ={parts['FREQ']}; {', '.join(known)} do."
            raise _WrongError("rule", text)
        parts[name] = _until(value, zone) if name == "UNTIL" else _value(name, value, parts["FREQ"])
    return ";".join(f"{name}={value}" for name, value in parts.items())


def _value(name: str, value: str, frequency: str) -> str:
    if name == "BYDAY":
        found = [_DAY.fullmatch(day) for day in value.split(",")]
        numbered = any(match and match[1] for match in found)
        zero = any(match and match[1] and int(match[1]) == 0 for match in found)
        if not all(found) or zero or (numbered and frequency not in ("MONTHLY", "YEARLY")):
            raise _WrongError("rule", f"BYDAY={value} does not go with FREQ={frequency}.")
    elif name == "WKST" and not (_DAY.fullmatch(value) and value.isalpha()):
        raise _WrongError("rule", f"WKST={value} is no day of the week.")
    elif name in _RANGES:
        numbers = value.split(",") if name in _LISTS else [value]
        if not all(_in(number, _RANGES[name]) for number in numbers):
            limits = f"{_RANGES[name].start} to {_RANGES[name].stop - 1}"
            raise _WrongError(
                "rule", f"{name}={value}: numbers from {limits} without 0 are needed."
            )
    return value


def _in(text: str, numbers: range) -> bool:
    return bool(re.fullmatch(r"[-+]?[0-9]{1,5}", text)) and int(text) in numbers and int(text) != 0


def _until(value: str, zone: ZoneInfo) -> str:
    """The last wall-clock time; of a day without a time its end, with a Z the time in UTC."""
    try:
        if value.endswith("Z"):
            at = datetime.strptime(value, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).astimezone(zone)
        elif "T" in value:
            at = datetime.strptime(value, "%Y%m%dT%H%M%S").replace(tzinfo=zone)
        else:
            at = datetime.strptime(f"{value}T235959", "%Y%m%dT%H%M%S").replace(tzinfo=zone)
    except (ValueError, OverflowError) as error:
        text = f"UNTIL={value} is no time such as 20271231 or 20271231T230000Z."
        raise _WrongError("rule", text) from error
    return f"{at:%Y%m%dT%H%M%S}".rjust(15, "0")


def _starts(rule: str, start: datetime) -> rrulebase | None:
    """The recurrence, whose first time is the start itself: else it would be unclear whether that counts."""
    if not rule:
        return None
    try:
        starts = rrulestr(rule, dtstart=start)
        first = starts.after(start, inc=True)
    except (ValueError, TypeError, OverflowError) as error:
        raise _WrongError("rule", f"The rule cannot be read: {error}.") from error
    if first != start:
        text = "never" if first is None else f"first at {first.isoformat(timespec='minutes')}"
        raise _WrongError("start", f"The rule does not begin at `start`: it happens {text}.")
    return starts


def _left_out(data: Mapping[str, Any], starts: rrulebase | None) -> Iterator[date]:
    for index, text in enumerate(data.get("except", ())):
        try:
            day = date.fromisoformat(text)
        except ValueError as error:
            raise _WrongError("except", f"{text} is no day: {error}.", index) from error
        begin = datetime.combine(day, datetime.min.time())
        if starts is None or not starts.between(
            begin, begin + timedelta(days=1, seconds=-1), inc=True
        ):
            raise _WrongError(
                "except", f"None begins on {text}, so there is none to leave out.", index
            )
        yield day
