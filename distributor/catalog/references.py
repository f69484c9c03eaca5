"""What descriptors say about each other: every name that is used exists, and the pipeline has no circle."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from distributor.catalog.app_folders import AppFolder
from distributor.catalog.descriptors import Findings, Part, Source
from distributor.catalog.documents import FieldPath
from distributor.catalog.environment_folders import EnvironmentFolder
from distributor.catalog.unused import UNSERVED
from distributor.errors.catalog import DuplicateKey, PipelineCycle, UnknownReference
from distributor.errors.cluster import Unsupported
from distributor.model.findings import Finding, Severity
from distributor.model.fleet import Environment, Pipeline
from distributor.model.package import Package
from distributor.model.parity import EVERY_APP
from distributor.model.trees import TreeReader


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What was read of a repository, before anybody looked at how it fits together.

    ``apps`` is ``None`` where the repository has no ``catalog/``: then nothing is said about apps.
    Names of folders count as existing even where their content has findings of its own. ``whole`` is
    false for a part of a repository, such as the tree that a verdict pins: what is absent there is no
    fault, or an accepted revision could not be read back.
    """

    apps: Mapping[str, AppFolder] | None = None
    environments: Mapping[str, EnvironmentFolder] = field(default_factory=dict)
    tiers: frozenset[str] = frozenset()
    pipeline: Part[Pipeline] | None = None
    has_environments: bool = False
    whole: bool = True


def check_references(reader: TreeReader, parts: Parts) -> Findings:
    """All findings about names that lead nowhere. Warnings are about what may lie in another repository."""
    if not parts.whole:
        return ()
    checks = _References(reader, parts)
    found = [*checks.pipeline()]
    for folder in parts.environments.values():
        found += checks.environment(folder)
        found += checks.clusters(folder)
        found += checks.installations(folder)
    for app in (parts.apps or {}).values():
        for package in app.packages.values():
            found += checks.package(package)
    return tuple(found)


def notes(parts: Parts) -> Findings:
    """What was noted about each part when it was read; nothing of a part of a repository."""
    if not parts.whole:
        return ()
    found: list[Finding] = []
    for folder in parts.environments.values():
        own = (folder.environment,) if folder.environment else ()
        for part in (*own, *folder.clusters.values(), *folder.installations.values()):
            found += part.notes
    for app in (parts.apps or {}).values():
        for part in (*((app.app,) if app.app else ()), *app.packages.values()):
            found += part.notes
    return tuple(found)


