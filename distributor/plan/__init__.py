"""Plan: what would change on one target, whether it may, and in which order.

What lives here: desired x live x inventory -> ``ChangeSet``; guards over it; the ordered ``ApplyPlan``;
inventories widened and narrowed; field-level drift; the printable plan. What never does: reading or writing
a cluster, waiting, deciding when. Called by: services (reconcile, checks, plan) and the command line.
"""

from distributor.plan.applying import GROUND, apply_plan, dependents
from distributor.plan.capacity import declared, demand, supply
from distributor.plan.changing import NEVER_OURS, changes
from distributor.plan.drift import Drifted, FieldDrift, diff
from distributor.plan.guards import guard
from distributor.plan.hooks import (
    REMOVED,
    Judged,
    Move,
    ended,
    judge,
    marked,
    occasion_of,
    opened,
    remaining,
    removable,
    schedule,
)
from distributor.plan.inventories import confirmed, narrowed, seen_uids, widened
from distributor.plan.order import ordered
from distributor.plan.printing import text
from distributor.plan.sets import Comparison, compare

__all__ = [
    "GROUND",
    "NEVER_OURS",
    "REMOVED",
    "Comparison",
    "Drifted",
    "FieldDrift",
    "Judged",
    "Move",
    "apply_plan",
    "changes",
    "compare",
    "confirmed",
    "declared",
    "demand",
    "dependents",
    "diff",
    "ended",
    "guard",
    "judge",
    "marked",
    "narrowed",
    "occasion_of",
    "opened",
    "ordered",
    "remaining",
    "removable",
    "schedule",
    "seen_uids",
    "supply",
    "text",
    "widened",
]
