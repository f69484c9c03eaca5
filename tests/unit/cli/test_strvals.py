"""The language of --set: what Helm's flag gives, and what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distributor.cli.strvals import set_values
from distributor.errors.service import BadArgument


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["a=1"], {"a": 1}),
        (["a=-1"], {"a": -1}),
        (["a=01"], {"a": "01"}),
        (["a=0"], {"a": 0}),
        (["a=1.5"], {"a": "1.5"}),
        (["a=9223372036854775807"], {"a": 9223372036854775807}),
        (["a=9223372036854775808"], {"a": "9223372036854775808"}),
        (["a=true,b=false,c=null"], {"a": True, "b": False, "c": None}),
        (["a=True"], {"a": "True"}),
        (["a="], {"a": ""}),
        (["a=b=c"], {"a": "b=c"}),
        (["a.b.c=x"], {"a": {"b": {"c": "x"}}}),
        (["a.b=1,a.c=2"], {"a": {"b": 1, "c": 2}}),
        (["a=1", "a=2"], {"a": 2}),
        (["a={x,2,true}"], {"a": ["x", 2, True]}),
        (["a={}"], {"a": [""]}),
        (["a={x},b=1"], {"a": ["x"], "b": 1}),
        (["a[1]=x"], {"a": [None, "x"]}),
        (["a[0].b=1,a[0].c=2"], {"a": [{"b": 1, "c": 2}]}),
        (["a[0][1]=1"], {"a": [[None, 1]]}),
        ([r"a=x\,y"], {"a": "x,y"}),
        ([r"a\.b=1"], {"a.b": 1}),
        ([r"n.kubernetes\.io/os=linux"], {"n": {"kubernetes.io/os": "linux"}}),
        (["a=1", "a.b=2"], {"a": {"b": 2}}),
        ([], {}),
    ],
)
def test_set(texts, expected):
    assert set_values(texts) == expected


def test_over_a_base_that_stays_as_it_is():
    base = {"a": {"b": [1, 2]}, "k": 1}
    assert set_values(["a.b[0]=9", "c=3"], base) == {"a": {"b": [9, 2]}, "k": 1, "c": 3}
    assert base == {"a": {"b": [1, 2]}, "k": 1}


@pytest.mark.parametrize(
    "text",
    ["a", "", "=1", "a..b=1", ".a=1", "a[x]=1", "a[=1", "[0]=1", "a[99999999]=1", "a,b=1",
     ".".join("a" * 70) + "=1"],
)  # fmt: skip
def test_what_cannot_be_read_is_refused(text):
    with pytest.raises(BadArgument):
        set_values([text])


@given(st.text(max_size=60))
def test_any_text_gives_values_or_a_clear_refusal(text):
    try:
        found = set_values([text])
    except BadArgument:
        return
    assert isinstance(found, dict)


@given(
    st.from_regex(r"[a-z]{1,5}(\.[a-z]{1,5}){0,4}", fullmatch=True),
    st.integers(-(2**63), 2**63 - 1),
)
def test_a_number_arrives_where_the_path_says(path, number):
    found = set_values([f"{path}={number}"])
    for step in path.split("."):
        found = found[step]
    assert found == number
