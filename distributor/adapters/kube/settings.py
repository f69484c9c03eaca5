"""Where a cluster's API server is found, and how long and how often it is asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from distributor.errors.service import BadSetting

_FIELDS = frozenset({"kubeconfig", "context"})


@dataclass(frozen=True, slots=True, kw_only=True)
class KubeSettings:
    """One entry of the setting ``connections``; an empty context means the file's current one."""

    kubeconfig: Path
    context: str = ""

    @classmethod
    def parse(cls, name: str, entry: Mapping[str, object]) -> KubeSettings:
        """Read ``{kubeconfig, context}``; raises ``BadSetting``."""
        unknown = sorted(set(entry) - _FIELDS)
        if unknown:
            raise BadSetting(f"connections.{name} has no field {', '.join(unknown)}.")
        kubeconfig, context = entry.get("kubeconfig"), entry.get("context", "")
        if not isinstance(kubeconfig, str) or not kubeconfig:
            raise BadSetting(f"connections.{name}.kubeconfig must name a file.")
        if not isinstance(context, str):
            raise BadSetting(f"connections.{name}.context must be a text.")
        return cls(kubeconfig=Path(kubeconfig).expanduser(), context=context)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits of one cluster's connection; times in seconds.

    ``concurrency`` requests run at once, and ``lenient`` times as many with those that have had no answer for
    ``patience``; of one group of objects never more than ``concurrency``. ``total`` is more than the 34 s
    after which an API server itself gives a write up, whose webhooks may take 30. ``throttled`` is the most that is waited altogether when the
    server asks to, ``confirm`` how long a deletion is watched, ``establish`` how long a kind is waited
    for whose definition was applied here. More objects of a kind in a namespace than ``singly`` are read
    by a list, ``page`` at a time. A longer answer than ``largest_answer`` bytes is not read, nor a longer
    event of a watch than ``largest_event``. A watch that hears nothing for ``silence`` is broken (servers
    send a bookmark every minute); ``first_look`` is how long a new one is waited for,
    ``refused`` how long one rests that the server refuses,
    ``broken`` how long at first one that broke off.
    """

    concurrency: int = 8
    connect: float = 5.0
    total: float = 40.0
    throttled: float = 5.0
    confirm: float = 3.0
    establish: float = 5.0
    singly: int = 4
    page: int = 500
    largest_answer: int = 256 * 1024 * 1024
    silence: float = 150.0
    largest_event: int = 8 * 1024 * 1024
    first_look: float = 10.0
    refused: float = 300.0
    broken: float = 0.5
    lenient: int = 4
    patience: float = 2.0
