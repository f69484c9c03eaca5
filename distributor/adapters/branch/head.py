"""The head of one remote branch: read, and moved forward, one commit at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from distributor.errors.cluster import ClusterUnreachable, TargetNotWritable
from distributor.errors.git import PushRejected, RemoteUnreachable
from distributor.model.refs import ObjectId
from distributor.model.trees import NewCommit
from distributor.ports import Clock, GitObjects, Remote, Signer, TreeChange

TRIES = 8
"""How often a change is made anew because somebody else's push came first."""
_TIDY_EVERY = 200
"""Pushes between looks at whether the mirror should be packed."""

Edit = Callable[[ObjectId | None], Mapping[str, TreeChange]]
"""What to change in a tree (``None``: there is none yet); raises to change nothing."""


class Head:
    """One branch of one remote.

    All instances of a cluster share it, so that a push of one may meet that of another: the loser makes
    its change anew on the new head. ``edit`` sees each head before it is built upon, and refuses there.
    """

    def __init__(
        self,
        branch: str,
        *,
        objects: GitObjects,
        remote: Remote,
        clock: Clock,
        signer: Signer | None = None,
    ) -> None:
        self.branch = branch
        self.objects = objects
        self._remote = remote
        self._clock = clock
        self._signer = signer
        self._lock = asyncio.Lock()
        self._pushes = 0

    async def tree(self) -> ObjectId | None:
        """The root tree as the remote has it now; ``None`` where there is no such branch."""
        head = await self._fetch()
        return self.objects.tree_of(head) if head else None

    async def change(self, message: str, edit: Edit) -> None:
        """Commit what ``edit`` says and push it; a change that changes nothing is not pushed.

        Raises what ``edit`` raises, ``ClusterUnreachable``, and ``TargetNotWritable`` where the remote
        refuses the push.
        """
        async with self._lock:
            for _ in range(TRIES):
                head = await self._fetch()
                commit = self._commit(head, message, edit)
                if commit is None or await self._push(head, commit):
                    return
        raise TargetNotWritable(f"{self.branch}: it moved on {TRIES} times meanwhile.")

    def _commit(self, head: ObjectId | None, message: str, edit: Edit) -> ObjectId | None:
        base = self.objects.tree_of(head) if head else None
        changes = edit(base)
        tree = self.objects.write_tree(base, changes) if changes else base
        if tree is None or tree == base:
            return None
        new = NewCommit(
            tree=tree, parents=(head,) if head else (), message=message, at=self._clock.now()
        )
        return self.objects.write_commit(new, self._signer)

    async def _push(self, head: ObjectId | None, commit: ObjectId) -> bool:
        """Whether the branch is at ``commit`` now; false where somebody else moved it."""
        ref = f"refs/heads/{self.branch}"
        try:
            await self._remote.push({ref: commit}, expect={ref: head})
        except RemoteUnreachable as error:
            raise ClusterUnreachable(error.detail) from error
        except PushRejected as error:
            if (
                await self._fetch() == head
            ):  # nobody else did: it is the remote that does not want it
                raise TargetNotWritable(
                    f"{self.branch}: {error.detail}",
                    remedy="Let Distributor push to this branch, or name another one in its connection.",
                ) from error
            return False
        await self._tidy()
        return True

    async def _fetch(self) -> ObjectId | None:
        try:
            await self._remote.fetch()
        except RemoteUnreachable as error:
            raise ClusterUnreachable(error.detail) from error
        return self.objects.resolve(f"refs/observed/heads/{self.branch}")

    async def _tidy(self) -> None:
        self._pushes += 1
        if self._pushes % _TIDY_EVERY == 0:
            await self._remote.tidy()
