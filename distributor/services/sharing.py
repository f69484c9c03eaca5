"""Sharing: objects that two instances would both have on one cluster."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from distributor.errors import DistributorError, Where
from distributor.errors.catalog import SharedObject
from distributor.model.findings import Finding, Severity
from distributor.model.fleet import Cluster, Installation
from distributor.model.ledger import LedgerState
from distributor.model.manifest import ManifestSet
from distributor.model.refs import ObjectRef
from distributor.model.tags import Verb
from distributor.services.desired import Desired, read_desired
from distributor.services.ledger_book import LedgerBook
from distributor.services.rendering import Renderer, Subject
from distributor.services.world import World

_SHOWN = 3
"""As many objects are named with one finding."""


async def shared_objects(
    world: World,
    book: LedgerBook,
    renderer: Renderer,
    subject: Subject,
    manifests: Mapping[str, ManifestSet],
) -> dict[str, tuple[Finding, ...]]:
    """By cluster, a warning for each other instance that has some of these objects there already.

    The others are taken as they were accepted. Each is looked at on one cluster of a tier and minor version
    first, and on all of them only where it shares something there: most share nothing, and a large fleet
    costs no more for that. What differs within a tier may so escape until an apply meets the owner.
    """
    found: dict[str, tuple[Finding, ...]] = {}
    for other in _others(world, book, book.state, subject):
        common = {n: c for n, c in other.clusters.items() if n in manifests}
        first = {(c.tier, c.kubernetes): n for n, c in reversed(common.items())}
        few = {name: common[name] for name in first.values()}
        if await _twice(renderer, other, few, manifests):
            for name, refs in (await _twice(renderer, other, common, manifests)).items():
                found[name] = (*found.get(name, ()), shared(other.subject.installation, refs))
    return found


def shared(other: Installation, refs: frozenset[ObjectRef]) -> Finding:
    """The warning about objects that another instance has too."""
    instance, environment = other.instance, other.environment
    names = ", ".join(str(ref) for ref in sorted(refs)[:_SHOWN])
    more = f" and {len(refs) - _SHOWN} more" if len(refs) > _SHOWN else ""
    where = Where(file=f"environments/{environment}/apps/{instance}.yaml")
    message = f"({names}{more}: also of the instance {instance})"
    return Finding.of(SharedObject, message, where, severity=Severity.WARNING)


def _others(
    world: World, book: LedgerBook, state: LedgerState, subject: Subject
) -> Iterator[Desired]:
    """What is accepted of the environment's other instances; one that cannot be read back has its own trouble."""
    environment = subject.installation.environment
    for (where, instance), each in state.instances.items():
        desired = each.desired
        if where != environment or instance == subject.installation.instance or desired is None:
            continue
        if desired.verb is Verb.REMOVE:
            continue
        try:
            yield read_desired(world, book, desired)
        except DistributorError:
            continue


async def _twice(
    renderer: Renderer,
    other: Desired,
    clusters: Mapping[str, Cluster],
    manifests: Mapping[str, ManifestSet],
) -> dict[str, frozenset[ObjectRef]]:
    """By cluster, the objects that both have; nothing for clusters where they share none."""
    theirs = (await renderer.render(other.subject, clusters)).manifests if clusters else {}
    both = {name: found.refs() & manifests[name].refs() for name, found in theirs.items()}
    return {name: frozenset(refs) for name, refs in both.items() if refs}
