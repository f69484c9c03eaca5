"""A tag taken apart says the same as the parser, and goes on behind what is wrong."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distributor.catalog.tag_checks import take_apart
from distributor.catalog.tags import format_message, parse
from distributor.model.checks import CheckResult
from distributor.model.findings import Finding
from distributor.model.refs import Digest
from distributor.model.tags import ObservedTag, Trailers
from distributor.testing.trees import git_id

D = Digest("sha256:" + "a" * 64)
NAME = "promote/uat/shop/1.4.2"
GOOD = format_message(
    "Promote", Trailers(app="shop", version="1.4.2", environment="uat", digest=D, prev="none")
)


def observed(name=NAME, ref=NAME, message=GOOD, kind="commit", shown="tag"):
    head = f"object {'b' * 40}\ntype {kind}\ntag {name}\ntagger A <a@x> 1780000000 +0200\n\n"
    data = (head + message).encode()
    return ObservedTag(ref=f"refs/tags/{ref}", id=git_id("tag", data), type=shown, raw=data)


def failed(made):
    return {c.what: c.code for c in made.checks if c.result is CheckResult.FAILED}


@pytest.mark.parametrize(
    ("tag", "expected"),
    [
        (observed(), {}),
        (observed(shown="commit"), {"kind": "DST202"}),
        (observed(kind="tree"), {"target": "DST203"}),
        (observed(ref="promote/prd/shop/1.4.2"), {"own name": "DST204", "trailers": "DST205"}),
        (observed(ref="promote/uat/website/1.4.2"), {"own name": "DST204"}),
        (observed(ref="promote/uat/shop"), {"name": "DST201", "own name": "DST204"}),
        (observed(message="Promote\n\nPromotion-Gate: off\n"), {"trailers": "DST205"}),
        (observed(message="Promote\n"), {"trailers": "DST205"}),
        (observed(ref="approve/uat/shop/1.4.2/ada"),
         {"own name": "DST204", "target": "DST203", "trailers": "DST205"}),
    ],
)  # fmt: skip
def test_everything_that_is_wrong_is_told_at_once(tag, expected):
    made = take_apart(tag)
    assert failed(made) == expected
    assert (made.tag is None) == ("kind" in expected)
    assert (made.name is None) == ("name" in expected)


REFS = st.sampled_from(
    [NAME, "promote/prd/shop/1.4.2", "do/uat/shop/hold_1", "v1.0", "do/uat/@set/hold_1"]
)
MESSAGES = st.sampled_from([GOOD, "x\n", "x\n\nPromotion-Env: uat\n", "x\n\nPromotion-No: 1\n"])


@given(
    st.builds(
        observed,
        name=REFS,
        ref=REFS,
        message=MESSAGES | st.text(max_size=30),
        kind=st.sampled_from(["commit", "tag", "tree", "thing"]),
        shown=st.sampled_from(["tag", "commit"]),
    )
)
def test_it_fails_where_the_parser_does_and_for_that_reason_too(tag):
    found, made = parse(tag), failed(take_apart(tag))
    assert bool(made) == isinstance(found, Finding)
    if isinstance(found, Finding):
        assert found.code in made.values()
