"""Images: the digests and the registry that the service sets, for the images a package lists."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from distributor.model.package import Image

_CONTAINERS = ("containers", "initContainers", "ephemeralContainers")


def image_filter(images: tuple[Image, ...], registry: str) -> Callable[[str], str] | None:
    """What to write instead of an image reference; ``None`` where nothing would change.

    Only images that the package lists are touched. One whose digest is known is pinned to it; an
    environment's registry replaces the host in front of the path.
    """
    written = {i.reference: _written(i, registry) for i in images}
    changed = {old: new for old, new in written.items() if old != new}
    if not changed:
        return None
    return lambda reference: changed.get(reference, reference)


def _written(image: Image, registry: str) -> str:
    reference = image.reference
    if image.digest and "@" not in reference:
        reference = f"{reference}@{image.digest}"
    if not registry:
        return reference
    first, slash, rest = reference.partition("/")
    # As container tools have it: a first part with a dot or a port, or localhost, is a host.
    is_host = bool(slash) and ("." in first or ":" in first or first == "localhost")
    return f"{registry}/{rest if is_host else reference}"


def set_images(value: Any, written: Callable[[str], str], depth: int = 0) -> None:  # noqa: ANN401 - any JSON value
    """Rewrite, in place, the image of every container in an object, wherever its pod template lies."""
    if depth > _MAX_DEPTH:
        return
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if key in _CONTAINERS and isinstance(inner, list):
                for container in inner:
                    if isinstance(container, dict) and isinstance(container.get("image"), str):
                        container["image"] = written(container["image"])
            set_images(inner, written, depth + 1)
    elif isinstance(value, list):
        for inner in value:
            set_images(inner, written, depth + 1)


_MAX_DEPTH = 100
