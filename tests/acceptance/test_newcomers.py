"""Clusters that main adds: what keeps one off is told wherever somebody looks."""

from __future__ import annotations

from datetime import UTC, datetime

import yaml

from distributor.model.promotion import VerdictOutcome
from distributor.model.tags import Verb
from distributor.services.asking.planning import plan_promotion
from distributor.services.asking.telling import history, refused_joins, why
from distributor.services.asking.views import instance_views

SLIM = "environments/sit/clusters/sit-slim-1.yaml"


def add_cluster(play, name: str, *, drop: tuple[str, ...] = (), **spec) -> None:
    """A copy of sit-slim-1 under another name, changed."""
    source = yaml.safe_load((play.place.catalog / SLIM).read_text("utf-8"))
    source["metadata"]["name"] = name
    source["spec"]["delivery"]["connection"] = f"sit/{name}"
    source["spec"] = {k: v for k, v in (source["spec"] | spec).items() if k not in drop}
    path = play.place.catalog / "environments" / "sit" / "clusters" / f"{name}.yaml"
    path.write_text(yaml.safe_dump(source, sort_keys=False), "utf-8")
    (play.place.clusters / "sit" / name).mkdir(parents=True, exist_ok=True)


async def view(service, instance: str):
    await service.look()
    return (await instance_views(service, "sit", instance))[0]


async def test_a_cluster_that_cannot_join_is_named_everywhere(play):
    async with play.service() as service:
        await play.promote(service, "1.4.1", "sit")
        add_cluster(play, "nu", drop=("domain",))
        add_cluster(play, "xi", drop=("domain",))
        play.place.commit("Two clusters without a domain", service.now())
        await service.sync()
        seen = await view(service, "shop")
        assert "nu" not in {t.cluster for t in seen.clusters}
        assert [text.partition(" ")[0] for text in seen.waiting] == ["nu", "xi"]
        remedy = "Set spec.domain in environments/sit/clusters/nu.yaml."
        assert "DST314" in seen.waiting[0]
        assert remedy in seen.waiting[0]
        asked = await why(service, "sit", "shop", "nu")
        assert any(not link.ok and remedy in link.text for link in asked)
        assert not any("xi cannot join" in link.text for link in asked)
        told = await refused_joins(service, "sit", "shop")
        assert [t.text.split()[1] for t in told] == ["nu", "xi"]
    async with play.service() as later:  # another process knows it too, and since when
        await later.sync()
        assert await refused_joins(later, "sit", "shop") == told
        answer = next(
            a
            for a in (await plan_promotion(later, "sit", "shop", "1.4.2")).answers
            if a.number == 8
        )
        assert answer.message.count("DST314") + answer.message.count("neither a value") == 1
        assert "(on nu, xi)" in answer.message


async def test_a_cluster_that_was_mended_joins_and_is_not_told_any_more(play):
    async with play.service() as service:
        await play.promote(service, "1.4.1", "sit")
        add_cluster(play, "nu", drop=("domain",))
        play.place.commit("A cluster without a domain", service.now())
        await service.sync()
        assert (await view(service, "shop")).waiting
        add_cluster(play, "nu")
        play.place.commit("Its domain", service.now())
        await service.sync()
        seen = await view(service, "shop")
        assert (seen.waiting, await refused_joins(service)) == ((), ())
        assert "nu" in {t.cluster for t in seen.clusters}
        assert any(t.kind == "joined" for t in history(service, "sit", "shop"))


async def test_who_is_no_target_is_told_why(play):
    async with play.service() as service:
        await play.promote(service, "1.4.1", "sit")
        chain = await why(service, "sit", "shop", "sit-edge-1")
        assert any("sit-edge-1 is no target: tier edge" in link.text for link in chain)


TAINT = {"key": "full", "effect": "NoSelectIfNew"}


async def test_no_select_if_new_keeps_promotions_off_what_they_are_not_on(play):
    async with play.service() as service:
        await play.promote(service, "1.4.1", "sit")
        add_cluster(play, "sit-slim-1", taints=[TAINT])
        add_cluster(play, "nu", taints=[TAINT])
        play.place.commit("Two clusters are full", service.now())
        await service.sync()
        plan = await plan_promotion(service, "sit", "shop", "1.4.2")
        assert plan.left_out["nu"] == "taint full keeps new instances off"
        assert "sit-slim-1" not in plan.left_out
        await play.promote(service, "1.4.2", "sit")
        seen = {t.cluster for t in (await view(service, "shop")).clusters}
        assert seen == {"sit-central-1", "sit-slim-1"}
        await play.ask(service, Verb.ROLLBACK, "sit", "shop")
        await service.sync()
        seen = {t.cluster for t in (await view(service, "shop")).clusters}
        assert seen == {"sit-central-1", "sit-slim-1"}
        # the website is on neither of them yet
        asked = await play.ask(service, Verb.PROMOTE, "sit", "website", "1.0.0")
        await service.sync()
        state = service.book.state.instance("sit", "website")
        assert state.outcomes[asked.tag] is VerdictOutcome.ACCEPTED
        assert {"nu", "sit-slim-1"}.isdisjoint(state.desired.targets)


def small(cpu: int) -> dict:
    """Nodes of so many cores in all."""
    size = {"memory": "64Gi", "disk": "100Gi", "os": "linux", "arch": "amd64"}
    return {"nodes": [{"role": "bootstrap", "count": 1, "cpu": cpu, "hostname": "node-1", **size}]}


async def test_a_cluster_that_has_no_room_for_an_app_cannot_join(play):
    package = play.place.catalog / "catalog" / "shop" / "1.4.1" / "package.yaml"
    text = package.read_text("utf-8")
    package.write_text(text.replace("\n  fits:", "\n  capacity:\n    cpu: 6\n  fits:", 1), "utf-8")
    play.place.commit("The shop needs six cores", datetime.now(UTC))
    async with play.service() as service:
        await play.promote(service, "1.4.1", "sit")
        add_cluster(play, "nu", **small(4))
        play.place.commit("A cluster of four cores", service.now())
        await service.sync()
        seen = await view(service, "shop")
        assert "nu" not in {t.cluster for t in seen.clusters}
        (waiting,) = seen.waiting
        assert "DST265" in waiting
        assert "6 cores are asked for, 4 may be taken" in waiting
        add_cluster(play, "nu", **small(8))
        play.place.commit("Four more", service.now())
        await service.sync()
        assert "nu" in {t.cluster for t in (await view(service, "shop")).clusters}


async def test_an_app_joins_a_cluster_after_those_that_it_needs(play):
    package = play.place.catalog / "catalog" / "shop" / "1.4.1" / "package.yaml"
    text = package.read_text("utf-8")
    needs = "\n  fits:\n    requires:\n      - app: website\n        range: '>=1.0.0'\n"
    package.write_text(text.replace("\n  fits:\n", needs, 1), "utf-8")
    play.place.commit("Let the shop need the website", datetime.now(UTC))
    async with play.service() as service:
        await play.promote(service, "1.0.0", "sit", app="website")
        await play.promote(service, "1.4.1", "sit")
        add_cluster(play, "nu")
        play.place.commit("A new cluster", service.now())
        await service.sync()
        for name in ("website", "shop"):
            assert "nu" in {t.cluster for t in (await view(service, name)).clusters}, name
        told = [t for t in history(service, "sit") if t.kind == "joined"]
        assert [t.text.split()[0].split("/")[1] for t in told] == ["website", "shop"]
