"""Sharing: objects that two instances would both have on one cluster."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping

from distributor.errors import DistributorError, Where
from distributor.errors.catalog import SharedObject
from distributor.model.findings import Finding, Severity
from distributor.model.fleet import Cluster, Installation
from distributor.model.manifest import ManifestSet
from distributor.model.promotion import Verdict
from distributor.model.refs import ObjectRef
from distributor.model.tags import Verb
from distributor.services.ledger.book import LedgerBook
from distributor.services.rendering.renderer import Renderer, Subject
from distributor.services.state.desired import Desired, read_desired
from distributor.services.world import World

_SHOWN = 3
"""As many objects are named with one finding."""
_KEPT = 4_096
"""Of as many verdicts and clusters is it remembered what objects there are."""

Refs = frozenset[ObjectRef]


class Sharing:
    """Finds what instances share, from what was accepted of them.

    Each is looked at on one cluster of a tier and minor version first, and on all of them only where it
    shares something there: most share nothing, and a large fleet costs no more for that. What differs
    within a tier may so escape until an apply meets the owner.
    """

    def __init__(self, world: World, book: LedgerBook, renderer: Renderer) -> None:
        self._world, self._book, self._renderer = world, book, renderer
        self._known: OrderedDict[tuple[int, str], Refs] = OrderedDict()

    async def findings(
        self,
        subject: Subject,
        clusters: Mapping[str, Cluster],
        manifests: Mapping[str, ManifestSet],
    ) -> dict[str, tuple[Finding, ...]]:
        """By cluster, a warning for each other instance that has some of these objects there already."""
        found: dict[str, tuple[Finding, ...]] = {}
        for other in self._others(subject.installation):
            common = [name for name in other.targets if name in manifests]
            first = {(clusters[n].tier, clusters[n].kubernetes): n for n in reversed(common)}
            if not await self._meet(other, first.values(), manifests):
                continue
            try:
                desired = read_desired(self._world, self._book, other)
                both = await self._twice(desired, common, manifests)
            except DistributorError:
                continue  # it cannot be read back, which is its own trouble
            for name, refs in both.items():
                found[name] = (*found.get(name, ()), shared(desired.subject.installation, refs))
        return found

    def _others(self, own: Installation) -> Iterator[Verdict]:
        """What is accepted of the environment's other instances."""
        for (environment, instance), state in self._book.state.instances.items():
            verdict = state.desired
            if environment != own.environment or instance == own.instance or verdict is None:
                continue
            if verdict.verb is not Verb.REMOVE:
                yield verdict

    async def _meet(
        self, other: Verdict, clusters: Iterable[str], manifests: Mapping[str, ManifestSet]
    ) -> bool:
        """Whether both have an object in common on one of these clusters."""
        for name in clusters:
            if not manifests[name].refs().isdisjoint(await self._refs(other, name)):
                return True
        return False

    async def _refs(self, verdict: Verdict, cluster: str) -> Refs:
        """What a verdict puts on a cluster; nothing where that cannot be known now."""
        key = (verdict.sequence, cluster)
        if key in self._known:
            self._known.move_to_end(key)
            return self._known[key]
        try:
            desired = read_desired(self._world, self._book, verdict)
            rendered = await self._renderer.render(
                desired.subject, {cluster: desired.clusters[cluster]}
            )
            refs = rendered.of(cluster).refs()
        except DistributorError:
            return frozenset()
        self._known[key] = refs
        while len(self._known) > _KEPT:
            self._known.popitem(last=False)
        return refs

    async def _twice(
        self, other: Desired, common: Iterable[str], manifests: Mapping[str, ManifestSet]
    ) -> dict[str, Refs]:
        """By cluster, the objects that both have; nothing for clusters where they share none."""
        clusters = {name: other.clusters[name] for name in common}
        theirs = (await self._renderer.render(other.subject, clusters)).manifests
        both = {name: found.refs() & manifests[name].refs() for name, found in theirs.items()}
        return {name: refs for name, refs in both.items() if refs}


def shared(other: Installation, refs: Refs) -> Finding:
    """The warning about objects that another instance has too."""
    instance, environment = other.instance, other.environment
    names = ", ".join(str(ref) for ref in sorted(refs)[:_SHOWN])
    more = f" and {len(refs) - _SHOWN} more" if len(refs) > _SHOWN else ""
    where = Where(file=f"environments/{environment}/apps/{instance}.yaml")
    message = f"({names}{more}: also of the instance {instance})"
    return Finding.of(SharedObject, message, where, severity=Severity.WARNING)
