"""The program ``distributor``: its commands, and what becomes of errors."""

from __future__ import annotations

import os
import sys
from typing import Annotated, Any

import typer

from distributor.cli import (
    audit,
    clusters,
    demo,
    drifting,
    ledger,
    offline,
    planning,
    requests,
    scaffold,
    serving,
    sets,
    switches,
    tags,
    vendor,
    watching,
)
from distributor.cli.context import OPTIONS
from distributor.cli.output import DONE, EXITS, INTERRUPTED, USAGE, fail, say
from distributor.errors import DistributorError
from distributor.errors.service import UnsupportedPython
from distributor.settings import unknown_variables

SUPPORTED = ((3, 11), (3, 15))

app = typer.Typer(
    name="distributor",
    help="GitOps app distribution: a tag moves a package to every cluster, through gates.",
    epilog=EXITS,
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

for module in (
    scaffold,
    offline,
    planning,
    requests,
    switches,
    watching,
    clusters,
    audit,
    serving,
    sets,
    demo,
    vendor,
    drifting,
    ledger,
    tags,
):
    module.register(app)


def _version(value: bool) -> None:
    if value:
        from importlib import metadata

        typer.echo(f"distributor {metadata.version('distributor')}")
        raise typer.Exit(DONE)


@app.callback()
def options(
    repository: Annotated[
        str | None, typer.Option(help="URL or path of the catalog repository.")
    ] = None,
    state_dir: Annotated[
        str | None, typer.Option(help="Folder for mirror, database and caches.")
    ] = None,
    directory_root: Annotated[
        str | None, typer.Option(help="Folder that directory targets' references start from.")
    ] = None,
    log_level: Annotated[str | None, typer.Option(help="debug, info, warning or error.")] = None,
    version: Annotated[  # noqa: ARG001 - handled by its callback
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Options that every command takes; see ``distributor settings`` for all settings."""
    flags: dict[str, Any] = {
        "repository": repository,
        "state_dir": state_dir,
        "directory_root": directory_root,
        "log_level": log_level,
    }
    for name, nearest in unknown_variables(os.environ).items():
        say(f"warning: {name} is no setting{f'; did you mean {nearest}?' if nearest else ''}")
    OPTIONS.flags = {name: value for name, value in flags.items() if value is not None}


def main() -> None:
    """Run, and exit with 0 (done), 1 (findings or a refusal), 2 (usage), 3 (worth a retry) or 130."""
    if not SUPPORTED[0] <= sys.version_info[:2] < SUPPORTED[1]:
        fail(UnsupportedPython(f"(this is {sys.version.split()[0]})"))
        raise SystemExit(USAGE)
    try:
        app()
    except DistributorError as error:
        fail(error)
        raise SystemExit(error.exit_code) from None
    except KeyboardInterrupt:
        raise SystemExit(INTERRUPTED) from None
    except BrokenPipeError:
        sys.stderr.close()
        raise SystemExit(DONE) from None
