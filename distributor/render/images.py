"""Images: the registry that every one of them comes from, and the digests that a package lists."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from distributor.model.package import Image
from distributor.render.places import Path, put
from distributor.render.pods import containers, pod_path, pod_spec
from distributor.render.scopes import group_kind

_KUBERNETES = frozenset({"", "apps", "autoscaling", "batch", "extensions", "policy"})
_MAX_DEPTH = 100

_HUB = frozenset({"", "docker.io", "index.docker.io"})
_REFERENCE = re.compile(
    # As container tools have it: a first part with a dot or a port, or localhost, is a host.
    r"(?:(?P<host>localhost(?::\d+)?|[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+(?::\d+)?|[A-Za-z0-9-]+:\d+)/)?"
    r"(?P<path>[a-z0-9][a-z0-9._-]*(?:/[a-z0-9][a-z0-9._-]*)*)"
    r"(?::(?P<tag>[^@/]+))?(?:@(?P<digest>[^@/]+))?"
)
"""The grammar of the distribution specification's ``reference``; a tag may hold variables here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """An image reference in its parts; ``path`` is below the host, with Docker Hub's ``library/``."""

    host: str
    path: str
    tag: str = ""
    digest: str = ""

    @classmethod
    def parse(cls, text: str) -> Reference | None:
        """The parts of a reference, ``None`` where it is none (or holds a variable in its name)."""
        match = _REFERENCE.fullmatch(text)
        if match is None:
            return None
        host, path = match["host"] or "", match["path"]
        if host in _HUB:
            host, path = "docker.io", path if "/" in path else f"library/{path}"
        return cls(host=host, path=path, tag=match["tag"] or "", digest=match["digest"] or "")

    @property
    def repository(self) -> tuple[str, str]:
        """Host and path: the same image, whatever its tag."""
        return (self.host, self.path)

    @property
    def rest(self) -> str:
        """What follows the registry: path, tag and digest."""
        tag = f":{self.tag}" if self.tag else ""
        return f"{self.path}{tag}" + (f"@{self.digest}" if self.digest else "")


class Images:
    """The images of a package, and how each reference in its objects is written.

    A reference belongs to a listed image when registry and repository are the same, so that an overlay
    may choose another tag. It is pinned only to a digest that is listed for that very tag; a digest
    that is written already stays. ``registry`` (an environment's) replaces the registry in front, of
    listed images and of each that a container runs or a volume mounts (``runs``).
    """

    def __init__(self, images: Iterable[Image], registry: str = "") -> None:
        self.registry = registry
        self._digests: dict[tuple[str, str], dict[str, set[str]]] = {}
        for image in images:
            listed = Reference.parse(image.reference)
            if listed is not None:
                tags = self._digests.setdefault(listed.repository, {})
                digest = image.digest or listed.digest
                if digest and (listed.tag or not listed.digest):
                    tags.setdefault(listed.tag or "latest", set()).add(digest)

    def __bool__(self) -> bool:
        return bool(self._digests or self.registry)

    def written(self, text: str, *, run: bool = False) -> str:
        """The reference as the environment wants it; itself where it is no image, or not known to be one.

        ``run`` says that the place takes nothing but an image, so that an unlisted one is known too.
        """
        found = Reference.parse(text)
        listed = found is not None and found.repository in self._digests
        if found is None or not (listed or run):
            return text
        digest = self._digest(found) if listed and not found.digest else ""
        pinned = f"@{digest}" if digest else ""
        return (mirrored(text, self.registry) if self.registry else text) + pinned

    def rest(self, text: str, *, run: bool = False) -> str:
        """What follows the registry in a reference that ``written`` gave; empty where it is not ours."""
        if self.registry and text.startswith(f"{self.registry}/"):
            return text.removeprefix(f"{self.registry}/")
        found = Reference.parse(text) if run else self._listed(text)
        return found.rest if found is not None else ""

    def is_listed(self, text: str) -> bool:
        """Whether a reference means one of the listed images."""
        return self._listed(text) is not None

    def _listed(self, text: str) -> Reference | None:
        found = Reference.parse(text)
        return found if found is not None and found.repository in self._digests else None

    def _digest(self, reference: Reference) -> str:
        """The one digest that is listed for this tag; two that differ are no answer."""
        known = self._digests[reference.repository].get(reference.tag or "latest", set())
        return next(iter(known)) if len(known) == 1 else ""


def mirrored(text: str, registry: str) -> str:
    """A reference as it is below another registry; itself where it is there already, or is none."""
    found = None if text.startswith(f"{registry}/") else Reference.parse(text)
    return text if found is None else f"{registry}/{found.rest}"


def set_images(data: dict[str, Any], images: Images) -> None:
    """Rewrite, in place, every image of an object."""
    for path, text in list(image_places(data)):
        written = images.written(text, run=runs(path))
        if written != text:
            put(data, path, written)


def image_places(data: dict[str, Any]) -> Iterator[tuple[Path, str]]:
    """Where an object names images: each container's and each image volume's.

    In kinds that are not Kubernetes' own, any text under a key ``image`` counts, wherever it lies: most
    operators name the image that they start so. But it may mean something else (a disk, a picture), so
    outside of containers and volumes only references that the package lists are changed.
    """
    if pod_path(data):
        pod = pod_spec(data)
        return _of_pod(pod, pod_path(data)) if pod is not None else iter(())
    group = group_kind(data).group
    if group in _KUBERNETES or group.endswith(".k8s.io"):
        return iter(())
    return _anywhere(data, ())


def runs(path: Path) -> bool:
    """Whether a place takes nothing but an image: a container's or an image volume's, in whatever kind."""
    match path[-4:]:
        case (*_, "containers" | "initContainers" | "ephemeralContainers", int(), "image"):
            return True
        case ("volumes", int(), "image", "reference"):
            return True
        case _:
            return False


def _of_pod(pod: dict[str, Any], path: Path) -> Iterator[tuple[Path, str]]:
    """Core/v1 Container and ImageVolumeSource."""
    for place, container in containers(pod):
        if isinstance(container.get("image"), str):
            yield (*path, *place, "image"), container["image"]
    volumes = pod.get("volumes")
    for index, volume in enumerate(volumes if isinstance(volumes, list) else ()):
        image = volume.get("image") if isinstance(volume, dict) else None
        if isinstance(image, dict) and isinstance(image.get("reference"), str):
            yield (*path, "volumes", index, "image", "reference"), image["reference"]


def _anywhere(value: object, path: Path) -> Iterator[tuple[Path, str]]:
    if len(path) > _MAX_DEPTH:
        return
    if isinstance(value, dict):
        for key, inner in value.items():
            if isinstance(inner, str):
                if key == "image" or (key == "reference" and path[-1:] == ("image",)):
                    yield (*path, key), inner
            else:
                yield from _anywhere(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _anywhere(inner, (*path, index))
