"""``distributor demo``: the main job on the sample, in a folder of its own, with live progress."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from distributor.cli.context import run
from distributor.cli.output import DONE, FINDINGS, say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from distributor.cli.playground import Playground
    from distributor.model.stored import StoredEvent
    from distributor.services.promotion.requesting import Ask
    from distributor.services.service import Service
    from distributor.settings import Settings

_MARK = "distributor.toml"
_PATIENCE = 120.0


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command()(demo)


def demo(
    folder: Annotated[Path, typer.Option(help="Where to play; what is there is replaced.")] = Path(
        ".demo"
    ),
    port: Annotated[
        int, typer.Option(help="Port to serve on afterwards; 0 takes a free one.")
    ] = 8080,
) -> None:
    """Play the main job: tags move real apps through five environments to a fleet of folders."""
    folder = folder.absolute()
    if folder.exists() and any(folder.iterdir()) and not (folder / _MARK).exists():
        say(f"{folder} holds something else than a demo; name another folder with --folder")
        raise typer.Exit(2)
    shutil.rmtree(folder, ignore_errors=True)
    raise typer.Exit(run(lambda: _demo(folder, port)))


@dataclass(slots=True)
class _Stage:
    """What the acts of the demo share."""

    service: Service
    place: Playground
    failures: int = 0


async def _demo(folder: Path, port: int) -> int:
    from distributor import log
    from distributor.app import open_service
    from distributor.cli.playground import create_playground
    from distributor.services.asking.founding import found_ledger
    from distributor.settings import load

    begun = time.monotonic()
    log.configure("error", "console")
    from distributor.adapters.clock import SystemClock

    place = create_playground(folder, SystemClock().now())
    settings = load({}, {}, folder).settings
    say(f"catalog repository, bare remote and keys written to {folder}")
    async with open_service(settings, writing=True) as service:
        head = await found_ledger(service.world)
        say(f"ledger founded: {head[:12]}, {len(place.cluster_folders())} clusters in the fleet\n")
        watching = asyncio.create_task(_watch(service))
        working = asyncio.create_task(service.run(poll=settings.poll, resync=settings.resync))
        stage = _Stage(service=service, place=place)
        try:
            await _play(stage)
            await service.rollouts.settled()
            await service.rollouts.resync()
            await _summary(stage, time.monotonic() - begun)
            await _stay(service, settings, port)
        finally:
            await service.stop()
            watching.cancel()
            await asyncio.gather(working, watching, return_exceptions=True)
    return FINDINGS if stage.failures else DONE


async def _play(stage: _Stage) -> None:
    """The acts: a first version everywhere, a second one, one that a gate refuses, a rollback."""
    apps = {
        "shop": "1.4.1", "website": "1.0.0", "bookinfo": "1.0.0",
        "iot-gateway": "2.0.0", "iis-site": "1.0.0", "quota-profiles": "1.0.0",
    }  # fmt: skip
    everywhere = ("sit", "uat", "pre", "prd", "dr")
    say("== 1. the first versions, sit to prd and dr")
    for environment in everywhere:
        await _promote(stage, environment, apps)
    say("\n== 2. shop 1.4.2: one Deployment changes, a ConfigMap comes, a Service goes")
    for environment in everywhere:
        await _promote(stage, environment, {"shop": "1.4.2"})
    say("\n== 3. shop 1.5.0: it drops the StatefulSet that keeps the carts; uat's gate 13 sees it")
    await _promote(stage, "sit", {"shop": "1.5.0"})
    await _promote(stage, "uat", {"shop": "1.5.0"}, refused=True)
    say("\n== 4. prd and dr go back to shop 1.4.1; a hold keeps 1.4.2 out until a person says so")
    for environment in ("prd", "dr"):
        await _rollback(stage, environment)


async def _promote(
    stage: _Stage, environment: str, apps: dict[str, str], *, refused: bool = False
) -> None:
    from distributor.model.tags import Verb
    from distributor.placement.instances import installations
    from distributor.services.promotion.requesting import Ask

    snapshot = await stage.service.look()
    there = installations(snapshot.catalog, environment)
    asks = [
        Ask(
            verb=Verb.PROMOTE, environment=environment, instance=app, version=version, reason="demo"
        )
        for app, version in apps.items()
        if app in there
    ]
    await _ask(stage, asks, refused=refused)


async def _rollback(stage: _Stage, environment: str) -> None:
    from distributor.model.tags import Verb
    from distributor.services.promotion.requesting import Ask

    ask = Ask(verb=Verb.ROLLBACK, environment=environment, instance="shop", reason="carts are slow")
    await _ask(stage, [ask])


async def _ask(stage: _Stage, asks: Sequence[Ask], *, refused: bool = False) -> None:
    """Push the tags, signed where the environment asks for it, and wait for what becomes of them."""
    from distributor.cli.playground import PEOPLE
    from distributor.services.asking.following import follow
    from distributor.services.promotion.requesting import make_request

    service, asked = stage.service, []
    snapshot = await service.look()
    for ask in asks:
        files = snapshot.catalog.environments[ask.environment]
        signed = files.environment.signatures_required
        asked.append(
            await make_request(
                service.world,
                snapshot,
                ask,
                tagger=PEOPLE["release-manager"],
                signer=stage.place.key("release-manager") if signed else None,
            )
        )
        say(f"   tag      {asked[-1].ref}{' (signed)' if signed else ''}")
    service.hint()
    for request in asked:
        ended = await follow(service, request, _PATIENCE, tell=lambda _: None)
        if ended.good == refused:
            stage.failures += 1
            say(f"   !! {request.ref} ended as {ended.outcome}: {'; '.join(ended.reasons)}")


async def _watch(service: Service) -> None:
    async for event in service.journal.follow(0):
        line = _line(event)
        if line:
            say(line)


def _line(event: StoredEvent) -> str:
    """An event as a line of progress: environment, then wave, then cluster, each further in."""
    if event.kind == "target" and event.message.startswith("running"):
        return ""
    place = f"{event.environment}/{event.instance}".strip("/")
    inner = {"wave": "  ", "target": "    ", "healed": "    "}.get(event.kind, "")
    about = event.cluster if event.kind in ("target", "healed") else place
    return f"   {inner}{event.kind:<8} {about} {event.message}"


async def _summary(stage: _Stage, seconds: float) -> None:
    from distributor.cli.watching import show_status
    from distributor.services.asking.views import instance_views

    service = stage.service
    await service.look()
    views = await instance_views(service)
    say("")
    sys.stderr.flush()
    show_status(service, views)
    sys.stdout.flush()
    here = _here(stage.place.root)
    targets = sum(view.in_step for view in views)
    program = _here(Path(sys.argv[0]), stage.place.root)
    say(
        f"\n{targets} targets in step after {seconds:.0f} s. Look around:\n"
        f"  {here}/clusters/<environment>/<cluster>/   what k3s or k0s would pick up\n"
        f"  git -C {here}/remote.git log ledger        the audit trail\n"
        f"Try next, from {here}:\n"
        f"  {program} why uat shop                  why 1.5.0 is not there\n"
        f"  {program} history prd shop              what was decided, by whom\n"
        f"  {program} plan prd shop 1.4.2 --sign keys/release-manager\n"
        f"  {program} unhold prd shop --sign keys/release-manager && {program} sync"
    )


def _here(path: Path, start: Path | None = None) -> str:
    """The path as one would type it from where one stands, or from another folder."""
    return os.path.relpath(path, start or Path.cwd())


async def _stay(service: Service, settings: Settings, port: int) -> None:
    """At a terminal: go on serving until interrupted."""
    if os.environ.get("CI") or not sys.stdout.isatty():
        return
    from dataclasses import replace

    from distributor.api.server import serve

    await serve(
        service,
        replace(settings, port=port),
        ready=lambda url: say(f"\nserving {url}/docs until Ctrl-C"),
    )
