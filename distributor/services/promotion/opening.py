"""Opening: which tags wait for a verdict, in which order, and which ledger file a tag's name belongs to."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from distributor.catalog.tag_names import parse_name
from distributor.model.fleet import ALL
from distributor.model.ledger import Key, LedgerState
from distributor.model.promotion import VerdictOutcome
from distributor.model.refs import ObjectId, is_label
from distributor.model.tags import SET_MARK, TagName, Verb
from distributor.services.state.looking import Snapshot
from distributor.services.world import World

UNREADABLE: Key = ("_", "tags")
"""The ledger file of tags whose names say no environment and instance."""
MAIN: Key = (ALL, ALL)
"""The ledger file of what stops every decision."""
VERBS = frozenset(
    {"promote", "approve", "reject", "unreject", "rollback", "remove", "retire", "do"}
)
"""First parts of the tag names that are ours; every other tag of the repository is left alone."""


class OpenTags:
    """The tags of a snapshot that have no final verdict; sorted anew only where something moved."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._opened: tuple[Mapping[str, ObjectId], ObjectId, list[tuple[str, ObjectId]]]
        self._opened = ({}, ObjectId(""), [])

    def of(self, snapshot: Snapshot) -> list[tuple[str, ObjectId]]:
        """Tags without a final verdict: approvals first, then by tagger date, then by object id.

        So a request and what approves it, pushed together, are decided in one pass. Where neither tags nor
        ledger moved since the last pass, they are those that were open then.
        """
        tags, head, before = self._opened
        if head == snapshot.ledger.head and tags == snapshot.tags:
            return before
        found = [
            (name, oid)
            for name, oid in snapshot.tags.items()
            if name.partition("/")[0] in VERBS and not known(snapshot.ledger, name, oid)
        ]
        found.sort(key=self._turn)
        self._opened = (snapshot.tags, snapshot.ledger.head, found)
        return found

    def _turn(self, item: tuple[str, ObjectId]) -> tuple[bool, int, ObjectId]:
        name, oid = item
        return (verb_of(name) is not Verb.APPROVE, self._tagged_at(oid), oid)

    def _tagged_at(self, oid: ObjectId) -> int:
        objects = self._world.objects
        if objects.object_type(oid) != "tag":
            return 0
        head = objects.raw(oid)[:2000].partition(b"\n\n")[0]
        line = next((part for part in head.split(b"\n") if part.startswith(b"tagger ")), b"")
        match line.rsplit(b" ", 2):
            case [_name, seconds, _zone] if seconds.isdigit():
                return int(seconds)
            case _:
                return 0


def known(state: LedgerState, name: str, oid: ObjectId) -> bool:
    """Whether the ledger has decided this tag; one that points elsewhere now is an alarm, not a request."""
    if state.genesis.tags.get(name) == oid:
        return True
    here = state.instances.get(key_of(name))
    if here is None:
        return False
    if name in here.observed and here.observed[name] != oid:
        return True
    return here.outcomes.get(oid) in (VerdictOutcome.ACCEPTED, VerdictOutcome.REFUSED)


@lru_cache(maxsize=1 << 16)
def key_of(name: str) -> Key:
    """The ledger file of a tag's name, as far as the name tells; ``UNREADABLE`` where it does not.

    What reaches all of something is only believed of a name that is right in every part.
    """
    parts = name.split("/")
    match parts:
        case [_verb, environment, rest, *_]:
            key = (environment, rest.partition("_")[0])
        case _:
            return UNREADABLE
    told = parts[0] in VERBS and is_label(key[0]) and is_label(key[1].removeprefix(SET_MARK))
    if told and ALL in key and not isinstance(parse_name(name), TagName):
        return UNREADABLE
    return key if told else UNREADABLE


def verb_of(name: str) -> Verb:
    """The verb of a tag's name; ``promote`` where the name is not understood."""
    parts = name.split("/")
    word = parts[-1].partition("_")[0] if parts[0] == "do" else parts[0]
    return Verb(word) if word in {v.value for v in Verb} else Verb.PROMOTE
