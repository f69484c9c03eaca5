"""Work behind a pass: waited for a while, then left to itself, and taken by the pass that finds it done."""

from __future__ import annotations

import asyncio

import pytest

from distributor.services.rendering.behind import Behind


class Place:
    """Pieces that end when their gate opens, and how often somebody was told that one is ready."""

    def __init__(self, patience: float = 0.0) -> None:
        self.gates: dict[str, asyncio.Event] = {}
        self.begun: list[str] = []
        self.cancelled: list[str] = []
        self.told = asyncio.Event()
        self.behind: Behind[str, str] = Behind(self.told.set, patience)

    def begin(self, key: str, *, fails: bool = False) -> None:
        gate = self.gates.setdefault(key, asyncio.Event())

        async def work() -> str:
            self.begun.append(key)
            try:
                await gate.wait()
            except asyncio.CancelledError:
                self.cancelled.append(key)
                raise
            if fails:
                raise ValueError(key)
            return f"done {key}"

        self.behind.begin(key, work)

    async def told_soon(self) -> None:
        await asyncio.wait_for(self.told.wait(), 5)


async def test_what_is_done_in_time_is_taken_at_once():
    place = Place(patience=5)
    place.begin("a")
    place.gates["a"].set()
    assert await place.behind.take("a") == ("done a",)
    assert not place.behind.busy
    assert not place.told.is_set(), "nobody has to come back for it"


async def test_what_takes_longer_is_taken_by_a_later_pass():
    place = Place()
    place.begin("a")
    assert await place.behind.take("a") == ()
    assert place.behind.running("a")
    place.gates["a"].set()
    await place.told_soon()
    assert not place.behind.running("a")
    place.begin("a")
    assert await place.behind.take("a") == ("done a",)
    assert place.begun == ["a"], "it was begun once"


async def test_a_failure_is_raised_where_it_is_taken():
    place = Place()
    place.begin("a", fails=True)
    assert await place.behind.take("a") == ()
    place.gates["a"].set()
    await place.told_soon()
    with pytest.raises(ValueError, match="a"):
        await place.behind.take("a")
    assert not place.behind.busy


async def test_a_pass_waits_for_all_pieces_together_and_the_next_one_anew():
    place = Place(patience=0.2)
    loop = asyncio.get_running_loop()
    began = loop.time()
    for key in "abcdefgh":
        place.begin(key)
        assert await place.behind.take(key) == ()
    assert loop.time() - began < 8 * 0.2
    place.behind.begin_pass("abcdefgh")
    loop.call_later(0.02, place.gates["c"].set)
    assert await place.behind.take("c") == ("done c",)
    await place.behind.stop()
    assert sorted(place.cancelled) == list("abdefgh")


async def test_what_nobody_wants_any_more_is_given_up():
    place = Place()
    for key in "ab":
        place.begin(key)
        await place.behind.take(key)
    place.behind.begin_pass(["b"])
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert place.cancelled == ["a"]
    assert place.behind.running("b")
    assert not place.told.is_set(), "a piece that was given up is nobody's news"
    await place.behind.stop()
    assert not place.behind.busy


@pytest.mark.parametrize("give_up", ["drop", "stop"])
async def test_a_pass_that_waits_for_what_is_given_up_goes_on_without_it(give_up):
    """As when the service is asked to stop: its pass ends, and is not cancelled itself."""
    place = Place(patience=5)
    place.begin("a")
    taking = asyncio.create_task(place.behind.take("a"))
    while not place.begun:
        await asyncio.sleep(0)
    if give_up == "stop":
        await place.behind.stop()
    else:
        place.behind.drop("a")
    assert await asyncio.wait_for(taking, 60) == ()
    assert not place.behind.busy
