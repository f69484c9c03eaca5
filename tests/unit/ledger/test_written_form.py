"""The written form of each record, pinned: ledgers that exist must read the same for ever."""

from __future__ import annotations

from dataclasses import replace

import pytest

from distributor.errors import Where
from distributor.ledger import decode, encode, encode_genesis
from distributor.model.findings import Finding, Severity
from distributor.model.ledger import (
    Acknowledged,
    Archived,
    Claimed,
    Consented,
    Decided,
    FleetChanged,
    HoldSet,
    KeyChanged,
    Observed,
    Record,
    Retired,
    Step,
    Tampered,
    VetoSet,
)
from distributor.model.promotion import GateAnswer, GateResult
from distributor.model.tags import RequestClass, Verb
from tests.unit.ledger.story import GENESIS, at, decided, digest, oid, step, verdict

ONE, TWO, A, C = oid(1), oid(2), digest("a"), digest("c")
TIME = "2026-01-01T00:01:00Z"
ANSWER = GateAnswer(
    number=5,
    gate="predecessors",
    result=GateResult.PENDING,
    message="wait",
    evidence={"uat": "soaks", "sit": "verified"},
    until=at(2),
    findings=(
        Finding(
            code="DST217",
            message="m",
            remedy="r",
            severity=Severity.WARNING,
            where=Where(file="f", line=2, column=3, field="spec.x"),
        ),
        Finding(code="DST218", message="n"),
    ),
)
FULL = replace(
    verdict(7),
    answers=(ANSWER,),
    request_class=RequestClass.HOTFIX,
    commit=ONE,
    policy_commit=TWO,
    prev="none",
    rendered=C,
    targets=("c1", "c2"),
    reason="why",
)
VERDICT = (
    f'{{"ref":"refs/tags/promote/sit/shop/7","tag":"{oid(7)}","verb":"promote","environment":"sit",'
    '"instance":"shop","outcome":"accepted","principal":"ada@example.org","class":"hotfix","sequence":7,'
    f'"revision":{{"app":"shop","version":"1.0.97","digest":"{A}","config":"{C}"}},"commit":"{ONE}",'
    f'"policy":"{TWO}","prev":"none","rendered":"{C}","targets":["c1","c2"],"reason":"why",'
    '"answers":[{"number":5,"gate":"predecessors","result":"pending","message":"wait","findings":['
    '{"code":"DST217","message":"m","where":{"file":"f","line":2,"column":3,"field":"spec.x"},'
    '"remedy":"r","severity":"warning"},{"code":"DST218","message":"n"}],'
    '"evidence":{"sit":"verified","uat":"soaks"},"until":"2026-01-01T00:02:00Z"}]}'
)

TABLE: list[tuple[Record, str]] = [
    (Observed(at=at(1), ref="r", tag=ONE), f'"observed","at":"{TIME}","ref":"r","tag":"{ONE}"'),
    (Decided(at=at(1), verdict=FULL), f'"verdict","at":"{TIME}","verdict":{VERDICT}'),
    (
        Claimed(at=at(1), holder="h", number=2, expires=at(2), released=True),
        f'"claimed","at":"{TIME}","holder":"h","number":2,"expires":"2026-01-01T00:02:00Z","released":true',
    ),
    (
        step(1, Step.ROLLED_BACK, 3, wave="w", targets={"b": "y", "a": "x"}, reason="q"),
        (
            f'"progress","at":"{TIME}","step":"rolled back","sequence":3,"wave":"w",'
            '"targets":{"a":"x","b":"y"},"reason":"q"'
        ),
    ),
    (
        HoldSet(at=at(1), on=True, by="ada", ref="r", digest=A, reason="q"),
        f'"hold","at":"{TIME}","on":true,"by":"ada","ref":"r","digest":"{A}","reason":"q"',
    ),
    (
        VetoSet(at=at(1), on=False, app="shop", version="1.0.0", by="ada", ref="r", reason="q"),
        f'"veto","at":"{TIME}","on":false,"app":"shop","version":"1.0.0","by":"ada","ref":"r","reason":"q"',
    ),
    (
        FleetChanged(at=at(1), joined=True, cluster="c9", file=A, sequence=4),
        f'"fleet","at":"{TIME}","joined":true,"cluster":"c9","file":"{A}","sequence":4',
    ),
    (
        Tampered(at=at(1), ref="r", recorded=ONE, found=TWO),
        f'"tampered","at":"{TIME}","ref":"r","recorded":"{ONE}","found":"{TWO}"',
    ),
    (
        Acknowledged(at=at(1), ref="r", by="ada", tag_ref="t"),
        f'"acknowledged","at":"{TIME}","ref":"r","by":"ada","tagRef":"t"',
    ),
    (
        Consented(at=at(1), verb=Verb.DETACH, by="ada", sequence=4, ref="r", reason="q"),
        f'"consented","at":"{TIME}","verb":"detach","by":"ada","sequence":4,"ref":"r","reason":"q"',
    ),
    (
        Consented(at=at(1), verb=Verb.CONSENT, by="ada", sequence=4, digest=A, count=2),
        f'"consented","at":"{TIME}","verb":"consent","by":"ada","sequence":4,"digest":"{A}","count":2',
    ),
    (
        Retired(at=at(1), cluster="c9", sequence=4, number=7, by="ada", ref="r"),
        f'"retired","at":"{TIME}","cluster":"c9","sequence":4,"number":7,"by":"ada","ref":"r"',
    ),
    (
        Retired(at=at(1), cluster="c9", sequence=4, number=7, by="ada", drained=True),
        f'"retired","at":"{TIME}","cluster":"c9","sequence":4,"number":7,"by":"ada","drained":true',
    ),
    (Archived(at=at(1), ref="r", tag=ONE), f'"archived","at":"{TIME}","ref":"r","tag":"{ONE}"'),
    (
        KeyChanged(at=at(1), key="ssh-ed25519 AAAA", reason="q"),
        f'"key","at":"{TIME}","key":"ssh-ed25519 AAAA","reason":"q"',
    ),
]


@pytest.mark.parametrize(("record", "written"), TABLE, ids=lambda x: type(x).__name__)
def test_records(record: Record, written: str) -> None:
    line = f'{{"kind":{written}}}\n'.encode()
    assert encode(record) == line
    assert decode(line, Where()) == record


def test_what_says_nothing_is_left_out() -> None:
    """A plain verdict stays short: a ledger holds very many."""
    line = encode(decided(1, replace(verdict(7), policy_commit=oid(3)))).decode()
    for absent in ("class", "commit", "prev", "rendered", "targets", "reason", "evidence"):
        assert f'"{absent}"' not in line


def test_genesis() -> None:
    whole = replace(GENESIS, tags={"x": ONE}, previous=TWO, reason="lost keys", next_sequence=9)
    assert encode_genesis(whole).decode() == (
        '{\n  "kind": "genesis",\n  "format": 1,\n  "at": "2026-01-01T00:00:00Z",\n'
        f'  "main": "{oid(0)}",\n  "key": "ssh-ed25519 AAAA",\n  "tags": {{\n    "x": "{ONE}"\n  }},\n'
        f'  "previous": "{TWO}",\n  "reason": "lost keys",\n  "nextSequence": 9\n}}\n'
    )
