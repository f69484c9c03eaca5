"""``distributor render --all``: every target of the repository's newest versions, into a new folder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from distributor.adapters.workspace import put_together
from distributor.cli.asked import Asked
from distributor.cli.batch import File, Losses, Rendered, render_files
from distributor.cli.local import (
    Choice,
    Local,
    LocalRenderer,
    catalog_root,
    engine,
    here,
    open_catalog,
)
from distributor.cli.output import DONE, Form, emit, say, table
from distributor.cli.progress import progress
from distributor.errors import DistributorError, Where
from distributor.errors.catalog import AlreadyExists
from distributor.model.findings import Finding, Invalid, errors
from distributor.model.fleet import Installation
from distributor.model.package import Package
from distributor.model.refs import ObjectRef
from distributor.model.target import Target
from distributor.model.versions import Version
from distributor.placement import installations, place
from distributor.render import Cells, Unmatched
from distributor.services.promotion.sharing import shared
from distributor.settings import Settings


async def render_all(settings: Settings, asked: Asked, jobs: int, output: Form) -> int:
    """Write ``<env>/<instance>/<cluster>.yaml`` for every target that renders, in one step.

    The version is the one that the Installation pins, else the app's newest. What does not load or
    render takes its own files with it, no others: then raises ``Invalid`` with all of that, after the
    rest was written.
    """
    folder = asked.path.resolve()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise AlreadyExists(where=Where(file=str(folder)))
    local = open_catalog(catalog_root(here()))
    losses = Losses()
    for finding in _wrong(local, asked):
        losses.add(finding)
    files = [f for e in _environments(local, asked) for f in _files(local, e, asked, losses)]
    with progress("rendering", len(files), wanted=asked.progress) as step:
        async with engine(settings, jobs) as pool:
            watch = Unmatched()
            texts = await render_files(LocalRenderer(local, pool, watch), files, losses, step)
    done = [f for f in files if f.path in texts]
    for line in _shared(done, texts):
        say(line)
    for finding in () if losses.findings else _unmatched(watch, asked):
        say(f"warning: {finding} Remedy: {finding.remedy}")
    if texts or not losses.findings:
        _write(folder, {path: made.text for path, made in texts.items()})
        _show(done, output)
        say(f"{len(texts)} files written to {folder}")
    if losses.findings:
        raise Invalid(losses.findings, _missing(losses.files, len(texts)))
    return DONE


def _missing(lost: int, written: int) -> str:
    if not written:
        return "Nothing was written."
    return f"{lost} files are missing from the folder." if lost else ""


def _environments(local: Local, asked: Asked) -> list[str]:
    return [name for name in local.catalog.environments if asked.environment in ("", name)]


def _wrong(local: Local, asked: Asked) -> Iterator[Finding]:
    """What does not load, but for environments that are not asked for."""
    for finding in errors(local.catalog.findings):
        top, _, rest = finding.where.file.partition("/")
        of = rest.partition("/")[0] if top == "environments" and "/" in rest else ""
        if of in ("", "tiers", asked.environment) or not asked.environment:
            yield finding


def _files(local: Local, environment: str, asked: Asked, losses: Losses) -> Iterator[File]:
    """The files of one environment. What is wrong with an instance or a cluster is lost alone."""
    files = local.catalog.environments[environment]
    for instance, installation in installations(local.catalog, environment).items():
        package = _version(local, installation)
        if package is None:
            say(f"note: {environment}/{instance}: {installation.app} has no version to render")
            continue
        targets = [t for t in place(package, installation, files).targets if _meant(t, asked)]
        paths = {t.name: f"{environment}/{instance}/{t.name}.yaml" for t in targets}
        newer = [] if installation.pin else _unreadable(local, package)
        try:
            made = Cells(local.catalog, package, installation, files)
        except DistributorError as error:
            losses.refuse(error, package, paths.values())
            continue
        for target in targets:
            path = paths[target.name]
            if newer:
                losses.add(newer[0], path)
                continue
            choice = Choice(
                package=package, installation=installation, files=files, cluster=target.cluster
            )
            try:
                yield File(path=path, choice=choice, cell=made.of(target.cluster))
            except DistributorError as error:
                losses.refuse(error, package, [path])


def _unreadable(local: Local, package: Package) -> list[Finding]:
    """The findings of newer versions, one of which might be the one that is meant."""
    folder = f"catalog/{package.app}/"
    found: list[Finding] = []
    for finding in errors(local.catalog.findings_under(folder.rstrip("/"))):
        name = finding.where.file.removeprefix(folder).partition("/")[0]
        try:
            version = Version.parse(name)
        except ValueError:
            continue  # no version's: the app's card, or a folder that is none
        if version > package.version and ("-" not in name.partition("+")[0] or package.version.pre):
            found.append(finding)
    return found


def _version(local: Local, installation: Installation) -> Package | None:
    """The pinned version, else the newest; one that is released goes before any pre-release."""
    known = local.catalog.packages.get(installation.app, {})
    if installation.pin:
        return known.get(installation.pin)
    released = [p for text, p in known.items() if "-" not in text.partition("+")[0]]
    return max(released or known.values(), key=lambda p: p.version, default=None)


def _meant(target: Target, asked: Asked) -> bool:
    cluster = target.cluster
    return asked.tier in ("", cluster.tier) and asked.cluster in ("", cluster.name)


def _shared(files: Sequence[File], made: Mapping[str, Rendered]) -> Iterator[str]:
    """A warning for each pair of instances with the same objects, and the clusters where that is so."""
    there: dict[tuple[str, str], list[tuple[Installation, frozenset[ObjectRef]]]] = {}
    where: dict[tuple[str, Finding], list[str]] = {}
    for file in files:
        cluster, own, refs = file.choice.cluster, file.choice.installation, made[file.path].refs
        before = there.setdefault((cluster.environment, cluster.name), [])
        for other, theirs in before:
            if both := refs & theirs:
                where.setdefault((own.instance, shared(other, both)), []).append(cluster.name)
        before.append((own, refs))
    for (instance, finding), clusters in where.items():
        yield f"warning: {finding} and of {instance}, on {', '.join(clusters)}"


def _unmatched(watch: Unmatched, asked: Asked) -> Iterator[Finding]:
    """The shared Components that found nothing, of those whose apps were all rendered."""
    if asked.tier or asked.cluster:
        return
    for finding in watch.findings():
        if not (asked.environment and finding.where.file.startswith("environments/tiers/")):
            yield finding


def _write(folder: Path, texts: dict[str, str]) -> None:
    """Write beside the folder, then put it in place in one step."""
    with put_together(folder) as made:
        for path, text in texts.items():
            (made / path).parent.mkdir(parents=True, exist_ok=True)
            (made / path).write_text(text, "utf-8")
        made.replace(folder)


def _show(cells: Sequence[File], output: Form) -> None:
    rows = [(c.path, c.choice.package.app, str(c.choice.package.version)) for c in cells]
    if output is Form.TABLE:
        table(("file", "app", "version"), rows)
    else:
        emit([dict(zip(("file", "app", "version"), row, strict=True)) for row in rows], output)