class _References:
    def __init__(self, reader: TreeReader, parts: Parts) -> None:
        self.reader = reader
        self.parts = parts

    def pipeline(self) -> Iterator[Finding]:
        part = self.parts.pipeline
        if part is None:
            return
        steps = part.value.steps
        names = {step.name for step in steps}
        seen: set[str] = set()
        for index, step in enumerate(steps):
            base: FieldPath = ("spec", "environments", index)
            if step.name in seen:
                where = part.source.where(self.reader, (*base, "name"))
                yield Finding.of(DuplicateKey, f"{step.name} stands in the pipeline twice.", where)
            elif step.name not in self.parts.environments:
                yield self._unknown(part.source, (*base, "name"), "environment", step.name)
            seen.add(step.name)
            for place, name in enumerate(step.after):
                if name not in names:
                    path = (*base, "after", place)
                    yield self._unknown(part.source, path, "environment of the pipeline", name)
        circle = _circle(part.value)
        if circle:
            where = part.source.where(self.reader, ("spec", "environments"))
            yield Finding.of(PipelineCycle, " -> ".join(circle) + ".", where)

    def environment(self, folder: EnvironmentFolder) -> Iterator[Finding]:
        part = folder.environment
        if part is None:
            return
        value, source = part.value, part.source
        pipeline = self.parts.pipeline
        if pipeline is not None and pipeline.value.step(folder.name) is None:
            where = source.where(self.reader, ("metadata", "name"))
            message = f"environments/pipeline.yaml does not list {folder.name}."
            yield Finding.of(UnknownReference, message, where)
        standby = value.standby_for
        if standby and (standby == folder.name or standby not in self.parts.environments):
            yield self._unknown(source, ("spec", "standbyFor"), "other environment", standby)
        apps = value.defaults if self.parts.apps is None else self.parts.apps
        for app in value.defaults:
            if app not in apps:
                path: FieldPath = ("spec", "defaults", "values", app)
                yield self._unknown(source, path, "app", app, Severity.WARNING)
        yield from self._excepted(value, source)
        for index, wave in enumerate(value.rollout.waves):
            base: FieldPath = ("spec", "rollout", "waves", index, "selector", "tiers")
            yield from self._tiers(source, base, wave.selector.tiers)

    def _excepted(self, value: Environment, source: Source) -> Iterator[Finding]:
        """A path that no app begins with excepts nothing."""
        for index, path in enumerate(value.parity_except):
            app, _, rest = path.partition(".")
            known = self.parts.apps is None or app == EVERY_APP or app in self.parts.apps
            if not known or not rest:
                where = source.where(self.reader, ("spec", "parity", "except", index))
                text = f"{path!r} is no app with the path of a value, such as shop.replicas."
                yield Finding.of(UnknownReference, text, where, severity=Severity.WARNING)

    def clusters(self, folder: EnvironmentFolder) -> Iterator[Finding]:
        for part in folder.clusters.values():
            if part.value.tier not in self.parts.tiers:
                yield self._unknown(part.source, ("spec", "tier"), "tier", part.value.tier)
            mode = part.value.mode
            if mode in UNSERVED:
                where = part.source.where(self.reader, ("spec", "delivery", "mode"))
                yield Finding.of(Unsupported, f"Mode {mode} comes with a later release.", where)

    def installations(self, folder: EnvironmentFolder) -> Iterator[Finding]:
        for part in folder.installations.values():
            value = part.value
            base: FieldPath = ("spec", "placement", "selector", "tiers")
            yield from self._tiers(part.source, base, value.selector.tiers)
            if self.parts.apps is None:
                continue
            app = self.parts.apps.get(value.app)
            if app is None:
                yield self._unknown(part.source, ("spec", "app"), "app", value.app)
            elif value.pin and value.pin not in app.versions:
                what = f"version of {value.app}"
                yield self._unknown(part.source, ("spec", "pin", "version"), what, value.pin)

    def package(self, part: Part[Package]) -> Iterator[Finding]:
        """Only warnings: a package never changes, and what it names may go or lie elsewhere."""
        fits = part.value.fits
        if self.parts.has_environments:
            for index, name in enumerate(fits.environments):
                if name not in self.parts.environments:
                    path: FieldPath = ("spec", "fits", "environments", index)
                    yield self._unknown(part.source, path, "environment", name, Severity.WARNING)
        apps = self.parts.apps or {}
        for index, requirement in enumerate(fits.requires):
            if requirement.app not in apps and not requirement.optional:
                path = ("spec", "fits", "requires", index, "app")
                name = requirement.app
                yield self._unknown(part.source, path, "app", name, Severity.WARNING)

    def _tiers(self, source: Source, base: FieldPath, tiers: tuple[str, ...]) -> Iterator[Finding]:
        for index, tier in enumerate(tiers):
            if tier not in self.parts.tiers:
                yield self._unknown(source, (*base, index), "tier", tier)

    def _unknown(
        self,
        source: Source,
        path: FieldPath,
        what: str,
        name: str,
        severity: Severity = Severity.ERROR,
    ) -> Finding:
        where = source.where(self.reader, path)
        message = f"There is no {what} called {name!r}."
        return Finding.of(UnknownReference, message, where, severity=severity)


def _circle(pipeline: Pipeline) -> tuple[str, ...]:
    """Environments that wait for each other, first and last the same; empty if there are none."""
    after = {step.name: step.after for step in pipeline.steps}
    done: set[str] = set()
    for start in after:
        trail: list[str] = []
        stack: list[tuple[str, bool]] = [(start, False)]
        while stack:
            name, leaving = stack.pop()
            if leaving:
                done.add(trail.pop())
            elif name in trail:
                return (*trail[trail.index(name) :], name)
            elif name not in done:
                trail.append(name)
                stack.append((name, True))
                stack += [(other, False) for other in after.get(name, ())]
    return ()
