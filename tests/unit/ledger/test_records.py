"""The written form: every record comes back as it was, and nothing else is read."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distributor.errors import Where
from distributor.errors.git import LedgerBroken, LedgerNewer
from distributor.ledger import decode, decode_file, decode_genesis, encode, encode_genesis
from distributor.model.ledger import LEDGER_FORMAT, Claimed, Genesis, Observed, Record
from distributor.model.refs import ObjectId
from tests.unit.ledger.strategies import genesis, records

HERE = Where(file="prd/shop.jsonl", line=7)
AT = datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC)
OID = ObjectId("a" * 40)


@pytest.mark.parametrize("kind", sorted(records))
@given(data=st.data())
def test_every_kind_comes_back(kind: str, data: st.DataObject) -> None:
    record: Record = data.draw(records[kind])
    line = encode(record)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert line.startswith(b'{"kind":"%s","at":"' % kind.encode())
    assert decode(line, HERE) == record
    assert encode(decode(line, HERE)) == line


@given(genesis)
def test_genesis_comes_back(record: Genesis) -> None:
    assert decode_genesis(encode_genesis(record)) == record


def test_the_written_form_is_pinned() -> None:
    """What ledgers hold: a change here needs a new ledger format."""
    observed = Observed(at=AT, ref="refs/tags/x", tag=OID, raw=b"object \xc3\xa9\n")
    assert encode(observed).decode() == (
        '{"kind":"observed","at":"2026-01-02T03:04:05.000678Z","ref":"refs/tags/x",'
        f'"tag":"{OID}","raw":"object é\\n"}}\n'
    )
    binary = encode(Observed(at=AT, ref="refs/tags/x", tag=OID, raw=b"\xff"))
    assert json.loads(binary)["raw"] == {"base64": "/w=="}
    claim = Claimed(at=AT, holder="h", number=3, expires=AT)
    assert "released" not in json.loads(encode(claim))


GOOD = {"kind": "archived", "at": "2026-01-02T03:04:05Z", "ref": "r", "tag": OID}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"kind": "approved"}, "no record of kind 'approved'"),
        ({"kind": None}, "no record of kind"),
        ({"kind": ["archived"]}, "no record of kind"),
        ({"at": "2026-01-02T03:04:05"}, "no time zone"),
        ({"at": "yesterday"}, "at:"),
        ({"at": 5}, "at: '5' is not text"),
        ({"tag": "abc"}, "tag: 'abc' is not an object id"),
        ({"tag": None}, "tag: 'None' is not text"),
        ({"ref": {}}, "ref:"),
        ({"more": 1}, "unknown members ['more']"),
    ],
)
def test_what_was_never_written_is_refused(change: dict[str, object], says: str) -> None:
    line = json.dumps({**GOOD, **change}).encode()
    with pytest.raises(LedgerBroken) as caught:
        decode(line, HERE)
    assert says in caught.value.detail
    assert caught.value.where == HERE


@pytest.mark.parametrize(
    "line",
    [b"", b"\n", b"[]", b"null", b"{", b'{"kind":"archived"}', b"\xff", b"9" * 10_000],
    ids=["empty", "blank", "list", "null", "half", "lacks", "binary", "number"],
)
def test_lines_that_are_no_records_are_refused(line: bytes) -> None:
    with pytest.raises(LedgerBroken):
        decode(line, HERE)


@pytest.mark.parametrize(
    ("kind", "member", "value"),
    [
        ("claimed", "number", True),
        ("claimed", "number", "1"),
        ("claimed", "released", 1),
        ("progress", "step", "halfway"),
        ("progress", "targets", []),
        ("progress", "targets", {"a": 1}),
        ("hold", "digest", "sha256:abc"),
        ("observed", "raw", {"base64": "!"}),
        ("observed", "raw", {"base64": "YQ==", "more": ""}),
        ("verdict", "verdict", []),
        ("verdict", "verdict", {}),
    ],
)
@given(data=st.data())
def test_members_of_another_type_are_refused(
    kind: str, member: str, value: object, data: st.DataObject
) -> None:
    written = json.loads(encode(data.draw(records[kind])))
    with pytest.raises(LedgerBroken):
        decode(json.dumps({**written, member: value}).encode(), HERE)


def test_a_nested_misfit_names_its_place() -> None:
    verdict = {
        "ref": "r", "tag": OID, "verb": "promote", "environment": "sit", "instance": "shop",
        "outcome": "refused", "principal": "p", "answers": [{"number": 1, "gate": "g", "result": "maybe"}],
    }  # fmt: skip
    line = json.dumps({"kind": "verdict", "at": "2026-01-02T03:04:05Z", "verdict": verdict})
    with pytest.raises(LedgerBroken, match="verdict: answers: result: 'maybe'"):
        decode(line.encode(), HERE)


@pytest.mark.parametrize("number", [True, 1.0])
def test_an_answer_like_one_that_was_read_before_is_judged_by_itself(number: object) -> None:
    """Python takes 1, 1.0 and True for equal: what is remembered of answers must not."""

    def line(number: object) -> bytes:
        answer = {"number": number, "gate": "g", "result": "pass", "message": "m"}
        verdict = {
            "ref": "r", "tag": OID, "verb": "promote", "environment": "sit", "instance": "shop",
            "outcome": "refused", "principal": "p", "answers": [answer, answer],
        }  # fmt: skip
        record = {"kind": "verdict", "at": "2026-01-02T03:04:05Z", "verdict": verdict}
        return json.dumps(record).encode()

    read = decode(line(1), HERE)
    assert json.loads(encode(read)) == json.loads(line(1))
    with pytest.raises(LedgerBroken, match="answers: number: "):
        decode(line(number), HERE)


def test_a_file_is_read_in_order_and_names_the_line_that_is_wrong() -> None:
    good = [encode(Observed(at=AT, ref=f"r{n}", tag=OID)) for n in range(3)]
    found = decode_file(b"".join(good), "prd/shop.jsonl")
    assert [encode(record) for record in found] == good
    with pytest.raises(LedgerBroken) as caught:
        list(decode_file(b"".join((good[0], b"{}\n", good[1])), "prd/shop.jsonl"))
    assert caught.value.where == Where(file="prd/shop.jsonl", line=2)


def test_a_newer_ledger_is_refused_as_such() -> None:
    newer = Genesis(at=AT, main=OID, key="k", format=LEDGER_FORMAT + 1)
    with pytest.raises(LedgerNewer):
        decode_genesis(encode_genesis(newer))


@pytest.mark.parametrize(
    "data", [b"", b"{}", b'{"kind":"observed"}', b'{"kind":"genesis"}', b"[1]"]
)
def test_a_file_that_is_no_genesis_is_refused(data: bytes) -> None:
    with pytest.raises(LedgerBroken):
        decode_genesis(data)
