"""The ledger beside main, in a repository of its own, or local: the same decisions, each labelled."""

from __future__ import annotations

import os
import stat
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from distributor.adapters.workspace.repository import create_bare
from distributor.api.installations import card
from distributor.app import open_service
from distributor.cli.playground import create_playground
from distributor.errors.git import LedgerRewound
from distributor.errors.service import BadSetting
from distributor.services.asking.auditing import fsck
from distributor.services.asking.founding import found_ledger
from distributor.services.asking.telling import why
from distributor.services.asking.views import instance_views
from distributor.settings import LOCAL, load
from tests.acceptance.conftest import Play
from tests.acceptance.forging import Draft, Forger, forger


async def founded(root, ledger: str) -> Play:
    """A playground whose ledger is elsewhere."""
    place = create_playground(root, datetime.now(UTC))
    settings = replace(load({}, {}, place.root).settings, ledger_repository=ledger)
    async with open_service(settings, writing=True) as service:
        await found_ledger(service.world)
    return Play(place=place, settings=settings)


async def test_a_ledger_in_a_repository_of_its_own_decides_alike(tmp_path, play):
    create_bare(tmp_path / "ledger.git")
    apart = await founded(tmp_path / "apart", str(tmp_path / "ledger.git"))
    for each in (play, apart):
        async with each.service() as service:
            await each.promote(service, "1.4.1", "sit")
    assert apart.fleet() == play.fleet()
    assert any(apart.fleet().values())
    assert forger(apart).git("branch", "--list").split() == ["*", "main"]
    ledger = Forger(tmp_path / "ledger.git", tmp_path)
    assert b"accepted" in ledger.read("records/sit/shop.jsonl")
    assert ledger.git("tag", "--list") == ""
    async with apart.service(state_dir=str(tmp_path / "second")) as service:
        (view,) = await instance_views(service, "sit", "shop")
        assert (view.version, view.local_ledger) == ("1.4.1", False)
        assert service.book.state.genesis.repository == str(apart.place.remote)


async def test_two_services_agree_through_the_separate_ledger(tmp_path):
    create_bare(tmp_path / "ledger.git")
    apart = await founded(tmp_path / "apart", str(tmp_path / "ledger.git"))
    forger(apart).tag(Draft())
    async with apart.service() as one, apart.service(state_dir=str(tmp_path / "two")) as two:
        await one.once()
        await two.once()
        assert [v.sequence for v in two.book.state.instance("sit", "shop").accepted] == [1]
        assert one.book.state.genesis == two.book.state.genesis


async def test_a_branch_named_ledger_in_the_catalog_says_nothing(tmp_path):
    create_bare(tmp_path / "ledger.git")
    apart = await founded(tmp_path / "apart", str(tmp_path / "ledger.git"))
    evil = forger(apart)
    evil.branch("ledger", evil.commit("", {"genesis.json": b"{}"}))
    async with apart.service() as service:
        await apart.promote(service, "1.4.1", "sit")
        assert service.book.state.instance("sit", "shop").desired is not None


async def test_a_name_that_the_catalog_could_shadow_is_refused(tmp_path):
    place = create_playground(tmp_path / "play", datetime.now(UTC))
    settings = replace(
        load({}, {}, place.root).settings, ledger="main-ledger", ledger_repository=LOCAL
    )
    with pytest.raises(BadSetting, match="main-ledger begins with main"):
        async with open_service(settings, writing=True):
            pass


def _lock(folder, *, writable: bool) -> None:
    for path in (folder, *folder.rglob("*")):
        mode = path.stat().st_mode
        path.chmod(mode | stat.S_IWUSR if writable else mode & ~0o222)


async def test_without_write_access_a_local_ledger_decides_and_is_labelled(tmp_path):
    local = await founded(tmp_path / "local", LOCAL)
    forger(local).tag(Draft())
    refs = forger(local).git("for-each-ref")
    if os.geteuid() != 0:  # root writes wherever it likes
        _lock(local.place.remote, writable=False)
    try:
        async with local.service() as service:
            await service.sync()
            (view,) = await instance_views(service, "sit", "shop")
            assert (view.version, view.in_step, view.local_ledger) == ("1.4.1", view.targets, True)
            assert card(view).local_ledger
            (first, *_) = await why(service, "sit", "shop")
            assert "decides alone" in first.text
            assert not [f for f in await fsck(service) if f.code.startswith("DST6")]
            assert service.book.state.genesis.local
    finally:
        _lock(local.place.remote, writable=True)
    assert forger(local).git("for-each-ref") == refs
    assert local.place.state.joinpath("ledger.git", "HEAD").exists()


async def test_a_local_ledger_that_is_gone_stops_decisions(tmp_path):
    local = await founded(tmp_path / "local", LOCAL)
    async with local.service() as service:
        await local.promote(service, "1.4.1", "sit")
    before = local.fleet()
    Forger(local.place.state / "ledger.git", tmp_path).branch("ledger", "")
    async with local.service() as service:
        with pytest.raises(LedgerRewound):
            await service.sync()
    assert local.fleet() == before
