"""Choosing where a package is rendered for: environment, instance and cluster, from what was named."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from distributor.cli.local import Choice, Local
from distributor.errors.service import BadArgument, NotFound
from distributor.model.catalog import Catalog, EnvironmentFiles
from distributor.model.findings import errors
from distributor.model.fleet import Cluster, Flavour, Installation, Mode
from distributor.model.package import Package
from distributor.model.target import Placement
from distributor.placement import installations, place


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What was named on the command line; empty means: whatever fits."""

    environment: str = ""
    tier: str = ""
    cluster: str = ""
    name: str = ""
    namespace: str = ""
    kubernetes: str = ""


def choose(local: Local, package: Package, wanted: Wanted) -> Choice:
    """Where to render for, with a note on everything that was not named.

    Raises ``NotFound`` and ``BadArgument`` for names, ``Invalid`` where a file that is needed has
    findings: what is broken must not be passed over in silence.
    """
    catalog = local.catalog
    environment = wanted.environment or _environment(local, package, wanted)
    folder = f"environments/{environment}"
    parts = ("environment.yaml", "overlay", "apps", f"clusters/{wanted.cluster}.yaml")
    local.refuse(*(f"{folder}/{part}" for part in parts))
    files = catalog.environments.get(environment)
    if files is None:
        local.refuse(folder)
        raise NotFound(f"(environment {environment!r}; there are: {_names(catalog.environments)})")
    installation, notes = _installation(catalog, package, environment, wanted)
    placed = place(package, installation, files)
    cluster, more = _cluster(catalog, package, files, placed, wanted)
    local.refuse(f"environments/tiers/{cluster.tier}")
    if wanted.kubernetes:
        cluster = replace(cluster, kubernetes=wanted.kubernetes.removeprefix("v"))
    said = () if wanted.environment else (f"environment {environment}",)
    return Choice(
        package=package,
        installation=installation,
        files=files,
        cluster=cluster,
        notes=(*said, *notes, *more),
    )


def _names(found: Mapping[str, object]) -> str:
    return ", ".join(found) or "none"


def _environment(local: Local, package: Package, wanted: Wanted) -> str:
    """The environment of a cluster that was named, else the first that has the app."""
    catalog = local.catalog
    order = catalog.pipeline.names if catalog.pipeline else tuple(sorted(catalog.environments))
    there = [name for name in order if name in catalog.environments]
    if wanted.cluster:
        found = [n for n in there if wanted.cluster in catalog.environments[n].clusters]
        if len(found) != 1:
            local.refuse(*_hiding(catalog, wanted.cluster))
            hint = f"in {len(found)} environments; name one with --env"
            raise NotFound(f"(cluster {wanted.cluster!r} is {hint})")
        return found[0]
    fits = [n for n in there if any(_of_app(catalog, package, n))]
    if not there:
        raise NotFound("(the repository has no environment)")
    return (fits or there)[0]


def _hiding(catalog: Catalog, cluster: str) -> Iterator[str]:
    """The files that cannot be read and may be a cluster's: its own, or those of a whole environment."""
    for finding in errors(catalog.findings):
        match finding.where.file.split("/"):
            case ["environments", environment, "clusters", file] if file == f"{cluster}.yaml":
                yield f"environments/{environment}/clusters/{file}"
            case ["environments", environment, *_] if environment not in catalog.environments:
                yield f"environments/{environment}"


def _of_app(catalog: Catalog, package: Package, environment: str) -> Iterator[Installation]:
    return (i for i in installations(catalog, environment).values() if i.app == package.app)


def _installation(
    catalog: Catalog, package: Package, environment: str, wanted: Wanted
) -> tuple[Installation, tuple[str, ...]]:
    found = {i.instance: i for i in _of_app(catalog, package, environment)}
    name = wanted.name or (package.app if package.app in found else next(iter(found), package.app))
    installation = found.get(name)
    notes: tuple[str, ...] = ()
    if installation is None:
        notes = (
            f"{environment} has no Installation {name} of {package.app}: rendered as if it had",
        )
        installation = Installation(
            app=package.app, instance=name, environment=environment, implicit=True
        )
    return replace(installation, namespace=wanted.namespace or installation.namespace), notes


def _cluster(
    catalog: Catalog,
    package: Package,
    files: EnvironmentFiles,
    placed: Placement,
    wanted: Wanted,
) -> tuple[Cluster, tuple[str, ...]]:
    if wanted.cluster:
        return _named(files, placed, wanted)
    if wanted.tier and wanted.tier not in catalog.tiers:
        raise NotFound(f"(tier {wanted.tier!r}; there are: {_names(catalog.tiers)})")
    targets = [t.cluster for t in placed.targets if wanted.tier in ("", t.cluster.tier)]
    others = [c for c in files.clusters.values() if wanted.tier in ("", c.tier)]
    if targets:
        alike = f"one of {len(targets)}" if len(targets) > 1 else "the only one"
        return targets[0], (f"cluster {targets[0].name} ({alike} that the package is placed on)",)
    if others:
        why = placed.left_out.get(others[0].name, "")
        return others[0], (f"cluster {others[0].name}, where it is not placed: {why}",)
    made = _made(catalog, package, files.environment.name, wanted.tier)
    return made, (f"no cluster of tier {made.tier} there: an imagined one, {made.name}",)


def _named(
    files: EnvironmentFiles, placed: Placement, wanted: Wanted
) -> tuple[Cluster, tuple[str, ...]]:
    cluster = files.clusters.get(wanted.cluster)
    if cluster is None:
        known = _names(files.clusters)
        raise NotFound(f"(cluster {wanted.cluster!r}; {files.environment.name} has: {known})")
    if wanted.tier not in ("", cluster.tier):
        raise BadArgument(f"({cluster.name} is of tier {cluster.tier}, not {wanted.tier})")
    why = placed.left_out.get(cluster.name)
    return cluster, (f"not placed on {cluster.name}: {why}",) if why else ()


def _made(catalog: Catalog, package: Package, environment: str, tier: str) -> Cluster:
    """A cluster that is not there, alike one of its tier elsewhere."""
    tier = tier or next(iter(package.fits.tiers or catalog.tiers), "")
    known = [c for f in catalog.environments.values() for c in f.clusters.values()]
    alike = next((c for c in known if c.tier == tier), None)
    name = f"{environment}-{tier}"
    if alike is not None:
        return replace(alike, name=name, environment=environment)
    minor = max((c.kubernetes for c in known if c.kubernetes), default="", key=_minor)
    return Cluster(
        name=name,
        environment=environment,
        tier=tier,
        mode=Mode.DIRECTORY,
        flavour=Flavour.K3S,
        kubernetes=minor,
        region="example",
        domain=f"{name}.example",
    )


def _minor(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())
