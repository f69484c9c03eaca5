"""The desired objects that ``distributor diff`` is given: manifests as they are, or what renders to them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from distributor.adapters.workspace import KUSTOMIZATIONS, read_objects
from distributor.cli.asked import Asked
from distributor.cli.rendering import objects_at
from distributor.settings import Settings


async def desired_at(settings: Settings, path: Path) -> list[dict[str, Any]]:
    """The objects in a file or folder, rendered first where it is a kustomization or a chart."""
    names = ("Chart.yaml", *KUSTOMIZATIONS)
    if not any((path / name).is_file() for name in names):
        return read_objects(path)
    asked = Asked(
        path=path, environment="", tier="", cluster="", name="", namespace="", kubernetes="",
        sets=(), files=(), explain="",
    )  # fmt: skip
    return await objects_at(settings, asked)
