"""Render: what decides a render, what is done to its objects, and what is bound for each cluster.

What lives here: layers and values -> ``RenderInput`` and ``RenderJob``; rendered objects -> ``ManifestSet``
with namespaces, labels and images; variables and late binding; ``Rendered``; which layer set a field.
What never does: running the engine, caching, reading a cluster, I/O, clocks. Called by: services
(promotion, reconcile, checks) and the command line's ``render``.
"""

from distributor.render.applyset import PART_OF, applyset_id
from distributor.render.binding import Binder, bind, binder_of
from distributor.render.blame import blamed, renamed
from distributor.render.cells import Cells, cells, render_input
from distributor.render.explain import Search, explain, prefixes
from distributor.render.finishing import finish
from distributor.render.hooks import Split, ordinary, split
from distributor.render.jobs import job
from distributor.render.origins import Origin, Question
from distributor.render.placeholders import check as check_placeholders
from distributor.render.rendered import rendered_digest
from distributor.render.secrets import require_taken
from distributor.render.unmatched import Unmatched
from distributor.render.values import check_values, instance_values
from distributor.render.variables import Bound, Variables, variables

__all__ = [
    "PART_OF",
    "Binder",
    "Bound",
    "Cells",
    "Origin",
    "Question",
    "Search",
    "Split",
    "Unmatched",
    "Variables",
    "applyset_id",
    "bind",
    "binder_of",
    "blamed",
    "cells",
    "check_placeholders",
    "check_values",
    "explain",
    "finish",
    "instance_values",
    "job",
    "ordinary",
    "prefixes",
    "renamed",
    "render_input",
    "rendered_digest",
    "require_taken",
    "split",
    "variables",
]
