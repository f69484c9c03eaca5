"""Where a cluster's API server is found, and how long and how often it is asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from distributor.errors.service import BadSetting
from distributor.model.refs import is_label

_FIELDS = frozenset({"kubeconfig", "context", "in_cluster", "concurrency", "namespaces"})
_MOST, _DIGITS = 500, 3


@dataclass(frozen=True, slots=True, kw_only=True)
class KubeSettings:
    """One entry of the setting ``connections``; an empty context means the file's current one.

    ``concurrency`` is how many requests run at once; 0 for the usual number. ``namespaces`` are all
    that the connection may be used for; empty for every one. ``in_cluster`` is for a service that runs
    in the cluster, as the service account whose token and authority are below ``mount``.
    """

    kubeconfig: Path = Path()
    context: str = ""
    in_cluster: bool = False
    mount: Path = Path("/var/run/secrets/kubernetes.io/serviceaccount")
    concurrency: int = 0
    namespaces: tuple[str, ...] = ()

    @classmethod
    def parse(cls, name: str, entry: Mapping[str, object]) -> KubeSettings:
        """Read one entry of ``connections``; raises ``BadSetting``."""
        unknown = sorted(set(entry) - _FIELDS)
        if unknown:
            raise BadSetting(f"connections.{name} has no field {', '.join(unknown)}.")
        kubeconfig, context = entry.get("kubeconfig"), entry.get("context", "")
        in_cluster = str(entry.get("in_cluster", "false"))
        if in_cluster not in {"true", "false"}:
            raise BadSetting(f"connections.{name}.in_cluster must be true or false.")
        if in_cluster == "true":
            if {"kubeconfig", "context"} & set(entry):
                raise BadSetting(
                    f"connections.{name} is in_cluster, or has a kubeconfig; not both."
                )
            kubeconfig = "."
        if not isinstance(kubeconfig, str) or not kubeconfig:
            raise BadSetting(f"connections.{name}.kubeconfig must name a file.")
        if not isinstance(context, str):
            raise BadSetting(f"connections.{name}.context must be a text.")
        return cls(
            kubeconfig=Path(kubeconfig).expanduser(),
            context=context,
            in_cluster=in_cluster == "true",
            concurrency=_count(name, entry["concurrency"]) if "concurrency" in entry else 0,
            namespaces=_names(name, entry["namespaces"]) if "namespaces" in entry else (),
        )


def _count(name: str, value: object) -> int:
    text = str(value)
    if not (text.isascii() and text.isdigit() and len(text) <= _DIGITS and 1 <= int(text) <= _MOST):
        raise BadSetting(f"connections.{name}.concurrency must be a number from 1 to {_MOST}.")
    return int(text)


def _names(name: str, value: object) -> tuple[str, ...]:
    found = tuple(str(value).split(","))
    if not all(map(is_label, found)):
        raise BadSetting(f"connections.{name}.namespaces must be a list of names of namespaces.")
    return tuple(sorted(set(found)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits of one cluster's connection; times in seconds.

    ``concurrency`` requests run at once, and ``lenient`` times as many with those that have had no answer for
    ``patience``; of one group of objects never more than ``concurrency``. ``total`` is more than the 34 s
    after which an API server itself gives a write up, whose webhooks may take 30. ``login`` is how long
    credentials may take. ``throttled`` is the most that is waited altogether when the
    server asks to, ``confirm`` how long a deletion is watched, ``establish`` how long a kind is waited
    for whose definition was applied here. More objects of a kind in a namespace than ``singly`` are read
    by a list, ``page`` at a time. A longer answer than ``largest_answer`` bytes is not read, nor a longer
    event of a watch than ``largest_event``. A watch that hears nothing for ``silence`` is broken (servers
    send a bookmark every minute); ``first_look`` is how long a new one is waited for,
    ``refused`` how long one rests that the server refuses,
    ``broken`` how long at first one that broke off. What was absent ``lately`` is not asked for again by a first install. ``namespaces`` are the only ones that objects are
    read from and applied to, where there are any.
    """

    concurrency: int = 8
    connect: float = 5.0
    total: float = 40.0
    login: float = 30.0
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
    lately: float = 1.0
    lenient: int = 4
    patience: float = 2.0
    namespaces: tuple[str, ...] = ()
