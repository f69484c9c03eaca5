"""Telling the drift of targets, field by field, as it is now."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from distributor.errors import DistributorError
from distributor.model.fleet import Cluster, DriftMode
from distributor.model.promotion import Verdict
from distributor.model.tags import Verb
from distributor.plan import Comparison, compare
from distributor.services.rollouts.works import work_of
from distributor.services.service import Service
from distributor.services.state.desired import Desired, read_desired
from distributor.services.targets.comparing import entries_of, scope_of, unread
from distributor.services.targets.placing import in_place


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftedTarget:
    """The drift of one target; ``error`` where it, or that of some objects, cannot be known."""

    environment: str
    instance: str
    cluster: str
    mode: DriftMode
    found: Comparison = field(default_factory=Comparison)
    error: str = ""


async def drifts(
    service: Service, only: Callable[[Verdict, Cluster], bool]
) -> tuple[DriftedTarget, ...]:
    """Every wanted target against what is accepted, read now; changes nothing."""
    await service.look()
    found: list[DriftedTarget] = []
    for instance in service.book.state.instances.values():
        if instance.desired is None or instance.desired.verb is Verb.REMOVE:
            continue
        desired = read_desired(service.world, service.book, instance.desired)
        wanted = [c for c in desired.clusters.values() if only(desired.verdict, c)]
        found += [await _drift_of(service, desired, cluster) for cluster in wanted]
    return tuple(found)


async def _drift_of(service: Service, desired: Desired, cluster: Cluster) -> DriftedTarget:
    verdict, subject = desired.verdict, desired.subject
    target = DriftedTarget(
        environment=verdict.environment,
        instance=verdict.instance,
        cluster=cluster.name,
        mode=subject.installation.drift or desired.environment.drift,
    )
    try:
        rendered = await service.renderer.render(subject, {cluster.name: cluster})
        work = work_of(service.world, subject, cluster, rendered.of(cluster.name), verdict)
        connection = await service.world.connections.open(cluster, work.account)
        inventory = await connection.read_inventory(work.environment, work.instance)
        work, inventory = await in_place(connection, work, inventory)
        members = scope_of(connection, work).members
        known = {e.ref: e for e in entries_of(members)} | dict(
            inventory.entries if inventory else {}
        )
        live = await connection.read_live(tuple(known.values()))
        there = [one.data for one in live.values() if one.error is None]
        told = [m for m in members if m.ref not in live or live[m.ref].error is None]
        found = compare(told, there, inventory, ignore=work.ignore)
    except DistributorError as error:
        return replace(target, error=str(error))
    return replace(target, found=found, error="; ".join(map(str, unread(live))))
