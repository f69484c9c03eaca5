"""Commands that ask: each makes one tag, pushes it, and does nothing else."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated

import typer

from distributor.cli.context import run, settings
from distributor.cli.output import DONE, Form, Output, emit, fail, line, say

if TYPE_CHECKING:
    from distributor.model.tags import Verb
    from distributor.services.asking.following import Followed
    from distributor.services.promotion.requesting import Ask, Asked
    from distributor.services.service import Service
    from distributor.services.state.looking import Snapshot
    from distributor.settings import Settings

Environment = Annotated[str, typer.Argument(help="Environment, such as uat.")]
Everywhere = Annotated[str, typer.Argument(help="Environment, or `all`.")]
Instance = Annotated[str, typer.Argument(help="Instance, such as shop.")]
OrSet = Annotated[str, typer.Argument(help="Instance, such as shop, or a set, such as @checkout.")]
App = Annotated[str, typer.Argument(help="App, such as shop.")]
Version = Annotated[str, typer.Argument(help="Version, such as 1.4.2.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; kept in the tag and the ledger.")]
Ticket = Annotated[str, typer.Option("--ticket", help="A ticket, for the record.")]
Sign = Annotated[str | None, typer.Option("--sign", help="ed25519 key file to sign the tag with.")]
Hotfix = Annotated[bool, typer.Option("--hotfix", help="Class hotfix instead of normal.")]
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
    for command in (promote, approve, rollback, remove, retire, reject, unreject):
        app.command()(command)


def promote(
    environment: Environment,
    instance: Instance,
    version: Version,
    reason: Reason = "",
    ticket: Ticket = "",
    sign: Sign = None,
    hotfix: Hotfix = False,
    override: Annotated[
        str,
        typer.Option(
            help="Gates that this hotfix overrides, such as `soak,windows`; a debt stays."
        ),
    ] = "",
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

    ask_for(
        Verb.PROMOTE, environment, instance, version,
        options={
            "reason": reason, "ticket": ticket, "hotfix": hotfix, "commit": commit,
            "override": override,
        },
        sign=sign, wait=timeout if wait else 0, output=output, again=again,
    )  # fmt: skip


def approve(
    environment: Environment,
    instance: OrSet,
    version: Annotated[
        str, typer.Argument(help="Version, such as 1.4.2; of a set the number of its request.")
    ] = "",
    reason: Reason = "",
    sign: Sign = None,
    rendered: Annotated[
        str,
        typer.Option(help="The hash that `plan` showed you; refused if the request gives another."),
    ] = "",
    output: Output = Form.TABLE,
) -> None:
    """Approve what the open request for a version, or for a set, renders to; void as soon as that changes."""
    from distributor.errors.service import BadArgument
    from distributor.model.refs import Digest
    from distributor.model.tags import Verb
    from distributor.services.promotion.requesting import Ask

    check(reason, "")
    if not version and not instance.startswith("@"):
        raise BadArgument("(which version? Only a set has an open request without one)")
    ask = Ask(
        verb=Verb.APPROVE,
        environment=environment,
        instance=instance,
        version=version,
        reason=reason,
        rendered=Digest(rendered),
    )
    found = settings(sign=sign)
    raise typer.Exit(run(lambda: _approved(found, ask, output)))


async def _approved(found: Settings, ask: Ask, output: Form) -> int:
    from distributor.app import open_service
    from distributor.cli.identity import signer_of, tagger_of
    from distributor.services.asking.approving import make_approval

    async with open_service(found, writing=False) as service:
        snapshot = await service.look()
        if service.offline is not None:
            raise service.offline
        asked = await make_approval(
            service, snapshot, ask, tagger=tagger_of(found), signer=signer_of(found)
        )
        show({"ref": asked.ref, "tag": asked.tag, "outcome": "requested"}, output)
        return DONE


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

    ask_for(
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

    ask_for(
        Verb.REMOVE, environment, instance, "",
        options={"reason": reason}, sign=sign, wait=timeout if wait else 0, output=output,
    )  # fmt: skip


def retire(
    environment: Environment,
    cluster: Annotated[str, typer.Argument(help="Cluster, such as uat-edge-1.")],
    reason: Reason = "",
    sign: Sign = None,
    output: Output = Form.TABLE,
) -> None:
    """Take a cluster whose file main has no more out of service: everything of ours there is removed."""
    from distributor.model.tags import Verb

    ask_for(
        Verb.RETIRE, environment, cluster, "",
        options={"reason": reason}, sign=sign, output=output,
    )  # fmt: skip


def reject(
    environment: Everywhere, app: App, version: Version, reason: Reason = "", sign: Sign = None,
    output: Output = Form.TABLE,
) -> None:  # fmt: skip
    """Veto a version of an app; only `unreject` lifts it."""
    from distributor.model.tags import Verb

    ask_for(
        Verb.REJECT, environment, app, version, options={"reason": reason}, sign=sign, output=output
    )


def unreject(
    environment: Everywhere, app: App, version: Version, reason: Reason = "", sign: Sign = None,
    output: Output = Form.TABLE,
) -> None:  # fmt: skip
    """Lift a veto."""
    from distributor.model.tags import Verb

    ask_for(
        Verb.UNREJECT,
        environment,
        app,
        version,
        options={"reason": reason},
        sign=sign,
        output=output,
    )


def ask_for(
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
    """Make one request; with ``wait`` seconds, follow it until it ends. Exits the program with its outcome."""
    from distributor.services.promotion.requesting import Ask

    check(str(options.get("reason", "")), str(options.get("ticket", "")))
    ask = Ask(
        verb=verb,
        environment=environment,
        instance=instance,
        version=version,
        reason=str(options.get("reason", "")),
        ticket=str(options.get("ticket", "")),
        hotfix=bool(options.get("hotfix")),
        override=tuple(str(options.get("override", "")).replace(",", " ").split()),
    )
    found = settings(sign=sign)
    wanted = _Wanted(ask=ask, commit=str(options.get("commit", "")), again=again)
    code = run(lambda: _asked(found, wanted, output, wait))
    raise typer.Exit(code)


def check(reason: str, ticket: str) -> None:
    """Refuse what a tag cannot carry, before there is one."""
    from distributor.errors.service import BadArgument

    for name, text in (("--reason", reason), ("--ticket", ticket)):
        if not text.isprintable():
            raise BadArgument(f"({name} takes one line of plain text)")


_HANDED = (
    "handed over in this state folder: the service that runs with it, or `distributor sync` here, carries it out now "
    "and pushes it when the repository is back"
)


async def _asked(found: Settings, wanted: _Wanted, output: Form, wait: float) -> int:
    from distributor.app import open_service
    from distributor.cli.identity import signer_of, tagger_of
    from distributor.model.tags import ACTIVATIONS
    from distributor.services.promotion.handing import hand_over
    from distributor.services.promotion.requesting import make_request

    async with open_service(found, writing=False) as service:
        snapshot = await service.look()
        if service.offline is not None and wanted.ask.verb not in ACTIVATIONS:
            raise service.offline
        ask = _settled(wanted, found, service, snapshot)
        make = make_request if service.offline is None else hand_over
        asked = await make(
            service.world, snapshot, ask, tagger=tagger_of(found), signer=signer_of(found)
        )
        if service.offline is not None:
            say(f"note: {service.offline}")
            say(_HANDED)
        return await followed(service, asked, wait, output)


async def followed(service: Service, asked: Asked, wait: float, output: Form) -> int:
    """Print what was asked for; with ``wait`` seconds, follow it before. How the program is to end."""
    from distributor.services.asking.following import follow

    done, outcome = ("handed over",) * 2 if service.offline is not None else ("pushed", "requested")
    if not wait:
        show({"ref": asked.ref, "tag": asked.tag, "outcome": outcome}, output)
        return DONE
    say(f"{done} {asked.ref}")
    found = await follow(service, asked, wait, tell=say)
    told = {"ref": asked.ref, "tag": asked.tag}
    show({**told, "outcome": found.outcome, "reasons": found.reasons}, output)
    return _code(found)


def _settled(wanted: _Wanted, found: Settings, service: Service, snapshot: Snapshot) -> Ask:
    """The request with its commit found; raises for one that main does not have, and for a repetition."""
    from distributor.cli.committish import find_commit
    from distributor.errors.policy import AskedAlready, NotOnMain
    from distributor.services.promotion.requesting import open_request

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
    """How the program ends; what is not good is told with its code."""
    from distributor.errors.service import RequestEnded, WaitTimeout

    if followed.good:
        return DONE
    error = RequestEnded() if followed.ended else WaitTimeout()
    fail(error)
    return error.exit_code


def show(data: dict[str, object], output: Form) -> None:
    """Print what became of a request."""
    if output is not Form.TABLE:
        emit(data, output)
        return
    typer.echo(f"{data['outcome']} {data['ref']}")
    reasons = data.get("reasons", ())
    for reason in reasons if isinstance(reasons, tuple) else ():
        line(f"  {reason}")
