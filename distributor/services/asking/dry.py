"""Dry runs: what a sync would do to targets, done to none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from distributor.errors import DistributorError
from distributor.model.changes import Action
from distributor.model.fleet import Cluster
from distributor.model.manifest import ManifestSet
from distributor.model.promotion import Verdict
from distributor.model.tags import Verb
from distributor.plan import text
from distributor.services.rollouts.works import agreeing, work_of
from distributor.services.service import Service
from distributor.services.state.desired import Desired, read_desired
from distributor.services.targets.reconciling import plan_target


@dataclass(frozen=True, slots=True, kw_only=True)
class DryTarget:
    """What would change on one target; ``error`` where that cannot be known."""

    environment: str
    instance: str
    cluster: str
    text: str
    empty: bool
    changes: dict[str, int]
    error: str = ""


async def dry_run(
    service: Service, only: Callable[[Verdict, Cluster], bool]
) -> tuple[DryTarget, ...]:
    """The changes of every target that the predicate wants, against what is accepted now."""
    await service.look()
    found: list[DryTarget] = []
    for instance in service.book.state.instances.values():
        if instance.desired is None:
            continue
        desired = read_desired(service.world, service.book, instance.desired)
        for cluster in desired.clusters.values():
            if only(desired.verdict, cluster):
                target = await _target(service, desired, cluster)
                found.append(target)
    return tuple(found)


async def _target(service: Service, desired: Desired, cluster: Cluster) -> DryTarget:
    verdict = desired.verdict
    place = f"{verdict.environment}/{verdict.instance}/{cluster.name}"
    try:
        manifests = ManifestSet.of(())
        if verdict.verb is not Verb.REMOVE:
            rendered = await service.renderer.render(desired.subject, {cluster.name: cluster})
            manifests = rendered.of(cluster.name)
        work = work_of(service.world, desired.subject, cluster, manifests, verdict)
        work = replace(work, names=desired.names, renewed_below=desired.renewed_below)
        work = agreeing(service.world, work, desired)
        changes = await plan_target(service.world, work)
    except DistributorError as error:
        return DryTarget(
            environment=verdict.environment,
            instance=verdict.instance,
            cluster=cluster.name,
            text=f"{place}: {error}",
            empty=False,
            changes={},
            error=str(error),
        )
    counts = {action.value: len(changes.of(action)) for action in Action}
    counts["hooks"] = len(changes.hooks)
    return DryTarget(
        environment=verdict.environment,
        instance=verdict.instance,
        cluster=cluster.name,
        text=f"{place}\n{text(changes)}",
        empty=changes.empty,
        changes={name: count for name, count in counts.items() if count},
    )
