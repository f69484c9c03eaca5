"""Agreeing: what targets ask people about, kept in the ledger once somebody agreed, and found there again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from distributor.catalog.digests import find
from distributor.errors import Where
from distributor.ledger import dump_question, list_files, list_folder, load_question, read_shard
from distributor.model.changes import Actuation, TargetReport
from distributor.model.consents import Permits, Question, Questions
from distributor.model.ledger import Consented
from distributor.model.promotion import Verdict
from distributor.model.tags import Verb
from distributor.ports import TreeChange
from distributor.services.ledger.book import BELIEVED
from distributor.services.world import World

_SHOWN = 3
_UNSEEN = frozenset({Actuation.UNREACHABLE.value, Actuation.FENCED.value})
_MOST = 10_000
"""Questions that one target asks at a time; the rest are asked when these are answered."""


def kept_questions(report: TargetReport) -> list[dict[str, Any]]:
    """What the read model keeps of what a target asks."""
    return [dump_question(question) for question in sorted(report.questions)[:_MOST]]


async def asked_now(world: World, verdict: Verdict | None) -> Questions | None:
    """What the targets of an accepted verdict ask, by what was seen of them last.

    ``None`` where nothing was seen of any since it was accepted: then nobody here can tell. A look that a
    target did not answer saw nothing.
    """
    if verdict is None:
        return {}
    rows = await world.store.targets(verdict.environment, verdict.instance)
    told = [row for row in rows if row.actuation not in _UNSEEN]
    seen = [r for r in told if r.sequence == verdict.sequence and r.cluster in verdict.targets]
    if not seen:
        return None
    return {row.cluster: questions_of(row.detail) for row in seen}


def questions_of(detail: str) -> tuple[Question, ...]:
    """What a target asked, by what the read model keeps of it."""
    return tuple(load_question(item) for item in orjson.loads(detail).get("questions", ()))


def pinned_list(world: World, questions: Questions) -> Mapping[str, TreeChange]:
    """The files that keep a list, by path in the ledger."""
    files = list_files(questions).items()
    return {path: ("blob", world.objects.write_blob(data)) for path, data in files}


def agreed_list(world: World, consented: Consented) -> Questions:
    """What exactly people agreed to; nothing where the ledger has lost the list."""
    head, folder = world.objects.resolve(BELIEVED), list_folder(consented.digest)
    entry = find(world.objects, world.objects.tree_of(head), folder) if head else None
    return {
        shard.name.removesuffix(".jsonl"): read_shard(
            world.objects.blob(shard.id), Where(file=f"{folder}/{shard.name}")
        )
        for shard in (world.objects.entries(entry.id) if entry else ())
    }


def agreed_text(world: World, consented: Consented) -> str:
    """The beginning of that list in words, and how long it is."""
    lines = told(agreed_list(world, consented))
    more = f" and {len(lines) - _SHOWN} more" if len(lines) > _SHOWN else ""
    return ("; ".join(lines[:_SHOWN]) + more) or f"a list that is lost ({consented.digest})"


def told(questions: Questions) -> list[str]:
    """The questions in words, one line each."""
    return [
        f"{question} on {cluster}" for cluster, asked in questions.items() for question in asked
    ]


def blanket(agreed: Iterable[Consented]) -> frozenset[Verb]:
    """The verbs by which people agreed to everything of a revision, before there were lists."""
    return frozenset(consented.verb for consented in agreed if not consented.digest)


def permits(world: World, agreed: Iterable[Consented], cluster: str) -> Permits:
    """What people agreed to on one cluster; a list that the ledger lost permits nothing."""
    head = world.objects.resolve(BELIEVED)
    lists = [consented.digest for consented in agreed if consented.digest]
    if head is None or not lists:
        return Permits()
    root, found = world.objects.tree_of(head), list[Question]()
    for digest in dict.fromkeys(lists):
        path = f"{list_folder(digest)}/{cluster}.jsonl"
        if (entry := find(world.objects, root, path)) is not None:
            found += read_shard(world.objects.blob(entry.id), Where(file=path))
    return Permits.of(found)
