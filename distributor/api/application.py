"""The application: routes, doors and problem documents around one service."""

from __future__ import annotations

import asyncio
from importlib import metadata

from fastapi import FastAPI

from distributor.api import (
    apps,
    clusters,
    docs,
    environments,
    events,
    installations,
    packages,
    probes,
    problems,
    promotions,
    rollouts,
    targets,
    telling,
    webhooks,
)
from distributor.api.doors import Doors
from distributor.services.service import Service
from distributor.settings import Settings

_TOPICS = (
    apps, packages, environments, clusters, installations, targets, promotions, rollouts, telling, events,
)  # fmt: skip


def create_app(service: Service, settings: Settings) -> FastAPI:
    """The application over a service that somebody else opened, runs and closes.

    ``app.state.closing`` is an ``asyncio.Event``: once it is set, streams of events end.
    """
    app = FastAPI(
        title="Distributor",
        version=metadata.version("distributor"),
        description=docs.DESCRIPTION,
        openapi_url=docs.OPENAPI,
        openapi_tags=docs.TAGS,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        responses=docs.PROBLEM,
    )
    app.state.service = service
    app.state.settings = settings
    app.state.closing = asyncio.Event()
    for topic in _TOPICS:
        app.include_router(topic.router, prefix="/api/v1")
    for router in (probes.router, webhooks.router):
        app.include_router(router)
    docs.install(app)
    problems.install(app)
    app.add_middleware(Doors)
    return app
