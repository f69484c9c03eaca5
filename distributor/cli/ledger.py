"""Commands about the ledger itself: a new key for the service, a renewal confirmed, verdicts exported, tags archived."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from distributor.cli.context import run, settings
from distributor.cli.output import DONE, FINDINGS, Form, Output, emit, say

ledger = typer.Typer(help="Keep the ledger.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""
    app.add_typer(ledger, name="ledger")


@ledger.command("rekey")
def rekey(
    key: Annotated[Path, typer.Argument(help="File of the new ed25519 key; the old one signs for it.")],
    reason: Annotated[str, typer.Option("--reason", help="Why; kept in the ledger.")],
    output: Output = Form.TABLE,
) -> None:  # fmt: skip
    """Let the ledger be signed with another key from now on; main's policies must let it decide."""
    from distributor.adapters.keys import load
    from distributor.app import open_service
    from distributor.services.asking.rekeying import change_key

    found, new = settings(), load(key.expanduser())

    async def work() -> int:
        async with open_service(found, writing=True) as service:
            head = await change_key(service, new, reason)
        say(f"from now on `service_key` must name {key}; the old key signs nothing any more")
        emit({"commit": head, "key": new.public_key}, output) if output is not Form.TABLE else (
            typer.echo(head)
        )
        return DONE

    raise typer.Exit(run(work))


@ledger.command("confirm")
def confirm(
    root: Annotated[str, typer.Argument(help="Id of the new root, as whoever renewed it says it.")],
    output: Output = Form.TABLE,
) -> None:
    """Let this service go on from a renewed ledger."""
    from distributor.app import open_service
    from distributor.services.asking.renewing import confirm as go_on

    found = settings()

    async def work() -> int:
        async with open_service(found, writing=False) as service:
            head = await go_on(service, root)
        say("confirmed; a service that runs on this state folder goes on at its next look")
        emit({"root": root, "head": head}, output) if output is not Form.TABLE else (
            typer.echo(head)
        )
        return DONE

    raise typer.Exit(run(work))


@ledger.command("export")
def export(
    environment: Annotated[str, typer.Argument(help="Environment; all if empty.")] = "",
    instance: Annotated[str, typer.Argument(help="Instance; all if empty.")] = "",
    sequence: Annotated[
        int, typer.Option("--sequence", help="The verdict of that number alone; 0: all.")
    ] = 0,
) -> None:
    """Verdicts as in-toto verification summaries: one signed DSSE envelope a line, as JSON."""
    import orjson

    from distributor.app import load_key, open_service
    from distributor.cli.watching import note_local
    from distributor.services.asking.exporting import export as envelopes
    from distributor.services.asking.views import check_names

    found = settings()

    async def work() -> int:
        async with open_service(found, writing=False) as service:
            check_names(await service.look(), environment, instance)
            note_local(service)
            count = 0
            for each in await envelopes(
                service, load_key(found),
                environment=environment, instance=instance, sequence=sequence,
            ):  # fmt: skip
                typer.echo(orjson.dumps(each).decode())
                count += 1
            say(f"verdicts exported: {count}")
            return DONE if count else FINDINGS

    raise typer.Exit(run(work))


@ledger.command("key")
def key() -> None:
    """The public key that the ledger is signed with, as PEM: it verifies what `ledger export` says."""
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        PublicFormat,
        load_ssh_public_key,
    )

    from distributor.app import open_service

    found = settings()

    async def work() -> int:
        async with open_service(found, writing=False) as service:
            await service.look()
            public = load_ssh_public_key(service.book.key.encode())
        pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        typer.echo(pem.decode(), nl=False)
        return DONE

    raise typer.Exit(run(work))


@ledger.command("archive")
def archive(
    older: Annotated[
        float, typer.Option("--older-than", min=0, help="Days since the ledger first saw the tag.")
    ] = 90.0,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Change nothing: name the tags.")
    ] = False,
    output: Output = Form.TABLE,
) -> None:
    """Delete tags from the shared repository that are decided for good; the ledger keeps them whole."""
    from datetime import timedelta

    from distributor.app import open_service
    from distributor.services.asking import archiving

    found, age = settings(), timedelta(days=older)

    async def work() -> int:
        async with open_service(found, writing=not dry_run) as service:
            do = archiving.candidates if dry_run else archiving.archive
            done = await do(service, age)
        if output is not Form.TABLE:
            emit(done, output)
        else:
            for each in done:
                typer.echo(each.ref)
        say(f"tags {'that may go' if dry_run else 'archived'}: {len(done)}")
        return DONE

    raise typer.Exit(run(work))
