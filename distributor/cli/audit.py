"""Commands that audit: does everything add up, and making the read model anew."""

from __future__ import annotations

import typer

from distributor.cli.context import run, settings
from distributor.cli.output import DONE, FINDINGS, Form, Output, emit, say
from distributor.cli.watching import note_local


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""
    app.command()(fsck)
    app.command()(rebuild)


def fsck(output: Output = Form.TABLE) -> None:
    """Fold tags and ledger again, check every signature and pinned tree, and report every difference."""
    from distributor.app import open_service
    from distributor.services.asking.auditing import fsck as check
    from distributor.services.asking.views import main_warnings

    found = settings()

    async def work() -> int:
        async with open_service(found, writing=False) as service:
            findings = await check(service)
            note_local(service)
            if output is Form.TABLE:
                for finding in findings:
                    typer.echo(f"{finding}\n  remedy: {finding.remedy}")
                warnings = main_warnings(service.snapshot) if service.snapshot else ()
                for warning in warnings:
                    say(f"warning: {warning}")
                say(
                    f"findings: {len(findings)}; ledger files read: {len(service.book.state.instances)}"
                )
            else:
                emit(findings, output)
            return FINDINGS if findings else DONE

    raise typer.Exit(run(work))


def rebuild(output: Output = Form.TABLE) -> None:
    """Make the read model anew from the ledger and what the targets say."""
    from distributor.app import open_service
    from distributor.services.asking.auditing import rebuild as make

    found = settings()

    async def work() -> int:
        async with open_service(found, writing=True) as service:
            count = await make(service)
            emit({"targets": count}, output) if output is not Form.TABLE else say(
                f"{count} targets read"
            )
            return DONE

    raise typer.Exit(run(work))
