"""Commands that start something: a repository, its ledger, an app, a version, a cluster."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from distributor.cli.context import loaded, run, settings
from distributor.cli.output import DONE, Form, Output, emit, say
from distributor.cli.watching import note_local

if TYPE_CHECKING:
    from collections.abc import Mapping

    from distributor.settings import Settings

new = typer.Typer(help="Write valid files to start from.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""
    app.command()(init)
    app.add_typer(new, name="new")


def init(
    folder: Annotated[
        Path, typer.Argument(metavar="[DIR]", help="Folder to write; must be empty.")
    ] = Path(),
    ledger: Annotated[
        bool, typer.Option("--ledger", help="Found the ledger of the repository you stand in.")
    ] = False,
    sign: Annotated[
        str | None, typer.Option("--sign", help="The service's ed25519 key; made if not named.")
    ] = None,
    signer: Annotated[
        list[str] | None,
        typer.Option("--signer", help="NAME=PUBLICKEYFILE of a person; may be repeated."),
    ] = None,
    remote: Annotated[
        str, typer.Option("--remote", help="URL of the shared repository; main is pushed there.")
    ] = "",
    renew: Annotated[
        bool,
        typer.Option("--renew", help="With --ledger: begin it anew, from the last head believed."),
    ] = False,
    reason: Annotated[str, typer.Option("--reason", help="Why it is renewed.")] = "",
    output: Output = Form.TABLE,
) -> None:
    """Write a catalog repository to start from; with --ledger, the genesis record of its ledger."""
    from distributor.errors.service import BadArgument

    if (renew or reason) and not (ledger and renew):
        raise BadArgument("(--renew and --reason go with --ledger)")
    if renew:
        raise typer.Exit(run(lambda: _renew(settings(service_key=sign), reason, output)))
    if ledger and (signer or remote or folder != Path()):
        raise BadArgument("(--ledger works on the repository you stand in; take --sign alone)")
    if ledger:
        raise typer.Exit(run(lambda: _found(settings(service_key=sign), output)))
    from distributor.cli.repositories import Start, start

    made = run(lambda: start(
        Start(
            folder=folder, settings=loaded(service_key=sign).settings, signers=tuple(signer or ()),
            remote=remote, key_given=sign is not None,
        )
    ))  # fmt: skip
    say(f"wrote {made.folder}: commit {made.commit[:12]} on main")
    say(f"the service signs with {made.service_key}; keep a copy of it")
    if not made.pushed:
        say("next: push main to a shared repository, then `distributor init --ledger`")
    emit(made, output) if output is not Form.TABLE else typer.echo(made.folder)


async def _found(found: Settings, output: Form) -> int:
    from distributor.app import open_service
    from distributor.services.asking.founding import found_ledger

    async with open_service(found, writing=True) as service:
        head = await found_ledger(service.world)
        note_local(service)
        at = service.world.ledger_at or found.repository
    say(f"the ledger is founded: {found.ledger} of {at}")
    emit({"ledger": found.ledger, "commit": head}, output) if output is not Form.TABLE else (
        typer.echo(head)
    )
    return DONE


async def _renew(found: Settings, reason: str, output: Form) -> int:
    from distributor.app import open_service
    from distributor.services.asking.renewing import renew_ledger

    async with open_service(found, writing=True) as service:
        done = await renew_ledger(service, reason)
    for place in done.unseen:
        say(f"not asked for its sequence number: {place}")
    say(f"the ledger goes on from {done.previous[:12]} with sequence {done.next_sequence}")
    say(f"on every other service: distributor ledger confirm {done.root}")
    emit(done, output) if output is not Form.TABLE else typer.echo(done.root)
    return DONE


@new.command("app")
def new_app(
    name: Annotated[str, typer.Argument(help="Name, such as shop.")],
    owner: Annotated[str, typer.Option(help="Team that owns it; team-NAME if empty.")] = "",
    output: Output = Form.TABLE,
) -> None:
    """Write an app with a first version."""
    from distributor.catalog.scaffold import new_app as make

    _write(f"catalog/{name}", make(name, owner=owner), output)


@new.command("version")
def new_version(
    app: Annotated[str, typer.Argument(help="App, such as shop.")],
    version: Annotated[str, typer.Argument(help="The new version, such as 1.4.3.")],
    old: Annotated[
        str, typer.Option("--from", help="Version to start from; the newest if empty.")
    ] = "",
    output: Output = Form.TABLE,
) -> None:
    """Write the next version of an app as a copy of an older one."""
    from distributor.catalog.scaffold import new_version as make
    from distributor.cli.repositories import version_files

    used, files = version_files(app, old)
    say(f"copied from {app} {used}")
    _write(f"catalog/{app}/{version}", make(app, files, version), output)


@new.command("cluster")
def new_cluster(
    name: Annotated[str, typer.Argument(help="Name, such as uat-edge-1.")],
    environment: Annotated[str, typer.Option("--env", help="Environment, such as uat.")],
    tier: Annotated[str, typer.Option("--tier", help="Tier, such as edge.")],
    mode: Annotated[str, typer.Option(help="push, directory or branch.")] = "directory",
    flavour: Annotated[str, typer.Option(help="Of a directory: k3s, k0s or plain.")] = "k3s",
    connection: Annotated[str, typer.Option(help="Reference; ENV/NAME if empty.")] = "",
    kubernetes: Annotated[str, typer.Option(help="Minor version, such as 1.33.")] = "1.33",
    region: Annotated[str, typer.Option(help="Region.")] = "",
    domain: Annotated[str, typer.Option(help="Domain of its hosts.")] = "",
    output: Output = Form.TABLE,
) -> None:
    """Write the file of a cluster."""
    from distributor.cli.repositories import cluster_files

    files = cluster_files(
        name, environment, tier, mode=mode, flavour=flavour, connection=connection,
        kubernetes=kubernetes, region=region, domain=domain,
    )  # fmt: skip
    _write(next(iter(files)), files, output)


def _write(what: str, files: Mapping[str, bytes], output: Form) -> None:
    from distributor.cli.repositories import add_files

    written = [str(path) for path in add_files(what, files)]
    if output is not Form.TABLE:
        emit({"written": written}, output)
        return
    for path in written:
        typer.echo(path)
