"""Health: did an object converge, in the words of kstatus.

What lives here: the rules for any object and the table of rules by kind, what a missing object means, and
the worst-of aggregate. What never does: reading a cluster, waiting, deadlines, clocks (time comes in as
``now``), evaluating CEL (a callable comes in). Called by: services (reconcile, views) and the command line's ``health``.
"""

from distributor.health.absence import absent, goes_by_itself
from distributor.health.completion import completion, runs_to_an_end
from distributor.health.existing import is_by_being
from distributor.health.object import aggregate, health
from distributor.health.plain import is_custom, plain_kinds
from distributor.health.ruled import NO_RULES, Holds, Rulebook, nobody

__all__ = [
    "NO_RULES",
    "Holds",
    "Rulebook",
    "absent",
    "aggregate",
    "completion",
    "goes_by_itself",
    "health",
    "is_by_being",
    "is_custom",
    "nobody",
    "plain_kinds",
    "runs_to_an_end",
]
