"""Drift as it is told: fields that are not as they were applied, what becomes of them, and fights over them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from distributor.model.refs import ObjectRef, digest_of

_SHOWN = 3
_LONGEST, _CUT = 300, 200
CUT = "~..."
"""What follows the beginning of a pointer that was too long to be remembered; no pointer has it in it."""
_FIRST_REST, _LONGEST_REST = timedelta(seconds=10), timedelta(minutes=5)
_QUIET = timedelta(minutes=15)
_RECOGNISED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftedField:
    """One field that is not as it was applied; ``manager`` names who holds it where it is not us.

    ``pointer`` is empty where it is the object as a whole. ``at_write`` says that it is still ours, so
    that it was set otherwise when we applied it: by an admission webhook, or by the API server itself.
    """

    path: str
    pointer: str
    manager: str = ""
    at_write: bool = False

    def __str__(self) -> str:
        return f"{self.path} (held by {self.manager})" if self.manager else self.path


def fields_told(fields: Iterable[DriftedField], most: int = _SHOWN) -> str:
    """Fields in words, the first ones by name."""
    every = tuple(fields)
    told = ", ".join(map(str, every[:most]))
    rest = len(every) - most
    return f"{told} and {rest} more" if rest > 0 else told


class Standing(StrEnum):
    """What becomes of a drift at the look that found it."""

    HEALED = "healed"
    LEFT = "left"
    RESTING = "resting"  # fought for, and left until the next try


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectDrift:
    """The drift of one object in words, with its fields where these can be told."""

    ref: ObjectRef
    told: str
    standing: Standing
    fields: tuple[DriftedField, ...] = ()

    def __str__(self) -> str:
        return f"{self.ref}: {self.told}"

    @property
    def contested(self) -> tuple[Contested, ...]:
        """What it may come to be fought over: its fields, or the object itself where it has none."""
        return tuple(contested(self.ref, one) for one in self.fields) or (contested(self.ref),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Contested:
    """What is fought for, and with whom: a field of an object, or with no pointer the object itself."""

    ref: ObjectRef
    pointer: str = ""
    opponent: str = ""


def contested(ref: ObjectRef, field: DriftedField | None = None) -> Contested:
    """What a drift would be fought over; without a field the object itself."""
    if field is None:
        return Contested(ref=ref)
    return Contested(ref=ref, pointer=_short(field.pointer), opponent=_short(field.manager))


def _short(text: str) -> str:
    """Map keys and names of managers may be of any length, and what is remembered may not."""
    return text if len(text) <= _LONGEST else f"{text[:_CUT]}{CUT}{digest_of(text.encode())}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fight:
    """How often one contested field was healed without staying so, and when last."""

    over: Contested
    path: str
    heals: int
    last: datetime
    at_write: bool = False

    def __str__(self) -> str:
        return f"{self.path} of {self.over.ref}" if self.path else str(self.over.ref)

    def again(self, now: datetime) -> Fight:
        """Healed once more; a drift that stayed away for long is a new one."""
        heals = 1 if self.forgiven(now) else self.heals + 1
        return Fight(over=self.over, path=self.path, heals=heals, last=now, at_write=self.at_write)

    @property
    def recognised(self) -> bool:
        """Whether it is a fight by now, and not an edit that was put right."""
        return self.heals >= _RECOGNISED

    @property
    def next_try(self) -> datetime:
        """When it is healed again: at once while it is no fight, then twice as late after each time."""
        if not self.recognised:
            return self.last
        doubled = min(self.heals - _RECOGNISED, 10)
        return self.last + min(_FIRST_REST * (1 << doubled), _LONGEST_REST)

    def forgiven(self, now: datetime) -> bool:
        """Whether the opponent was quiet for so long that it is over."""
        return now - self.last >= _QUIET
