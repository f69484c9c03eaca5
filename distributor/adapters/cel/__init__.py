"""CEL: evaluates expressions that packages and policies hold.

What lives here: the binding to Google's CEL. What never does: what an expression is for, and what follows
from its answer. Called by: the composition root and the command line, through the port ``Expressions``.
"""

from distributor.adapters.cel.expressions import CelExpressions

__all__ = ["CelExpressions"]
