"""Workspaces: the files of a person, read and written: work trees, folders, the sample, first commits.

What lives here: the sample that ``distributor init`` writes and the few Git steps around it; reading a
work tree as trees, and folders, values and objects as people have them. What never does: deciding what
any of it means (``catalog``), the service's own repository (``git``). Called by: ``cli``.
"""

from distributor.adapters.workspace.documents import read_documents, read_objects, read_values
from distributor.adapters.workspace.files import PARTS, copy_sample, put_together, write_files
from distributor.adapters.workspace.reading import (
    KUSTOMIZATIONS,
    Content,
    read_bytes,
    read_folder,
    read_kustomization,
)
from distributor.adapters.workspace.repository import (
    commit_all,
    create_bare,
    create_repository,
    set_origin,
)
from distributor.adapters.workspace.trees import WorkTree, read_work_tree, work_tree_of

__all__ = [
    "KUSTOMIZATIONS",
    "PARTS",
    "Content",
    "WorkTree",
    "commit_all",
    "copy_sample",
    "create_bare",
    "create_repository",
    "put_together",
    "read_bytes",
    "read_documents",
    "read_folder",
    "read_kustomization",
    "read_objects",
    "read_values",
    "read_work_tree",
    "set_origin",
    "work_tree_of",
    "write_files",
]
