"""Sets in a ledger: which instances a set of some name is about, and which of them still carry it out."""

from __future__ import annotations

from distributor.ledger.queries import rollout_stands
from distributor.model.ledger import LedgerState
from distributor.model.promotion import Verdict, VerdictOutcome
from distributor.model.refs import ObjectId
from distributor.model.tags import SET_MARK, Verb

_NEEDS = {
    Verb.PAUSE: "running",
    Verb.RESUME: "running",
    Verb.ABORT: "running",
    Verb.RETRY: "failed",
}
"""What the rollout of an instance has to be for a switch of its set to reach it."""


def parts_of_set(
    state: LedgerState, environment: str, ref: str, tag: ObjectId
) -> dict[str, Verdict]:
    """The verdicts on the parts of one request for a set, by instance; those of standbys are not among them."""
    return {
        instance: found
        for (where, instance), here in sorted(state.instances.items())
        if where == environment and not instance.startswith(SET_MARK)
        if (found := here.last_verdicts.get(ref)) is not None and found.tag == tag
    }


def reached(state: LedgerState, environment: str, name: str, verb: Verb) -> tuple[str, ...]:
    """The instances that a switch of the set ``@name`` reaches, sorted.

    They are those of the last request that was accepted and of all that wait. A switch of a rollout reaches
    those that still carry the accepted one out (or, for ``retry``, failed with it), and, where none does,
    all of these: then each says so.
    """
    verdicts = state.instance(environment, SET_MARK + name).last_verdicts.values()
    asked = [v for v in verdicts if v.verb is Verb.PROMOTE]
    accepted = max((v for v in asked if v.accepted), key=lambda v: v.sequence, default=None)
    rolled = parts_of_set(state, environment, accepted.ref, accepted.tag) if accepted else {}
    wanted = _NEEDS.get(verb)
    if wanted is None:
        waiting = [v for v in asked if v.outcome is VerdictOutcome.PENDING]
        more = (parts_of_set(state, environment, v.ref, v.tag) for v in waiting)
        return tuple(sorted({*rolled, *(instance for parts in more for instance in parts)}))
    here = {name: state.instance(environment, name) for name in rolled}
    going = [
        name
        for name, verdict in rolled.items()
        if here[name].desired == verdict and rollout_stands(here[name]) == wanted
    ]
    return tuple(going or rolled)
