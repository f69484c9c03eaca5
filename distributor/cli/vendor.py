"""``distributor vendor``: what a registry has, brought into a package by digest."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from distributor.cli.context import interactive, run
from distributor.cli.output import DONE, FINDINGS, Form, Output, emit, say, table

if TYPE_CHECKING:
    from distributor.adapters.oci import OciRegistry, PackageFolder
    from distributor.model.artifacts import Reference, Vendored
    from distributor.services.asking.vendoring import Ask


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command()(vendor)


def vendor(
    references: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[REFERENCE]...",
            help="oci://HOST/REPOSITORY:TAG or @sha256:...; without one, what the lock names is brought back.",
        ),
    ] = None,
    package: Annotated[
        Path, typer.Option("--package", help="Folder of the version: catalog/APP/VERSION.")
    ] = Path(),
    to: Annotated[
        str,
        typer.Option(
            help="Folder in the package; the one it renders, or charts/ in it for several references."
        ),
    ] = "",
    check: Annotated[
        bool, typer.Option("--check", help="Compare lock and files; no network is used.")
    ] = False,
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace content that was changed by hand, too.")
    ] = False,
    plain_http: Annotated[
        bool, typer.Option("--plain-http", help="Ask the registry without TLS.")
    ] = False,
    output: Output = Form.TABLE,
) -> None:
    """Bring Helm charts or kustomize bundles from an OCI registry into a package, pinned by digest."""
    from distributor.adapters.oci import PackageFolder
    from distributor.errors.service import BadArgument
    from distributor.services.asking.vendoring import Ask

    if check and (references or to or replace):
        raise BadArgument("(--check compares what the lock names; it takes --package alone)")
    place = PackageFolder(package)
    if check:
        raise typer.Exit(_check(place, output))
    ask = Ask(references=tuple(map(_parse, references or ())), to=to, replace=replace)
    _show(run(lambda: _vendor(place, ask, plain_http=plain_http)), output)


async def _vendor(place: PackageFolder, ask: Ask, *, plain_http: bool) -> tuple[Vendored, ...]:
    from distributor.services.asking.vendoring import vendor as bring

    registry = _registry(plain_http=plain_http)
    try:
        return await bring(registry, place, ask, say if interactive() else _quiet)
    finally:
        await registry.aclose()


def _registry(*, plain_http: bool) -> OciRegistry:
    from distributor.adapters.clock import SystemClock
    from distributor.adapters.oci import DockerCredentials, OciRegistry, Transport

    credentials = DockerCredentials.of_user(os.environ, Path.home())
    return OciRegistry(Transport(credentials, SystemClock(), plain_http=plain_http))


def _parse(text: str) -> Reference:
    from distributor.errors.vendoring import BadReference
    from distributor.model.artifacts import Reference

    try:
        return Reference.parse(text)
    except ValueError as error:
        raise BadReference(f"({text[:200]!r}: {error})") from error


def _check(place: PackageFolder, output: Form) -> int:
    from distributor.services.asking.vendoring import check

    entries, findings = place.lock(), check(place)
    if output is not Form.TABLE:
        emit({"artifacts": entries, "findings": findings}, output)
    else:
        _show(entries, output)
        for finding in findings:
            say(str(finding))
            say(f"  remedy: {finding.remedy}")
    return FINDINGS if findings else DONE


def _show(entries: tuple[Vendored, ...], output: Form) -> None:
    if output is not Form.TABLE:
        emit(entries, output)
        return
    rows = [(e.path, e.location, e.tag or "-", e.digest, str(e.size)) for e in entries]
    table(("path", "reference", "tag", "digest", "bytes"), rows)


def _quiet(text: str) -> None:
    """Nobody watches."""
    del text
