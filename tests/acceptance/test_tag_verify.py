"""`distributor tag verify` explains tags offline, check by check, and says what the service then decides."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from distributor.app import open_offline
from distributor.model.checks import CheckResult
from distributor.model.tags import Verb
from distributor.services.asking.verifying import explain_tag
from tests.acceptance.forging import Draft, codes, forger, verdict_on

UAT = Draft(environment="uat", version="1.4.1")
SIT = Draft(version="1.4.1")


async def explained(play, name, *, clone: Path | None = None, **changes):
    settings = replace(play.settings, **changes)
    async with open_offline(settings, clone=clone, tag=name) as (service, seen, trouble):
        return await explain_tag(service, name, seen.tag, mirrored=seen.mirrored, trouble=trouble)


def failed(made) -> dict[str, str]:
    """The codes of what does not hold, by check."""
    return {c.what: c.code for c in made.checks if c.result is CheckResult.FAILED}


def results(made) -> dict[str, str]:
    return {c.what: c.result.value for c in made.checks}


def content(folder: Path) -> dict[str, str]:
    return {
        str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(folder.rglob("*"))
        if p.is_file()
    }


async def test_a_good_tag_holds_in_every_check_before_and_after_it_is_decided(play):
    async with play.service() as service:
        asked = await play.ask(service, Verb.PROMOTE, "uat", "shop", "1.4.1")
        await service.look()
    before = await explained(play, asked.ref)
    assert before.result is CheckResult.OK, before.checks
    assert list(results(before)) == [
        "name", "kind", "own name", "target", "trailers", "ledger", "signature", "revocation",
        "signer", "validity", "principal", "right", "commit", "instance", "version", "digest", "prev",
    ]  # fmt: skip
    assert before.principal == "release-manager@distributor.example"
    assert before.verdict == ""
    async with play.service() as service:
        await play.promote(service, "1.4.1", "sit")
        verdict = verdict_on(service, asked.ref)
    after = await explained(play, asked.ref)
    assert verdict.outcome.value in after.verdict
    assert failed(after) == {}


async def test_an_accepted_tag_is_not_stale_by_itself_and_the_next_but_one_is(play):
    async with play.service() as service:
        await play.promote(service, "1.4.1", "sit")
        await play.promote(service, "1.4.2", "sit")
    first = await explained(play, "promote/sit/shop/1.4.1")
    second = await explained(play, "promote/sit/shop/1.4.2")
    assert first.result is second.result is CheckResult.OK
    assert (first.verdict, second.verdict) != ("", "")
    evil = forger(play)
    late = replace(SIT, version="1.5.0", prev=first.tag)
    evil.tag(late)
    async with play.service() as service:
        await service.look()
    assert failed(await explained(play, late.name)) == {"prev": "DST214"}


BAD = {
    2: ({"Gate": "off"}, None, {"trailers": "DST205"}),
    3: ({"Prev": "a" * 40}, None, {"prev": "DST214"}),
    4: ({"Digest": "sha256:" + "1" * 64}, None, {"digest": "DST213"}),
    5: ({"Env": "prd"}, None, {"trailers": "DST205"}),
    6: ({}, "a stranger", {"signer": "DST208"}),
    7: ({}, "", {"right": "DST206"}),
    8: ({"App": "website"}, None, {"trailers": "DST205"}),
}


async def test_each_thing_that_is_wrong_fails_its_own_check_with_the_code_that_refuses_it(play):
    evil = forger(play)
    stranger, own = evil.key("stranger"), play.place.key("release-manager")
    names = {}
    for number, (changes, key, expected) in BAD.items():
        name = f"promote/uat/shop/1.4.1_{number}"
        draft = replace(UAT, changes=changes, key={None: own, "a stranger": stranger}.get(key, ""))
        evil.put(name, evil.raw(draft, name=name))
        names[name] = expected
    replayed = evil.raw(replace(UAT, key=own))
    evil.put("promote/prd/shop/1.4.1", replayed)
    changed = evil.raw(replace(UAT, key=own), name="promote/uat/shop/1.4.1_9")
    evil.put("promote/uat/shop/1.4.1_9", changed.replace(b"\n\npromote\n", b"\n\npromoted\n"))
    evil.point("promote/uat/shop/1.4.1_10", evil.head())
    aside = evil.commit(evil.head(), {"catalog/x.txt": b"x"})
    off = "promote/uat/shop/1.4.1_11"
    evil.put(off, evil.raw(replace(UAT, key=own, commit=aside), name=off))
    names |= {
        "promote/uat/shop/1.4.1_9": {"signature": "DST207"},
        "promote/uat/shop/1.4.1_10": {"kind": "DST202"},
        off: {"commit": "DST211"},
        "promote/prd/shop/1.4.1": {"own name": "DST204", "trailers": "DST205"},
    }
    async with play.service() as service:
        await service.look()
    made = {name: await explained(play, name) for name in names}
    assert {name: failed(m) for name, m in made.items()} == names
    assert results(made["promote/prd/shop/1.4.1"])["signature"] == "ok", "one sees whose it was"
    assert all(c.remedy for m in made.values() for c in m.checks if c.code)
    async with play.service() as service:
        await service.sync()
        for name, expected in names.items():
            assert codes(verdict_on(service, name)) & set(expected.values()), name


async def test_a_moved_tag_and_what_two_copies_disagree_about_are_told(play, tmp_path):
    async with play.service() as service:
        await play.promote(service, "1.4.1", "sit")
    name, clone = "promote/sit/shop/1.4.1", tmp_path / "clone"
    play.git("clone", "-q", str(play.place.remote), str(clone), where=tmp_path)
    evil = forger(play)
    evil.put(name, evil.raw(replace(SIT, subject="another")))
    async with play.service() as service:
        await service.look()
    assert failed(await explained(play, name))["ledger"] == "DST224"
    kept = await explained(play, name, clone=clone)
    assert failed(kept) == {"ref": "DST224"}, "the clone still has what was accepted"


async def test_nothing_is_asked_of_a_remote_and_nothing_is_changed(play):
    async with play.service() as service:
        await play.promote(service, "1.4.1", "sit")
    play.place.remote.rename(play.place.root / "away.git")
    before = content(play.place.state)
    made = await explained(play, "promote/sit/shop/1.4.1")
    assert made.result is CheckResult.OK
    assert content(play.place.state) == before


async def test_a_clone_is_enough_and_without_a_ledger_it_says_what_cannot_be_told(play, tmp_path):
    async with play.service() as service:
        await play.promote(service, "1.4.1", "sit")
    clone, alone, empty = tmp_path / "clone", tmp_path / "alone", str(tmp_path / "empty")
    remote = f"file://{play.place.remote}"
    play.git("clone", "-q", remote, str(clone), where=tmp_path)
    play.git(
        "clone", "-q", "--single-branch", "--branch", "main", remote, str(alone), where=tmp_path
    )
    play.git("fetch", "-q", "origin", "refs/tags/*:refs/tags/*", where=alone)
    name = "promote/sit/shop/1.4.1"
    whole = await explained(play, name, clone=clone, state_dir=empty)
    assert whole.result is CheckResult.OK, whole.checks
    part = await explained(play, name, clone=alone, state_dir=empty)
    assert part.result is CheckResult.UNKNOWN
    assert {w for w, r in results(part).items() if r == "unknown"} == {"ledger", "prev"}
    assert results(part)["digest"] == "ok"


async def test_a_tag_that_was_not_pushed_yet_is_explained_where_it_was_made(play, tmp_path):
    async with play.service() as service:
        await service.look()
    clone = tmp_path / "clone"
    play.git("clone", "-q", str(play.place.remote), str(clone), where=tmp_path)
    play.git(
        "tag", "-a", "-m", "promote\n\nPromotion-Prev: none", "promote/uat/shop/1.4.1", where=clone
    )
    made = await explained(play, "promote/uat/shop/1.4.1", clone=clone)
    assert failed(made) == {"right": "DST206", "trailers": "DST205"}


async def test_a_ledger_that_is_not_the_services_is_not_believed(play):
    async with play.service() as service:
        await play.promote(service, "1.4.1", "sit")
    evil = forger(play)
    evil.branch("ledger", evil.commit(evil.head("ledger"), {"genesis.json": b"{}"}))
    async with play.service() as service:
        with pytest.raises(Exception, match="DST"):
            await service.look()
    made = await explained(play, "promote/sit/shop/1.4.1")
    assert failed(made)["ledger"].startswith("DST6")
    assert made.verdict == ""
