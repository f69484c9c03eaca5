"""Names of requests: read, written, refused; and Git's own opinion of them."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distributor.catalog.ref_rules import check_ref
from distributor.catalog.tag_names import concerns, format_name, parse_name
from distributor.errors.policy import BadTagName
from distributor.model.findings import Finding
from distributor.model.tags import SWITCHES, TagName, Verb
from tests.unit.catalog.strategies import LABELS, VERSIONS

NAMES = [
    ("promote/uat/shop/1.4.2", TagName(verb=Verb.PROMOTE, environment="uat", instance="shop", version="1.4.2")),
    ("promote/uat/shop/1.4.2_2",
     TagName(verb=Verb.PROMOTE, environment="uat", instance="shop", version="1.4.2", attempt=2)),
    ("promote/uat/shop/1.5.0-rc.1+b.7",
     TagName(verb=Verb.PROMOTE, environment="uat", instance="shop", version="1.5.0-rc.1+b.7")),
    ("promote/prd/@june/7", TagName(verb=Verb.PROMOTE, environment="prd", set_id="june/7")),
    ("approve/prd/shop/1.4.2_3/ann@x.example_2",
     TagName(verb=Verb.APPROVE, environment="prd", instance="shop", version="1.4.2", attempt=3,
             principal="ann@x.example", principal_attempt=2)),
    ("approve/prd/@june/7/Ann",
     TagName(verb=Verb.APPROVE, environment="prd", set_id="june/7", principal="Ann")),
    ("reject/all/shop/1.4.2", TagName(verb=Verb.REJECT, environment="all", instance="shop", version="1.4.2")),
    ("unreject/prd/shop/1.4.2_2",
     TagName(verb=Verb.UNREJECT, environment="prd", instance="shop", version="1.4.2", attempt=2)),
    ("rollback/prd/shop/1.4.1_1",
     TagName(verb=Verb.ROLLBACK, environment="prd", instance="shop", version="1.4.1")),
    ("remove/prd/shop_12", TagName(verb=Verb.REMOVE, environment="prd", instance="shop", attempt=12)),
    ("retire/prd/site-7_1", TagName(verb=Verb.RETIRE, environment="prd", instance="site-7")),
    ("do/prd/shop/hold_1", TagName(verb=Verb.HOLD, environment="prd", instance="shop")),
    ("do/all/all/pause_2", TagName(verb=Verb.PAUSE, environment="all", instance="all", attempt=2)),
    ("do/prd/@june/resume_1", TagName(verb=Verb.RESUME, environment="prd", set_id="june")),
]  # fmt: skip


@pytest.mark.parametrize(("text", "name"), NAMES)
def test_names_read_and_write(text, name):
    assert parse_name(text) == name
    assert format_name(name) == text
    assert concerns(text)


@pytest.mark.parametrize(
    "text",
    [
        "", "v1.0", "promote", "promote/uat", "promote/uat/shop", "promote/uat/shop/1.4.2/x", "/promote/uat/shop/1.4.2",
        "promote//shop/1.4.2", "promote/uat/shop/1.4", "promote/uat/shop/1.4.2_1", "promote/uat/shop/1.4.2_02",
        "promote/uat/shop/1.4.2_0", "promote/uat/shop/1.4.2_2_2", "promote/uat/shop/v1.4.2", "promote/UAT/shop/1.4.2",
        "promote/all/shop/1.4.2", "promote/uat/all/1.4.2", "promote/uat/shop/1.4.2-a.lock", "promote/uat/shop/1.4.2.lock",
        "promote/uat/shop/1.4.2-A", "promote/uat/sh_op/1.4.2", "promote/uat/shop/1.\u0664.2", "promote/uat/@june",
        "promote/uat/@/1", "promote/uat/@june/a_2", "promote/uat/@all/x", "promote/uat/shop/1.4.2 ", "promote/uat/shop/1.4.2\n",
        "promote/uat/shop/" + "1" * 300 + ".0.0", "promote/" + "a" * 64 + "/shop/1.4.2", "promote/uat/shop/1.0.0-" + "a" * 130,
        "Promote/uat/shop/1.4.2", "do", "do/uat/shop", "do/uat/shop/hold", "do/uat/shop/promote_1", "do/uat/shop/stop_1",
        "do/uat/@a/b/hold_1", "hold/uat/shop_1", "rollback/uat/shop/1.4.1", "rollback/all/shop/1.4.1_1", "remove/uat/shop",
        "remove/all/shop_1", "remove/uat/all_1", "retire/uat/_1", "approve/uat/shop/1.4.2", "approve/uat/shop/1.4.2/",
        "approve/uat/shop/1.4.2/a b", "approve/uat/shop/1.4.2/ann_1", "approve/uat/shop/1.4.2/ann.lock",
        "approve/uat/shop/1.4.2/@", "approve/uat/shop/1.4.2/a@", "approve/uat/shop/1.4.2/a..b", "approve/uat/shop/1.4.2/ann.",
        "reject/uat/all/1.4.2", "promote/../shop/1.4.2", "promote/uat/shop/1.4.2\x00", "promote/uat/\udcff/1.4.2",
    ],
)  # fmt: skip
def test_names_that_are_refused(text):
    found = parse_name(text)
    assert isinstance(found, Finding), found
    assert found.code == "DST201"


@pytest.mark.parametrize("text", ["v1.0", "release/1", "promoted/x"])
def test_tags_that_are_no_requests(text):
    assert not concerns(text)


@pytest.mark.parametrize(
    "name",
    [
        TagName(verb=Verb.PROMOTE, environment="all", instance="shop", version="1.0.0"),
        TagName(verb=Verb.PROMOTE, environment="uat", instance="shop", version="1.0"),
        TagName(verb=Verb.PROMOTE, environment="uat", instance="shop", version="1.0.0", attempt=0),
        TagName(verb=Verb.REMOVE, environment="uat", instance="shop", attempt=0),
        TagName(verb=Verb.REMOVE, environment="uat", instance="shop", version="1.0.0"),
        TagName(verb=Verb.PROMOTE, environment="uat", instance="shop", set_id="june/1"),
        TagName(verb=Verb.APPROVE, environment="uat", instance="shop", version="1.0.0", principal="a_2"),
        TagName(verb=Verb.HOLD, environment="uat", instance="a/b"),
    ],
)  # fmt: skip
def test_names_that_are_not_written(name):
    with pytest.raises(BadTagName):
        format_name(name)


ATTEMPTS = st.integers(1, 10**9 - 1)
PRINCIPALS = st.from_regex(
    r"[A-Za-z0-9][A-Za-z0-9+-]{0,8}(@[a-z0-9][a-z0-9-]{0,8})?", fullmatch=True
)


@st.composite
def names(draw):
    verb = draw(st.sampled_from(Verb))
    name = TagName(verb=verb, environment=draw(LABELS), attempt=draw(ATTEMPTS))
    if verb in {Verb.PROMOTE, Verb.APPROVE} and draw(st.booleans()):
        name = replace(name, set_id=f"{draw(LABELS)}/{draw(LABELS)}", attempt=1)
    elif verb in SWITCHES and draw(st.booleans()):
        name = replace(name, set_id=draw(LABELS))
    else:
        name = replace(name, instance=draw(LABELS))
    if name.instance and verb not in {*SWITCHES, Verb.REMOVE, Verb.RETIRE}:
        name = replace(name, version=draw(VERSIONS))
    if verb is Verb.APPROVE:
        name = replace(name, principal=draw(PRINCIPALS), principal_attempt=draw(ATTEMPTS))
    return name


@given(names())
def test_every_name_reads_back(name):
    text = format_name(name)
    assert parse_name(text) == name
    assert check_ref(text) == ""


@given(
    st.text(alphabet="promte/uatshl12._@-+", max_size=40)
    | st.from_regex(r"(promote|approve|do|remove)/[a-z@/_1.]{0,20}")
)
def test_whatever_is_read_writes_back(text):
    found = parse_name(text)
    if isinstance(found, TagName):
        assert format_name(found) == text


@given(st.lists(names(), min_size=2, max_size=4))
def test_no_name_is_a_folder_of_another(several):
    texts = {format_name(name) for name in several}
    assert not any(a != b and b.startswith(a + "/") for a in texts for b in texts)


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
@pytest.mark.parametrize(
    "text",
    ["a/b", "a..b", "a.lock/b", "a/.b", "a b", "a~", "a^", "a:b", "a?", "a*", "a[", "a\\", "a@{b", "@", "a.", "a//b",
     "/a", "a/", "a\x7f", "@a/b", "a@b", "a+b", "a_1"],
)  # fmt: skip
def test_git_agrees_on_refs(text):
    done = subprocess.run(
        ["git", "check-ref-format", f"refs/tags/{text}"],
        check=False,
    )
    # Git looks at the whole ref, where a lone "@" is allowed below refs/tags/; a short name is not.
    assert (check_ref(text) == "") == (done.returncode == 0 and text != "@")
