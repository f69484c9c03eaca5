"""The page that teaches this API: Swagger UI with its scripts from this server, and our OpenAPI."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

from fastapi import APIRouter, FastAPI, Response
from fastapi.openapi.utils import get_openapi
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.staticfiles import StaticFiles

from distributor.api.doors import PAGE_POLICY
from distributor.api.problems import MEDIA_TYPE, Problem

router = APIRouter(include_in_schema=False)

OPENAPI = "/openapi.json"
PROBLEM: dict[int | str, dict[str, Any]] = {
    "default": {
        "description": "What went wrong, as a problem document (RFC 9457).",
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
}
"""The answer that every operation may give besides its own."""
TAGS = [
    {"name": "Catalog", "description": "What main offers: apps and their versions."},
    {
        "name": "Fleet",
        "description": "Where things run: environments, clusters, instances, targets.",
    },
    {"name": "Promotions", "description": "What was asked for and decided, and its rollouts."},
    {"name": "Explanations", "description": "Why things are as they are, and how they came there."},
    {"name": "Events", "description": "What happens, as it happens."},
    {"name": "Webhooks", "description": "Hints that something was pushed."},
    {"name": "Probes", "description": "For monitors."},
]
DESCRIPTION = """Reads what the service knows of its catalog repository, its ledger and its clusters.

Nothing is changed here: a promotion, a rollback or a hold is a Git tag (`distributor promote --help`).
Lists are filtered, sorted and paged on the server: give `next` of a page as `cursor` of the next one.
Errors are problem documents with a stable code, which `/api/v1/explain/{code}` explains.
"""
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Distributor API</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/docs/assets/swagger-ui.css">
</head>
<body>
<div id="page"><noscript>This page needs JavaScript; the description itself is at <a
href="/openapi.json">/openapi.json</a>.</noscript></div>
<script src="/docs/assets/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
"""
_START = """"use strict";
SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#page",
  deepLinking: true,
  displayRequestDuration: true,
  validatorUrl: null,
});
"""


@router.get("/")
async def top() -> RedirectResponse:
    """Whoever opens the address in a browser wants the page."""
    return RedirectResponse("/docs")


@router.get("/docs")
async def page() -> HTMLResponse:
    """The page."""
    return HTMLResponse(_PAGE, headers={"content-security-policy": PAGE_POLICY})


@router.get("/docs/start.js")
async def start() -> Response:
    """What starts the page: a file of its own, because nothing inline may run."""
    return Response(_START, media_type="text/javascript")


def install(app: FastAPI) -> None:
    """Add the page, its scripts and the description."""
    app.include_router(router)
    scripts = files("fastapi_offline") / "static"
    app.mount("/docs/assets", StaticFiles(directory=str(scripts)), name="assets")
    app.openapi = lambda: describe(app)  # type: ignore[method-assign]  # FastAPI's documented way to extend it


def describe(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document, made once; with the problem document that all operations refer to."""
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title,
            version=app.version,
            description=app.description,
            routes=app.routes,
            tags=app.openapi_tags,
        )
        template = "#/components/schemas/{model}"
        schema = Problem.model_json_schema(ref_template=template, mode="serialization")
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        schemas.update(schema.pop("$defs", {}), Problem=schema)
        app.openapi_schema = document
    return app.openapi_schema
