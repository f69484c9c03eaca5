"""A commit as a person names it: an id, also a short one, ``HEAD``, a branch or tag of the clone one stands in."""

from __future__ import annotations

from pathlib import Path

import pygit2

from distributor.cli.local import here
from distributor.errors.service import BadArgument
from distributor.model.refs import ObjectId, is_object_id

_REMEDY = "Give the commit's full id, or stand in a clone that has it."


def find_commit(text: str, repository: str) -> ObjectId:
    """The commit that is meant; raises ``BadArgument`` where no repository at hand knows it.

    Looked for where one stands, then in ``repository``, the shared one, if it is a folder. A full id is
    taken as it is: whether it is on main is another question. The grammar is gitrevisions(7).
    """
    if is_object_id(text):
        return ObjectId(text)
    why = "there is no clone here"
    for folder in (here(), Path(repository)):
        found = pygit2.discover_repository(str(folder)) if folder.is_dir() else None
        if found is None:
            continue
        try:
            named = pygit2.Repository(found).revparse_single(text)
            return ObjectId(str(named.peel(pygit2.Commit).id))
        except (KeyError, ValueError, pygit2.GitError) as error:
            why = f"{folder.resolve()} knows none: {str(error).partition(chr(10))[0][:200]}"
    raise BadArgument(f"(--commit {text!r} names no commit; {why})", remedy=_REMEDY)
