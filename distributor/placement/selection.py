"""Selectors and taints: which clusters an installation asks for, and which it is kept off."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from distributor.model.fleet import Cluster, Selector, Taint, Toleration

NO_SELECT = "NoSelect"
NO_SELECT_IF_NEW = "NoSelectIfNew"
PREFER_NO_SELECT = "PreferNoSelect"


def selects(selector: Selector, cluster: Cluster) -> bool:
    """Whether a selector means a cluster; parts that are empty ask for nothing."""
    return not_selected(selector, cluster) == ""


def not_selected(selector: Selector, cluster: Cluster) -> str:
    """Why a selector does not mean a cluster, in a few words; empty if it does."""
    if selector.tiers and cluster.tier not in selector.tiers:
        return f"not selected: tier {cluster.tier}, asked for {_any_of(selector.tiers)}"
    if selector.regions and cluster.region not in selector.regions:
        return (
            f"not selected: region {cluster.region or 'unset'}, "
            f"asked for {_any_of(selector.regions)}"
        )
    for key, value in selector.match_labels.items():
        have = cluster.labels.get(key)
        if have != value:
            return f"not selected: label {key} is {_shown(have)}, asked for {value}"
    return ""


def untolerated(
    taints: Sequence[Taint], tolerations: Sequence[Toleration], effects: Iterable[str]
) -> Taint | None:
    """The first taint of one of these effects that no toleration covers."""
    wanted = frozenset(effects)
    for taint in taints:
        if taint.effect in wanted and not any(_tolerates(t, taint) for t in tolerations):
            return taint
    return None


def _tolerates(toleration: Toleration, taint: Taint) -> bool:
    return (
        toleration.key == taint.key
        and toleration.value in ("", taint.value)
        and toleration.effect in ("", taint.effect)
    )


def _shown(value: str | None) -> str:
    return "unset" if value is None else value or '""'


def _any_of(names: Sequence[str]) -> str:
    return " or ".join(names)
