"""Schemas: whether objects fit the schemas of their kinds, as the API server would say (gate 9).

What lives here: the Kubernetes schemas that ship with the program, those of the CRDs in a set, and the
compiled validators. What never does: deciding what a misfit means for a request (``policy``), talking
to clusters. Called by: ``app.py``, for services.
"""

from distributor.adapters.schemas.kubernetes import KubernetesSchemas

__all__ = ["KubernetesSchemas"]
