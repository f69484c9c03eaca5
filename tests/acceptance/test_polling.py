"""Hints off: polling alone brings the same verdicts and the same bytes as hints do. A hint carries no state."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace

from distributor.app import open_service
from distributor.cli.playground import PEOPLE
from distributor.model.ledger import Claimed, Decided, Progressed
from distributor.model.tags import Verb
from distributor.services.asking.following import follow
from distributor.services.promotion.requesting import Ask, make_request

NEVER = 3600.0
MOVES = (
    (Verb.PROMOTE, "sit", "shop", "1.4.1"),
    (Verb.PROMOTE, "uat", "shop", "1.4.1"),
    (Verb.PROMOTE, "sit", "shop", "1.5.0"),
    (Verb.PROMOTE, "uat", "shop", "1.5.0"),  # gate 13 refuses it
    (Verb.PROMOTE, "uat", "website", "1.0.0"),  # refused: not verified in sit
    (Verb.PROMOTE, "sit", "website", "1.0.0"),
    (Verb.ROLLBACK, "sit", "shop", "1.4.1"),
    (Verb.REMOVE, "sit", "website", ""),
)
OUTCOMES = (
    "verified",
    "verified",
    "verified",
    "refused",
    "refused",
    "verified",
    "verified",
    "removed",
)


@asynccontextmanager
async def serving(play, *, poll: float):
    """The service as ``serve`` runs it, until the block ends."""
    async with play.service() as service:
        running = asyncio.create_task(service.run(poll=poll, resync=NEVER))
        try:
            yield service
        finally:
            await service.stop()
            await running


@asynccontextmanager
async def a_person(play):
    """Somebody elsewhere, who shares nothing with the service but the remote."""
    settings = replace(play.settings, state_dir=str(play.place.root / "a-person"))
    async with open_service(settings, writing=False) as other:
        yield other


async def move(play, person, verb, environment, instance, version):
    """Push a request's tag from elsewhere."""
    ask = Ask(verb=verb, environment=environment, instance=instance, version=version)
    signer = play.place.key("release-manager") if environment != "sit" else None
    snapshot = await person.look()
    tagger = PEOPLE["release-manager"]
    return await make_request(person.world, snapshot, ask, tagger=tagger, signer=signer)


async def played(play, *, hints: bool):
    """Make all moves, each followed in the ledger; how each ended, and what the ledger says then."""
    outcomes = []
    async with serving(play, poll=NEVER if hints else 0.2) as service, a_person(play) as person:
        for one in MOVES:
            asked = await move(play, person, *one)
            if hints:
                service.hint()
            followed = await follow(person, asked, 60, tell=lambda _: None)
            outcomes.append(followed.outcome)
        await person.look()
        return tuple(outcomes), told(person)


def told(service):
    """What the ledger says, file by file, but for times, object ids, keys and claims."""
    book = service.book
    found = {}
    for key in book.keys(book.state.head):
        records = book.records(book.state.head, key)
        found[key] = [plain(record) for record in records if not isinstance(record, Claimed)]
    return found


def plain(record):
    match record:
        case Decided(verdict=v):
            answers = tuple((a.number, a.gate, a.result) for a in v.answers)
            return v.ref, v.outcome, v.revision, v.sequence, v.targets, v.rendered, answers
        case Progressed():
            return record.step, record.sequence, record.wave, dict(record.targets), record.reason
        case _:
            return type(record).__name__, getattr(record, "ref", "")


async def test_polling_alone_gives_what_hints_give(play, other_play):
    hinted = await played(play, hints=True)
    polled = await played(other_play, hints=False)
    assert hinted[0] == OUTCOMES
    assert polled[0] == OUTCOMES
    assert polled[1] == hinted[1]
    assert other_play.fleet() == play.fleet()


async def test_hints_that_repeat_or_come_for_nothing_change_nothing(play, other_play):
    """A storm of hints, most of them without any cause, beside the polls."""
    async with serving(play, poll=0.2) as service:

        async def storm() -> None:
            while True:
                service.hint()
                await asyncio.sleep(0.01)

        raining = asyncio.create_task(storm())
        async with a_person(play) as person:
            for one in MOVES[:2]:
                asked = await move(play, person, *one)
                assert (await follow(person, asked, 60, tell=lambda _: None)).good
            await person.look()
            stormy = told(person)
        raining.cancel()
        await asyncio.gather(raining, return_exceptions=True)
    async with serving(other_play, poll=NEVER) as service, a_person(other_play) as person:
        for one in MOVES[:2]:
            asked = await move(other_play, person, *one)
            service.hint()
            assert (await follow(person, asked, 60, tell=lambda _: None)).good
        await person.look()
        assert told(person) == stormy
    assert play.fleet() == other_play.fleet()
