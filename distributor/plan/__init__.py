"""Plan: what would change on one target, whether it may, and in which order.

What lives here: desired x live x inventory -> ``ChangeSet``; guards over it; the ordered ``ApplyPlan``;
inventories widened and narrowed; field-level drift; the printable plan. What never does: reading or writing
a cluster, waiting, deciding when. Called by: services (reconcile, checks, plan) and the command line.
"""

from distributor.plan.applying import GROUND, apply_plan, blocked_by, dependents
from distributor.plan.attesting import RELEASED_BY, is_ours, made_here
from distributor.plan.capacity import declared, demand, supply
from distributor.plan.changing import ALREADY_GONE, BEING_DELETED, changes
from distributor.plan.claims import (
    HAND_OVER_MANAGER,
    HANDED_OVER,
    RELEASE_MANAGER,
    TAKE_OVER,
    claim,
)
from distributor.plan.conflicts import adoption, agreed_claim, foreseen
from distributor.plan.deleting import overdue
from distributor.plan.dependencies import asks_for_order
from distributor.plan.drift import AUTOSCALER, Drifted, FieldDrift, diff
from distributor.plan.fighting import (
    as_kept,
    at_rest,
    fight_told,
    fights_told,
    fought,
    from_kept,
    rule_text,
)
from distributor.plan.guards import guard, held_back, in_a_hurry, refused
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
from distributor.plan.loosened import loosened
from distributor.plan.managed import disowned, handed_over, rewritten
from distributor.plan.order import DEFINITION, NAMESPACE, ordered
from distributor.plan.ownership import OUR_MANAGER
from distributor.plan.placing import inventory_placed, placed, ref_placed, unsure
from distributor.plan.printing import text
from distributor.plan.rehearsing import foretold, left_out, not_asked, probes
from distributor.plan.scaling import left_scaled, scaled
from distributor.plan.sets import Comparison, compare

__all__ = [
    "ALREADY_GONE",
    "AUTOSCALER",
    "BEING_DELETED",
    "DEFINITION",
    "GROUND",
    "HANDED_OVER",
    "HAND_OVER_MANAGER",
    "NAMESPACE",
    "NOTHING_IGNORED",
    "OUR_MANAGER",
    "RELEASED_BY",
    "RELEASE_MANAGER",
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
    "as_kept",
    "asks_for_order",
    "at_rest",
    "blocked_by",
    "changes",
    "claim",
    "compare",
    "confirmed",
    "declared",
    "demand",
    "dependents",
    "diff",
    "disowned",
    "ended",
    "fight_told",
    "fights_told",
    "foreseen",
    "foretold",
    "fought",
    "from_kept",
    "guard",
    "handed_over",
    "held_back",
    "in_a_hurry",
    "inventory_placed",
    "is_ours",
    "judge",
    "left_out",
    "left_scaled",
    "loosened",
    "made_by_run",
    "made_here",
    "marked",
    "narrowed",
    "not_asked",
    "occasion_of",
    "opened",
    "ordered",
    "overdue",
    "placed",
    "probes",
    "recovered",
    "ref_placed",
    "refused",
    "remaining",
    "removable",
    "rewritten",
    "rule_text",
    "rules_for",
    "says_the_same",
    "scaled",
    "schedule",
    "seen_uids",
    "spec_of",
    "suggested",
    "supply",
    "text",
    "unsure",
    "widened",
    "yielding",
]
