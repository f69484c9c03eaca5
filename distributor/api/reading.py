"""What routes read: the service behind the application, its last snapshot, and its instances in order."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends, Path, Query, Request

from distributor.api.paging import Cut, cut
from distributor.errors.service import NotFound, NotReady
from distributor.model.tags import SET_MARK
from distributor.placement.instances import installations
from distributor.services.asking.views import InstanceView, instance_views
from distributor.services.service import Service
from distributor.services.state.looking import Snapshot


async def service_of(request: Request) -> Service:
    """The service that the application was made for."""
    found: Service = request.app.state.service
    return found


def snapshot_of(service: Service) -> Snapshot:
    """What was last seen; raises what keeps the service from seeing anything, or ``NotReady``."""
    if service.snapshot is None:
        raise service.trouble or NotReady
    return service.snapshot


async def _snapshot(service: Annotated[Service, Depends(service_of)]) -> Snapshot:
    return snapshot_of(service)


TheService = Annotated[Service, Depends(service_of)]
TheSnapshot = Annotated[Snapshot, Depends(_snapshot)]
TheCut = Annotated[Cut, Depends(cut)]

EnvironmentPath = Annotated[str, Path(max_length=63, description="Name of an environment.")]
InstancePath = Annotated[str, Path(max_length=63, description="Name of an instance.")]
EnvironmentQuery = Annotated[
    str, Query(max_length=63, description="Only of this environment; empty: of all.")
]
InstanceQuery = Annotated[
    str, Query(max_length=63, description="Only of this instance; empty: of all.")
]
ClusterQuery = Annotated[
    str, Query(max_length=63, description="Only on this cluster; empty: on all.")
]


def places(snapshot: Snapshot) -> dict[str, int]:
    """The place of each environment in the pipeline; those outside of it come last, by name."""
    pipeline = snapshot.catalog.pipeline
    order = list(pipeline.names) if pipeline else []
    order += sorted(set(snapshot.catalog.environments) - set(order))
    return {name: number for number, name in enumerate(order)}


def instance_keys(service: Service, snapshot: Snapshot) -> list[tuple[str, str]]:
    """(environment, instance) that main declares or the ledger knows, by environment, then name."""
    catalog = snapshot.catalog
    known = {(env, name) for env in catalog.environments for name in installations(catalog, env)}
    known |= {k for k, s in service.book.state.instances.items() if s.accepted or s.last_verdicts}
    order = places(snapshot)
    return sorted(k for k in known if k[0] in order and not k[1].startswith(SET_MARK))


def known_instance(service: Service, snapshot: Snapshot, environment: str, instance: str) -> None:
    """Raises ``NotFound`` for an instance that neither main nor the ledger knows."""
    if (environment, instance) not in instance_keys(service, snapshot):
        raise NotFound(f"({environment} has no instance {instance})")


async def views(
    service: Service, keys: list[tuple[str, str]], cluster: str = ""
) -> AsyncIterator[InstanceView]:
    """The views of instances, one at a time: what nobody reads is not computed, nor kept."""
    for environment, instance in keys:
        for view in await instance_views(service, environment, instance, cluster):
            yield view
