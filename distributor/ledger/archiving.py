"""Archiving: which tags the shared repository need not keep, because the ledger has them whole."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from distributor.model.ledger import InstanceState
from distributor.model.promotion import Verdict, VerdictOutcome
from distributor.model.refs import ObjectId
from distributor.model.tags import Verb

_FINAL = (VerdictOutcome.ACCEPTED, VerdictOutcome.REFUSED)


def archivable(
    state: InstanceState,
    tags: Mapping[str, ObjectId],
    raws: Collection[tuple[str, ObjectId]],
    before: datetime,
) -> tuple[tuple[str, ObjectId], ...]:
    """The tags of one file that are decided for good, were observed before a time, and are there as recorded.

    ``tags`` is what the remote shows, ``raws`` names the tags whose bytes the ledger keeps. The request of
    what is desired stays, and so does an approval while its request waits, and whatever raised an alarm.
    """
    alarmed = {a.ref for a in state.tampered} | {p.ref for p in state.parted}
    kept = alarmed | ({state.desired.ref} if state.desired is not None else set())
    return tuple(
        (ref, oid)
        for ref, oid in sorted(state.observed.items())
        if ref not in kept
        and tags.get(ref) == oid
        and (ref, oid) in raws
        and state.outcomes.get(oid) in _FINAL
        and state.observed_at[ref] < before
        and not _needed(state, state.last_verdicts.get(ref))
    )


def _needed(state: InstanceState, verdict: Verdict | None) -> bool:
    """Whether a verdict is about an approval whose request is not decided yet."""
    if verdict is None or verdict.verb is not Verb.APPROVE:
        return False
    return state.outcomes.get(verdict.commit) not in _FINAL
