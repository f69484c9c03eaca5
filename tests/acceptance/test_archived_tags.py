"""Tags that the ledger has whole may go from the shared repository; the decisions they brought stay."""

from __future__ import annotations

from datetime import timedelta

import pytest

from distributor.errors.git import RemoteUnreachable, TagRefused
from distributor.model.ledger import Observed
from distributor.services.asking.archiving import archive, candidates
from distributor.services.asking.auditing import fsck
from distributor.services.asking.telling import history
from distributor.services.asking.views import instance_views
from tests.acceptance.forging import Draft, forger

NOW = timedelta(0)
OLD = "promote/sit/shop/1.4.1"


@pytest.fixture
async def two(play):
    """A playground where the shop was promoted twice."""
    async with play.service() as service:
        await play.promote(service, "1.4.1", "sit")
        await play.promote(service, "1.4.2", "sit")
    return play


async def untouched(play, before):
    """Nothing that runs changed, nothing is an alarm, and the next promotion and rollback go on as ever."""
    async with play.service() as service:
        await service.sync()
        assert play.fleet() == before
        assert not [f for f in await fsck(service) if f.code.startswith(("DST2", "DST6"))]
        (view,) = await instance_views(service, "sit", "shop")
        assert (view.alarms, view.version, view.in_step) == ((), "1.4.2", view.targets)
        await play.promote(service, "1.5.0", "sit")
        (view,) = await instance_views(service, "sit", "shop")
        assert view.version == "1.5.0"


async def test_an_archived_tag_is_gone_and_changes_nothing(two):
    play, before, evil = two, two.fleet(), forger(two)
    raw = evil.git("cat-file", "tag", OLD)
    async with play.service() as service:
        assert await archive(service, timedelta(days=1)) == ()
        (done,) = await archive(service, NOW)
        assert (done.ref, done.recorded) == (OLD, False)
        assert await archive(service, NOW) == ()
        assert [t.text for t in history(service) if t.kind == "archived"] == [OLD]
        records = service.book.records(service.book.state.head, ("sit", "shop"))
        (kept,) = [r.raw for r in records if isinstance(r, Observed) and r.ref == OLD]
    assert kept.decode().strip() == raw
    assert evil.git("tag", "--list").split() == ["promote/sit/shop/1.4.2"]
    await untouched(play, before)


async def test_a_crash_between_the_record_and_the_deletion_is_made_up_for(two):
    play, before, evil = two, two.fleet(), forger(two)
    tag = evil.git("rev-parse", f"refs/tags/{OLD}")
    async with play.service() as service:
        await archive(service, NOW)
        evil.point(OLD, tag)  # as if it had died before the push
        await service.sync()
        (again,) = await archive(service, NOW)
        assert again.recorded
    assert OLD not in evil.git("tag", "--list")
    await untouched(play, before)


async def test_an_archived_name_does_not_come_back_as_something_else(two):
    play, before, evil = two, two.fleet(), forger(two)
    async with play.service() as service:
        await archive(service, NOW)
        evil.tag(Draft(version="1.4.1", subject="another one"))
        await service.sync()
        (view,) = await instance_views(service, "sit", "shop")
        assert view.alarms == (f"{OLD} moved",)
        assert view.stopped
        assert play.fleet() == before
        assert await candidates(service, NOW) == ()


async def test_a_remote_that_keeps_its_tags_is_told_and_loses_nothing(two):
    play, before, evil = two, two.fleet(), forger(two)
    hook = play.place.remote / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(
        "#!/bin/sh\nwhile read old new ref; do case $ref in refs/tags/*) exit 1;; esac; done\n"
    )
    hook.chmod(0o755)
    async with play.service() as service:
        with pytest.raises(TagRefused):
            await archive(service, NOW)
    assert OLD in evil.git("tag", "--list")
    hook.unlink()
    await untouched(play, before)


async def test_offline_nothing_is_archived(two):
    play = two
    async with play.service() as service:
        away = play.place.remote.rename(play.place.root / "away.git")
        with pytest.raises(RemoteUnreachable):
            await archive(service, NOW)
        away.rename(play.place.remote)
        assert len(await candidates(service, NOW)) == 1
