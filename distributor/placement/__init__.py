"""Placement: which clusters an instance goes to, and why the others are left out.

What lives here: the instances of an environment, selectors, fit and taints, as functions from values to
a ``Placement``. What never does: rendering, gates (capacity and dependencies are gate 12), I/O, clocks.
Called by: services (promotion, checks, views); rollout, for its selectors.
"""

from distributor.placement.instances import installations
from distributor.placement.placing import Placer, place
from distributor.placement.selection import selects

__all__ = ["Placer", "installations", "place", "selects"]
