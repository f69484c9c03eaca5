"""Bounds of what a registry may do to us."""

from __future__ import annotations

from dataclasses import dataclass

MIB = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Times in seconds, sizes in bytes.

    ``total`` bounds one answer, its body included; ``read`` the silence in the middle of one. ``pause`` is
    the most that is waited between two tries, whatever the registry asks for.
    """

    connect: float = 10.0
    read: float = 30.0
    total: float = 600.0
    tries: int = 4
    pause: float = 30.0
    redirects: int = 5
    manifest: int = 4 * MIB
    token: int = MIB
    layer: int = 64 * MIB
    helper: float = 30.0
