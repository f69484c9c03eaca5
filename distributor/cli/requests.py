"""Commands that ask: each makes one tag, pushes it, and does nothing else."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated

import typer

from distributor.cli.context import run, settings
from distributor.cli.output import DONE, FINDINGS, REACH, Form, Output, emit, say

if TYPE_CHECKING:
    from distributor.model.tags import Verb
    from distributor.services.following import Followed
    from distributor.services.looking import Snapshot
    from distributor.services.requesting import Ask
    from distributor.services.service import Service
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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """What is to be asked; ``commit`` is as it was typed, ``again`` allows a repetition."""

    ask: Ask
    commit: str
    again: bool


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""
    for command in (
        promote,
        rollback,
        remove,
        reject,
        unreject,
        hold,
        unhold,
        ack,
        consent,
        detach,
    ):
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
        str,
        typer.Option(
            help="Commit on main to promote from, as Git names one where you stand (an id, also a "
            "short one, HEAD, a tag); main's head if empty."
        ),
    ] = "",
    again: Annotated[
        bool, typer.Option("--again", help="Ask although the same is asked for and still open.")
    ] = False,
    wait: Wait = False,
    timeout: Timeout = 1800.0,
    output: Output = Form.TABLE,
) -> None:
    """Ask for a version in an environment: creates and pushes the tag, and may follow it."""
    from distributor.model.tags import Verb

    _ask(
        Verb.PROMOTE, environment, instance, version,
        options={"reason": reason, "ticket": ticket, "hotfix": hotfix, "commit": commit},
        sign=sign, wait=timeout if wait else 0, output=output, again=again,
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


def consent(
    environment: Environment, instance: Instance, reason: Reason = "", sign: Sign = None,
    output: Output = Form.TABLE,
) -> None:  # fmt: skip
    """Agree to what a guard stopped (DST409, DST429) for the accepted revision, and for no other."""
    from distributor.model.tags import Verb

    _ask(
        Verb.CONSENT, environment, instance, "",
        options={"reason": reason}, sign=sign, output=output,
    )  # fmt: skip


def detach(
    environment: Environment, instance: Instance, reason: Reason = "", sign: Sign = None,
    output: Output = Form.TABLE,
) -> None:  # fmt: skip
    """Let go of hooks that do not end and deletions that a finalizer holds, in the accepted revision."""
    from distributor.model.tags import Verb

    _ask(
        Verb.DETACH, environment, instance, "",
        options={"reason": reason}, sign=sign, output=output,
    )  # fmt: skip


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
    again: bool = True,
) -> None:
    from distributor.services.requesting import Ask

    _check(str(options.get("reason", "")), str(options.get("ticket", "")))
    ask = Ask(
        verb=verb,
        environment=environment,
        instance=instance,
        version=version,
        reason=str(options.get("reason", "")),
        ticket=str(options.get("ticket", "")),
        hotfix=bool(options.get("hotfix")),
    )
    found = settings(sign=sign)
    wanted = _Wanted(ask=ask, commit=str(options.get("commit", "")), again=again)
    code = run(lambda: _asked(found, wanted, output, wait))
    raise typer.Exit(code)


def _check(reason: str, ticket: str) -> None:
    """Refuse what a tag cannot carry, before there is one."""
    from distributor.errors.service import BadArgument

    for name, text in (("--reason", reason), ("--ticket", ticket)):
        if not text.isprintable():
            raise BadArgument(f"({name} takes one line of plain text)")


async def _asked(found: Settings, wanted: _Wanted, output: Form, wait: float) -> int:
    from distributor.app import open_service
    from distributor.cli.identity import signer_of, tagger_of
    from distributor.services.following import follow
    from distributor.services.requesting import make_request

    async with open_service(found, writing=False) as service:
        snapshot = await service.look()
        if service.offline is not None:
            raise service.offline
        ask = _settled(wanted, found, service, snapshot)
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


def _settled(wanted: _Wanted, found: Settings, service: Service, snapshot: Snapshot) -> Ask:
    """The request with its commit found; raises for one that main does not have, and for a repetition."""
    from distributor.cli.committish import find_commit
    from distributor.errors.policy import AskedAlready, NotOnMain
    from distributor.services.requesting import open_request

    ask = wanted.ask
    if wanted.commit:
        ask = replace(ask, commit=find_commit(wanted.commit, found.repository))
        if not service.world.objects.is_ancestor(ask.commit, snapshot.main):
            raise NotOnMain(f"(--commit {wanted.commit} is {ask.commit[:12]})")
    there = "" if wanted.again else open_request(snapshot, ask)
    if there:
        raise AskedAlready(f"({there})")
    return ask


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
