"""The loader: a root tree -> Catalog and PolicySet, reading only what it has not read before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import TypeVar

from distributor.catalog import fleet, policies
from distributor.catalog.app_folders import AppFolder, VersionMemo, read_app
from distributor.catalog.descriptors import (
    Findings,
    Folder,
    Part,
    Source,
    descriptor,
    folder,
    missing,
)
from distributor.catalog.documents import Document
from distributor.catalog.environment_folders import (
    TIERS,
    EnvironmentFolder,
    FileMemo,
    read_environment,
    read_tier,
)
from distributor.catalog.memo import Memo
from distributor.catalog.references import Parts, check_references, notes
from distributor.catalog.walking import check_entries
from distributor.errors import Where
from distributor.errors.catalog import NotACatalog, UnsafeEntry
from distributor.model.catalog import Catalog, EnvironmentFiles
from distributor.model.findings import Finding, errors
from distributor.model.fleet import Pipeline, Tier
from distributor.model.package import Package
from distributor.model.policy import PolicySet
from distributor.model.refs import ObjectId
from distributor.model.trees import EntryKind, TreeReader

PIPELINE = "environments/pipeline.yaml"
"""The one file that every whole repository with environments has."""
_ROOTS = 65_536  # apps of main's last heads, and of the tree that each instance's verdict pins
_ENTRIES = 131_072
_LEAST = 16
"""What a catalog or folder weighs without its apps or entries: one that is pinned holds a single app."""
_POLICIES = 256
_FOLDERS = 4_096
_FILES = 65_536
_NOTHING = ObjectId("")

T = TypeVar("T")


class Loader:
    """Reads catalog repositories. Content of an id never changes, so nothing is read twice.

    Not for use by several threads at once.
    """

    def __init__(self, reader: TreeReader) -> None:
        self._reader = reader
        self._roots: Memo[Folder] = Memo(_ENTRIES, lambda entries: _LEAST + len(entries))
        self._catalogs: Memo[Catalog] = Memo(_ROOTS, lambda found: _LEAST + len(found.packages))
        self._policies: Memo[PolicySet] = Memo(_POLICIES)
        self._apps: Memo[AppFolder] = Memo(_FOLDERS)
        self._versions: VersionMemo = Memo(_FOLDERS)
        self._environments: Memo[EnvironmentFolder] = Memo(_FOLDERS)
        self._tiers: Memo[Part[Tier] | Findings] = Memo(_FOLDERS)
        self._files: FileMemo = Memo(_FILES)

    def load(self, root: ObjectId) -> Catalog:
        """The catalog of a root tree, with all findings; raises ``ObjectMissing`` only."""
        entries = self._root(root)
        key = ("catalog", _id(entries, "catalog"), ObjectId(_id(entries, "environments")))
        catalog = self._catalogs.get(key, partial(self._catalog, root, entries))
        return catalog if catalog.root == root else replace(catalog, root=root)

    def policies(self, root: ObjectId) -> PolicySet:
        """The policies of a root tree; findings make whoever uses them fail closed."""
        entries = self._root(root)
        ids = (_id(entries, name) for name in ("catalog", "environments", "policies"))
        key = ("policies", "/".join(ids), _NOTHING)
        return self._policies.get(key, partial(self._policy_set, entries))

    def _root(self, root: ObjectId) -> Folder:
        return self._roots.get(("root", "", root), partial(folder, self._reader, root))

    def _policy_set(self, entries: Folder) -> PolicySet:
        names = frozenset(self._trees(entries, "environments")) - {TIERS}
        known = names if "environments" in entries else None
        apps = frozenset(self._trees(entries, "catalog")) if "catalog" in entries else None
        return policies.read_policies(
            self._reader, entries.get("policies"), environments=known, apps=apps
        )

    def _catalog(self, root: ObjectId, entries: Folder) -> Catalog:
        findings = list(_check_root(entries))
        apps = {
            name: self._apps.get(
                ("app", f"catalog/{name}", tree),
                partial(read_app, self._reader, name, tree, self._versions),
            )
            for name, tree in self._trees(entries, "catalog").items()
        }
        folders = self._trees(entries, "environments")
        tiers = self._read_tiers(folders.pop(TIERS, None))
        environments = {
            name: self._environments.get(
                ("environment", f"environments/{name}", tree),
                partial(read_environment, self._reader, name, tree, self._files),
            )
            for name, tree in folders.items()
        }
        pipeline = self._pipeline(entries)
        findings += self._own_findings(entries, apps, environments)
        findings += [f for part in tiers.values() if not isinstance(part, Part) for f in part]
        findings += pipeline if not isinstance(pipeline, Part) else ()
        parts = Parts(
            apps=apps if "catalog" in entries else None,
            environments=environments,
            tiers=frozenset(tiers),
            pipeline=pipeline if isinstance(pipeline, Part) else None,
            has_environments="environments" in entries,
            whole="environments" not in entries or pipeline != (missing(PIPELINE),),
        )
        findings += check_references(self._reader, parts)
        return _assemble(root, parts, tiers, findings)

    def _own_findings(
        self,
        entries: Folder,
        apps: dict[str, AppFolder],
        environments: dict[str, EnvironmentFolder],
    ) -> list[Finding]:
        found: list[Finding] = []
        for name in ("catalog", "environments"):
            if name in entries and entries[name].kind is EntryKind.TREE:
                found += check_entries(self._reader.entries(entries[name].id), name)
        found += [f for app in apps.values() for f in app.findings]
        found += [f for folder in environments.values() for f in folder.findings]
        return found

    def _trees(self, entries: Folder, name: str) -> dict[str, ObjectId]:
        """The folders directly below a top-level folder."""
        top = entries.get(name)
        if top is None or top.kind is not EntryKind.TREE:
            return {}
        listed = self._roots.get(("top", name, top.id), partial(folder, self._reader, top.id))
        return {n: e.id for n, e in listed.items() if e.kind is EntryKind.TREE}

    def _read_tiers(self, tree: ObjectId | None) -> dict[str, Part[Tier] | Findings]:
        if tree is None:
            return {}
        listed = folder(self._reader, tree)
        return {
            name: self._tiers.get(
                ("tier", f"environments/{TIERS}/{name}", entry.id),
                partial(read_tier, self._reader, name, entry.id),
            )
            for name, entry in listed.items()
            if entry.kind is EntryKind.TREE
        }

    def _pipeline(self, entries: Folder) -> Part[Pipeline] | Findings:
        top = entries.get("environments")
        if top is None or top.kind is not EntryKind.TREE:
            return ()
        entry = folder(self._reader, top.id).get("pipeline.yaml")
        if entry is None:
            return (missing(PIPELINE),)
        document = descriptor(self._reader, entry, PIPELINE, "Pipeline", "pipeline")
        if not isinstance(document, Document):
            return document
        return Part(value=fleet.pipeline(document), source=Source(file=PIPELINE, blob=entry.id))


def _id(entries: Folder, name: str) -> str:
    return f"{entries[name].mode:o}:{entries[name].id}" if name in entries else ""


def _check_root(entries: Folder) -> Findings:
    tops = [entries[name] for name in ("catalog", "environments") if name in entries]
    if not tops:
        message = "It has neither catalog/ nor environments/."
        return (Finding.of(NotACatalog, message),)
    return tuple(
        Finding.of(UnsafeEntry, "A folder is needed here.", Where(file=entry.name))
        for entry in tops
        if entry.kind is not EntryKind.TREE
    )


def _assemble(
    root: ObjectId, parts: Parts, tiers: dict[str, Part[Tier] | Findings], findings: list[Finding]
) -> Catalog:
    """The catalog without what has an error of its own."""
    found = tuple(sorted(dict.fromkeys(findings), key=_order))
    bad = frozenset(finding.where.file for finding in errors(found))
    pipeline = parts.pipeline
    apps = parts.apps or {}
    broken = {n for n, t in tiers.items() if not (isinstance(t, Part) and _good(t, bad))}
    return Catalog(
        root=root,
        apps={n: a.app.value for n, a in apps.items() if a.app and _good(a.app, bad)},
        packages={n: packages for n, a in apps.items() if (packages := _packages(a, bad))},
        environments={
            name: EnvironmentFiles(
                environment=own.value,
                clusters=_values(each.clusters, bad),
                installations=_values(each.installations, bad),
                overlay=each.overlay,
            )
            for name, each in parts.environments.items()
            if (own := each.environment) and _good(own, bad)
            # without a tier's Component its clusters would render as something else
            if broken.isdisjoint(part.value.tier for part in each.clusters.values())
        },
        tiers={n: t.value for n, t in tiers.items() if isinstance(t, Part) and _good(t, bad)},
        pipeline=pipeline.value if pipeline and _good(pipeline, bad) else None,
        findings=found,
        notes=tuple(sorted(notes(parts), key=_order)),
    )


def _order(finding: Finding) -> tuple[str, int, int, str, str]:
    where = finding.where
    return (where.file, where.line, where.column, finding.code, finding.message)


def _good(part: Part[T], bad: frozenset[str]) -> bool:
    return part.source.file not in bad


def _values(parts: Mapping[str, Part[T]], bad: frozenset[str]) -> dict[str, T]:
    return {name: part.value for name, part in parts.items() if _good(part, bad)}


def _packages(app: AppFolder, bad: frozenset[str]) -> dict[str, Package]:
    """An app's packages, the oldest version first."""
    usable = sorted(p.value.version for p in app.packages.values() if _good(p, bad))
    return {str(version): app.packages[str(version)].value for version in usable}
