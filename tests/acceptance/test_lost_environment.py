"""An environment that is gone from main: what runs there stays, is told, and can be taken away."""

from __future__ import annotations

import shutil

import pytest

from distributor.errors.service import NotFound
from distributor.model.promotion import VerdictOutcome
from distributor.model.tags import Verb
from distributor.services.asking.views import InstanceStage, check_names, instance_views


@pytest.fixture
async def play_snapshot(play):
    async with play.service() as service:
        return await service.look()


def lose_uat(play, service) -> None:
    """Main forgets uat, wherever it is named; the release manager may do everywhere what was by name."""
    top = play.place.catalog
    shutil.rmtree(top / "environments" / "uat")
    changes = {
        "environments/pipeline.yaml": (
            ("    - name: uat\n      after: [sit]\n", ""),
            ("after: [uat]", "after: [sit]"),
        ),
        "policies/gates/predecessors.yaml": (("[uat, pre, prd, dr]", "[pre, prd, dr]"),),
        "policies/gates/blast-radius.yaml": (("[uat, pre, prd, dr]", "[pre, prd, dr]"),),
        "policies/roles.yaml": (("[uat, pre, dr, prd]", '["*"]'),),
    }
    for name, pairs in changes.items():
        text = (top / name).read_text("utf-8")
        for old, new in pairs:
            assert old in text, name
            text = text.replace(old, new)
        (top / name).write_text(text, "utf-8")
    play.place.commit("Nobody needs uat", service.now())


def uat(play) -> dict[str, bytes]:
    """What lies in uat's folders, also when main names no cluster of it."""
    clusters = sorted(path.name for path in (play.place.clusters / "uat").iterdir())
    return {f"{c}/{n}": data for c in clusters for n, data in play.folder("uat", c).items()}


async def one(service, instance: str):
    await service.look()
    return (await instance_views(service, "uat", instance))[0]


def test_all_is_a_name_only_where_it_is_one(play_snapshot):
    check_names(play_snapshot, "all", "all", reserved=True)
    check_names(play_snapshot, "all", reserved=True)
    check_names(play_snapshot, "sit", "all", reserved=True)
    with pytest.raises(NotFound, match="no environment nowhere"):
        check_names(play_snapshot, "nowhere", "all", reserved=True)
    with pytest.raises(NotFound, match="no environment all"):
        check_names(play_snapshot, "all")


async def test_what_runs_in_a_lost_environment_is_told_and_removed(play):
    async with play.service() as service:
        for app, version in (("shop", "1.4.1"), ("website", "1.0.0")):
            await play.promote(service, version, "sit", "uat", app=app)
        before = uat(play)
        assert before
        lose_uat(play, service)
        await service.sync()
        assert uat(play) == before
        seen = await one(service, "shop")
        assert seen.main_ahead == (
            "environment uat is gone from main; what runs stays: "
            "`distributor remove uat shop` takes it away, or restore environments/uat"
        )
        for app in ("shop", "website"):  # the second is judged after main's policy was accepted
            asked = await play.ask(service, Verb.REMOVE, "uat", app)
            await service.sync()
            state = service.book.state.instance("uat", app)
            assert state.outcomes[asked.tag] is VerdictOutcome.ACCEPTED, state.last_verdicts
            assert (await one(service, app)).stage is InstanceStage.REMOVED
        for name, data in uat(play).items():
            lines = data.decode().splitlines()
            assert all(line.startswith("#") or not line for line in lines), name
        assert not (await one(service, "shop")).main_ahead


async def test_while_policies_still_name_it_nothing_is_let_in(play):
    async with play.service() as service:
        await play.promote(service, "1.4.1", "sit", "uat")
        before = uat(play)
        shutil.rmtree(play.place.catalog / "environments" / "uat")
        play.place.commit("Too little", service.now())
        asked = await play.ask(service, Verb.REMOVE, "uat", "shop")
        await service.sync()
        state = service.book.state.instance("uat", "shop")
        assert state.outcomes[asked.tag] is VerdictOutcome.REFUSED
        assert "policies/" in "; ".join(state.last_verdicts[asked.ref].reasons())
        assert uat(play) == before
