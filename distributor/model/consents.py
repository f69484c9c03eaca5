"""Consents: what targets ask people about, one thing at a time, and what people agreed to."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from distributor.model.refs import ObjectRef
from distributor.model.tags import Verb


class Deed(StrEnum):
    """What is not done to an object before somebody agrees to it."""

    DELETE = "delete"
    HURRY = "delete now"  # before what is new is there
    ADOPT = "take over"
    FORCE = "force"
    LEAVE = "leave"  # a hook that does not end
    FORGET = "forget"  # an object whose deletion does not end


DEEDS: Mapping[Verb, frozenset[Deed]] = MappingProxyType(
    {
        Verb.CONSENT: frozenset({Deed.DELETE, Deed.HURRY, Deed.ADOPT, Deed.FORCE}),
        Verb.DETACH: frozenset({Deed.LEAVE, Deed.FORGET}),
    }
)
"""Which verb answers what."""
_FORMS: Mapping[Deed, tuple[str, str]] = MappingProxyType(
    {
        Deed.DELETE: ("delete {0}", ", and with it {0}"),
        Deed.HURRY: ("delete {0} before what is new is current", ""),
        Deed.ADOPT: ("take over {0}", ", and fields of it from {0}"),
        Deed.FORCE: ("force {0}", " over {0}"),
        Deed.LEAVE: ("go on without waiting for the hook {0}", ""),
        Deed.FORGET: ("forget {0}, which is still being deleted", ""),
    }
)
_SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Question:
    """One deed to one object, as one target asks about it.

    ``uid`` says which object of that name it is, where the target says so. ``over`` are the managers that
    hold fields of it, or what would go along with it (``ref@uid``); sorted.
    """

    deed: Deed
    ref: ObjectRef
    uid: str = ""
    over: tuple[str, ...] = ()

    def __str__(self) -> str:
        what, more = _FORMS[self.deed]
        names = [name.partition("@")[0] for name in self.over[:_SHOWN]]
        rest = len(self.over) - len(names)
        told = ", ".join(names) + (f" and {rest} more" if rest else "")
        uid = f" (uid {self.uid})" if self.uid else ""
        return what.format(f"{self.ref}{uid}") + (more.format(told) if told else "")


Questions = Mapping[str, tuple[Question, ...]]
"""What is asked about, by cluster; sorted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Permits:
    """What people agreed to on one target, and nothing else."""

    known: Mapping[tuple[Deed, ObjectRef, str], frozenset[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, questions: Iterable[Question]) -> Permits:
        """What an answer to these questions permits."""
        known: dict[tuple[Deed, ObjectRef, str], frozenset[str]] = {}
        for one in questions:
            key = (one.deed, one.ref, one.uid)
            known[key] = known.get(key, frozenset()).union(one.over)
        return cls(known=known)

    def allows(self, asked: Question) -> bool:
        """Whether this very thing was agreed to: this deed, this object, and over no others."""
        over = self.known.get((asked.deed, asked.ref, asked.uid))
        return over is not None and over.issuperset(asked.over)

    def over(self, ref: ObjectRef, uid: str) -> frozenset[str]:
        """The managers from whom fields of an object may be taken."""
        found = (self.known.get((deed, ref, uid), frozenset()) for deed in (Deed.ADOPT, Deed.FORCE))
        return frozenset[str]().union(*found)

    def deletable(self, live: Mapping[ObjectRef, str]) -> frozenset[ObjectRef]:
        """Which of some objects, given with their uids, people agreed to delete."""
        return frozenset(ref for ref, uid in live.items() if (Deed.DELETE, ref, uid) in self.known)


NOTHING_PERMITTED = Permits()


def answered_by(verb: Verb, questions: Questions) -> Questions:
    """The questions that a verb answers, of clusters that have any."""
    wanted: Collection[Deed] = DEEDS.get(verb, frozenset())
    found = {
        cluster: tuple(sorted(q for q in asked if q.deed in wanted))
        for cluster, asked in questions.items()
    }
    return {cluster: asked for cluster, asked in sorted(found.items()) if asked}


def count(questions: Questions) -> int:
    """How many there are."""
    return sum(map(len, questions.values()))
