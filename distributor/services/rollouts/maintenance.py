"""Maintenance: what a verdict must not begin on a cluster now, by the cluster's own windows."""

from __future__ import annotations

from datetime import datetime

from distributor.model.fleet import Cluster
from distributor.model.promotion import OVERRIDE, Verdict
from distributor.model.rollout import Shut
from distributor.model.tags import Verb
from distributor.policy.maintenance import kept_closed

GATE = "windows"
"""The gate whose override lifts the windows of clusters too: an emergency waits for neither."""


def named(verdict: Verdict) -> tuple[str, ...]:
    """The gates that the request named to be overridden, whether they were in its way then or not."""
    return tuple(a.gate for a in verdict.answers if OVERRIDE in a.evidence)


def kept_away(verdict: Verdict, cluster: Cluster, now: datetime) -> Shut | None:
    """Why a target is not begun now; a rollback, like one of the calendar, waits for no window."""
    if verdict.verb is Verb.ROLLBACK or GATE in named(verdict):
        return None
    return kept_closed(cluster.windows, now)
