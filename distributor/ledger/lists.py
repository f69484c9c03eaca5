"""Lists: what exactly people agreed to, in the files of a ledger, one for each cluster.

They stand beside the records, under their digest, so that a long one is neither folded nor written again
with every record, and whoever works on one target reads that target's part alone.
"""

from __future__ import annotations

from typing import Any

import orjson

from distributor.errors import Where
from distributor.errors.git import LedgerBroken
from distributor.ledger.codecs import TEXT, Codec, Field, Shape, choice, listed, load_text
from distributor.model.consents import Deed, Question, Questions
from distributor.model.refs import Digest, ObjectRef, digest_of

_FOLDER = "agreed"


def _load_ref(value: object) -> ObjectRef:
    return ObjectRef.parse(load_text(value))


_QUESTION = Shape(
    Question,
    (
        Field("deed", "deed", choice(Deed)),
        Field("object", "ref", Codec(str, _load_ref)),
        Field("uid", "uid", TEXT, ""),
        Field("over", "over", listed(TEXT), ()),
    ),
)


def dump_question(question: Question) -> dict[str, Any]:
    """A question as a JSON object."""
    return _QUESTION.dump(question)


def load_question(data: object) -> Question:
    """Read one back; raises ``ValueError`` for anything that ``dump_question`` never gave."""
    return _QUESTION.load(data)


def list_files(questions: Questions) -> dict[str, bytes]:
    """The files of a list, by path in the ledger: JSON lines, sorted."""
    shards = _shards(questions)
    folder = list_folder(_digest(shards))
    return {f"{folder}/{cluster}.jsonl": data for cluster, data in shards.items()}


def list_digest(questions: Questions) -> Digest:
    """The digest of a list; the same for the same questions of the same clusters in any order."""
    return _digest(_shards(questions))


def list_folder(digest: Digest) -> str:
    """Where the ledger keeps a list."""
    return f"{_FOLDER}/{digest.removeprefix('sha256:')}"


def read_shard(data: bytes, where: Where) -> tuple[Question, ...]:
    """One cluster's part of a list; raises ``LedgerBroken`` for what ``list_files`` never gave."""
    try:
        return tuple(load_question(orjson.loads(line)) for line in data.splitlines())
    except ValueError as error:
        raise LedgerBroken(f"The list of what was agreed to: {error}.", where=where) from error


def _shards(questions: Questions) -> dict[str, bytes]:
    return {
        cluster: b"".join(orjson.dumps(dump_question(q)) + b"\n" for q in sorted(asked))
        for cluster, asked in sorted(questions.items())
        if asked
    }


def _digest(shards: dict[str, bytes]) -> Digest:
    return digest_of(*(part for name, data in shards.items() for part in (name.encode(), data)))
