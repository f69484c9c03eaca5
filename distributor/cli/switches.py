"""Commands that throw a switch: each makes one ``do/...`` tag, pushes it, and does nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from distributor.cli.context import run, settings
from distributor.cli.output import DONE, Form, Output, emit, line, say
from distributor.cli.requests import (
    Environment,
    Everywhere,
    Instance,
    OrSet,
    Reason,
    Sign,
    Timeout,
    Wait,
    ask_for,
    check,
    show,
)

if TYPE_CHECKING:
    from distributor.services.promotion.consenting import Shown
    from distributor.services.promotion.requesting import Ask
    from distributor.settings import Settings

Only = Annotated[
    str,
    typer.Option(
        "--list",
        help="The hash of the list that you saw: refused if another list is asked when it is decided.",
    ),
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Print what would be agreed to, and ask for nothing.")
]


Plan = Annotated[
    bool,
    typer.Option(
        "--dry-run", help="Ask for nothing: show each gate's answer, and what would change."
    ),
]


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""
    for command in (
        hold,
        unhold,
        pause,
        resume,
        abort,
        retry,
        consent,
        detach,
        ack,
        failover,
        failback,
    ):
        app.command()(command)


def hold(
    environment: Everywhere, instance: OrSet, reason: Reason = "", sign: Sign = None,
    output: Output = Form.TABLE,
) -> None:  # fmt: skip
    """Let nothing new in for an instance until `unhold`; rollback and remove still work."""
    _throw("hold", environment, instance, reason, sign, output)


def unhold(
    environment: Everywhere, instance: OrSet, reason: Reason = "", sign: Sign = None,
    output: Output = Form.TABLE,
) -> None:  # fmt: skip
    """Lift every hold of an instance."""
    _throw("unhold", environment, instance, reason, sign, output)


def pause(
    environment: Everywhere, instance: OrSet, reason: Reason = "", sign: Sign = None,
    output: Output = Form.TABLE,
) -> None:  # fmt: skip
    """Begin nothing more in a rollout until `resume`; targets that are at work go on."""
    _throw("pause", environment, instance, reason, sign, output)


def resume(
    environment: Everywhere, instance: OrSet, reason: Reason = "", sign: Sign = None,
    output: Output = Form.TABLE,
) -> None:  # fmt: skip
    """Let a paused rollout go on."""
    _throw("resume", environment, instance, reason, sign, output)


def abort(
    environment: Environment, instance: OrSet, reason: Reason = "", sign: Sign = None,
    output: Output = Form.TABLE,
) -> None:  # fmt: skip
    """End a rollout as failed: nothing more is begun, and what was reached stays."""
    _throw("abort", environment, instance, reason, sign, output)


def retry(
    environment: Environment, instance: OrSet, reason: Reason = "", sign: Sign = None,
    output: Output = Form.TABLE,
) -> None:  # fmt: skip
    """Let a failed rollout go on: targets that failed are tried again, the others are left alone."""
    _throw("retry", environment, instance, reason, sign, output)


def ack(
    environment: Everywhere, instance: OrSet, reason: Reason = "", sign: Sign = None,
    output: Output = Form.TABLE,
) -> None:  # fmt: skip
    """Acknowledge moved or deleted tags (or, with `all all`, a rewritten main): decisions go on."""
    _throw("ack", environment, instance, reason, sign, output)


def consent(
    environment: Environment, instance: Instance, reason: Reason = "", sign: Sign = None,
    only: Only = "", dry_run: DryRun = False, output: Output = Form.TABLE,
) -> None:  # fmt: skip
    """Agree to what the targets ask now (DST407, DST409, DST430), printed one by one, and to nothing else."""
    _agree("consent", environment, instance, (reason, only), sign, output, dry_run=dry_run)


def detach(
    environment: Environment, instance: Instance, reason: Reason = "", sign: Sign = None,
    only: Only = "", dry_run: DryRun = False, output: Output = Form.TABLE,
) -> None:  # fmt: skip
    """Let go of the hooks and deletions that are stuck now, printed one by one, and of nothing else."""
    _agree("detach", environment, instance, (reason, only), sign, output, dry_run=dry_run)


def failover(
    environment: Environment, instance: Instance, reason: Reason = "", sign: Sign = None,
    wait: Wait = False, timeout: Timeout = 1800.0, dry_run: Plan = False,
    output: Output = Form.TABLE,
) -> None:  # fmt: skip
    """Let a standby stand in for its environment: the version it runs, with the values that may differ taken over."""
    if dry_run:
        _plan("failover", environment, instance, sign, output)
    _throw("failover", environment, instance, reason, sign, output, wait=timeout if wait else 0)


def failback(
    environment: Environment, instance: Instance, reason: Reason = "", sign: Sign = None,
    wait: Wait = False, timeout: Timeout = 1800.0, dry_run: Plan = False,
    output: Output = Form.TABLE,
) -> None:  # fmt: skip
    """Let a standby only stand by again, with its own values."""
    if dry_run:
        _plan("failback", environment, instance, sign, output)
    _throw("failback", environment, instance, reason, sign, output, wait=timeout if wait else 0)


def _agree(
    verb: str,
    environment: str,
    instance: str,
    said: tuple[str, str],
    sign: str | None,
    output: Form,
    *,
    dry_run: bool,
) -> None:
    from distributor.model.refs import Digest
    from distributor.model.tags import Verb
    from distributor.services.promotion.requesting import Ask

    reason, only = said
    check(reason, "")
    ask = Ask(
        verb=Verb(verb), environment=environment, instance=instance, reason=reason,
        rendered=Digest(only),
    )  # fmt: skip
    found = settings(sign=sign)
    raise typer.Exit(run(lambda: _agreed(found, ask, output, dry_run=dry_run)))


async def _agreed(found: Settings, ask: Ask, output: Form, *, dry_run: bool) -> int:
    from distributor.app import open_service
    from distributor.cli.identity import signer_of, tagger_of
    from distributor.services.promotion.consenting import shown_before
    from distributor.services.promotion.requesting import make_request

    async with open_service(found, writing=False) as service:
        snapshot = await service.look()
        if service.offline is not None:
            raise service.offline
        shown = await shown_before(service.world, snapshot, ask)
        if output is Form.TABLE:
            _show_list(shown)
        told: dict[str, object] = {"asked": shown.lines, "list": shown.digest}
        if dry_run:
            if output is not Form.TABLE:
                emit(told, output)
            return DONE
        asked = await make_request(
            service.world, snapshot, ask, tagger=tagger_of(found), signer=signer_of(found)
        )
        show({"ref": asked.ref, "tag": asked.tag, "outcome": "requested", **told}, output)
        return DONE


def _show_list(shown: Shown) -> None:
    if shown.digest:
        for text in shown.lines:
            line(f"  {text}")
        line(f"  list {shown.digest}")
        return
    say(
        "no look at these targets is kept here: what is agreed to is what the service is asked when it "
        "decides; `distributor history` tells it"
    )


def _throw(
    verb: str,
    environment: str,
    instance: str,
    reason: str,
    sign: str | None,
    output: Form,
    *,
    wait: float = 0,
) -> None:
    from distributor.model.tags import Verb

    options: dict[str, str | bool] = {"reason": reason}
    ask_for(
        Verb(verb), environment, instance, "", options=options, sign=sign, output=output, wait=wait
    )


def _plan(verb: str, environment: str, instance: str, sign: str | None, output: Form) -> None:
    from distributor.cli.planning import planned_switch

    found = settings(sign=sign)
    raise typer.Exit(run(lambda: planned_switch(found, verb, (environment, instance), output)))
