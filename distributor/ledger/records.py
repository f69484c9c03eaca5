"""The written form of ledger records: one JSON object a line, its kind first, stable member order."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import orjson

from distributor.errors import Where
from distributor.errors.git import LedgerBroken, LedgerNewer
from distributor.ledger.codecs import (
    DIGEST,
    FLAG,
    NUMBER,
    OID,
    RAW,
    TEXT,
    TIME,
    Codec,
    Field,
    Shape,
    choice,
    listed,
    mapped,
)
from distributor.model.findings import Finding, Severity
from distributor.model.ledger import (
    LEDGER_FORMAT,
    Acknowledged,
    Archived,
    Claimed,
    Consented,
    Decided,
    FleetChanged,
    Genesis,
    HoldSet,
    KeyChanged,
    Observed,
    Parted,
    Progressed,
    Record,
    Retired,
    Step,
    Tampered,
    VetoSet,
)
from distributor.model.promotion import GateAnswer, GateResult, Revision, Verdict, VerdictOutcome
from distributor.model.tags import RequestClass, Verb

_KEPT_ANSWERS = 8192
"""Answers of gates that are remembered: a ledger holds the same ones again and again."""

_WHERE = Shape(
    Where,
    (
        Field("file", "file", TEXT, ""),
        Field("line", "line", NUMBER, 0),
        Field("column", "column", NUMBER, 0),
        Field("field", "field", TEXT, ""),
    ),
)

_FINDING = Shape(
    Finding,
    (
        Field("code", "code", TEXT),
        Field("message", "message", TEXT),
        Field("where", "where", _WHERE.codec, Where()),
        Field("remedy", "remedy", TEXT, ""),
        Field("severity", "severity", choice(Severity), Severity.ERROR),
    ),
)

_ANSWER = Shape(
    GateAnswer,
    (
        Field("number", "number", NUMBER),
        Field("gate", "gate", TEXT),
        Field("result", "result", choice(GateResult)),
        Field("message", "message", TEXT, ""),
        Field("findings", "findings", listed(_FINDING.codec), ()),
        Field("evidence", "evidence", mapped(TEXT), {}),
        Field("until", "until", TIME, None),
    ),
)

_PASSING = ["number", "gate", "result", "message"]
"""The members of nearly all answers, and nearly all of those are alike from verdict to verdict."""


def _load_answer(data: object) -> GateAnswer:
    if type(data) is dict and list(data) == _PASSING:
        number, gate, result, message = data.values()
        if type(number) is int and type(gate) is type(result) is type(message) is str:
            return _passing(number, gate, result, message)
    return _ANSWER.load(data)


@lru_cache(maxsize=_KEPT_ANSWERS)
def _passing(number: int, gate: str, result: str, message: str) -> GateAnswer:
    return _ANSWER.load({"number": number, "gate": gate, "result": result, "message": message})


_REVISION = Shape(
    Revision,
    (
        Field("app", "app", TEXT),
        Field("version", "version", TEXT),
        Field("digest", "digest", DIGEST),
        Field("config", "config", DIGEST),
    ),
)

_VERDICT = Shape(
    Verdict,
    (
        Field("ref", "ref", TEXT),
        Field("tag", "tag", OID),
        Field("verb", "verb", choice(Verb)),
        Field("environment", "environment", TEXT),
        Field("instance", "instance", TEXT),
        Field("outcome", "outcome", choice(VerdictOutcome)),
        Field("principal", "principal", TEXT),
        Field("class", "request_class", choice(RequestClass), RequestClass.NORMAL),
        Field("sequence", "sequence", NUMBER, 0),
        Field("revision", "revision", _REVISION.codec, None),
        Field("commit", "commit", OID, ""),
        Field("policy", "policy_commit", OID, ""),
        Field("prev", "prev", TEXT, ""),
        Field("rendered", "rendered", DIGEST, ""),
        Field("targets", "targets", listed(TEXT), ()),
        Field("reason", "reason", TEXT, ""),
        Field("standsIn", "stands_in", TEXT, ""),
        Field("answers", "answers", listed(Codec(_ANSWER.dump, _load_answer))),
    ),
)

_AT = Field("at", "at", TIME)

_SHAPES: dict[str, Shape[Any]] = {
    "observed": Shape(
        Observed,
        (_AT, Field("ref", "ref", TEXT), Field("tag", "tag", OID), Field("raw", "raw", RAW, b"")),
    ),
    "verdict": Shape(Decided, (_AT, Field("verdict", "verdict", _VERDICT.codec))),
    "claimed": Shape(
        Claimed,
        (
            _AT,
            Field("holder", "holder", TEXT),
            Field("number", "number", NUMBER),
            Field("expires", "expires", TIME),
            Field("released", "released", FLAG, False),
        ),
    ),
    "progress": Shape(
        Progressed,
        (
            _AT,
            Field("step", "step", choice(Step)),
            Field("sequence", "sequence", NUMBER),
            Field("wave", "wave", TEXT, ""),
            Field("targets", "targets", mapped(TEXT), {}),
            Field("reason", "reason", TEXT, ""),
        ),
    ),
    "hold": Shape(
        HoldSet,
        (
            _AT,
            Field("on", "on", FLAG),
            Field("by", "by", TEXT),
            Field("ref", "ref", TEXT, ""),
            Field("digest", "digest", DIGEST, ""),
            Field("reason", "reason", TEXT, ""),
        ),
    ),
    "veto": Shape(
        VetoSet,
        (
            _AT,
            Field("on", "on", FLAG),
            Field("app", "app", TEXT),
            Field("version", "version", TEXT),
            Field("by", "by", TEXT),
            Field("ref", "ref", TEXT, ""),
            Field("reason", "reason", TEXT, ""),
        ),
    ),
    "fleet": Shape(
        FleetChanged,
        (
            _AT,
            Field("joined", "joined", FLAG),
            Field("cluster", "cluster", TEXT),
            Field("file", "file", DIGEST),
            Field("sequence", "sequence", NUMBER),
        ),
    ),
    "tampered": Shape(
        Tampered,
        (
            _AT,
            Field("ref", "ref", TEXT),
            Field("recorded", "recorded", OID),
            Field("found", "found", TEXT, ""),
        ),
    ),
    "acknowledged": Shape(
        Acknowledged,
        (
            _AT,
            Field("ref", "ref", TEXT),
            Field("by", "by", TEXT),
            Field("tagRef", "tag_ref", TEXT, ""),
        ),
    ),
    "archived": Shape(
        Archived, (_AT, Field("ref", "ref", TEXT), Field("tag", "tag", OID))
    ),
    "consented": Shape(
        Consented,
        (
            _AT,
            Field("verb", "verb", choice(Verb)),
            Field("by", "by", TEXT),
            Field("sequence", "sequence", NUMBER),
            Field("ref", "ref", TEXT, ""),
            Field("reason", "reason", TEXT, ""),
            Field("digest", "digest", DIGEST, ""),
            Field("count", "count", NUMBER, 0),
        ),
    ),
    "key": Shape(
        KeyChanged, (_AT, Field("key", "key", TEXT), Field("reason", "reason", TEXT, ""))
    ),
    "retired": Shape(
        Retired,
        (
            _AT,
            Field("cluster", "cluster", TEXT),
            Field("sequence", "sequence", NUMBER),
            Field("number", "number", NUMBER),
            Field("by", "by", TEXT),
            Field("ref", "ref", TEXT, ""),
            Field("drained", "drained", FLAG, False),
        ),
    ),
    "parted": Shape(
        Parted,
        (
            _AT,
            Field("ref", "ref", TEXT),
            Field("tag", "tag", OID),
            Field("found", "found", TEXT, ""),
        ),
    ),
}  # fmt: skip

_KINDS = {shape.cls: kind for kind, shape in _SHAPES.items()}

_GENESIS = Shape(
    Genesis,
    (
        Field("format", "format", NUMBER),
        _AT,
        Field("main", "main", OID),
        Field("key", "key", TEXT),
        Field("tags", "tags", mapped(OID), {}),
        Field("previous", "previous", TEXT, ""),
        Field("reason", "reason", TEXT, ""),
        Field("nextSequence", "next_sequence", NUMBER, 1),
        Field("repository", "repository", TEXT, ""),
        Field("local", "local", FLAG, False),
    ),
)


def encode(record: Record) -> bytes:
    """One line of a ledger file: compact JSON that ends in a line break."""
    kind = _KINDS[type(record)]
    return orjson.dumps({"kind": kind, **_SHAPES[kind].dump(record)}) + b"\n"


def decode(line: bytes, where: Where) -> Record:
    """Read a line back; raises ``LedgerBroken`` at ``where`` for anything that ``encode`` never wrote."""
    try:
        return _decoded(line)
    except ValueError as error:
        raise LedgerBroken(str(error), where=where) from error


def decode_file(data: bytes, file: str) -> Iterator[Record]:
    """The records of a whole file, in order; as ``decode``."""
    for number, line in enumerate(data.splitlines(), 1):
        try:
            yield _decoded(line)
        except ValueError as error:
            raise LedgerBroken(str(error), where=Where(file=file, line=number)) from error


def _decoded(line: bytes) -> Record:
    data = _object(line)
    kind = data.pop("kind", None)
    shape = _SHAPES.get(kind) if isinstance(kind, str) else None
    if shape is None:
        msg = f"There is no record of kind {str(kind)[:80]!r}."
        raise ValueError(msg)
    try:
        record: Record = shape.load(data)
    except ValueError as error:
        msg = f"The {kind} record {error}."
        raise ValueError(msg) from error
    return record


def encode_genesis(genesis: Genesis) -> bytes:
    """The genesis file: readable JSON, because people confirm it."""
    data = {"kind": "genesis", **_GENESIS.dump(genesis)}
    return orjson.dumps(data, option=orjson.OPT_INDENT_2) + b"\n"


def decode_genesis(data: bytes, where: Where | None = None) -> Genesis:
    """Read the genesis file; raises ``LedgerNewer`` for a format to come, else ``LedgerBroken``."""
    place = where or Where(file="genesis.json")
    try:
        found = _object(data)
    except ValueError as error:
        raise LedgerBroken(str(error), where=place) from error
    written = found.get("format")
    if isinstance(written, int) and written > LEDGER_FORMAT:
        raise LedgerNewer(f"It is {written}, this program knows {LEDGER_FORMAT}.", where=place)
    if found.pop("kind", None) != "genesis":
        raise LedgerBroken("The first record is not a genesis record.", where=place)
    try:
        return _GENESIS.load(found)
    except ValueError as error:
        raise LedgerBroken(f"The genesis record {error}.", where=place) from error


def _object(data: bytes) -> dict[str, Any]:
    """A JSON object; raises ``ValueError``."""
    try:
        found = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        msg = f"It is not JSON: {error}."
        raise ValueError(msg) from error
    if not isinstance(found, dict):
        msg = "The record is not a JSON object."
        raise ValueError(msg)  # noqa: TRY004 - one kind of error for everything unreadable
    return found
