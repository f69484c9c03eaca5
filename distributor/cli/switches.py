"""Commands that throw a switch: each makes one ``do/...`` tag, pushes it, and does nothing else."""

from __future__ import annotations

import typer

from distributor.cli.output import Form, Output
from distributor.cli.requests import Environment, Everywhere, Instance, Reason, Sign, ask_for


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""
    for command in (hold, unhold, pause, resume, abort, retry, consent, detach, ack):
        app.command()(command)


def hold(
    environment: Everywhere, instance: Instance, reason: Reason = "", sign: Sign = None,
    output: Output = Form.TABLE,
) -> None:  # fmt: skip
    """Let nothing new in for an instance until `unhold`; rollback and remove still work."""
    _throw("hold", environment, instance, reason, sign, output)


def unhold(
    environment: Everywhere, instance: Instance, reason: Reason = "", sign: Sign = None,
    output: Output = Form.TABLE,
) -> None:  # fmt: skip
    """Lift every hold of an instance."""
    _throw("unhold", environment, instance, reason, sign, output)


def pause(
    environment: Everywhere, instance: Instance, reason: Reason = "", sign: Sign = None,
    output: Output = Form.TABLE,
) -> None:  # fmt: skip
    """Begin nothing more in a rollout until `resume`; targets that are at work go on."""
    _throw("pause", environment, instance, reason, sign, output)


def resume(
    environment: Everywhere, instance: Instance, reason: Reason = "", sign: Sign = None,
    output: Output = Form.TABLE,
) -> None:  # fmt: skip
    """Let a paused rollout go on."""
    _throw("resume", environment, instance, reason, sign, output)


def abort(
    environment: Environment, instance: Instance, reason: Reason = "", sign: Sign = None,
    output: Output = Form.TABLE,
) -> None:  # fmt: skip
    """End a rollout as failed: nothing more is begun, and what was reached stays."""
    _throw("abort", environment, instance, reason, sign, output)


def retry(
    environment: Environment, instance: Instance, reason: Reason = "", sign: Sign = None,
    output: Output = Form.TABLE,
) -> None:  # fmt: skip
    """Let a failed rollout go on: targets that failed are tried again, the others are left alone."""
    _throw("retry", environment, instance, reason, sign, output)


def ack(
    environment: Everywhere, instance: Instance, reason: Reason = "", sign: Sign = None,
    output: Output = Form.TABLE,
) -> None:  # fmt: skip
    """Acknowledge moved or deleted tags (or, with `all all`, a rewritten main): decisions go on."""
    _throw("ack", environment, instance, reason, sign, output)


def consent(
    environment: Environment, instance: Instance, reason: Reason = "", sign: Sign = None,
    output: Output = Form.TABLE,
) -> None:  # fmt: skip
    """Agree to what a guard stopped (DST409, DST429) for the accepted revision, and for no other."""
    _throw("consent", environment, instance, reason, sign, output)


def detach(
    environment: Environment, instance: Instance, reason: Reason = "", sign: Sign = None,
    output: Output = Form.TABLE,
) -> None:  # fmt: skip
    """Let go of hooks that do not end and deletions that a finalizer holds, in the accepted revision."""
    _throw("detach", environment, instance, reason, sign, output)


def _throw(
    verb: str, environment: str, instance: str, reason: str, sign: str | None, output: Form
) -> None:
    from distributor.model.tags import Verb

    options: dict[str, str | bool] = {"reason": reason}
    ask_for(Verb(verb), environment, instance, "", options=options, sign=sign, output=output)
