"""Tags: objects and trailers, each by itself, and all of a request together."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distributor.catalog.tags import (
    format_message,
    parse,
    parse_tag_object,
    parse_trailers,
)
from distributor.errors.policy import BadTrailers
from distributor.model.findings import Finding
from distributor.model.refs import Digest, ObjectId
from distributor.model.tags import (
    ObservedTag,
    Request,
    RequestClass,
    Trailers,
    Verb,
)
from distributor.testing.trees import git_id
from tests.unit.catalog.strategies import LABELS, VERSIONS

D = "sha256:" + "a" * 64
OID = "b" * 40
SSH = "-----BEGIN SSH SIGNATURE-----\nU1NIU0lH\n-----END SSH SIGNATURE-----\n"

FULL = Trailers(
    app="shop", version="1.4.2", environment="uat", digest=Digest(D), config=Digest(D), rendered=Digest(D),
    prev=OID, request_class=RequestClass.HOTFIX, subject="about", ticket="T-1", reason="因为 it broke",
    tiers=("edge", "slim"), override=("soak", "windows"),
)  # fmt: skip


def test_trailers_read_and_write():
    message = format_message("Promote shop", FULL)
    assert message.startswith("Promote shop\n\nPromotion-App: shop\nPromotion-Version: 1.4.2\n")
    assert "Promotion-Tiers: edge, slim\n" in message
    assert parse_trailers(message) == FULL
    assert parse_trailers("Only a subject\n") == Trailers()
    assert format_message("Only a subject", Trailers()) == "Only a subject\n"
    assert parse_trailers("S\n\nBody.\n\nSigned-off-by: A <a@b>\nPromotion-App: shop") == Trailers(
        app="shop"
    )


def test_items_of_a_set():
    item = {"instance": "shop", "app": "shop", "version": "1.4.2", "digest": D, "prev": "none"}
    trailers = Trailers(environment="prd", items=(item, {**item, "instance": "web"}))
    assert parse_trailers(format_message("A set", trailers)) == trailers


@pytest.mark.parametrize(
    "block",
    [
        "Promotion-Apps: shop", "Promotion-App: shop\nPromotion-App: shop", "promotion-app: shop", "Promotion-App:shop",
        "Promotion-App: Shop", "Promotion-App: all", "Promotion-App:  ", "Promotion-App: shop ", " Promotion-App: shop",
        "Promotion-Version: 1.4", "Promotion-Env: UAT", "Promotion-Digest: abc", "Promotion-Digest: SHA256:" + "a" * 64,
        "Promotion-Config: x", "Promotion-Rendered: x", "Promotion-Prev: abc", "Promotion-Prev: None",
        "Promotion-Class: urgent", "Promotion-Class: Hotfix", "Promotion-Tiers: edge,slim", "Promotion-Tiers: edge, edge",
        "Promotion-Reason: a\n  continued", "Promotion-App: shop\nplain prose", "Promotion-Reason: " + "x" * 1001,
        "Promotion-Reason: a\tb", "Promotion-Reason: a\x1b[31m", "Promotion-Item: instance=a instance=a",
        "Promotion-Item: a=b", "Promotion-Item: instance", "Promotion-Item: version=1", "Promotion-Reason: a\rb",
        "Promotion_App: shop", "PROMOTION-APP : shop", "Promotion-App: shop\n\nA last paragraph.",
    ],
)  # fmt: skip
def test_trailers_that_are_refused(block):
    found = parse_trailers(f"Subject\n\n{block}\n")
    assert isinstance(found, Finding), found
    assert found.code == "DST205"


def test_trailers_in_the_subject_are_refused():
    assert isinstance(parse_trailers("Promotion-App: shop\n"), Finding)


@pytest.mark.parametrize(
    ("subject", "trailers"),
    [
        ("", Trailers()), ("a\nb", Trailers()), ("Promotion-App: x", Trailers()),
        ("ok", Trailers(reason="two\nlines")), ("ok", Trailers(app="Shop")), ("ok", Trailers(reason=" x")),
        ("ok", Trailers(items=({"bogus": "x"},))), ("a\x07", Trailers()),
    ],
)  # fmt: skip
def test_messages_that_are_not_written(subject, trailers):
    with pytest.raises(BadTrailers):
        format_message(subject, trailers)


LINES = st.text(st.characters(categories=("L", "N", "P")), min_size=1, max_size=30)


@given(st.builds(
    Trailers,
    app=LABELS | st.just(""), version=VERSIONS | st.just(""), environment=LABELS | st.just("all"),
    digest=st.sampled_from([D, ""]), config=st.sampled_from([D, ""]), prev=st.sampled_from([OID, "none", ""]),
    request_class=st.sampled_from(RequestClass), reason=LINES | st.just(""), ticket=LINES | st.just(""),
    tiers=st.lists(LABELS, unique=True, max_size=3).map(tuple),
), LINES)  # fmt: skip
def test_every_trailer_reads_back(trailers, subject):
    try:
        message = format_message("S " + subject, trailers)
    except BadTrailers:
        pytest.fail("a right trailer was refused")
    assert parse_trailers(message) == trailers


def raw(
    name="promote/uat/shop/1.4.2",
    message="",
    *,
    kind="commit",
    signature="",
    tagger="A <a@x> 1780000000 +0200",
):
    head = f"object {OID}\ntype {kind}\ntag {name}\ntagger {tagger}\n\n"
    return (head + (message or PROMOTE) + signature).encode()


PROMOTE = format_message(
    "Promote",
    Trailers(app="shop", version="1.4.2", environment="uat", digest=Digest(D), prev="none"),
)


def observed(data, ref="promote/uat/shop/1.4.2", kind="tag"):
    return ObservedTag(ref=f"refs/tags/{ref}", id=git_id("tag", data), type=kind, raw=data)


def test_tag_objects():
    data = raw(signature=SSH)
    tag = parse_tag_object(git_id("tag", data), data)
    assert not isinstance(tag, Finding)
    assert (tag.name, tag.target, tag.target_type) == ("promote/uat/shop/1.4.2", OID, "commit")
    assert tag.tagger == "A <a@x>"
    assert tag.tagged_at == datetime.fromtimestamp(1780000000, UTC)
    assert tag.tagged_at.utcoffset() == timedelta(hours=2)
    assert tag.message == PROMOTE
    assert tag.signature == SSH.encode()
    assert tag.signed + tag.signature == tag.raw == data


def test_an_armour_begins_at_the_start_of_a_line():
    for message in (
        "see -----BEGIN SSH SIGNATURE-----\n",
        "x-----BEGIN PGP MESSAGE----------BEGIN\n",
    ):
        data = raw(message=message, signature=SSH)
        tag = parse_tag_object(git_id("tag", data), data)
        assert not isinstance(tag, Finding)
        assert (tag.message, tag.signature) == (message, SSH.encode())


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "DST201"), (b"object x\n\n", "DST201"), (raw().replace(b"tagger", b"encoding x\ntagger"), "DST201"),
        (raw().replace(b"object " + OID.encode(), b"object 12"), "DST201"), (raw(kind="thing"), "DST201"),
        (raw().replace(b"type", b"object x\ntype"), "DST201"), (raw(tagger="A <a@x> x +0000"), "DST201"),
        (raw(tagger="A <a@x> 1 +9900"), "DST201"), (raw(tagger="A <a@x> 999999999999 +0000"), "DST201"),
        (raw(tagger="A a@x 1 +0000"), "DST201"), (raw() + b"\0", "DST205"), (raw() + b"\xff", "DST205"),
        (raw(signature=SSH + SSH), "DST207"), (raw(signature=SSH + "Promotion-Class: hotfix\n"), "DST207"),
        (raw(signature=SSH.replace("END", "ENDE")), "DST207"), (raw(signature=SSH.replace("U1N", "-----END SSH SIGNATURE-----\nU")), "DST207"),
        (raw(message="x" * 70_000), "DST230"),
    ],
)  # fmt: skip
def test_tag_objects_that_are_refused(data, code):
    found = parse_tag_object(ObjectId(OID), data)
    assert isinstance(found, Finding), found
    assert found.code == code


@given(st.binary(max_size=300) | st.binary(max_size=60).map(lambda b: raw() + b))
def test_any_bytes_give_a_tag_or_a_finding(data):
    found = parse_tag_object(ObjectId(OID), data)
    if not isinstance(found, Finding):
        assert found.signed + found.signature == data


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_git_accepts_what_we_accept(tmp_path):
    git = ["git", "-C", str(tmp_path)]
    subprocess.run([*git, "init", "-q"], check=True)
    blob = subprocess.run(
        [*git, "hash-object", "-w", "--stdin"], input=b"", check=True, capture_output=True
    )
    oid = blob.stdout.decode().strip()
    data = raw(kind="blob").replace(OID.encode(), oid.encode(), 1)
    made = subprocess.run([*git, "mktag"], input=data, check=True, capture_output=True)
    assert made.stdout.decode().strip() == git_id("tag", data)
    assert not isinstance(parse_tag_object(git_id("tag", data), data), Finding)


def test_a_whole_request():
    found = parse(observed(raw(signature=SSH)))
    assert isinstance(found, Request)
    assert found.ref == "refs/tags/promote/uat/shop/1.4.2"
    assert found.trailers.digest == D
    assert found.principal == "anonymous"


def request(ref, trailers, kind="commit"):
    message = format_message("Ask", trailers) if isinstance(trailers, Trailers) else trailers
    return parse(observed(raw(ref, message, kind=kind), ref))


ITEM = {"instance": "shop", "app": "shop", "version": "1.4.2", "digest": D, "prev": "none"}


@pytest.mark.parametrize(
    ("ref", "trailers", "kind"),
    [
        ("rollback/uat/shop/1.4.1_1", Trailers(prev=OID), "commit"), ("remove/uat/shop_1", Trailers(prev=OID), "commit"),
        ("reject/all/shop/1.4.2", Trailers(reason="bad"), "commit"), ("do/uat/shop/hold_1", Trailers(), "commit"),
        ("approve/uat/shop/1.4.2/ann", Trailers(rendered=Digest(D)), "tag"),
        ("promote/uat/@june/1", Trailers(environment="uat", items=(ITEM,)), "commit"),
        ("promote/uat/shop/1.4.2", Trailers(prev="none"), "commit"),
        ("promote/uat/shop-2/1.4.2", Trailers(app="shop", digest=Digest(D), prev=OID, request_class=RequestClass.HOTFIX), "commit"),
    ],
)  # fmt: skip
def test_requests_that_are_right(ref, trailers, kind):
    found = request(ref, trailers, kind)
    assert isinstance(found, Request), found
    rollback = found.name.verb is Verb.ROLLBACK
    assert (found.trailers.request_class is RequestClass.ROLLBACK) == rollback


SOUND = Trailers(app="shop", digest=Digest(D), prev=OID)


@pytest.mark.parametrize(
    ("ref", "trailers", "message"),
    [
        ("promote/uat/shop/1.4.2", replace(SOUND, prev=""), "Prev"),
        ("promote/uat/shop/1.4.2", replace(SOUND, version="1.4.3"), "Version"),
        ("promote/uat/shop/1.4.2", replace(SOUND, environment="prd"), "Env"), ("promote/uat/shop/1.4.2", Trailers(), "Prev"),
        ("promote/uat/shop/1.4.2", replace(SOUND, request_class=RequestClass.ROLLBACK), "Class"),
        ("promote/uat/shop/1.4.2", replace(SOUND, items=(ITEM,)), "Item"),
        ("rollback/uat/shop/1.4.2_1", Trailers(), "Prev"), ("remove/uat/shop_1", Trailers(), "Prev"),
        ("rollback/uat/shop/1.4.2_1", replace(SOUND, request_class=RequestClass.HOTFIX), "Class"),
        ("do/uat/shop/hold_1", Trailers(prev=OID), "Prev"), ("do/uat/shop/hold_1", Trailers(request_class=RequestClass.HOTFIX), "Class"),
        ("do/uat/shop/hold_1", Trailers(version="1.4.2"), "Version"), ("reject/uat/shop/1.4.2", Trailers(app="web"), "App"),
        ("promote/uat/@june/1", Trailers(), "set"), ("promote/uat/@june/1", replace(SOUND, items=(ITEM,)), "items"),
        ("promote/uat/@june/1", Trailers(items=(ITEM, ITEM)), "twice"), ("promote/uat/@june/1", Trailers(items=({"app": "shop"},)), "lacks"),
        ("promote/uat/shop/1.4.2", "S\n\nPromotion-Bogus: 1\n", "Bogus"),
    ],
)  # fmt: skip
def test_requests_that_contradict_themselves(ref, trailers, message):
    found = request(ref, trailers)
    assert isinstance(found, Finding), found
    assert found.code == "DST205"
    assert message in found.message
    assert found.where.file == ref


@pytest.mark.parametrize(
    ("tag", "code"),
    [
        (observed(b"", kind="commit"), "DST202"), (observed(b"", kind="blob"), "DST202"),
        (observed(raw(kind="tag")), "DST203"), (observed(raw(kind="tree")), "DST203"),
        (observed(raw(), ref="promote/prd/shop/1.4.2"), "DST204"), (observed(b"x" * 70_000), "DST230"),
        (observed(raw("approve/uat/shop/1.4.2/ann"), ref="approve/uat/shop/1.4.2/ann"), "DST203"),
        (observed(raw(), ref="promote/uat/shop"), "DST201"), (observed(b"junk"), "DST201"),
        (ObservedTag(ref="refs/heads/promote/uat/shop/1.4.2", id=ObjectId(OID), type="tag", raw=raw()), "DST201"),
    ],
)  # fmt: skip
def test_tags_that_are_no_request(tag, code):
    found = parse(tag)
    assert isinstance(found, Finding), found
    assert found.code == code
