"""Tags from people who err or mean harm: each gets its coded verdict, and only good neighbours deploy."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime

import orjson
import pytest

from distributor.model.promotion import VerdictOutcome
from distributor.model.tags import Verb
from distributor.policy.armour import SignatureParts, wire_string, write
from distributor.services.asking.views import InstanceStage, instance_views
from distributor.services.promotion.opening import MAIN, UNREADABLE
from tests.acceptance.forging import Draft, codes, forger, verdict_on

UAT = Draft(environment="uat", version="1.4.1")
SIT = Draft(version="1.4.1")


def without(fleet, app):
    """The files of a fleet but for those of one app."""
    return {
        cluster: {n: d for n, d in files.items() if app not in n}
        for cluster, files in fleet.items()
    }


async def refused(play, expected):
    """Sync with a good neighbour beside the bad tags; each is refused with its code, and recorded so."""
    before = without(play.fleet(), "website")
    evil = forger(play)
    good = evil.tag(Draft(instance="website", version="1.0.0"))
    async with play.service() as service:
        await service.sync()
        verdicts = {name: verdict_on(service, name) for name in expected}
        assert verdict_on(service, good).accepted
    assert {n: codes(v) for n, v in verdicts.items()} == {n: {c} for n, c in expected.items()}
    assert all(v.outcome is VerdictOutcome.REFUSED for v in verdicts.values())
    for name, code in expected.items():
        (record,) = evil.recorded(name)
        assert code in orjson.dumps(record).decode()
    assert without(play.fleet(), "website") == before
    assert any("website" in name for files in play.fleet().values() for name in files)


async def test_tags_of_the_wrong_form_are_refused(play):
    evil = forger(play)
    head = evil.head()
    evil.point("promote/sit/shop/1.4.1", head)
    evil.point("promote/sit/shop/1.4.1_2", evil.git("rev-parse", f"{head}^{{tree}}"))
    inner = evil.put("inner", evil.raw(SIT, name="inner"))
    nested = evil.raw(SIT, name="promote/sit/shop/1.4.1_3").replace(
        f"object {head}\ntype commit".encode(), f"object {inner}\ntype tag".encode()
    )
    evil.put("promote/sit/shop/1.4.1_3", nested)
    evil.put("promote/sit/shop/1.4.1_4", evil.raw(SIT))
    many = evil.message(replace(SIT, subject="x" * 10_000_000))
    evil.put(
        "promote/sit/shop/1.4.1_5", evil.raw(SIT, name="promote/sit/shop/1.4.1_5", message=many)
    )
    await refused(
        play,
        {
            "promote/sit/shop/1.4.1": "DST202",
            "promote/sit/shop/1.4.1_2": "DST202",
            "promote/sit/shop/1.4.1_3": "DST203",
            "promote/sit/shop/1.4.1_4": "DST204",
            "promote/sit/shop/1.4.1_5": "DST230",
        },
    )


async def test_broken_tag_objects_are_refused(play):
    evil = forger(play)
    names = [f"promote/sit/shop/1.4.1_{n}" for n in range(2, 9)]
    good = {name: evil.raw(SIT, name=name) for name in names}
    broken = {
        names[0]: (b"", "DST201"),
        names[1]: (b"garbage\0\xff\xfe", "DST201"),
        names[2]: (good[names[2]].replace(b"tagger ", b"tagged "), "DST201"),
        names[3]: (good[names[3]].replace(b"promote\n\n", b"\xff\xfe\n\n"), "DST205"),
        names[4]: (good[names[4]] + b"-----BEGIN SSH SIGNATURE-----\nAAAA\n", "DST207"),
        names[5]: (good[names[5]].replace(b"+0000", b"+9999"), "DST201"),
        names[6]: (good[names[6]].partition(b"\n\n")[0] + b"\n", "DST201"),
    }
    known = {}
    for name, (raw, code) in broken.items():
        try:
            evil.put(name, raw)
        except AssertionError:  # Git itself does not store or point at such an object
            continue
        known[name] = code
    assert len(known) > 3
    await refused(play, known)


async def test_wrong_trailers_are_refused(play):
    evil = forger(play)
    changes = {
        2: ({"Gate": "off"}, "DST205"),
        3: ({"Prev": None}, "DST205"),
        4: ({"Prev": "a" * 40}, "DST214"),
        5: ({"Digest": "sha256:" + "1" * 64}, "DST213"),
        6: ({"Env": "uat"}, "DST205"),
        7: ({"Version": "1.4.2"}, "DST205"),
        8: ({"App": "website"}, "DST205"),
        9: ({"Class": "rollback"}, "DST205"),
        10: ({"Class": "urgent"}, "DST205"),
        11: ({"Rendered": "sha256:" + "2" * 64}, "DST232"),
        12: ({"Override": "all"}, "DST267"),
        13: ({"promotion-prev": "none"}, "DST205"),
    }
    expected = {}
    for number, (change, code) in changes.items():
        name = f"promote/sit/shop/1.4.1_{number}"
        evil.put(name, evil.raw(replace(SIT, changes=change), name=name))
        expected[name] = code
    await refused(play, expected)


async def test_names_that_are_none_are_refused(play):
    evil = forger(play)
    names = (
        "promote/sit/Shop/1.4.1",
        "promote/sit/\u0455hop/1.4.1",  # a Cyrillic letter that looks like an s
        "promote/s\u0456t/shop/1.4.1",
        "promote/sit/shop/1.4",
        "promote/sit/shop/01.4.1",
        "promote/sit/shop/v1.4.1",
        "promote/sit/shop/1.4.1_0",
        "promote/sit/shop/1.4.1_1",
        "promote/uat/website",
        "promote/sit/shop/1.4.2/extra",
        "promote/sit/all/1.4.1",
        "promote/all/shop/1.4.1",
        "do/sit/shop/explode_1",
        "do/sit/shop/hold",
        "promote/sit/" + "s" * 64 + "/1.4.1",
        "rollback/sit/shop/1.4.1",
        "promote/sit/shop/1.4.1-" + "x" * 150,
    )
    for name in names:
        evil.put(name, evil.raw(SIT, name=name))
    await refused(play, dict.fromkeys(names, "DST201"))


async def test_a_name_that_is_not_text_harms_nobody(play):
    evil = forger(play)
    evil.put(b"promote/sit/sh\xf6p/1.4.1", evil.raw(SIT))
    evil.put(b"v1-\xff", evil.raw(SIT))
    await refused(play, {})
    lines = evil.read("records/_/tags.jsonl").splitlines()
    assert any(b"DST201" in line and b"refused" in line for line in lines)


async def test_an_unknown_instance_and_an_unsupported_verb_are_refused(play):
    evil = forger(play)
    nobody, nowhere = replace(SIT, instance="nobody"), replace(SIT, environment="nowhere")
    evil.tag(nobody)
    evil.tag(nowhere)
    for name in ("do/sit/shop/pause_1", "retire/sit/edge_1", "promote/sit/@set/one"):
        evil.put(name, evil.raw(SIT, name=name, message="what\n"))
    async with play.service() as service:
        await service.sync()
        assert "DST222" in codes(verdict_on(service, nobody.name))
        assert "DST201" in codes(verdict_on(service, nowhere.name))
        state = service.book.state
        given = {r: v for s in state.instances.values() for r, v in s.last_verdicts.items()}
        assert len(given) == 5
        assert {v.outcome for v in given.values()} == {VerdictOutcome.REFUSED}
        assert all(codes(v) for v in given.values())
    assert not any(play.fleet().values())


async def test_signatures_are_checked_where_one_is_asked_for(play):
    evil = forger(play)
    manager, sre = play.place.key("release-manager"), play.place.key("sre")
    stranger, service_key = evil.key("stranger"), play.place.key("service")
    numbered = {n: f"promote/uat/shop/1.4.1_{n}" for n in range(2, 9)}

    def put(number, key, edit=lambda raw: raw):
        raw = edit(evil.raw(replace(UAT, key=key), name=numbered[number]))
        evil.put(numbered[number], raw)

    put(2, "")
    put(3, stranger)
    put(4, sre)
    put(5, manager, lambda raw: raw.replace(b"tagger Release", b"tagger Relaese"))
    put(6, manager, lambda raw: raw + b"and more\n")
    put(7, service_key)
    wrong = evil.raw(UAT, name=numbered[8])
    evil.put(numbered[8], wrong + manager.sign(wrong, "file"))
    other = evil.raw(replace(UAT, key=manager), name="promote/prd/shop/1.4.1")
    evil.put("promote/uat/shop/1.4.1", other)
    await refused(
        play,
        {
            numbered[2]: "DST206",
            numbered[3]: "DST208",
            numbered[4]: "DST210",
            numbered[5]: "DST207",
            numbered[6]: "DST207",
            numbered[7]: "DST210",
            numbered[8]: "DST207",
            "promote/uat/shop/1.4.1": "DST204",
        },
    )


async def test_keys_that_do_not_count_any_more(play):
    """Keys that expired or were revoked, whatever date the tag carries; and what is no signature."""
    evil, signers = forger(play), play.place.catalog / "policies" / "signers"
    manager, sre = play.place.key("release-manager"), play.place.key("sre")
    allowed = (signers / "allowed_signers").read_text()
    (line,) = [text for text in allowed.splitlines() if manager.public_key in text]
    ended = line.replace(" ssh-ed25519", ',valid-before="20250101Z" ssh-ed25519')
    allowed = allowed.replace(line, ended)
    (signers / "allowed_signers").write_text(allowed)
    (signers / "revoked_keys").write_text(f"{sre.public_key} lost in a train\n")
    play.place.commit("Let keys end", datetime.now(UTC))
    long_ago = replace(UAT, at=int(datetime(2024, 6, 1, tzinfo=UTC).timestamp()))
    expected = {}

    def put(number, key, code, edit=lambda raw: raw):
        name = f"promote/uat/shop/1.4.1_{number}"
        evil.put(name, edit(evil.raw(replace(long_ago, key=key), name=name)))
        expected[name] = code

    put(2, manager, "DST209")
    hold = "do/uat/shop/hold_1"
    evil.put(hold, evil.raw(replace(long_ago, key=sre), name=hold, message="hold\n"))
    expected[hold] = "DST209"
    pgp = b"-----BEGIN PGP %s-----\n\niQ==\n-----END PGP %s-----\n"
    put(5, "", "DST207", lambda raw: raw + pgp % (b"SIGNATURE", b"SIGNATURE"))
    put(6, "", "DST207", lambda raw: raw + pgp % (b"MESSAGE", b"MESSAGE"))
    put(7, manager, "DST207", lambda raw: raw + pgp % (b"SIGNATURE", b"SIGNATURE"))
    put(
        8,
        "",
        "DST205",
        lambda raw: raw + b"-----BEGIN SIGNED MESSAGE-----\nMII=\n-----END SIGNED MESSAGE-----\n",
    )
    blob = wire_string(b"ssh-ed25519-cert-v01@openssh.com") + wire_string(b"x" * 32)
    parts = SignatureParts(
        key=blob,
        namespace=b"git",
        hash_name="sha512",
        algorithm=b"ssh-ed25519",
        signature=b"y" * 64,
    )
    put(9, "", "DST270", lambda raw: raw + write(parts))
    await refused(play, expected)


async def test_commits_must_be_on_main_and_hold_the_version(play):
    evil = forger(play)
    first = evil.head()
    aside = evil.commit(first, {"environments/sit/apps/shop.yaml": None})
    evil.tag(replace(SIT, commit=aside))
    late = replace(SIT, version="9.9.9", commit=first)
    evil.tag(late)
    blob = evil.git("rev-parse", f"{first}:catalog/shop/app.yaml")
    odd = evil.raw(SIT, name="promote/sit/shop/1.4.1_2").replace(
        f"object {first}\ntype commit".encode(), f"object {blob}\ntype blob".encode()
    )
    evil.put("promote/sit/shop/1.4.1_2", odd)
    async with play.service() as service:
        await service.sync()
        assert "DST211" in codes(verdict_on(service, SIT.name))
        assert codes(verdict_on(service, late.name)) == {"DST212"}
        assert codes(verdict_on(service, "promote/sit/shop/1.4.1_2")) == {"DST203"}
    assert not any(play.fleet().values())


async def test_of_two_requests_with_one_prev_the_older_wins(play):
    evil = forger(play)
    now = 1_700_000_000
    evil.tag(replace(SIT, version="1.4.2", at=now + 1))
    evil.tag(replace(SIT, version="1.4.1", at=now))
    async with play.service() as service:
        await service.sync()
        assert verdict_on(service, "promote/sit/shop/1.4.1").accepted
        assert codes(verdict_on(service, "promote/sit/shop/1.4.2")) == {"DST214"}
        same = [replace(SIT, prev=evil.git("rev-parse", f"refs/tags/{SIT.name}"), at=now + 2)]
        same.append(replace(same[0], version="1.4.2"))
        names = ["promote/sit/shop/1.4.1_2", "promote/sit/shop/1.4.2_2"]
        ids = [
            evil.put(name, evil.raw(draft, name=name))
            for name, draft in zip(names, same, strict=True)
        ]
        await service.sync()
        winner = names[ids.index(min(ids))]
        loser = names[ids.index(max(ids))]
        assert verdict_on(service, winner).accepted
        assert codes(verdict_on(service, loser)) == {"DST214"}


async def test_foreign_tags_are_nobodys_business(play):
    evil = forger(play)
    head = evil.head()
    for name in ("v1.0.0", "release/2024", "promoted/sit/shop/1.4.1", "Promote/sit/shop/1.4.1"):
        evil.point(name, head)
    ledger = evil.head("ledger")
    async with play.service() as service:
        await service.sync()
        evil.git("update-ref", "-d", "refs/tags/v1.0.0")
        evil.point("release/2024", evil.git("rev-parse", f"{head}^{{tree}}"))
        await service.sync()
    assert evil.head("ledger") == ledger


async def alarmed(service, *key):
    return [(t.ref, t.found) for t in service.book.state.instance(*key).tampered]


async def test_a_moved_tag_stops_its_instance_until_an_ack(play):
    evil = forger(play)
    async with play.service() as service:
        await play.promote(service, "1.4.1", "sit", "uat")
        before = play.fleet()
        ref = "promote/uat/shop/1.4.1"
        prev = evil.git("rev-parse", f"refs/tags/{ref}")
        key = play.place.key("release-manager")
        other = evil.put(
            ref, evil.raw(replace(UAT, key=key, prev=prev, changes={"Reason": "evil"}))
        )
        await service.sync()
        assert await alarmed(service, "uat", "shop") == [(ref, other)]
        assert play.fleet() == before
        asked = await play.ask(service, Verb.PROMOTE, "uat", "shop", "1.4.1")
        await play.promote(service, "1.4.2", "sit")
        state = service.book.state.instance("uat", "shop")
        assert state.outcomes[asked.tag] is VerdictOutcome.PENDING
        assert codes(verdict_on(service, asked.ref)) == {"DST231"}
        assert service.book.state.instance("sit", "shop").desired.revision.version == "1.4.2"
        await service.sync()
        assert service.book.state.instance("uat", "shop").records == state.records
        (seen,) = await instance_views(service, "uat", "shop")
        assert "refused do/" not in seen.stopped
        wrong = await play.ask(service, Verb.ACK, "uat", "shop", key="")  # not signed
        await service.sync()
        (seen,) = await instance_views(service, "uat", "shop")
        assert f"refused {wrong.ref}: " in seen.stopped
        await play.ask(service, Verb.ACK, "uat", "shop")
        await service.sync()
        await (
            service.sync()
        )  # the request that waited is older than the ack: the next pass decides it
        assert not await alarmed(service, "uat", "shop")
        assert service.book.state.instance("uat", "shop").desired.tag in {asked.tag, other}
        (seen,) = await instance_views(service, "uat", "shop")
        assert seen.stage is InstanceStage.VERIFIED


async def test_who_has_no_key_stops_nobody_by_moving_tags(play):
    """Refused tags, even of names that would reach everybody: they are told, and that is all."""
    evil = forger(play)
    names = (
        "promote/all/all/1.0.0",
        "do/all/all/ack_1",
        "promote/uat/shop/9.9.9",
        "do/uat/all/hold_1",
    )
    async with play.service() as service:
        await play.promote(service, "1.4.1", "sit")
        for name in names:
            evil.put(name, evil.raw(replace(UAT, key=""), name=name))
        await service.sync()
        for name in names:
            evil.put(name, evil.raw(replace(UAT, key=""), name=name, message="moved\n"))
        await service.sync()
        moved = [ref for s in service.book.state.instances.values() for ref in s.tampered]
        assert {a.ref for a in moved} == set(names)
        await play.promote(service, "1.4.1", "uat")
        (seen,) = await instance_views(service, "uat", "shop")
        assert (seen.version, seen.stage) == ("1.4.1", InstanceStage.VERIFIED)
        assert not seen.stopped
        assert ("all", "all") not in service.book.state.instances or not evil.read(
            "records/all/all.jsonl"
        ).count(b"promote/all/all")


async def test_a_giant_tag_is_refused_and_not_kept(play):
    evil = forger(play)
    name = "promote/sit/shop/8.0.0"
    evil.put(name, evil.raw(SIT, name=name, message="x" * 900_000 + "\n"))
    async with play.service() as service:
        await service.sync()
        assert verdict_on(service, name).outcome is VerdictOutcome.REFUSED
    assert len(evil.read("records/sit/shop.jsonl")) < 20_000


async def test_a_deleted_tag_raises_an_alarm_and_changes_nothing_that_runs(play):
    evil = forger(play)
    async with play.service() as service:
        await play.promote(service, "1.4.1", "sit")
        before = play.fleet()
        evil.git("update-ref", "-d", "refs/tags/promote/sit/shop/1.4.1")
        await service.sync()
        assert await alarmed(service, "sit", "shop") == [("promote/sit/shop/1.4.1", "")]
        assert play.fleet() == before
        await play.promote(service, "1.0.0", "sit", app="website")
        assert service.book.state.instance("sit", "website").desired is not None
        records = service.book.state.instance("sit", "shop").records
        await service.sync()
        assert service.book.state.instance("sit", "shop").records == records
        await play.promote(service, "1.4.2", "sit")
        (seen,) = await instance_views(service, "sit", "shop")
        assert (seen.version, seen.alarms) == ("1.4.2", ("promote/sit/shop/1.4.1 is gone",))


async def test_a_commit_cannot_let_itself_through(play):
    evil = forger(play)
    stranger = evil.key("stranger")
    principal = "stranger@elsewhere.example"
    signers = play.place.catalog / "policies" / "signers" / "allowed_signers"
    roles = play.place.catalog / "policies" / "roles.yaml"
    signers.write_text(
        signers.read_text() + f'{principal} namespaces="git" {stranger.public_key}\n'
    )
    manager = "principals: [release-manager@distributor.example]"
    roles.write_text(roles.read_text().replace(manager, manager[:-1] + f", {principal}]"))
    async with play.service() as service:
        await play.promote(service, "1.4.1", "sit")
        play.place.commit("Add a signer", service.now())
        before = play.fleet()
        evil.tag(replace(UAT, key=stranger))
        await service.sync()
        assert codes(verdict_on(service, UAT.name)) == {"DST208"}
        assert play.fleet() == before
        await play.promote(service, "1.4.1", "uat")  # accepted under both: main's policy counts now
        again = replace(
            UAT, key=stranger, prev=evil.git("rev-parse", "refs/tags/promote/uat/shop/1.4.1_2")
        )
        name = "promote/uat/shop/1.4.1_3"
        evil.put(name, evil.raw(again, name=name))
        await service.sync()
        assert verdict_on(service, name).accepted


async def test_a_lowered_gate_counts_only_after_it_was_accepted(play):
    gate = play.place.catalog / "policies" / "gates" / "predecessors.yaml"
    gate.write_text(gate.read_text().replace("severity: enforce", 'severity: "off"'))
    uat = play.place.catalog / "environments" / "uat" / "environment.yaml"
    uat.write_text(uat.read_text().replace("signatures: required", "signatures: optional"))
    async with play.service() as service:
        play.place.commit("Lower the gates", service.now())
        evil = forger(play)
        evil.tag(UAT)
        signed = replace(UAT, key=play.place.key("release-manager"))
        name = "promote/uat/shop/1.4.1_2"
        evil.put(name, evil.raw(signed, name=name))
        await service.sync()
        assert "DST206" in codes(verdict_on(service, UAT.name))
        assert codes(verdict_on(service, name)) == {"DST217"}
    assert not any(play.fleet().values())


@pytest.mark.parametrize(("switch", "code"), [("hold", "DST216"), ("veto", "DST215")])
async def test_a_hold_and_a_veto_refuse_what_comes_with_them(play, switch, code):
    evil = forger(play)
    async with play.service() as service:
        await play.promote(service, "1.4.1", "sit")
        before = play.fleet()
        if switch == "hold":
            await play.ask(service, Verb.HOLD, "sit", "shop")
        else:
            await play.ask(service, Verb.REJECT, "all", "shop", "1.4.2", key="sre")
        prev = evil.git("rev-parse", f"refs/tags/{SIT.name}")
        late = replace(SIT, version="1.4.2", prev=prev, at=int(time.time()) + 60)
        evil.tag(late)
        await service.sync()
        assert codes(verdict_on(service, late.name)) == {code}
        assert play.fleet() == before


async def test_three_hundred_tags_at_once(play):
    evil = forger(play)
    body = evil.message(SIT)
    for number in range(2, 2 + 300):
        name = f"promote/sit/shop/1.4.1_{number}"
        evil.put(name, evil.raw(replace(SIT, at=number), name=name, message=body))
    async with play.service() as service:
        await service.sync()
        state = service.book.state.instance("sit", "shop")
        counted = [o for o in state.outcomes.values() if o is VerdictOutcome.ACCEPTED]
        assert (len(state.outcomes), len(counted)) == (300, 1)
        assert state.desired.ref == "promote/sit/shop/1.4.1_2"
        (seen,) = await instance_views(service, "sit", "shop")
        assert seen.in_step == seen.targets > 0
        assert not {MAIN, UNREADABLE} & set(service.book.state.instances)
