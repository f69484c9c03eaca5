"""Clusters: the fleet that main declares."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field

from distributor.api.paging import Page, page
from distributor.api.reading import EnvironmentPath, EnvironmentQuery, TheCut, TheSnapshot
from distributor.errors.service import NotFound
from distributor.model.fleet import Cluster

router = APIRouter(prefix="/clusters", tags=["Fleet"])


class NodeCard(BaseModel):
    """Nodes of one role and make."""

    role: str = Field(description="bootstrap, master, infra or worker.")
    count: int = Field(description="How many there are.")
    os: str = Field(description="linux or windows.")
    arch: str = Field(description="Architecture, such as amd64.")
    cpu: str = Field(description="Processors of each, as Kubernetes writes it.")
    memory: str = Field(description="Memory of each, as Kubernetes writes it.")


class ClusterCard(BaseModel):
    """A cluster, as its file on main says."""

    name: str = Field(description="Name of the cluster.")
    environment: str = Field(description="The environment it belongs to.")
    tier: str = Field(description="central, slim or edge.")
    mode: str = Field(description="How it gets its objects: push, pull, directory or branch.")
    flavour: str = Field(description="What picks a directory up: k3s, k0s or plain.")
    connection: str = Field(description="Reference to how it is reached; never a credential.")
    kubernetes: str = Field(description="Minor version of Kubernetes.")
    region: str = Field(description="Region.")
    domain: str = Field(description="Domain of its host names.")
    tenant: str = Field(description="Whose it is.")
    labels: dict[str, str] = Field(description="Labels that selectors match.")
    capabilities: list[str] = Field(description="What it offers: mesh, gpu, ingress, ...")
    taints: list[str] = Field(description="What keeps instances off, as `key=value:effect`.")
    nodes: list[NodeCard] = Field(description="Its nodes, in groups.")
    properties: dict[str, Any] = Field(description="Facts that packages may bind.")


@router.get("", operation_id="listClusters", summary="Clusters of the fleet")
async def list_clusters(
    snapshot: TheSnapshot,
    wanted: TheCut,
    *,
    environment: EnvironmentQuery = "",
    tier: Annotated[str, Query(max_length=63, description="Only of this tier.")] = "",
    region: Annotated[str, Query(max_length=63, description="Only of this region.")] = "",
    mode: Annotated[str, Query(max_length=63, description="Only with this delivery mode.")] = "",
) -> Page[ClusterCard]:
    """The clusters that main declares, by environment, then by name."""
    found = (
        cluster
        for files in snapshot.catalog.environments.values()
        for cluster in files.clusters.values()
        if environment in ("", cluster.environment)
        and tier in ("", cluster.tier)
        and region in ("", cluster.region)
        and mode in ("", cluster.mode.value)
    )
    return page(found, wanted, key=lambda c: (c.environment, c.name), show=card)


@router.get("/{environment}/{cluster}", operation_id="getCluster", summary="One cluster")
async def get_cluster(
    snapshot: TheSnapshot,
    environment: EnvironmentPath,
    cluster: Annotated[str, Path(max_length=63, description="Name of the cluster.")],
) -> ClusterCard:
    """One cluster; what runs there is listed by `/targets?cluster=`."""
    files = snapshot.catalog.environments.get(environment)
    found = files.clusters.get(cluster) if files else None
    if found is None:
        raise NotFound(f"({environment} has no cluster {cluster})")
    return card(found)


def card(cluster: Cluster) -> ClusterCard:
    """What is shown of a cluster."""
    return ClusterCard(
        name=cluster.name,
        environment=cluster.environment,
        tier=cluster.tier,
        mode=cluster.mode.value,
        flavour=cluster.flavour.value,
        connection=cluster.connection,
        kubernetes=cluster.kubernetes,
        region=cluster.region,
        domain=cluster.domain,
        tenant=cluster.tenant,
        labels=dict(cluster.labels),
        capabilities=sorted(cluster.capabilities),
        taints=[f"{t.key}={t.value}:{t.effect}" for t in cluster.taints],
        nodes=[
            NodeCard(role=n.role, count=n.count, os=n.os, arch=n.arch, cpu=n.cpu, memory=n.memory)
            for n in cluster.nodes
        ],
        properties=dict(cluster.properties),
    )
