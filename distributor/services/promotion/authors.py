"""Authors: who wrote what a request brings, as the history of main tells it."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from distributor.catalog.digests import config_paths
from distributor.model.fleet import Installation
from distributor.model.package import Package
from distributor.model.refs import ObjectId
from distributor.policy import GateFacts
from distributor.ports import TreeChange
from distributor.services.state.desired import at_path, tier_names
from distributor.services.world import World

MOST = 2_000
"""Commits that are looked at; a change that is older counts as nobody's."""

_State = tuple[TreeChange, ...]


def asks_for_approvals(facts: GateFacts) -> bool:
    """Whether any policy asks for approvals of such a request: only then do its authors matter."""
    return any(
        bound.gate == "approvals" and bound.covers(facts.name.environment, facts.app)
        for view in facts.policies
        for bound in view.policies.gates
    )


def authors(
    world: World,
    commit: ObjectId,
    package: Package,
    installation: Installation,
    accepted: ObjectId | None,
) -> frozenset[str]:
    """Who wrote the package and, against the root tree accepted before, its configuration.

    Where nothing was accepted before, only the instance's own file counts of the configuration.
    """
    environment, instance = installation.environment, installation.instance
    root = world.objects.tree_of(commit)
    paths: Sequence[str] = (f"environments/{environment}/apps/{instance}.yaml",)
    if accepted is not None:
        tiers = package.fits.tiers or tier_names(world, root)
        paths = config_paths(
            world.objects, root, environment=environment, instance=instance, tiers=tiers
        )
    return authors_of(world, commit, (package.folder,), None) | authors_of(
        world, commit, paths, accepted
    )


def authors_of(
    world: World, commit: ObjectId, paths: Sequence[str], accepted: ObjectId | None
) -> frozenset[str]:
    """The addresses, in lower case, of authors and committers of all changes to the paths.

    The walk ends where the paths are as in the accepted root tree, or not there at all. A branch of the
    history that brought nothing is not followed. What a line says of its author is only believed to take
    somebody's approval away, never to give one.
    """
    walk = _Walk(world, paths)
    ends: set[_State] = {tuple(None for _ in paths)}
    if accepted is not None:
        ends.add(walk.at(accepted))
    found: set[str] = set()
    seen: set[ObjectId] = set()
    waiting = deque([commit])
    while waiting and len(seen) < MOST:
        here = waiting.popleft()
        if here in seen:
            continue
        seen.add(here)
        state = walk.of(here)
        if state in ends:
            continue
        parents, people = _read(world.objects.raw(here))
        same = [parent for parent in parents if walk.of(parent) == state]
        if same:
            waiting.append(same[0])
            continue
        found |= people
        waiting.extend(parents)
    return frozenset(found)


class _Walk:
    """The paths at each commit."""

    def __init__(self, world: World, paths: Sequence[str]) -> None:
        self._world = world
        self._paths = paths
        self._known: dict[ObjectId, _State] = {}

    def of(self, commit: ObjectId) -> _State:
        if commit not in self._known:
            self._known[commit] = self.at(self._world.objects.tree_of(commit))
        return self._known[commit]

    def at(self, root: ObjectId) -> _State:
        return tuple(at_path(self._world, root, path) for path in self._paths)


def _read(raw: bytes) -> tuple[list[ObjectId], set[str]]:
    """The parents of a commit object, and the addresses of its author and committer."""
    parents: list[ObjectId] = []
    people: set[str] = set()
    for line in raw.partition(b"\n\n")[0].splitlines():
        word, _, rest = line.partition(b" ")
        if word == b"parent":
            parents.append(ObjectId(rest.decode()))
        elif word in (b"author", b"committer"):
            address = rest.rpartition(b">")[0].rpartition(b"<")[2]
            people.add(address.decode("utf-8", "replace").strip().lower())
    return parents, people - {""}
