"""The YAML door: what comes through, and everything that does not."""

from __future__ import annotations

import json

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from distributor.catalog.documents import LIMIT, Document, locate, read, show


def value(text: str):
    found = read(text.encode(), "f.yaml")
    assert isinstance(found, Document), found
    return found.data


def codes(data: bytes | str):
    found = read(data.encode() if isinstance(data, str) else data, "f.yaml")
    assert not isinstance(found, Document), found.data
    assert all(f.where.file == "f.yaml" and f.remedy for f in found)
    return [(f.code, f.where.line) for f in found]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1", {"a": 1}), ("a: -1", {"a": -1}), ("a: 0", {"a": 0}), ("a: 0x1F", {"a": 31}),
        ("a: 0o17", {"a": 15}), ("a: 1.5", {"a": 1.5}), ("a: .5", {"a": 0.5}),
        ("a: 1e3", {"a": 1000.0}), ("a: true", {"a": True}), ("a: FALSE", {"a": False}),
        ("a: ~", {"a": None}), ("a:", {"a": None}), ("a: null", {"a": None}),
        ("a: '1'", {"a": "1"}), ('a: "yes"', {"a": "yes"}), ("a: 'on'", {"a": "on"}),
        ("a: 1.2.3", {"a": "1.2.3"}), ("a: 2026-05-04", {"a": "2026-05-04"}),
        ("a: 12:30", {"a": "12:30"}), ("a: 1_000", {"a": "1_000"}), ("a: y", {"a": "y"}),
        ("on: [a, b]", {"on": ["a", "b"]}), ("no: 1", {"no": 1}), ("'1': 2", {"1": 2}),
        ("a: ! 1", {"a": "1"}), ("a: !!str 1", {"a": "1"}), ("- [a, {b: c}]", [["a", {"b": "c"}]]),
        ("a: |\n  x\n  y\n", {"a": "x\ny\n"}), ("{}", {}), ("[]", []), ("just text", "just text"),
        ("a: &x [1]\nb: *x", {"a": [1], "b": [1]}), ("a: Größe 商店", {"a": "Größe 商店"}),
        ("\ufeffa: 1", {"a": 1}), ("%YAML 1.2\n---\na: 1\n...\n", {"a": 1}), ("a: 1\r\nb: 2\r\n", {"a": 1, "b": 2}),
        ("a: +", {"a": "+"}), ("a: 0x", {"a": "0x"}), ("a: " + "1" * 100, {"a": "1" * 100}),
    ],
)  # fmt: skip
def test_what_is_read(text, expected):
    assert value(text) == expected


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", [("DST101", 1)]), (b"# only a comment\n", [("DST101", 1)]),
        (b"a: 1\n---\nb: 2\n", [("DST101", 2)]), (b"a: [\n", [("DST101", 2)]),
        (b"a:\n\t- b\n", [("DST101", 2)]), (b"a: b: c\n", [("DST101", 1)]),
        (b"a: 1\nb: 2\na: 3\n", [("DST104", 3)]), (b"a: {b: 1, 'b': 2}\n", [("DST104", 1)]),
        (b"a: 1\na: 2\nb: 1\nb: 2\n", [("DST104", 2), ("DST104", 4)]),
        (b"a: 1\n\xff\n", [("DST121", 2)]), (b"a: 1\nb: \0\n", [("DST121", 2)]),
        ("a: 1\n".encode("utf-16"), [("DST121", 1)]), (b"a: \x07\n", [("DST101", 0)]),
        (b"a: yes\nb: Off\n", [("DST101", 1), ("DST101", 2)]), (b"a: 0755\n", [("DST101", 1)]),
        (b"a: .nan\n", [("DST101", 1)]), (b"a: -.inf\n", [("DST101", 1)]),
        (b"a: 1e999\n", [("DST101", 1)]), (b"a: 99999999999999999999\n", [("DST101", 1)]),
        (b"1: a\n", [("DST101", 1)]), (b"true: a\n", [("DST101", 1)]), (b"? [a]\n: b\n", [("DST101", 1)]),
        (b"x: &x {a: 1}\nb:\n  <<: *x\n", [("DST101", 3)]),
        (b"a: !!python/object/apply:os.system [ls]\n", [("DST101", 1)]), (b"a: !!int '1'\n", [("DST101", 1)]),
        (b"!!x a: 1\n", [("DST101", 1)]), (b"a: !custom {}\n", [("DST101", 1)]),
        (b"a: *b\n", [("DST101", 1)]), (b"a: &a [*a]\n", [("DST101", 1)]),
        (b"version https://git-lfs.github.com/spec/v1\n", [("DST109", 0)]),
        (b"#" * (LIMIT + 1), [("DST112", 0)]),
        (b"%TAG ! x\n---\na: 1\n", [("DST101", 0)]), (b"#\n%TAG ! x\n---\na: 1\n", [("DST101", 0)]), (b"\xef\xbb\xbf%TAG ! x\n---\n1", [("DST101", 0)]), (b"#\r%TAG ! x\n---\n1", [("DST101", 0)]),
        (b"a: 1\n" * 1_000, [("DST104", n) for n in range(2, 102)]),
    ],
)  # fmt: skip
def test_what_is_refused(data, expected):
    assert codes(data) == expected


BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12)
)


@pytest.mark.parametrize(
    "text",
    [
        "[" * (LIMIT - 1), "{a: " * 200_000, "- " * 500_000, "? " * 500_000, BOMB,
        "[" + "a," * 200_000 + "]",
    ],
    ids=["flow", "mappings", "block", "keys", "aliases", "many"],
)  # fmt: skip
def test_bombs_are_refused_at_once(text):
    assert codes(text)[-1][0] in {"DST120", "DST101"}


def test_where_a_field_stands():
    text = "a:\n  b: [1, {c: 2}]\n  d: x\n"
    found = read(text.encode(), "f.yaml")
    assert isinstance(found, Document)
    assert str(found.where(("a", "d"))) == "f.yaml:3:3 (a.d)"
    assert found.where(("a", "b", 1, "c")).line == 2
    assert found.where(("a", "zzz", 1)).line == 1
    assert found.where().line == 1
    assert locate(text, "f.yaml", ("a", "d")) == found.where(("a", "d"))
    assert show(("a", 0, "b")) == "a[0].b"


TEXT = st.text(
    st.characters(categories=("L", "N", "P", "S"), include_characters=" \n"), max_size=20
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=20,
)


@given(JSON)
def test_json_that_yaml_can_hold_reads_back(data):
    text = json.dumps(data, ensure_ascii=False)
    assert value(text) == data


@given(JSON)
def test_what_a_writer_writes_reads_back(data):
    found = read(yaml.safe_dump(data, allow_unicode=True, version=(1, 2)).encode(), "f")
    assert isinstance(found, tuple) or found.data == data


@given(st.binary(max_size=200))
def test_any_bytes_give_a_document_or_findings(data):
    found = read(data, "f")
    assert isinstance(found, Document) or (found and all(f.code for f in found))


@given(st.text(alphabet="ab:-?{}[]&*!|>'\"#%@, \n~01<", max_size=60))
def test_any_yaml_like_text_gives_a_document_or_findings(text):
    found = read(text.encode(), "f")
    if isinstance(found, Document):
        json.dumps(found.data, allow_nan=False)
        assert found.where(("a",)).file == "f"
