"""What the benchmarks of polls and decisions do is what they say, at a tiny size."""

from __future__ import annotations

from functools import partial

from distributor.adapters.git import GitRemote
from distributor.model.promotion import VerdictOutcome
from tests.benchmarks.choosing import VERSIONS, decision, service_of
from tests.benchmarks.polling import archived, cost, counted, listing, polled


async def test_polled_requests_are_refused_and_later_archived(tmp_path):
    async with polled(tmp_path, 3) as found:
        service = found.service
        snapshot = await service.once()
        assert {each.ref for each in found.asked} <= set(snapshot.tags)
        state = snapshot.ledger.instance(*found.asked[0].key)
        assert set(state.outcomes.values()) == {VerdictOutcome.REFUSED}
        head = service.book.state.head
        assert (await cost(service.once)).cpu > 0
        assert service.book.state.head == head
        archived(found)
        snapshot = await service.once()
        assert snapshot.tags == {}
        state = service.book.state.instance(*found.asked[0].key)
        assert state.archived == {each.ref for each in found.asked}
        assert state.tampered == ()


async def test_bytes_are_counted(tmp_path):
    async with polled(tmp_path, 3) as found, counted(found.place.remote) as server:
        mirror = found.place.state / "repository.git"
        await GitRemote(mirror, server.url, heads=("main", "ledger")).fetch()
        assert server.bytes > 3 * len(found.asked[0].ref)
        await cost(partial(listing, found.place.remote))


async def test_a_decision_leaves_rendering_and_the_push_out(tmp_path):
    async with service_of(tmp_path, clusters=6, apps=1) as service:
        for version in VERSIONS:
            found = await decision(service, "app-000", version)
            assert found.targets == 6
            assert found.push > 0
            assert 0 <= found.seconds < 100
