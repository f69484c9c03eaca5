"""Capacity: what pods ask for and what nodes have."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """Processor in cores and memory in bytes; ``None`` where it is not known."""

    cpu: Decimal | None = Decimal(0)
    memory: Decimal | None = Decimal(0)

    def __add__(self, other: Resources) -> Resources:
        return Resources(cpu=_sum(self.cpu, other.cpu), memory=_sum(self.memory, other.memory))

    def most(self, other: Resources) -> Resources:
        """The larger figure of each; one that is not known is none."""
        return Resources(cpu=_most(self.cpu, other.cpu), memory=_most(self.memory, other.memory))

    def times(self, count: int) -> Resources:
        """So many of them."""
        return Resources(
            cpu=None if self.cpu is None else self.cpu * count,
            memory=None if self.memory is None else self.memory * count,
        )


def _sum(one: Decimal | None, other: Decimal | None) -> Decimal | None:
    return None if one is None or other is None else one + other


def _most(one: Decimal | None, other: Decimal | None) -> Decimal | None:
    return max((d for d in (one, other) if d is not None), default=None)
