"""A request whose render went on behind is judged by what the ledger says when it is decided."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

from distributor.catalog.tags import parse
from distributor.model.manifest import ManifestSet
from distributor.model.refs import ObjectId
from distributor.model.tags import ObservedTag
from distributor.policy import ClusterFact, GateFacts
from distributor.services.gathering import Case
from distributor.services.preparing import Preparing

TAG = ("promote/uat/shop/1.0.0", ObjectId("1" * 40))
MANIFESTS = {"uat-1": ManifestSet.of(())}


def bare() -> Case:
    tag = ObservedTag(ref=f"refs/tags/{TAG[0]}", id=TAG[1], type="tag", raw=b"")
    return Case(tag=tag, facts=GateFacts(ref=TAG[0], request=parse(tag), policies=()))


class Gathering:
    """A gatherer whose ledger moves: ``clusters`` is what it says by now."""

    def __init__(self, seconds: float) -> None:
        self.clusters: dict[str, ClusterFact] = {}
        self.seconds = seconds

    async def rendered(self, case: Case) -> Case:
        await asyncio.sleep(self.seconds)
        return self.beside(replace(case, manifests=MANIFESTS))

    def beside(self, case: Case) -> Case:
        assert case.manifests == MANIFESTS
        return replace(case, facts=replace(case.facts, clusters=dict(self.clusters)))


async def test_what_moved_since_the_render_ended_is_seen() -> None:
    ready = asyncio.Event()
    gathering: Any = Gathering(0.01)
    preparing = Preparing(gathering, ready.set)
    preparing._renders._patience = 0
    preparing.begin_pass([TAG])
    assert await preparing.rendered(TAG, None, bare()) is None
    await ready.wait()
    gathering.clusters = {"uat-1": ClusterFact()}
    preparing.begin_pass([TAG])
    assert not preparing.waits(TAG, None)
    case = await preparing.rendered(TAG, None, bare())
    assert case is not None
    assert case.facts.clusters == {"uat-1": ClusterFact()}
    assert not preparing.busy
