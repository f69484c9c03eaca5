"""Commands about the ledger itself: a new key for the service, and a renewal confirmed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from distributor.cli.context import run, settings
from distributor.cli.output import DONE, Form, Output, emit, say

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
