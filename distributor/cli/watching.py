"""Commands that look: status, why, history; and sync, which reconciles now without a server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from distributor.cli.context import interactive, run, settings
from distributor.cli.output import (
    DONE,
    FINDINGS,
    REACH,
    Form,
    Output,
    age,
    emit,
    fail,
    line,
    say,
    table,
)
from distributor.errors import visible

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from distributor.model.fleet import Cluster
    from distributor.model.promotion import Verdict
    from distributor.services.asking.views import InstanceView
    from distributor.services.service import Service

    Chosen = Callable[[Verdict, Cluster], bool]

_SHOWN = 10
Environment = Annotated[str, typer.Argument(help="Environment; all if empty.")]
Instance = Annotated[str, typer.Argument(help="Instance; all if empty.")]
Cluster_ = Annotated[str, typer.Argument(help="Cluster; all if empty.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""
    for command in (sync, status, why, history):
        app.command()(command)


def status(
    environment: Environment = "", instance: Instance = "", cluster: Cluster_ = "",
    output: Output = Form.TABLE,
) -> None:  # fmt: skip
    """What runs where: version, clusters in step, health, and since when."""
    from distributor.app import open_service
    from distributor.services.asking.views import check_names, in_step, instance_views

    found = settings()

    async def work() -> int:
        async with open_service(found, writing=False) as service:
            snapshot = await service.look()
            check_names(snapshot, environment, instance, cluster)
            warn(service)
            views = await instance_views(service, environment, instance, cluster)
            if output is not Form.TABLE:
                emit(views, output)
            elif instance:
                show_targets(views, cluster)
            else:
                show_status(service, views)
            show_findings(service, warnings=not environment)
            if service.offline is not None:
                return REACH
            return DONE if in_step(v for v in views if v.targets) else FINDINGS

    raise typer.Exit(run(work))


def warn(service: Service) -> None:
    """Say what makes this answer older, or less widely known, than it should be."""
    note_local(service)
    if service.offline is not None:
        fail(service.offline)
        say("  this is what was fetched last")


def note_local(service: Service) -> None:
    """Say that decisions are this service's alone, where they are."""
    from distributor.services.asking.recounting import told_apart

    if label := service.world.local_label:
        say(f"note: {label}")
    for text in told_apart(service):
        say(f"note: {text}")


def show_status(service: Service, views: Sequence[InstanceView]) -> None:
    """The status table, and below it what else there is to know."""
    rows = [
        (
            view.environment,
            view.instance,
            view.version or "-",
            view.stage.value,
            f"{view.in_step}/{view.targets}",
            view.health if view.targets and view.version else "-",
            age(view.since, service.now()),
        )
        for view in views
    ]
    table(("environment", "app", "version", "stage", "in step", "health", "age"), rows)
    show_notes(views)
    if any(folders(view) for view in views):
        say(
            "Unknown: a folder or branch cannot show health; what was written there counts as delivered"
        )


def show_notes(views: Sequence[InstanceView]) -> None:
    """What the tables have no column for, one line an instance."""
    for view in views:
        if noted := notes(view):
            line(f"{view.environment}/{view.instance}: {noted}")


def show_findings(service: Service, *, warnings: bool) -> None:
    """What is wrong with main's files, and so left out of everything above; where asked, warnings too."""
    from distributor.services.asking.views import main_findings, main_warnings

    if service.snapshot is None:
        return
    if warnings and (told := main_warnings(service.snapshot)):
        say(f"main has {len(told)} warnings: `distributor fsck` lists them, the first: {told[0]}")
    if not (found := main_findings(service.snapshot)):
        return
    say(f"main has {len(found)} findings; what they are about is left out:")
    for finding in found[:_SHOWN]:
        say(f"  {finding}")
    if len(found) > _SHOWN:
        say(f"  and {len(found) - _SHOWN} more: `distributor fsck` lists all")


def folders(view: InstanceView) -> bool:
    """Whether an instance is in step on targets that cannot show health."""
    return any(t.in_step and t.health == "Unknown" for t in view.clusters)


def notes(view: InstanceView) -> str:
    """What else there is to know of an instance, in a line."""
    found = _standing(view)
    if view.held:
        found.append(f"held {view.held}")
    found += [f"debt: {debt} (`distributor ack` by somebody else)" for debt in view.debts]
    if view.main_ahead:
        found.append(f"main is ahead: {view.main_ahead}")
    if view.vanished:
        found.append(
            f"main has no file of {', '.join(view.vanished)} any more; they keep what they run"
        )
    if view.left_behind:
        found.append(f"left behind on {', '.join(view.left_behind)}")
    if view.shut:
        found.append(view.shut)
    found += view.waiting
    troubled = [t for t in view.clusters if not t.in_step and t.message and not t.to_come]
    if troubled:
        more = f" (and {len(troubled) - 1} more)" if len(troubled) > 1 else ""
        found.append(f"{troubled[0].cluster}: {troubled[0].message}{more}")
    if view.last_refusal:
        found.append(view.last_refusal)
    return "; ".join(found)


def _standing(view: InstanceView) -> list[str]:
    """For whom it stands in, and what has stopped its decisions."""
    found = [f"stands in for {view.stands_in}"] if view.stands_in else []
    if view.stopped:
        found.append(f"stopped: {view.stopped}")
    elif view.alarms:
        found.append(f"alarm: {', '.join(view.alarms)}")
    return found


