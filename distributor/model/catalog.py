"""A catalog repository at one commit, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from distributor.model.findings import Finding
from distributor.model.fleet import Cluster, Environment, Installation, Pipeline, Tier
from distributor.model.package import App, Package
from distributor.model.refs import ObjectId


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentFiles:
    """One folder under environments/: the environment, its clusters and explicit installations."""

    environment: Environment
    clusters: Mapping[str, Cluster] = field(default_factory=dict)
    installations: Mapping[str, Installation] = field(default_factory=dict)
    overlay: ObjectId | None = None  # tree of overlay/, if it is a Component


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalog:
    """Everything under catalog/ and environments/ of one root tree.

    What has findings of its own is left out of the maps, so that a broken neighbour stops nobody;
    ``findings`` holds all of them, with file and line; ``notes`` what files ask for that this release
    does not act on, which stops nothing.
    """

    root: ObjectId
    apps: Mapping[str, App] = field(default_factory=dict)
    packages: Mapping[str, Mapping[str, Package]] = field(default_factory=dict)  # app -> version
    environments: Mapping[str, EnvironmentFiles] = field(default_factory=dict)
    tiers: Mapping[str, Tier] = field(default_factory=dict)
    pipeline: Pipeline | None = None
    findings: tuple[Finding, ...] = ()
    notes: tuple[Finding, ...] = ()

    def package(self, app: str, version: str) -> Package | None:
        """One package, or ``None``."""
        return self.packages.get(app, {}).get(version)

    def findings_under(self, folder: str) -> tuple[Finding, ...]:
        """The findings of files below a folder (no trailing slash), and of the folder's own file."""
        return _under(self.findings, folder)

    def notes_under(self, folder: str) -> tuple[Finding, ...]:
        """The same of the notes."""
        return _under(self.notes, folder)


def _under(findings: tuple[Finding, ...], folder: str) -> tuple[Finding, ...]:
    prefix = folder + "/"
    return tuple(f for f in findings if f.where.file == folder or f.where.file.startswith(prefix))
