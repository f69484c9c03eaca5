"""``distributor tag``: what a request's tag is, told offline, binding by binding."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from distributor.cli.context import origin, run, settings
from distributor.cli.output import DONE, FINDINGS, REACH, Form, Output, emit, line

if TYPE_CHECKING:
    from distributor.services.asking.verifying import Explained
    from distributor.settings import Settings

tag = typer.Typer(help="Tags: explain one, offline.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""
    app.add_typer(tag, name="tag")


@tag.command()
def verify(
    ref: Annotated[str, typer.Argument(help="Tag, such as promote/uat/shop/1.4.2.")],
    output: Output = Form.TABLE,
) -> None:
    """Check every binding of a tag, without a network: exits 0 if all hold, 1 if one fails, 3 if one cannot be told."""
    found = settings()
    made = run(lambda: _explained(found, ref.removeprefix("refs/tags/")))
    if output is Form.TABLE:
        show(made)
    else:
        emit(made, output)
    raise typer.Exit({"ok": DONE, "failed": FINDINGS}.get(made.result.value, REACH))


async def _explained(found: Settings, ref: str) -> Explained:
    from distributor.app import open_offline
    from distributor.errors.service import NotFound
    from distributor.services.asking.verifying import explain_tag

    async with open_offline(found, clone=_clone(found), tag=ref) as (service, seen, trouble):
        if seen.tag is None:
            where = ", ".join(seen.sources) or "nothing was fetched yet"
            raise NotFound(f"(no tag {ref!r} was fetched here: {where})")
        return await explain_tag(service, ref, seen.tag, mirrored=seen.mirrored, trouble=trouble)


def _clone(found: Settings) -> Path | None:
    """The clone one stands in, if it is one of the repository that is asked about; else that, if it is a folder."""
    from distributor.errors import DistributorError

    for folder in (Path.cwd(), Path(found.repository)):
        try:
            if folder.is_dir() and origin(folder) == str(found.repository):
                return _git_folder(folder)
        except DistributorError:
            continue
    return _git_folder(Path(found.repository))


def _git_folder(folder: Path) -> Path | None:
    import pygit2

    place = pygit2.discover_repository(str(folder)) if folder.is_dir() else None
    return Path(place) if place else None


def show(made: Explained) -> None:
    """One line a check; below one that does not hold, what to do."""
    marks = {"ok": "ok", "failed": "->", "unknown": "? "}
    for check in made.checks:
        code = f"{check.code} " if check.code else ""
        line(f"{marks[check.result.value]} {check.what:<10} {code}{check.text}")
        if check.remedy:
            line(f"              remedy: {check.remedy}")
    line(f"{made.result.value}: {made.ref} ({made.tag})")
