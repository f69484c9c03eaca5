"""Retiring a cluster: only once main has let go of it, by a signed tag, and what ran there is removed."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from distributor.errors.policy import NotRetirable
from distributor.model.tags import Verb
from distributor.services.asking.views import instance_views
from tests.acceptance.forging import Draft, codes, forger, verdict_on

GONE, STAYS = "uat-slim-1", "uat-central-1"


def forget(play, cluster=GONE):
    """Delete the cluster's file from main; what it held."""
    file = play.place.catalog / "environments" / "uat" / "clusters" / f"{cluster}.yaml"
    text = file.read_text()
    file.unlink()
    play.place.commit(f"Let go of {cluster}", datetime.now(UTC))
    return file, text


def ours(play, cluster):
    """What still says anything on a cluster: k3s needs a tombstone of comments for what is gone."""
    files = play.folder("uat", cluster)
    return {n for n, d in files.items() if any(x and x[:1] != b"#" for x in d.splitlines())}


def folders(files):
    return {name.partition("/")[0] for name in files}


async def test_a_cluster_is_emptied_and_stays_out(play):
    async with play.service() as service:
        await play.promote(service, "1.4.1", "sit", "uat")
        await play.promote(service, "1.0.0", "sit", "uat", app="website")
        both, before = ours(play, GONE), ours(play, STAYS)
        assert folders(both) == {"dst-shop", "dst-website"}
        with pytest.raises(NotRetirable):
            await play.ask(service, Verb.RETIRE, "uat", GONE)
        file, text = forget(play)
        await service.sync()
        assert ours(play, GONE) == both  # a file that vanished takes nothing away
        asked = await play.ask(service, Verb.RETIRE, "uat", GONE)
        assert asked.ref == f"retire/uat/{GONE}_1"
        await service.sync()
        verdict = verdict_on(service, asked.ref)
        assert verdict.accepted
        assert ours(play, GONE) == set()
        assert ours(play, STAYS) == before
        for name in ("shop", "website"):
            state = service.book.state.instance("uat", name)
            assert GONE not in state.desired.targets
            assert [(r.cluster, r.drained, r.number) for r in state.retired] == [
                (GONE, True, verdict.sequence)
            ]
            (view,) = await instance_views(service, "uat", name)
            assert (view.vanished, view.left_behind) == ((), ())
        # An older commit that still has its file does not bring it back.
        old = forger(play).git("rev-parse", "main~1")
        await play.promote(service, "1.4.2", "sit")
        await play.ask(service, Verb.PROMOTE, "uat", "shop", "1.4.2", commit=old)
        await service.sync()
        assert service.book.state.instance("uat", "shop").desired.revision.version == "1.4.2"
        assert ours(play, GONE) == set()
    async with play.service() as again:
        await again.sync()
        assert ours(play, GONE) == set()
        # Main may have it again: then it joins like any other.
        file.write_text(text)
        play.place.commit("Take it back", datetime.now(UTC))
        await again.sync()
        assert folders(ours(play, GONE)) == folders(both)
        assert again.book.state.instance("uat", "shop").retired == ()


async def test_what_cannot_be_reached_is_emptied_later(play):
    async with play.service() as service:
        await play.promote(service, "1.4.1", "sit", "uat")
        forget(play)
        folder = play.place.clusters / "uat" / GONE
        away = folder.with_name("away")
        folder.rename(away)
        folder.write_text("no folder")
        asked = await play.ask(service, Verb.RETIRE, "uat", GONE)
        await service.sync()
        assert verdict_on(service, asked.ref).accepted
        (retired,) = service.book.state.instance("uat", "shop").retired
        assert not retired.drained
        folder.unlink()
        away.rename(folder)
        assert ours(play, GONE)
    async with play.service() as later:
        await later.sync()
        (retired,) = later.book.state.instance("uat", "shop").retired
        assert retired.drained
        assert ours(play, GONE) == set()


async def test_retirements_of_people_who_err_or_mean_harm(play):
    evil = forger(play)
    key = play.place.key("release-manager")
    names = {
        f"retire/uat/{GONE}_1": (key, "DST273"),  # main still has it
        "retire/uat/nowhere_1": (key, "DST273"),
        f"retire/uat/{GONE}_2": ("", "DST206"),
        f"retire/uat/{GONE}_3": (play.place.key("sre"), "DST210"),
        "retire/sit/sit-slim-1_1": ("", "DST210"),
        "retire/nowhere/x_1": (key, "DST201"),
        "retire/sit/all_1": ("", "DST201"),
        f"retire/uat/{GONE}": (key, "DST201"),
    }
    async with play.service() as service:
        await play.promote(service, "1.4.1", "sit", "uat")
        before = play.fleet()
        for name, (who, _) in names.items():
            evil.put(name, evil.raw(Draft(key=who), name=name, message="retire\n"))
        await service.sync()
        found = {name: codes(verdict_on(service, name)) for name in names}
        assert found == {name: {code} for name, (_, code) in names.items()}
        assert play.fleet() == before