def show_targets(views: Sequence[InstanceView], cluster: str) -> None:
    """The targets of instances, one a line."""
    rows = [
        (
            view.environment,
            view.instance,
            target.cluster,
            "yes" if target.in_step else "no",
            target.actuation,
            target.health,
            target.observed_at[:19],
            target.message,
        )
        for view in views
        for target in view.clusters
        if cluster in ("", target.cluster)
    ]
    table(
        ("environment", "app", "cluster", "in step", "actuation", "health", "observed", "message"),
        rows,
    )
    show_notes(views)


def why(
    environment: Annotated[str, typer.Argument(help="Environment.")],
    instance: Annotated[str, typer.Argument(help="Instance.")],
    cluster: Cluster_ = "",
    output: Output = Form.TABLE,
) -> None:
    """One causal chain: gate, render, queue, fetch, apply, health, with the last error and what to do."""
    from distributor.app import open_service
    from distributor.services.asking.telling import why as tell
    from distributor.services.asking.views import check_names

    found = settings()

    async def work() -> int:
        async with open_service(found, writing=False) as service:
            check_names(await service.look(), environment, instance, cluster, reserved=True)
            note_local(service)
            chain = await tell(service, environment, instance, cluster)
            if output is not Form.TABLE:
                emit(chain, output)
            else:
                for link in chain:
                    line(f"{'ok ' if link.ok else '-> '} {link.step:<8} {link.text}")
            return DONE if all(link.ok for link in chain) else FINDINGS

    raise typer.Exit(run(work))


def history(
    environment: Environment = "", instance: Instance = "", output: Output = Form.TABLE
) -> None:
    """What was asked, decided and done, from the ledger."""
    from distributor.app import open_service
    from distributor.services.asking.telling import history as tell
    from distributor.services.asking.telling import refused_joins
    from distributor.services.asking.views import check_names

    found = settings()

    async def work() -> int:
        async with open_service(found, writing=False) as service:
            check_names(await service.look(), environment, instance, reserved=True)
            warn(service)
            told = sorted(
                (
                    *tell(service, environment, instance),
                    *await refused_joins(service, environment, instance),
                ),
                key=lambda line: line.at,
            )
            if output is not Form.TABLE:
                emit(told, output)
            else:
                rows = [
                    (t.at.isoformat()[:19], str(t.sequence or ""), t.kind, t.text, t.by)
                    for t in told
                ]
                table(("at", "sequence", "what", "about", "by"), rows)
            return DONE

    raise typer.Exit(run(work))


def sync(
    once: Annotated[
        bool, typer.Option("--once", help="One pass, then exit (the default).")
    ] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Go on until interrupted.")] = False,
    environment: Annotated[
        str, typer.Option("--env", help="Only targets of this environment.")
    ] = "",
    cluster: Annotated[str, typer.Option("--cluster", help="Only targets on this cluster.")] = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Change nothing: say what would.")
    ] = False,
    output: Output = Form.TABLE,
) -> None:
    """Reconcile now, without a server: decide open requests, roll out, bring targets back in step."""
    from distributor.errors.service import BadArgument

    if watch and (once or dry_run):
        raise BadArgument(f"(--watch goes on; {'--once' if once else '--dry-run'} does not)")
    found = settings()

    def only(verdict: Verdict, target: Cluster) -> bool:
        return environment in ("", verdict.environment) and cluster in ("", target.name)

    from distributor.app import open_service
    from distributor.services.asking.views import check_names, in_step, instance_views

    async def work() -> int:
        async with open_service(found, writing=not dry_run) as service:
            check_names(await service.look(), environment, "", cluster)
            if dry_run:
                return await _dry(service, only, output)
            followed = say if interactive() else None
            await _followed(service, only, followed is not None)
            if watch:
                await service.run(poll=found.poll, resync=found.resync)
            if service.offline is not None:
                fail(service.offline)
                return REACH
            views = await instance_views(service, environment, "", cluster)
            running = [v for v in views if v.targets or v.last_refusal]
            emit(running, output) if output is not Form.TABLE else show_status(service, running)
            show_findings(service, warnings=False)
            return (
                DONE
                if in_step(v for v in running if v.targets) and not service.decider.refused
                else FINDINGS
            )

    raise typer.Exit(run(work))


async def _followed(service: Service, only: Chosen, talk: bool) -> None:
    """Sync, telling events as they come where a person watches."""
    import asyncio

    note_local(service)
    last = await service.world.store.last_event()

    async def tell() -> None:
        async for event in service.journal.follow(last):
            place = "/".join(p for p in (event.environment, event.instance, event.cluster) if p)
            say(f"{event.kind:<8} {place} {event.message}")

    talking = asyncio.create_task(tell()) if talk else None
    try:
        await service.sync(only)
    finally:
        if talking is not None:
            talking.cancel()


async def _dry(service: Service, only: Chosen, output: Form) -> int:
    from distributor.services.asking.dry import dry_run

    note_local(service)
    plans = await dry_run(service, only)
    if output is not Form.TABLE:
        emit(plans, output)
    else:
        for plan in plans:
            typer.echo(visible(plan.text))
    return FINDINGS if any(not plan.empty for plan in plans) else DONE
