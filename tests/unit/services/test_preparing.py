"""What a request's render gives is used for that request as it stands, and for no older state of it."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from distributor.model.manifest import ManifestSet
from distributor.model.refs import Digest, ObjectId
from distributor.policy import ClusterFact
from distributor.services.promotion.case import Case
from distributor.services.promotion.preparing import Preparing
from tests.unit.policy.facts import GOOD

TAG = ("promote/uat/shop/1.0.0", ObjectId("7" * 40))
OTHER = ("promote/uat/shop/1.1.0", ObjectId("8" * 40))
SHOP = ("uat", "shop")
MANIFESTS = {"uat-1": ManifestSet.of(())}


class Renders:
    """A gatherer whose renders end when the gate opens; each names the root tree it was made of."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.made: list[str] = []
        self.ready = asyncio.Event()
        self.clusters: dict[str, ClusterFact] = {}  # what the ledger says by now

    async def rendered(self, case: Case) -> Case:
        self.made.append(case.root)
        await self.gate.wait()
        done = case_of(case.root, rendered=Digest(f"of {case.root}"))
        return self.beside(replace(done, manifests=MANIFESTS))

    def beside(self, case: Case) -> Case:
        assert case.manifests == MANIFESTS
        return replace(case, facts=replace(case.facts, clusters=dict(self.clusters)))


def case_of(root: str, **facts: object) -> Case:
    return Case(tag=None, facts=replace(GOOD, **facts), root=ObjectId(root))


def start(patience: float = 0.0) -> tuple[Renders, Preparing]:
    renders = Renders()
    preparing = Preparing(renders, renders.ready.set, patience)
    preparing.begin_pass([TAG, OTHER])
    return renders, preparing


async def test_the_same_request_takes_what_was_begun():
    renders, preparing = start()
    assert await preparing.rendered(TAG, SHOP, case_of("a")) is None
    assert preparing.waits(TAG, SHOP)
    assert preparing.waits(OTHER, SHOP), "a later promotion of the instance"
    assert not preparing.waits(OTHER, None), "a switch"
    renders.gate.set()
    await asyncio.wait_for(renders.ready.wait(), 5)
    assert not preparing.waits(TAG, SHOP)
    done = await preparing.rendered(TAG, SHOP, case_of("a", prev="moved on"))
    assert (done.facts.rendered, done.facts.prev) == ("of a", "moved on")
    assert renders.made == ["a"]
    assert not preparing.busy


async def test_what_moved_in_between_is_rendered_anew():
    renders, preparing = start()
    assert await preparing.rendered(TAG, SHOP, case_of("a")) is None
    renders.gate.set()
    await asyncio.wait_for(renders.ready.wait(), 5)
    await asyncio.sleep(0)
    while (done := await preparing.rendered(TAG, SHOP, case_of("b"))) is None:
        await asyncio.sleep(0)
    assert done.facts.rendered == "of b"
    assert renders.made == ["a", "b"]


async def test_a_pass_that_is_cut_off_leaves_nothing_that_could_be_taken_for_another():
    renders, preparing = start(patience=60)
    passing = asyncio.create_task(preparing.rendered(TAG, SHOP, case_of("a")))
    await asyncio.sleep(0.01)
    passing.cancel()
    await asyncio.gather(passing, return_exceptions=True)
    renders.gate.set()
    done = await preparing.rendered(TAG, SHOP, case_of("b"))
    assert done.facts.rendered == "of b"
    await preparing.stop()


async def test_what_runs_beside_it_is_told_as_the_ledger_stands_when_it_is_taken():
    renders, preparing = start()
    assert await preparing.rendered(TAG, SHOP, case_of("a")) is None
    renders.gate.set()
    await asyncio.wait_for(renders.ready.wait(), 5)
    renders.clusters = {"uat-1": ClusterFact()}  # since the render ended
    done = await preparing.rendered(TAG, SHOP, case_of("a"))
    assert done.facts.clusters == {"uat-1": ClusterFact()}
    assert renders.made == ["a"]
