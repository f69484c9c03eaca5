"""Two services race for every promotion on one repository: never both accept, never both execute."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import asynccontextmanager
from datetime import datetime
from random import Random

import orjson
import pytest

from distributor.ledger import decode_genesis
from distributor.services.asking.auditing import fsck
from distributor.services.service import Service
from tests import seeds
from tests.acceptance.forging import Draft, forger

KEYS = {"shop": ("1.4.1", "1.4.2"), "website": ("1.0.0",), "iot-gateway": ("2.0.0",)}
LONG = 300.0


@asynccontextmanager
async def racing(play):
    """Two services that serve the same repository, each with its own memory."""
    other = str(play.place.root / "state-2")
    async with play.service() as one, play.service(state_dir=other) as two:
        running = [asyncio.create_task(s.run(poll=0.2, resync=3600)) for s in (one, two)]
        try:
            yield one, two
        finally:
            for service in (one, two):
                await service.stop()
            await asyncio.gather(*running)


async def until(holds) -> None:
    async with asyncio.timeout(LONG):
        while not holds():
            await asyncio.sleep(0.05)


def ask(evil, count: int, prev: dict[str, str], round_: int, dice) -> list[str]:
    """So many requests at once, all of which name what was accepted last; their names, in random order."""
    names = []
    for number in range(count):
        app = dice.choice(sorted(KEYS))
        version = KEYS[app][round_ % len(KEYS[app])]
        draft = Draft(instance=app, version=version, prev=prev.get(app, "none"))
        name = f"{draft.name}_{round_ * count + number + 2}"
        names.append((name, evil.raw(draft, name=name)))
    dice.shuffle(names)
    for name, raw in names:
        evil.put(name, raw)
    return [name for name, _ in names]


def decided(service: Service, names: Iterable[str]) -> bool:
    """Whether one service knows a final verdict on each."""
    states = service.book.state.instances.values()
    known = {ref for s in states for ref, v in s.last_verdicts.items() if v.outcome != "pending"}
    return set(names) <= known


@pytest.mark.parametrize(
    ("rounds", "count"),
    [
        pytest.param(3, 7, id="short", marks=pytest.mark.timeout(600)),
        pytest.param(20, 10, id="long", marks=[pytest.mark.soak, pytest.mark.timeout(3600)]),
    ],
)
async def test_raced_promotions_are_decided_once_and_carried_out_by_one(play, rounds, count):
    evil, dice = forger(play), Random(seeds.seed())
    names: list[str] = []
    async with racing(play) as (one, two):
        await until(lambda: one.snapshot is not None and two.snapshot is not None)
        prev: dict[str, str] = {}
        for round_ in range(rounds):
            asked = ask(evil, count, prev, round_, dice)
            names += asked
            for service in dice.sample((one, two), 2):
                service.hint()
            await until(lambda asked=asked: decided(one, asked) and decided(two, asked))
            for app in KEYS:
                desired = one.book.state.instance("sit", app).desired
                prev |= {app: desired.tag} if desired else {}
        await until(lambda: _verified(one) and _verified(two))
        await until(lambda: one.book.state == two.book.state)
        assert not [f for f in await fsck(one) if f.code.startswith("DST6")]
    _decided_once(evil, names)
    _linear(evil)
    for app in KEYS:
        records = [orjson.loads(r) for r in evil.read(f"records/sit/{app}.jsonl").splitlines()]
        _one_chain(records)
        _one_executor(records)


def _verified(service: Service) -> bool:
    states = (service.book.state.instance("sit", app) for app in KEYS)
    found = ((s, s.desired) for s in states)
    return all(d is None or s.progress[d.sequence].verified_at for s, d in found)


def _decided_once(evil, names: Iterable[str]) -> None:
    for name in names:
        final = [r for r in evil.recorded(name) if r["verdict"]["outcome"] != "pending"]
        assert len(final) == 1, final


def _linear(evil) -> None:
    """One parent each, and one root, which is the genesis."""
    commits = [line.split() for line in evil.git("rev-list", "--parents", "ledger").splitlines()]
    assert [len(c) for c in commits] == [2] * (len(commits) - 1) + [1]
    assert decode_genesis(evil.read("genesis.json")).previous == ""


def _one_chain(records: list[dict]) -> None:
    """Each accepted request names the one accepted before it, and sequence numbers only grow."""
    accepted = [
        r["verdict"] for r in records if r["kind"] == "verdict" and "sequence" in r["verdict"]
    ]
    tags = ["none", *(v["tag"] for v in accepted)]
    assert [v["prev"] for v in accepted] == tags[:-1]
    numbers = [v["sequence"] for v in accepted]
    assert numbers == sorted(set(numbers))


def _one_executor(records: list[dict]) -> None:
    """Nobody claims what another one has claimed, and has neither given back, let expire nor lost to a newer request."""
    last: dict | None = None
    newer = False
    for record in records:
        newer |= record["kind"] == "verdict" and record["verdict"]["outcome"] == "accepted"
        if record["kind"] != "claimed" or (last and record["number"] < last["number"]):
            continue  # a claim that was lost to a newer request is given back late
        if last is not None and record["holder"] != last["holder"]:
            at, expires = (datetime.fromisoformat(t) for t in (record["at"], last["expires"]))
            assert newer or last.get("released") or expires <= at, (last, record)
        last, newer = record, False
