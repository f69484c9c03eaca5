"""Lists of what people agreed to: one file a cluster, the same digest in any order, read back strictly."""

from __future__ import annotations

import pytest

from distributor.errors import Where
from distributor.errors.git import LedgerBroken
from distributor.ledger import list_digest, list_files, list_folder, read_shard
from distributor.model.consents import Deed, Permits, Question, answered_by, count
from distributor.model.refs import ObjectRef
from distributor.model.tags import Verb

PLACE = Where(file="agreed/x/c1.jsonl")
OLD = ObjectRef.parse("ConfigMap/shop/old")
HOME = ObjectRef.parse("Namespace//shop")
DELETION = Question(deed=Deed.DELETE, ref=OLD, uid="u1")
HOMELESS = Question(deed=Deed.DELETE, ref=HOME, uid="u2", over=("ConfigMap/shop/a@u3",))
FORCED = Question(deed=Deed.FORCE, ref=OLD, uid="u1", over=("an-operator", "kubectl"))
HOOK = Question(deed=Deed.LEAVE, ref=ObjectRef.parse("batch/Job/shop/migrate"), uid="u4")


def test_each_cluster_has_a_file_of_its_own() -> None:
    questions = {"c2": (FORCED, DELETION), "c1": (HOMELESS,), "c3": ()}
    files = list_files(questions)
    folder = list_folder(list_digest(questions))
    assert list(files) == [f"{folder}/c1.jsonl", f"{folder}/c2.jsonl"]
    assert files[f"{folder}/c1.jsonl"] == (
        b'{"deed":"delete","object":"Namespace//shop","uid":"u2","over":["ConfigMap/shop/a@u3"]}\n'
    )
    found = [q for path, data in files.items() for q in read_shard(data, Where(file=path))]
    assert found == [HOMELESS, DELETION, FORCED]
    assert list_files({"c1": (HOMELESS,), "c2": (DELETION, FORCED)}) == files


def test_another_cluster_is_another_list() -> None:
    assert list_digest({"c1": (DELETION,)}) != list_digest({"c2": (DELETION,)})
    assert list_digest({"c1": (DELETION,)}) != list_digest({"c1": (DELETION, FORCED)})


@pytest.mark.parametrize(
    "line",
    [
        b"no JSON",
        b"[]",
        b'{"deed":"burn","object":"ConfigMap/shop/old"}',
        b'{"deed":"delete","object":"old"}',
        b'{"deed":"delete"}',
        b'{"deed":"delete","object":"ConfigMap/shop/old","more":1}',
        b'{"deed":"delete","object":"ConfigMap/shop/old","over":[1]}',
    ],
)
def test_what_was_never_written_is_not_read(line: bytes) -> None:
    with pytest.raises(LedgerBroken, match="agreed to"):
        read_shard(line, PLACE)


def test_a_verb_answers_its_own_questions() -> None:
    asked = {"c2": (HOOK, DELETION), "c1": (HOOK,)}
    assert answered_by(Verb.CONSENT, asked) == {"c2": (DELETION,)}
    assert answered_by(Verb.DETACH, asked) == {"c1": (HOOK,), "c2": (HOOK,)}
    assert count(asked) == 3


@pytest.mark.parametrize(
    ("asked", "allowed"),
    [
        (DELETION, True),
        (Question(deed=Deed.DELETE, ref=OLD, uid="another"), False),
        (Question(deed=Deed.DELETE, ref=OLD), False),
        (Question(deed=Deed.HURRY, ref=OLD, uid="u1"), False),
        (Question(deed=Deed.FORCE, ref=OLD, uid="u1", over=("kubectl",)), True),
        (Question(deed=Deed.FORCE, ref=OLD, uid="u1", over=("kubectl", "helm")), False),
        (Question(deed=Deed.DELETE, ref=HOME, uid="u2"), True),
        (Question(deed=Deed.DELETE, ref=HOME, uid="u2", over=("ConfigMap/shop/a@u9",)), False),
    ],
)
def test_what_was_agreed_to_is_permitted_and_nothing_else(
    asked: Question, *, allowed: bool
) -> None:
    assert Permits.of((DELETION, HOMELESS, FORCED)).allows(asked) is allowed


def test_a_question_tells_people_what_would_be_done() -> None:
    assert str(DELETION) == "delete ConfigMap/shop/old (uid u1)"
    assert str(HOMELESS) == "delete Namespace//shop (uid u2), and with it ConfigMap/shop/a"
    assert str(FORCED) == "force ConfigMap/shop/old (uid u1) over an-operator, kubectl"
    many = Question(
        deed=Deed.DELETE, ref=HOME, over=tuple(f"ConfigMap/shop/{n}@" for n in range(9))
    )
    assert str(many).endswith("ConfigMap/shop/4 and 4 more")
