"""Turns: one package never keeps another from rendering, and nothing is lost on the way."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distributor.adapters.engine.lanes import Lanes, Ticket

PATIENCE = 0.02


class Run:
    """Renders that go on until they are told to end; ``began`` lists them in the order of their turns."""

    def __init__(self, places: int, patience: float = PATIENCE) -> None:
        self.lanes = Lanes(places, patience)
        self.began: list[str] = []
        self.slow: list[str] = []
        self.most = 0
        self._running: list[str] = []
        self._ends: dict[str, asyncio.Event] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def ask(self, *names: str) -> None:
        """Ask for places; the first letter of a name is its package."""
        for name in names:
            self._ends[name] = asyncio.Event()
            self._tasks[name] = asyncio.create_task(self._render(name))
            await asyncio.sleep(0)
        await settle()

    async def end(self, *names: str) -> None:
        for name in names:
            self._ends[name].set()
        await settle()

    async def cancel(self, name: str) -> None:
        self._tasks[name].cancel()
        await asyncio.gather(self._tasks[name], return_exceptions=True)
        await settle()

    async def finish(self) -> None:
        for event in self._ends.values():
            event.set()
        async with asyncio.timeout(60):
            await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def _render(self, name: str) -> None:
        await self.lanes.run(name[0], lambda ticket: self._go_on(name, ticket))

    async def _go_on(self, name: str, ticket: Ticket) -> None:
        self.began.append(name)
        ticket.on_slow(lambda: self.slow.append(name))
        self._running.append(name)
        self.most = max(self.most, len(self._running))
        try:
            await self._ends[name].wait()
        finally:
            self._running.remove(name)


async def until(held: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not held():
            await asyncio.sleep(PATIENCE / 10)


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_places_are_bounded_and_taken_in_turn():
    run = Run(2, patience=60)
    await run.ask("a1", "a2", "a3", "a4", "b1", "c1", "b2")
    assert run.began == ["a1", "a2"]
    await run.end("a1")
    assert run.began[2:] == ["b1"], "a package with nothing under way goes first"
    await run.end("a2")
    assert run.began[3:] == ["a3"], "of the others, the one whose turn is the longest ago"
    await run.end("b1")
    assert run.began[4:] == ["c1"]
    await run.end("a3", "c1")
    assert run.began[6:] == ["a4"]
    await run.finish()
    assert run.began[5:6] == ["b2"]
    assert run.slow == []


async def test_one_package_alone_has_every_place():
    run = Run(3)
    await run.ask("a1", "a2", "a3", "a4")
    await asyncio.sleep(3 * PATIENCE)
    assert run.began == ["a1", "a2", "a3"]
    assert run.slow == [], "nobody else waits"
    await run.finish()


async def test_a_render_that_takes_long_makes_room():
    run = Run(2, patience=0.2)
    await run.ask("a1", "a2", "a3", "a4", "a5", "a6", "good1")
    assert run.began == ["a1", "a2"]
    while "good1" not in run.began:
        await asyncio.sleep(PATIENCE / 10)
    assert run.slow == ["a1"]
    assert run.began == ["a1", "a2", "good1"]
    for number in range(2, 20):
        await run.end(f"good{number - 1}")
        await run.ask(f"good{number}")
        assert run.began[-1] == f"good{number}", "it is served at once from now on"
    assert "a3" not in run.began
    await run.end("a1")
    await run.end("good19")
    assert "a3" in run.began
    await run.finish()


async def test_as_many_bad_packages_as_there_are_places_leave_one_to_the_rest():
    run = Run(2)
    await run.ask("a1", "a2", "a3", "b1", "b2", "b3")
    await asyncio.sleep(6 * PATIENCE)
    await run.ask("good1")
    await asyncio.sleep(6 * PATIENCE)
    assert "good1" in run.began
    assert len(run.slow) <= 2
    await run.finish()
    assert run.most <= 4


@pytest.mark.parametrize("places", [1, 2, 3])
async def test_however_many_bad_packages_there_are_a_good_one_gets_its_turn(places):
    run = Run(places)
    bad = [f"{package}{number}" for number in "12" for package in "abcdefgh"]
    await run.ask(*bad)
    await run.ask("z1")
    await until(lambda: "z1" in run.began)
    for number in range(2, 6):
        await run.end(f"z{number - 1}")
        await run.ask(f"z{number}")
        await until(lambda name=f"z{number}": name in run.began)
    assert len(run.slow) == places, "no bad one has ended"
    await run.finish()
    assert set(bad) <= set(run.began), "nothing was lost"
    assert run.most <= 2 * places
    assert all(run.began.count(name) <= 2 for name in bad), "stopped once at most"
    assert not any(run.began.count(f"z{number}") > 1 for number in range(1, 6))


async def test_a_render_that_was_stopped_begins_again_in_the_slow_lane():
    run = Run(1)
    await run.ask("a1", "b1", "c1")
    await until(lambda: "c1" in run.began)
    assert run.began == ["a1", "b1", "c1"]
    assert run.slow == ["a1"]
    await run.end("c1")
    await asyncio.sleep(4 * PATIENCE)
    assert run.began == ["a1", "b1", "c1"], "the slow lane is full"
    await run.end("a1")
    assert run.began[3:] == ["b1"]
    assert run.slow == ["a1", "b1"]
    await run.ask("d1")
    await asyncio.sleep(4 * PATIENCE)
    assert run.began[4:] == ["d1"], "it keeps its place"
    await run.end("b1", "d1")
    await run.finish()
    assert run.began[5:] == []


async def test_who_gives_up_after_it_was_stopped_leaves_no_hole():
    run = Run(1)
    await run.ask("a1", "b1", "c1")
    await until(lambda: "c1" in run.began)
    await run.cancel("b1")
    await run.end("a1", "c1")
    assert run.began == ["a1", "b1", "c1"]
    await run.ask("b2")
    assert run.began[3:] == ["b2"]
    assert run.slow == ["a1"], "the package is as good as another"
    await run.finish()


async def test_nothing_is_stopped_for_a_package_that_renders_already():
    run = Run(2)
    await run.ask("a1", "b1", "c1")
    await asyncio.sleep(2 * PATIENCE)
    await run.ask("d1")
    await until(lambda: set(run.slow) == {"a1", "b1"})
    await run.ask("c2", "d2", "a2")
    await asyncio.sleep(6 * PATIENCE)
    assert run.began == ["a1", "b1", "c1", "d1"]
    await run.finish()


async def test_an_error_of_a_render_is_its_own():
    async def fail(_: Ticket) -> None:
        raise TimeoutError("of the render")

    lanes = Lanes(1, PATIENCE)
    with pytest.raises(TimeoutError, match="of the render"):
        await lanes.run("a", fail)
    assert lanes._running == []


async def test_a_single_place_is_enough():
    run = Run(1)
    await run.ask("a1", "a2", "good1")
    await asyncio.sleep(4 * PATIENCE)
    assert run.began == ["a1", "good1"]
    await run.end("good1")
    assert run.began == ["a1", "good1"], "a2 waits for a1"
    await run.finish()
    assert run.began[-1] == "a2"


@pytest.mark.parametrize("name", ["a2", "a1"])
async def test_who_gives_up_leaves_no_hole(name):
    run = Run(1, patience=60)
    await run.ask("a1", "a2", "b1")
    await run.cancel(name)
    await run.finish()
    assert set(run.began) == {"a1", "a2", "b1"} - ({"a2"} & {name})


async def test_a_place_given_to_one_who_gave_up_is_given_on():
    run = Run(1, patience=60)
    await run.ask("a1", "a2", "b1")
    run._ends["a1"].set()
    await asyncio.sleep(0)  # a1 is about to leave; whoever is next may give up in the same moment
    run._tasks["a2"].cancel()
    run._tasks["b1"].cancel()
    await settle()
    await run.ask("c1")
    assert run.began[-1] == "c1"
    await run.finish()


steps = st.lists(
    st.tuples(st.sampled_from(["ask", "end", "cancel", "wait"]), st.sampled_from("abc")),
    max_size=40,
)


@settings(max_examples=60, deadline=None)
@given(places=st.integers(1, 4), script=steps)
def test_whatever_happens_every_place_comes_back(places, script):
    async def play() -> None:
        run = Run(places, patience=0.001)
        for number, (what, package) in enumerate(script):
            mine = [n for n in run._tasks if n[0] == package and not run._tasks[n].done()]
            if what == "ask":
                await run.ask(f"{package}{number}")
            elif what == "wait":
                await asyncio.sleep(0.002)
            elif mine:
                await (run.end(mine[0]) if what == "end" else run.cancel(mine[0]))
        await run.finish()
        assert run.most <= 2 * places
        assert run.lanes._running == []
        await run.ask("z1")
        assert run.began[-1] == "z1"
        await run.finish()

    asyncio.run(play())
