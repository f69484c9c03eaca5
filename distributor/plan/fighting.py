"""Fights: drift that comes back each time that it was healed, told apart by field and by opponent.

Another controller, another tool or an admission webhook wants the same field otherwise. Such a field is
left alone for a while, longer after each try; everything else is healed as ever.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson

from distributor.errors import Where
from distributor.errors.cluster import Fought, HeldByAnother
from distributor.model.drift import CUT, Contested, DriftedField, Fight, ObjectDrift, contested
from distributor.model.findings import Finding, Severity
from distributor.model.package import IgnoreRule
from distributor.model.refs import ObjectRef
from distributor.plan.ignoring import spec_of
from distributor.plan.loosened import TIES

_MOST = 64
"""Contested fields that are remembered of one target: the ones healed most often."""
_LONGEST_PATH = 300
_BY_WEBHOOK = "an admission webhook or the API server itself, whenever it is applied"
_BY_NOBODY = "somebody who leaves no trace in managedFields"

_NO_RULE = "Find what does it, and stop that; the API server's audit log tells."

Fights = Mapping[Contested, Fight]


def fought(before: Fights, healed: Iterable[ObjectDrift], now: datetime) -> dict[Contested, Fight]:
    """The fights after a look that healed these: counted on, and bounded."""
    found = dict(before)
    for drift in healed:
        for field in drift.fields or (None,):
            key = contested(drift.ref, field)
            new = Fight(
                over=key,
                path=field.path[:_LONGEST_PATH] if field else "",
                heals=0,
                last=now,
                at_write=field.at_write if field else False,
            )
            found[key] = found.get(key, new).again(now)
    hardest = sorted(found.values(), key=lambda f: (-f.heals, -f.last.timestamp(), f.path))
    return {fight.over: fight for fight in hardest[:_MOST]}


def at_rest(fights: Fights, now: datetime) -> frozenset[Contested]:
    """What is to be left alone now."""
    return frozenset(key for key, fight in fights.items() if now < fight.next_try)


def rule_for(ref: ObjectRef, field: DriftedField) -> IgnoreRule:
    """The rule that leaves one field to who holds it, or to anybody where that is not known."""
    names = tuple(name for name in field.manager.split(", ") if name)
    return IgnoreRule(kind=ref.group_kind, name=ref.name, fields=(field.pointer,), managers=names)


def fight_told(fight: Fight) -> str:
    """A fight in words: what, with whom, how often, and until when it is left alone."""
    return (
        f"{fight} was healed {fight.heals} times in a row, and is set again by {_opponent(fight)}; "
        f"next try not before {fight.next_try.isoformat(timespec='seconds')}"
    )


def fights_told(fights: Fights) -> tuple[Finding, ...]:
    """A finding for each fight, with the rule that would end it."""
    return tuple(
        Finding.of(
            Fought,
            f"({fight_told(fight)})",
            Where(file=str(fight.over.ref)),
            remedy=_remedy(fight),
            severity=Severity.WARNING,
        )
        for fight in fights.values()
        if fight.recognised
    )


def held_told(ref: ObjectRef, left: Sequence[DriftedField]) -> Finding:
    """That fields of an object are another's, with the rule that leaves the first of them there."""
    told = ", ".join(map(str, left))
    return Finding.of(
        HeldByAnother,
        f"({told})",
        Where(file=str(ref)),
        remedy=f"{HeldByAnother.remedy} The rule: {_rule(rule_for(ref, left[0]))}",
        severity=Severity.WARNING,
    )


def _opponent(fight: Fight) -> str:
    if fight.over.opponent:
        return f"the manager {fight.over.opponent}"
    return _BY_WEBHOOK if fight.at_write else _BY_NOBODY


def rule_text(fight: Fight) -> str:
    """The ignore rule that would end a fight, after a colon; empty where none would."""
    pointer = fight.over.pointer
    if not pointer or pointer in TIES or CUT in pointer + fight.over.opponent:
        return ""
    field = DriftedField(path=fight.path, pointer=pointer, manager=fight.over.opponent)
    return f": {_rule(rule_for(fight.over.ref, field))}"


def _remedy(fight: Fight) -> str:
    rule = rule_text(fight)
    return f"{Fought.remedy} The rule{rule}" if rule else _NO_RULE


def _rule(rule: IgnoreRule) -> str:
    return orjson.dumps(spec_of(rule)).decode()


def as_kept(fights: Iterable[Fight]) -> list[dict[str, Any]]:
    """What is kept of fights with the target's state."""
    return [
        {
            "ref": [f.over.ref.group, f.over.ref.kind, f.over.ref.namespace, f.over.ref.name],
            "pointer": f.over.pointer,
            "opponent": f.over.opponent,
            "path": f.path,
            "heals": f.heals,
            "last": f.last.isoformat(),
            "at_write": f.at_write,
        }
        for f in fights
    ]


def from_kept(rows: object) -> dict[Contested, Fight]:
    """The fights that were kept; what cannot be read is forgotten, for a count may be lost."""
    found: dict[Contested, Fight] = {}
    for row in rows if isinstance(rows, list) else []:
        try:
            fight = _fight(row)
        except (KeyError, TypeError, ValueError):
            continue
        found[fight.over] = fight
    return found


def _fight(row: Mapping[str, Any]) -> Fight:
    group, kind, namespace, name = map(str, row["ref"])
    last = datetime.fromisoformat(row["last"])
    if last.tzinfo is None:
        raise ValueError(row["last"])
    return Fight(
        over=Contested(
            ref=ObjectRef(group, kind, namespace, name),
            pointer=str(row["pointer"]),
            opponent=str(row["opponent"]),
        ),
        path=str(row["path"]),
        heals=int(row["heals"]),
        last=last,
        at_write=bool(row["at_write"]),
    )
