"""Packages: the versions of apps, what they need and what they can be told."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field

from distributor.api.paging import Page, page
from distributor.api.reading import TheCut, TheSnapshot
from distributor.errors.service import NotFound
from distributor.model.package import Fits, Image, Package

router = APIRouter(prefix="/packages", tags=["Catalog"])


class ImageCard(BaseModel):
    """An image that a package runs."""

    name: str = Field(description="Name that the package gives it.")
    reference: str = Field(description="Registry, repository and tag.")
    digest: str = Field(description="Its digest; empty where it is not known.")
    platforms: list[str] = Field(description="Systems and architectures it is built for.")
    size_bytes: int = Field(description="Compressed size; 0 where it is not known.")


class FitsCard(BaseModel):
    """Where a package can run; what is empty asks for nothing."""

    kubernetes: str = Field(description="Range of Kubernetes versions.")
    tiers: list[str] = Field(description="Cluster tiers.")
    environments: list[str] = Field(description="Environments.")
    os: list[str] = Field(description="Operating systems of nodes, one of which must be there.")
    arch: list[str] = Field(description="Architectures of nodes.")
    capabilities: list[str] = Field(description="What the cluster must offer.")
    requires_apis: list[str] = Field(description="Kinds that the cluster must serve.")
    requires: dict[str, str] = Field(description="Apps that must be there, with their range.")
    conflicts: dict[str, str] = Field(description="Apps that must not be there.")


class PackageCard(BaseModel):
    """One version of an app; immutable once it is on main."""

    app: str = Field(description="The app.")
    version: str = Field(description="SemVer 2 version.")
    app_version: str = Field(description="The version that its makers call it.")
    digest: str = Field(description="SHA-256 over the files of its folder.")
    folder: str = Field(description="Where it lies in the repository.")
    renderer: str = Field(description="kustomize, helm or raw.")
    namespace: str = Field(description="Namespace it goes to unless an Installation says another.")
    notes: str = Field(description="What to know about this version.")
    images: list[ImageCard] = Field(description="The images that it runs.")
    fits: FitsCard = Field(description="Where it can run.")


class PackageDetail(PackageCard):
    """One version of an app, with what it can be told."""

    values_schema: dict[str, Any] = Field(description="JSON Schema of its values.")
    defaults: dict[str, Any] = Field(description="Its values unless somebody says otherwise.")
    bind: dict[str, str] = Field(description="Variables bound for each cluster, with their type.")
    topology: dict[str, Any] = Field(description="Components and edges, for a graph.")


@router.get("", operation_id="listPackages", summary="Versions of apps")
async def list_packages(
    snapshot: TheSnapshot,
    wanted: TheCut,
    app: Annotated[str, Query(max_length=63, description="Only of this app.")] = "",
) -> Page[PackageCard]:
    """The packages of main's catalog, by app, then by the text of the version."""
    found = (
        package
        for name, versions in snapshot.catalog.packages.items()
        for package in versions.values()
        if app in ("", name)
    )
    return page(found, wanted, key=lambda p: (p.app, str(p.version)), show=card)


@router.get("/{app}/{version}", operation_id="getPackage", summary="One version of an app")
async def get_package(
    snapshot: TheSnapshot,
    app: Annotated[str, Path(max_length=63, description="Name of the app.")],
    version: Annotated[str, Path(max_length=200, description="SemVer 2 version.")],
) -> PackageDetail:
    """One package, with its values' schema and defaults."""
    found = snapshot.catalog.package(app, version)
    if found is None:
        known = ", ".join(snapshot.catalog.packages.get(app, {})) or "none"
        raise NotFound(f"(the catalog has no {app} {version}; versions: {known})")
    return PackageDetail(
        **dict(card(found)),
        values_schema=dict(found.values.schema),
        defaults=dict(found.values.defaults),
        bind={variable.name: variable.type for variable in found.values.bind},
        topology=dict(found.topology),
    )


def card(package: Package) -> PackageCard:
    """What lists show of a package."""
    return PackageCard(
        app=package.app,
        version=str(package.version),
        app_version=package.app_version,
        digest=package.digest,
        folder=package.folder,
        renderer=package.renderer.value,
        namespace=package.namespace.name,
        notes=package.notes,
        images=[_image(image) for image in package.images],
        fits=_fits(package.fits),
    )


def _image(image: Image) -> ImageCard:
    return ImageCard(
        name=image.name,
        reference=image.reference,
        digest=image.digest,
        platforms=list(image.platforms),
        size_bytes=image.size_bytes,
    )


def _fits(fits: Fits) -> FitsCard:
    return FitsCard(
        kubernetes=fits.kubernetes.text,
        tiers=list(fits.tiers),
        environments=list(fits.environments),
        os=list(fits.os),
        arch=list(fits.arch),
        capabilities=list(fits.capabilities),
        requires_apis=[str(kind) for kind in fits.requires_apis],
        requires={r.app: r.range.text for r in fits.requires},
        conflicts={r.app: r.range.text for r in fits.conflicts},
    )
