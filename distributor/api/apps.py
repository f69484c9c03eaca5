"""Apps: the cards of main's catalog, with the versions there are."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field

from distributor.api.paging import Page, page
from distributor.api.reading import TheCut, TheSnapshot
from distributor.errors.service import NotFound
from distributor.model.catalog import Catalog
from distributor.model.package import App

router = APIRouter(prefix="/apps", tags=["Catalog"])


class AppCard(BaseModel):
    """An app as the catalog presents it; what changes with a version is in its packages."""

    name: str = Field(description="Name of the app: its folder under `catalog/`.")
    display_name: dict[str, str] = Field(
        description="Name for people, by language; the empty language is the one for all."
    )
    summary: str = Field(description="What it is, in a sentence.")
    description: str = Field(description="What it is, at length.")
    owner: str = Field(description="Whom to ask.")
    provider: str = Field(description="Who makes it.")
    level: str = Field(description="platform, certified, partner, community or internal.")
    categories: list[str] = Field(description="Where it stands in the app centre.")
    keywords: list[str] = Field(description="Words that it is found by.")
    links: dict[str, str] = Field(description="Addresses by what is there.")
    versions: list[str] = Field(description="Its versions on main, newest first.")


@router.get("", operation_id="listApps", summary="Apps of the catalog")
async def list_apps(
    snapshot: TheSnapshot,
    wanted: TheCut,
    q: Annotated[
        str, Query(max_length=200, description="Words that must all be in name, text or keywords.")
    ] = "",
    category: Annotated[str, Query(max_length=63, description="Only of this category.")] = "",
) -> Page[AppCard]:
    """The apps that main declares, by name, each with its versions."""
    words = q.lower().split()
    catalog = snapshot.catalog
    found = (
        app
        for app in catalog.apps.values()
        if (not category or category in app.categories) and all(w in _text(app) for w in words)
    )
    return page(found, wanted, key=lambda app: (app.name,), show=lambda app: card(catalog, app))


@router.get("/{app}", operation_id="getApp", summary="One app")
async def get_app(
    snapshot: TheSnapshot, app: Annotated[str, Path(max_length=63, description="Name of the app.")]
) -> AppCard:
    """The card of one app."""
    found = snapshot.catalog.apps.get(app)
    if found is None:
        raise NotFound(f"(the catalog has no app {app})")
    return card(snapshot.catalog, found)


def card(catalog: Catalog, app: App) -> AppCard:
    """The card of an app, with the versions that the catalog has."""
    versions = sorted(
        (p.version for p in catalog.packages.get(app.name, {}).values()), reverse=True
    )
    return AppCard(
        name=app.name,
        display_name=dict(app.display_name),
        summary=app.summary,
        description=app.description,
        owner=app.owner,
        provider=app.provider,
        level=app.level,
        categories=list(app.categories),
        keywords=list(app.keywords),
        links=dict(app.links),
        versions=[str(version) for version in versions],
    )


def _text(app: App) -> str:
    names = app.display_name.values()
    return " ".join((app.name, *names, app.summary, app.description, *app.keywords)).lower()
