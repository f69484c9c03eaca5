"""What every target keeps to, whatever it is made of; run on the fake and on each adapter."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from distributor.errors.cluster import Fenced, ForeignObject
from distributor.health import health
from distributor.model.changes import Action, Inventory
from distributor.model.manifest import Manifest
from distributor.ports import TargetConnection
from distributor.render.applyset import applyset_id
from tests.contract.targets.objects import (
    ENVIRONMENT,
    INSTANCE,
    config_map,
    entry,
    inventory,
    namespace,
)


@dataclass
class Harness:
    """A target, and a second connection to the same cluster."""

    target: TargetConnection
    other: TargetConnection

    async def installed(self, *manifests: Manifest, sequence: int = 1) -> Inventory:
        kept = await self.target.write_inventory(inventory(*manifests, sequence=sequence))
        groups = [[m] for m in manifests] if self.target.ordered else [list(manifests)]
        for group in groups:
            outcomes = await self.target.apply(kept, group)
            assert [o.error for o in outcomes] == [None] * len(group)
        return kept


class TargetContract:
    """Subclasses give the fixture ``harness``."""

    async def test_there_is_no_inventory_at_first(self, harness: Harness) -> None:
        assert await harness.target.read_inventory(ENVIRONMENT, INSTANCE) is None

    async def test_what_is_written_is_read(self, harness: Harness) -> None:
        written = await harness.target.write_inventory(inventory(namespace(), config_map("a")))
        assert written.token
        assert await harness.other.read_inventory(ENVIRONMENT, INSTANCE) == written

    async def test_an_inventory_that_exists_is_not_created_again(self, harness: Harness) -> None:
        await harness.target.write_inventory(inventory())
        with pytest.raises(Fenced):
            await harness.other.write_inventory(inventory(sequence=2))

    async def test_only_the_first_of_two_writers_wins(self, harness: Harness) -> None:
        read = await harness.target.write_inventory(inventory())
        won = await harness.other.write_inventory(replace(read, sequence=3))
        with pytest.raises(Fenced):
            await harness.target.write_inventory(replace(read, sequence=2))
        kept = await harness.target.read_inventory(ENVIRONMENT, INSTANCE)
        assert kept == won
        assert kept.sequence == 3

    async def test_a_sequence_number_never_falls(self, harness: Harness) -> None:
        written = await harness.target.write_inventory(inventory(sequence=5))
        with pytest.raises(Fenced):
            await harness.target.write_inventory(replace(written, sequence=4))

    async def test_another_environment_is_refused(self, harness: Harness) -> None:
        await harness.target.write_inventory(inventory())
        with pytest.raises(ForeignObject, match=ENVIRONMENT):
            await harness.target.read_inventory("uat", INSTANCE)

    async def test_apply_creates_then_configures(self, harness: Harness) -> None:
        first, second = config_map("a"), config_map("b")
        kept = await harness.target.write_inventory(inventory(namespace(), first, second))
        await harness.target.apply(kept, [namespace()])
        outcomes = await harness.target.apply(kept, [second, first])
        assert [(o.ref, o.action, o.error) for o in outcomes] == [
            (second.ref, Action.CREATED, None),
            (first.ref, Action.CREATED, None),
        ]
        changed = config_map("a", "2")
        (outcome,) = await harness.target.apply(kept, [changed])
        assert (outcome.action, outcome.error) == (Action.CONFIGURED, None)

    async def test_applied_objects_are_live(self, harness: Harness) -> None:
        first, second, absent = config_map("a"), config_map("b"), config_map("c")
        await harness.installed(namespace(), first, second)
        live = await harness.other.read_live([entry(m) for m in (first, second, absent)])
        assert set(live) == {first.ref, second.ref}
        assert live[first.ref].applied == first.digest
        assert live[first.ref].owner == applyset_id(INSTANCE)
        assert live[first.ref].data["data"] == {"value": "1"}
        assert live[first.ref].api_version == "v1"

    async def test_many_objects_are_live(self, harness: Harness) -> None:
        many = [config_map(f"many-{n}") for n in range(12)]
        await harness.installed(namespace(), *many)
        live = await harness.target.read_live([entry(m) for m in (*many, config_map("none"))])
        assert {ref: o.applied for ref, o in live.items()} == {m.ref: m.digest for m in many}

    async def test_nothing_is_live_in_a_namespace_that_is_not_there(self, harness: Harness) -> None:
        elsewhere = [config_map(f"x{n}", namespace="dst-nowhere") for n in range(8)]
        assert await harness.target.read_live([entry(m) for m in elsewhere]) == {}

    async def test_what_an_apply_tells_of_an_object_is_what_is_there(
        self, harness: Harness
    ) -> None:
        first = config_map("a")
        kept = await harness.installed(namespace())
        (outcome,) = await harness.target.apply(kept, [first])
        there = (await harness.other.read_live([entry(first)]))[first.ref]
        told = outcome.after
        if told is not None:  # a target that only delivers has nothing to tell
            assert (told.uid, told.applied, told.owner) == (there.uid, there.applied, there.owner)
            assert health(told.data).status is health(there.data).status
        assert (told is None) == harness.target.delivered_only

    async def test_apply_keeps_what_it_is_not_given(self, harness: Harness) -> None:
        first, second = config_map("a"), config_map("b")
        kept = await harness.installed(namespace(), first, second)
        await harness.target.apply(kept, [config_map("a", "2")])
        live = await harness.target.read_live([entry(first), entry(second)])
        assert live[second.ref].applied == second.digest

    async def test_delete_removes_only_what_it_is_given(self, harness: Harness) -> None:
        first, second = config_map("a"), config_map("b")
        kept = await harness.installed(namespace(), first, second)
        (outcome,) = await harness.target.delete(kept, [entry(first)])
        assert (outcome.ref, outcome.action, outcome.error) == (first.ref, Action.PRUNED, None)
        assert set(await harness.target.read_live([entry(first), entry(second)])) == {second.ref}

    async def test_deleting_what_is_gone_is_pruned(self, harness: Harness) -> None:
        kept = await harness.installed(namespace(), config_map("a"))
        (outcome,) = await harness.target.delete(kept, [entry(config_map("never"))])
        assert (outcome.action, outcome.error) == (Action.PRUNED, None)

    async def test_nothing_to_do_is_done(self, harness: Harness) -> None:
        kept = await harness.installed()
        assert await harness.target.apply(kept, []) == ()
        assert await harness.target.delete(kept, []) == ()
        assert await harness.target.read_live([]) == {}
