"""Clusters that join, change or leave after a revision was accepted."""

from __future__ import annotations

import yaml

from distributor.model.tags import Verb
from distributor.services.asking.telling import history
from distributor.services.asking.views import instance_views
from distributor.services.rollouts import joining
from distributor.services.state.desired import read_desired


def write_cluster(play, name: str, like: str, **spec) -> None:
    """A new cluster file in sit, like another one, with its folder; or another spec for an old one."""
    folder = play.place.catalog / "environments" / "sit" / "clusters"
    document = yaml.safe_load((folder / f"{like}.yaml").read_text())
    document["metadata"]["name"] = name
    document["spec"] |= spec
    document["spec"]["delivery"]["connection"] = f"sit/{name}"
    (folder / f"{name}.yaml").write_text(yaml.safe_dump(document, sort_keys=False))
    (play.place.clusters / "sit" / name).mkdir(exist_ok=True)


async def view(service, instance="shop"):
    await service.look()
    return (await instance_views(service, "sit", instance))[0]


async def test_a_cluster_that_joins_gets_what_is_accepted(play):
    async with play.service() as service:
        await play.promote(service, "1.4.1", "sit")
        write_cluster(play, "sit-central-2", "sit-central-1")
        play.place.commit("One more cluster", service.now())
        await service.sync()
        seen = await view(service)
        assert (seen.targets, seen.in_step, seen.version) == (3, 3, "1.4.1")
        assert play.folder("sit", "sit-central-2")
        joined = [t for t in history(service, "sit", "shop") if t.kind == "joined"]
        assert len(joined) == 1
        head = service.book.state.head
        await service.sync()
        assert service.book.state.head == head, "nobody joins twice"


async def test_only_what_moved_is_read_again_for_newcomers(play, monkeypatch):
    """Every move of the ledger asks for newcomers: it must not cost a read of every instance."""
    read: list[str] = []

    def noted(world, book, verdict):
        read.append(f"{verdict.environment}/{verdict.instance}")
        return read_desired(world, book, verdict)

    async with play.service() as service:
        await play.promote(service, "1.4.1", "sit")
        await play.promote(service, "2.0.0", "sit", app="iot-gateway")
        await service.sync()
        monkeypatch.setattr(joining, "read_desired", noted)
        await play.promote(service, "1.4.2", "sit")
        await service.sync()
        assert set(read) == {"sit/shop"}
        read.clear()
        write_cluster(play, "sit-central-2", "sit-central-1")
        play.place.commit("One more cluster", service.now())
        await service.sync()
        assert {"sit/shop", "sit/iot-gateway"} <= set(read)
        assert (await view(service)).targets == 3


async def test_a_later_version_a_rollback_and_a_removal_reach_it_too(play):
    async with play.service() as service:
        await play.promote(service, "1.4.1", "sit")
        await play.promote(service, "1.4.2", "sit")
        write_cluster(play, "sit-central-2", "sit-central-1")
        play.place.commit("One more cluster", service.now())
        await service.sync()
        await play.ask(service, Verb.ROLLBACK, "sit", "shop", "1.4.1")
        await service.sync()
        seen = await view(service)
        assert (seen.version, seen.targets, seen.in_step) == ("1.4.1", 3, 3)
        assert not seen.left_behind
        await play.ask(service, Verb.REMOVE, "sit", "shop")
        await service.sync()
        files = play.folder("sit", "sit-central-2").values()
        lines = [line for data in files for line in data.decode().splitlines()]
        assert all(line.startswith("#") for line in lines if line)


async def test_new_facts_of_a_cluster_are_bound_again(play):
    async with play.service() as service:
        await play.promote(service, "2.0.0", "sit", app="iot-gateway")
        assert any(b"eu-central" in data for data in play.folder("sit", "sit-edge-1").values())
        write_cluster(play, "sit-edge-1", "sit-edge-1", region="ap-south")
        play.place.commit("The edge moved", service.now())
        await service.sync()
        assert any(b"ap-south" in data for data in play.folder("sit", "sit-edge-1").values())
        changed = [t for t in history(service, "sit", "iot-gateway") if t.kind == "changed"]
        assert len(changed) == 1


async def test_a_cluster_that_does_not_render_joins_nothing_and_stops_nobody(play):
    async with play.service() as service:
        await play.promote(service, "1.4.1", "sit")
        write_cluster(play, "sit-central-2", "sit-central-1", kubernetes="1.99")
        write_cluster(play, "sit-central-3", "sit-central-1")
        play.place.commit("One good and one odd cluster", service.now())
        await service.sync()
        assert not play.folder("sit", "sit-central-2")
        assert play.folder("sit", "sit-central-3")
        assert (await view(service)).targets == 3


async def test_a_cluster_file_that_vanishes_takes_nothing_away(play):
    async with play.service() as service:
        await play.promote(service, "1.4.1", "sit")
        before = play.folder("sit", "sit-central-1")
        (play.place.catalog / "environments" / "sit" / "clusters" / "sit-central-1.yaml").unlink()
        play.place.commit("A cluster file is gone", service.now())
        await service.sync()
        assert before
        assert play.folder("sit", "sit-central-1") == before
        assert (await view(service)).targets == 2
