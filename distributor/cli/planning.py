"""``distributor plan``: what a promotion would change, where, in which order, with every gate's answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from distributor.cli.context import run, settings
from distributor.cli.output import DONE, FINDINGS, Form, Output, emit, line, table

if TYPE_CHECKING:
    from distributor.services.asking.planning import PromotionPlan, TargetPlan
    from distributor.settings import Settings


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command()(plan)


def plan(
    environment: Annotated[str, typer.Argument(help="Environment, such as uat.")],
    instance: Annotated[str, typer.Argument(help="Instance, such as shop.")],
    version: Annotated[str, typer.Argument(help="Version; the one that runs if empty.")] = "",
    cluster: Annotated[str, typer.Option("--cluster", help="Show only this target.")] = "",
    sign: Annotated[
        str | None, typer.Option("--sign", help="ed25519 key to ask as; unsigned without.")
    ] = None,
    output: Output = Form.TABLE,
) -> None:
    """What a promotion would change: gates, waves, targets, prune list, and the hash to approve."""
    found = settings(sign=sign)
    raise typer.Exit(
        run(lambda: _planned(found, (environment, instance, version), cluster, output))
    )


async def planned_switch(found: Settings, verb: str, about: tuple[str, str], output: Form) -> int:
    """Show what a failover or failback would change, and ask for nothing."""
    return await _planned(found, (*about, ""), "", output, verb)


async def _planned(
    found: Settings,
    about: tuple[str, str, str],
    cluster: str,
    output: Form,
    verb: str = "promote",
) -> int:
    from distributor.app import open_service
    from distributor.cli.identity import signer_of, tagger_of
    from distributor.cli.watching import warn
    from distributor.errors.service import NotFound
    from distributor.model.tags import Verb
    from distributor.services.asking.planning import plan_promotion

    async with open_service(found, writing=False) as service:
        made = await plan_promotion(
            service,
            *about,
            cluster=cluster,
            signer=signer_of(found),
            tagger=tagger_of(found),
            verb=Verb(verb),
        )
        warn(service)
    if cluster and made.targets == () and made.cells:
        raise NotFound(f"({about[1]} has no target {cluster!r} in {about[0]})")
    if output is Form.TABLE:
        show(made)
    else:
        emit(document(made), output)
    return DONE if accepted(made) else FINDINGS


def accepted(made: PromotionPlan) -> bool:
    """Whether a request like this would be let in now."""
    from distributor.model.promotion import GateResult

    kept_out = {GateResult.FAIL, GateResult.ERROR, GateResult.PENDING}
    return bool(made.answers) and not any(a.result in kept_out for a in made.answers)


def document(made: PromotionPlan) -> dict[str, Any]:
    """The plan as data, without the objects' bodies."""
    return {
        "environment": made.environment,
        "instance": made.instance,
        "version": made.version,
        "revision": made.revision,
        "rendered": made.rendered,
        "cells": made.cells,
        "accepted": accepted(made),
        "gates": made.answers,
        "targets": [_target(target) for target in made.targets],
        "leftOut": made.left_out,
        "findings": made.findings,
    }


def _target(target: TargetPlan) -> dict[str, Any]:
    from distributor.model.changes import Action

    changes = target.changes
    return {
        "cluster": target.cluster,
        "wave": target.wave,
        "counts": {action.value: target.count(action) for action in Action},
        "changes": [
            {
                "object": str(c.ref),
                "action": c.action,
                "reason": c.reason,
                "fields": c.fields,
                "unasked": c.unasked,
            }
            for c in changes.changes
        ],
        "prune": [str(c.ref) for c in changes.of(Action.PRUNED)],
        "heldBack": [{"object": str(c.ref), "reason": c.reason} for c in changes.held],
        "hooks": [str(step) for step in changes.hooks],
        "findings": [*changes.findings, *([target.finding] if target.finding else [])],
    }


def show(made: PromotionPlan) -> None:
    """The plan as tables: a blank line between its parts."""
    from distributor.model.changes import Action

    typer.echo(f"{made.environment} {made.instance} {made.version}  {made.revision}".rstrip())
    typer.echo("")
    rows = [(str(a.number), a.gate, a.result.value, a.message) for a in made.answers]
    table(("gate", "name", "answer", "why"), rows)
    if made.targets:
        typer.echo("")
        names = [action.value for action in Action]
        counts = [
            (t.wave, t.cluster, *(str(t.count(a)) for a in Action), str(t.finding or ""))
            for t in made.targets
        ]
        table(("wave", "cluster", *names, "finding"), counts)
    _section("prune", [f"{t.cluster}: {told}" for t in made.targets for told in _prune(t)])
    _section("hooks", [f"{t.cluster}: {step}" for t in made.targets for step in t.changes.hooks])
    _section("not asked", [f"{t.cluster}: {told}" for t in made.targets for told in _unasked(t)])
    _section("left out", [f"{name}: {why}" for name, why in made.left_out.items()])
    told = [f"{t.cluster}: {f}" for t in made.targets for f in t.changes.findings]
    _section("findings", [*map(str, made.findings), *told])
    typer.echo("")
    typer.echo(f"cells     {made.cells}")
    typer.echo(f"Rendered  {made.rendered or '-'}")
    typer.echo(f"request   {'would be accepted' if accepted(made) else 'would not be accepted'}")


def _prune(target: TargetPlan) -> list[str]:
    """What would be deleted, and what would be but is held back, with what holds it."""
    from distributor.model.changes import Action

    held = [f"{c.ref}  (held back: {c.reason})" for c in target.changes.held]
    return [*(str(c.ref) for c in target.changes.of(Action.PRUNED)), *held]


def _unasked(target: TargetPlan) -> list[str]:
    """Why the cluster was not asked what it would make of objects, with how many there are of each."""
    reasons = [c.unasked for c in target.changes.changes if c.unasked]
    counts = {why: reasons.count(why) for why in dict.fromkeys(reasons)}
    return [f"{n} object{'s' if n > 1 else ''}: {why}" for why, n in counts.items()]


def _section(title: str, lines: list[str]) -> None:
    if lines:
        typer.echo(f"\n{title}:")
    for text in lines:
        line(f"  {text}")
