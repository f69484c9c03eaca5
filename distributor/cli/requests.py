"""Commands that ask: each makes one tag, pushes it, and does nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from distributor.cli.context import run, settings
from distributor.cli.output import DONE, FINDINGS, REACH, Form, Output, emit, say

if TYPE_CHECKING:
    from distributor.model.tags import Verb
    from distributor.services.following import Followed
    from distributor.settings import Settings

Environment = Annotated[str, typer.Argument(help="Environment, such as uat.")]
Everywhere = Annotated[str, typer.Argument(help="Environment, or `all`.")]
Instance = Annotated[str, typer.Argument(help="Instance, such as shop.")]
App = Annotated[str, typer.Argument(help="App, such as shop.")]
Version = Annotated[str, typer.Argument(help="Version, such as 1.4.2.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; kept in the tag and the ledger.")]
Ticket = Annotated[str, typer.Option("--ticket", help="A ticket, for the record.")]
Sign = Annotated[str | None, typer.Option("--sign", help="ed25519 key file to sign the tag with.")]
Wait = Annotated[bool, typer.Option("--wait", help="Follow the request until it ends.")]
Timeout = Annotated[float, typer.Option("--timeout", min=0, help="Seconds to wait at most.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""
    for command in (promote, rollback, remove, reject, unreject, hold, unhold, ack):
        app.command()(command)


def promote(
    environment: Environment,
    instance: Instance,
    version: Version,
    reason: Reason = "",
    ticket: Ticket = "",
    sign: Sign = None,
    hotfix: Annotated[
        bool, typer.Option("--hotfix", help="Class hotfix instead of normal.")
    ] = False,
    commit: Annotated[
        str, typer.Option(help="Commit on main to promote from; its head if empty.")
    ] = "",
    wait: Wait = False,
    timeout: Timeout = 1800.0,
    output: Output = Form.TABLE,
) -> None:
    """Ask for a version in an environment: creates and pushes the tag, and may follow it."""
    from distributor.model.tags import Verb

    _ask(
        Verb.PROMOTE, environment, instance, version,
        options={"reason": reason, "ticket": ticket, "hotfix": hotfix, "commit": commit},
        sign=sign, wait=timeout if wait else 0, output=output,
    )  # fmt: skip


def rollback(
    environment: Environment,
    instance: Instance,
    version: Annotated[
        str, typer.Argument(help="Version; the newest verified other one if empty.")
    ] = "",
    reason: Reason = "",
    sign: Sign = None,
    wait: Wait = False,
    timeout: Timeout = 1800.0,
    output: Output = Form.TABLE,
) -> None:
    """Go back to a revision that was verified in the environment; sets a hold."""
    from distributor.model.tags import Verb

    _ask(
        Verb.ROLLBACK, environment, instance, version,
        options={"reason": reason}, sign=sign, wait=timeout if wait else 0, output=output,
    )  # fmt: skip


def remove(
    environment: Environment,
    instance: Instance,
    reason: Reason = "",
    sign: Sign = None,
    wait: Wait = False,
    timeout: Timeout = 1800.0,
    output: Output = Form.TABLE,
) -> None:
    """Remove an instance and everything it owns from all its clusters."""
    from distributor.model.tags import Verb

    _ask(
        Verb.REMOVE, environment, instance, "",
        options={"reason": reason}, sign=sign, wait=timeout if wait else 0, output=output,
    )  # fmt: skip


def reject(
    environment: Everywhere, app: App, version: Version, reason: Reason = "", sign: Sign = None,
    output: Output = Form.TABLE,
) -> None:  # fmt: skip
    """Veto a version of an app; only `unreject` lifts it."""
    from distributor.model.tags import Verb

    _ask(
        Verb.REJECT, environment, app, version, options={"reason": reason}, sign=sign, output=output
    )


def unreject(
    environment: Everywhere, app: App, version: Version, reason: Reason = "", sign: Sign = None,
    output: Output = Form.TABLE,
) -> None:  # fmt: skip
    """Lift a veto."""
    from distributor.model.tags import Verb

    _ask(
        Verb.UNREJECT,
        environment,
        app,
        version,
        options={"reason": reason},
        sign=sign,
        output=output,
    )


def hold(
    environment: Everywhere, instance: Instance, reason: Reason = "", sign: Sign = None,
    output: Output = Form.TABLE,
) -> None:  # fmt: skip
    """Let nothing new in for an instance until `unhold`; rollback and remove still work."""
    from distributor.model.tags import Verb

    _ask(Verb.HOLD, environment, instance, "", options={"reason": reason}, sign=sign, output=output)


def unhold(
    environment: Everywhere, instance: Instance, reason: Reason = "", sign: Sign = None,
    output: Output = Form.TABLE,
) -> None:  # fmt: skip
    """Lift every hold of an instance."""
    from distributor.model.tags import Verb

    _ask(
        Verb.UNHOLD, environment, instance, "", options={"reason": reason}, sign=sign, output=output
    )


def ack(
    environment: Everywhere, instance: Instance, reason: Reason = "", sign: Sign = None,
    output: Output = Form.TABLE,
) -> None:  # fmt: skip
    """Acknowledge moved or deleted tags (or, with `all all`, a rewritten main): decisions go on."""
    from distributor.model.tags import Verb

    _ask(Verb.ACK, environment, instance, "", options={"reason": reason}, sign=sign, output=output)


def _ask(
    verb: Verb,
    environment: str,
    instance: str,
    version: str,
    *,
    options: dict[str, str | bool],
    sign: str | None,
    output: Form,
    wait: float = 0,
) -> None:
    from distributor.model.refs import ObjectId
    from distributor.services.requesting import Ask

    _check(
        str(options.get("reason", "")),
        str(options.get("ticket", "")),
        str(options.get("commit", "")),
    )
    ask = Ask(
        verb=verb,
        environment=environment,
        instance=instance,
        version=version,
        reason=str(options.get("reason", "")),
        ticket=str(options.get("ticket", "")),
        hotfix=bool(options.get("hotfix")),
        commit=ObjectId(str(options.get("commit", ""))),
    )
    found = settings(sign=sign)
    code = run(lambda: _asked(found, ask, output, wait))
    raise typer.Exit(code)


def _check(reason: str, ticket: str, commit: str) -> None:
    """Refuse what a tag cannot carry, before there is one."""
    from distributor.errors.service import BadArgument
    from distributor.model.refs import is_object_id

    for name, text in (("--reason", reason), ("--ticket", ticket)):
        if not text.isprintable():
            raise BadArgument(f"({name} takes one line of plain text)")
    if commit and not is_object_id(commit):
        raise BadArgument("(--commit takes the full id of a commit on main)")


async def _asked(found: Settings, ask: object, output: Form, wait: float) -> int:
    from distributor.app import open_service
    from distributor.cli.identity import signer_of, tagger_of
    from distributor.services.following import follow
    from distributor.services.requesting import Ask, make_request

    assert isinstance(ask, Ask)  # noqa: S101 - its type is only imported here
    async with open_service(found, writing=False) as service:
        snapshot = await service.look()
        if service.offline is not None:
            raise service.offline
        asked = await make_request(
            service.world, snapshot, ask, tagger=tagger_of(found), signer=signer_of(found)
        )
        if not wait:
            _show({"ref": asked.ref, "tag": asked.tag, "outcome": "requested"}, output)
            return DONE
        say(f"pushed {asked.ref}")
        followed = await follow(service, asked, wait, tell=say)
        _show(
            {
                "ref": asked.ref,
                "tag": asked.tag,
                "outcome": followed.outcome,
                "reasons": followed.reasons,
            },
            output,
        )
        return _code(followed)


def _code(followed: Followed) -> int:
    if followed.good:
        return DONE
    return FINDINGS if followed.ended else REACH


def _show(data: dict[str, object], output: Form) -> None:
    if output is not Form.TABLE:
        emit(data, output)
        return
    typer.echo(f"{data['outcome']} {data['ref']}")
    reasons = data.get("reasons", ())
    for reason in reasons if isinstance(reasons, tuple) else ():
        typer.echo(f"  {reason}")
