"""Gate 7: freeze and allow windows of the calendar.

It is asked at the decision, again at the moment of acceptance, and before each wave of a rollout.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from distributor.errors.policy import OutsideWindow
from distributor.model.findings import Finding
from distributor.model.policy import Window, WindowKind
from distributor.model.promotion import GateAnswer
from distributor.policy.calendar import Scope, covers, opening, spell
from distributor.policy.facts import GateFacts, PolicyView
from distributor.policy.gates.answers import Speaker, utc

_SAY = Speaker(7, "windows")


def evaluate(
    facts: GateFacts, view: PolicyView, _params: Mapping[str, Any], now: datetime
) -> GateAnswer:
    """Waits while a freeze lasts, and outside the allow windows where there are any; says until when.

    The windows are those of ``policies/calendar.yaml`` that are about the environment, the app, the class
    of the request and the tier of one of its targets. A rollback never waits for a window.
    """
    if facts.tiers is None:
        return _SAY.lacks("the tiers of the targets")
    scope = Scope(
        environment=facts.name.environment,
        app=facts.app,
        request_class=facts.asked.trailers.request_class.value,
        tiers=frozenset(facts.tiers),
    )
    windows = [w for w in view.policies.windows if covers(w, scope)]
    if not windows:
        return _SAY.passes("no window is set")
    findings = (*_frozen(windows, now), *_closed(windows, now))
    if findings:
        return _SAY.waits(findings=findings, until=opening(windows, now))
    return _SAY.passes("no freeze, and a window is open" if _allows(windows) else "no freeze")


def _allows(windows: Iterable[Window]) -> list[Window]:
    return [w for w in windows if w.kind is WindowKind.ALLOW]


def _frozen(windows: Iterable[Window], now: datetime) -> Iterator[Finding]:
    for window in windows:
        now_there = spell(window, now)
        if window.kind is WindowKind.FREEZE and now_there.open:
            until = f" until {utc(now_there.until)}" if now_there.until else ""
            why = f": {window.reason}" if window.reason else ""
            yield Finding.of(OutsideWindow, f"(freeze {window.name}{until}{why})")


def _closed(windows: Iterable[Window], now: datetime) -> Iterator[Finding]:
    spells = [(w.name, spell(w, now)) for w in _allows(windows)]
    if not spells or any(s.open for _, s in spells):
        return
    nexts = sorted((s.until, name) for name, s in spells if s.until is not None)
    text = f"{nexts[0][1]} opens at {utc(nexts[0][0])}" if nexts else "none will open any more"
    yield Finding.of(OutsideWindow, f"(no window is open: {text})")
