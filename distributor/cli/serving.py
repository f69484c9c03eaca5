"""``distributor serve``: the API, push hints and the reconciler in one process."""

from __future__ import annotations

from typing import Annotated

import typer

from distributor.cli.context import run, settings
from distributor.cli.output import DONE, say
from distributor.cli.watching import note_local


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command()(serve)


def serve(
    listen: Annotated[
        str | None, typer.Option(help="Address to serve on; only loopback ones in this release.")
    ] = None,
    port: Annotated[int | None, typer.Option(help="Port to serve on; 0 takes a free one.")] = None,
    poll: Annotated[
        float | None, typer.Option(help="Seconds between looks when no push hint comes.")
    ] = None,
    resync: Annotated[
        float | None, typer.Option(help="Seconds between checks of every target for drift.")
    ] = None,
    log_format: Annotated[str | None, typer.Option(help="console, json or auto.")] = None,
) -> None:
    """Serve the API and keep everything in step, until interrupted.

    The first interrupt stops after the steps under way, a second one at once; nothing is lost either
    way: the next start goes on where this one was.
    """
    found = settings(
        quiet=False, listen=listen, port=port, poll=poll, resync=resync, log_format=log_format
    )

    from distributor.api.listening import check
    from distributor.api.server import run as serve_and_reconcile
    from distributor.app import open_service

    check(found)  # before the state folder's lock: a wrong argument is told, whoever holds it

    def ready(url: str) -> None:
        say(f"serving {url}/docs")

    async def work() -> int:
        async with open_service(found, writing=True) as service:
            note_local(service)
            await serve_and_reconcile(service, found, ready=ready)
            return DONE

    raise typer.Exit(run(work))
