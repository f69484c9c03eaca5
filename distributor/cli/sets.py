"""The command for sets: one tag that asks for versions of several instances at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from distributor.cli.context import run, settings
from distributor.cli.output import Form, Output
from distributor.cli.requests import (
    Environment,
    Hotfix,
    Reason,
    Sign,
    Ticket,
    Timeout,
    Wait,
    check,
    followed,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from distributor.services.promotion.requesting import Ask
    from distributor.settings import Settings


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""
    app.command("promote-set")(promote_set)


def promote_set(
    environment: Environment,
    name: Annotated[str, typer.Argument(help="What the set is called, such as checkout.")],
    versions: Annotated[
        list[str], typer.Argument(help="INSTANCE=VERSION for each, such as shop=1.4.2.")
    ],
    reason: Reason = "",
    ticket: Ticket = "",
    sign: Sign = None,
    hotfix: Hotfix = False,
    wait: Wait = False,
    timeout: Timeout = 1800.0,
    output: Output = Form.TABLE,
) -> None:
    """Ask for versions of several instances at once: all of them are accepted, or none is."""
    from distributor.model.tags import Verb
    from distributor.services.promotion.requesting import Ask

    check(reason, ticket)
    ask = Ask(
        verb=Verb.PROMOTE,
        environment=environment,
        instance=name,
        reason=reason,
        ticket=ticket,
        hotfix=hotfix,
    )
    found, wanted = settings(sign=sign), _versions(versions)
    raise typer.Exit(run(lambda: _asked(found, ask, wanted, output, timeout if wait else 0)))


def _versions(words: list[str]) -> dict[str, str]:
    from distributor.errors.service import BadArgument

    found: dict[str, str] = {}
    for word in words:
        instance, equals, version = word.partition("=")
        if not (instance and equals and version) or instance in found:
            raise BadArgument(f"({word!r}: each instance once, as INSTANCE=VERSION)")
        found[instance] = version
    return found


async def _asked(
    found: Settings, ask: Ask, versions: Mapping[str, str], output: Form, wait: float
) -> int:
    from distributor.app import open_service
    from distributor.cli.identity import signer_of, tagger_of
    from distributor.services.promotion.requesting_sets import make_set

    async with open_service(found, writing=False) as service:
        snapshot = await service.look()
        if service.offline is not None:
            raise service.offline
        asked = await make_set(
            service.world,
            snapshot,
            ask,
            versions,
            tagger=tagger_of(found),
            signer=signer_of(found),
        )
        return await followed(service, asked, wait, output)
