"""Plan: what would change on one target, whether it may, and in which order.

What lives here: desired x live x inventory -> ``ChangeSet``; guards over it; the ordered ``ApplyPlan``;
inventories widened and narrowed; field-level drift; the printable plan. What never does: reading or writing
a cluster, waiting, deciding when. Called by: services (reconcile, checks, plan) and the command line.
"""

from distributor.plan.applying import GROUND, apply_plan, blocked_by, dependents
from distributor.plan.attesting import made_here
from distributor.plan.capacity import declared, demand, supply
from distributor.plan.changing import ALREADY_GONE, BEING_DELETED, FORGOTTEN, changes
from distributor.plan.claims import HAND_OVER_MANAGER, HANDED_OVER, TAKE_OVER, claim
from distributor.plan.conflicts import adoption, agreed_claim, foreseen
from distributor.plan.deleting import overdue
from distributor.plan.dependencies import asks_for_order
from distributor.plan.drift import AUTOSCALER, Drifted, FieldDrift, diff
from distributor.plan.guards import guard
from distributor.plan.hooks import (
    REMOVED,
    Judged,
    Move,
    ended,
    judge,
    made_by_run,
    marked,
    occasion_of,
    opened,
    remaining,
    removable,
    schedule,
)
from distributor.plan.ignoring import (
    NOTHING_IGNORED,
    Ignoring,
    rules_for,
    spec_of,
    suggested,
    yielding,
)
from distributor.plan.inventories import (
    confirmed,
    narrowed,
    recovered,
    says_the_same,
    seen_uids,
    widened,
)
from distributor.plan.managed import handed_over, rewritten
from distributor.plan.order import DEFINITION, NAMESPACE, ordered
from distributor.plan.ownership import OUR_MANAGER
from distributor.plan.printing import text
from distributor.plan.scaling import left_scaled, scaled
from distributor.plan.sets import Comparison, compare

__all__ = [
    "ALREADY_GONE",
    "AUTOSCALER",
    "BEING_DELETED",
    "DEFINITION",
    "FORGOTTEN",
    "GROUND",
    "HANDED_OVER",
    "HAND_OVER_MANAGER",
    "NAMESPACE",
    "NOTHING_IGNORED",
    "OUR_MANAGER",
    "REMOVED",
    "TAKE_OVER",
    "Comparison",
    "Drifted",
    "FieldDrift",
    "Ignoring",
    "Judged",
    "Move",
    "adoption",
    "agreed_claim",
    "apply_plan",
    "asks_for_order",
    "blocked_by",
    "changes",
    "claim",
    "compare",
    "confirmed",
    "declared",
    "demand",
    "dependents",
    "diff",
    "ended",
    "foreseen",
    "guard",
    "handed_over",
    "judge",
    "left_scaled",
    "made_by_run",
    "made_here",
    "marked",
    "narrowed",
    "occasion_of",
    "opened",
    "ordered",
    "overdue",
    "recovered",
    "remaining",
    "removable",
    "rewritten",
    "rules_for",
    "says_the_same",
    "scaled",
    "schedule",
    "seen_uids",
    "spec_of",
    "suggested",
    "supply",
    "text",
    "widened",
    "yielding",
]
