"""Sets as cases: the cases of its promotions, asked one by one and decided as one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import reduce

from distributor.ledger import reached
from distributor.model.capacity import Resources
from distributor.model.findings import Finding
from distributor.model.ledger import Key, LedgerState, Progress
from distributor.model.manifest import ManifestSet
from distributor.model.promotion import (
    KEEPS_OUT,
    GateAnswer,
    GateResult,
    Verdict,
    VerdictOutcome,
)
from distributor.model.refs import Digest, ObjectId, ObjectRef
from distributor.model.tags import OF_SETS, Request, Verb
from distributor.policy import authorise, judge, outcome, principal, sets
from distributor.policy.gates.fit import CPU, MEMORY
from distributor.services.promotion import standbys
from distributor.services.promotion.case import Case
from distributor.services.promotion.neighbours import FIT, cluster_facts
from distributor.services.promotion.sharing import shared

Answers = tuple[GateAnswer, ...]


def parts_of(ledger: LedgerState, request: Request) -> tuple[Request, ...]:
    """The promotions that a set asks for, or the same switch for each instance of one; empty for all else."""
    name = request.name
    if not name.set_id:
        return ()
    if name.verb is Verb.PROMOTE:
        return sets.members(request)
    if name.verb not in OF_SETS:
        return ()
    found = reached(ledger, name.environment, name.set_id, name.verb)
    return tuple(replace(request, name=replace(name, set_id="", instance=one)) for one in found)


def asked_first(case: Case, now: datetime) -> tuple[Case, Answers]:
    """The answers of the gates that come first, and the case with who asks."""
    if not case.members:
        also = tuple(asked_first(follower, now)[0] for follower in case.followers)
        answers = authorise(case.facts, now)
        facts = replace(case.facts, principal=principal(answers))
        case = standbys.told(replace(case, facts=facts, followers=also), answers, all_asked=False)
        return case, case.answers
    each = tuple(asked_first(member, now)[0] for member in case.members)
    return _joined(replace(case, members=each))


def asked_last(case: Case, now: datetime) -> tuple[Case, Answers]:
    """The answers of all gates, once everything is rendered."""
    if not case.members:
        also = tuple(asked_last(follower, now)[0] for follower in case.followers)
        answers = case.answers + judge(case.facts, now)
        case = standbys.told(replace(case, followers=also), answers, all_asked=True)
        return case, case.answers
    bound = whole(case)
    each = tuple(asked_last(_approved(m, bound), now)[0] for m in case.members)
    facts = replace(case.facts, rendered=bound)
    return _joined(replace(case, members=each, facts=facts))


def whole(case: Case) -> Digest:
    """The hash that approvals of a rendered case bind to; of a set: that of all of it."""
    if not case.members:
        return case.facts.rendered
    return sets.rendered({name_of(m): m.facts.rendered for m in case.members})


def outcome_of(case: Case, answers: Answers) -> VerdictOutcome:
    """What becomes of a case: of a set, what becomes of all of it."""
    if not case.members or any(a.number == 0 and a.result in KEEPS_OUT for a in answers):
        return outcome(case.facts, answers)
    return sets.outcome(outcome(m.facts, m.answers) for m in case.members)


def told_apart(case: Case, whole: VerdictOutcome) -> Sequence[tuple[Case, Answers]]:
    """The promotions of a set whose verdicts are recorded beside the set's: what kept each of them out.

    None while nobody who may ask for it stands behind the set: a stranger writes in no instance's file.
    What standbys take in the same commit is recorded in their files, once it is accepted.
    """
    if not case.members:
        return _with_followers(case)[1:] if whole is VerdictOutcome.ACCEPTED else ()
    kept = {name_of(m) for m in case.members if any(a.result in KEEPS_OUT for a in m.answers)}
    if any(a.number < _PROVEN and a.result in KEEPS_OUT for m in case.members for a in m.answers):
        return ()
    if whole is VerdictOutcome.ACCEPTED:
        return [each for m in case.members for each in _with_followers(m)]
    others = sorted(kept)
    return [(m, sets.withheld(m.answers, whole, others)) for m in case.members]


_PROVEN = 3
"""Number of the first gate that is asked only of who may ask."""


def together(case: Case, ledger: LedgerState) -> Case:
    """The facts of a set's promotions as they are with the others of the set beside them."""
    everyone = [one for m in case.members for one in (m, *m.followers)]
    each = tuple(
        replace(
            _among(m, everyone, ledger),
            followers=tuple(_among(f, everyone, ledger) for f in m.followers),
        )
        for m in case.members
    )
    return replace(case, members=each)


def _among(own: Case, everyone: Sequence[Case], ledger: LedgerState) -> Case:
    facts = own.facts
    if own.subject is None or facts.clusters is None:
        return own
    where = facts.name.environment
    others = [o for o in everyone if o is not own and o.facts.name.environment == where]
    key: Key = (where, name_of(own))
    found = cluster_facts(
        _supposed(ledger, others), key, own.subject.package, own.clusters, own.manifests
    )
    return replace(own, facts=replace(facts, clusters=found, renders=_shared(own, others)))


def name_of(case: Case) -> str:
    """The instance that a promotion is about."""
    return case.facts.name.instance


def _with_followers(case: Case) -> list[tuple[Case, Answers]]:
    return [(one, one.answers) for one in (case, *case.followers)]


def _approved(case: Case, whole: Digest) -> Case:
    """The case where an approval of the whole set counts, for its standbys too."""
    also = tuple(_approved(follower, whole) for follower in case.followers)
    return replace(case, facts=sets.approved(case.facts, whole), followers=also)


def _joined(case: Case) -> tuple[Case, Answers]:
    answers = sets.joined({name_of(m): m.answers for m in case.members})
    facts = replace(case.facts, principal=principal(answers))
    return replace(case, answers=answers, facts=facts), answers


def _supposed(ledger: LedgerState, others: Sequence[Case]) -> LedgerState:
    """The ledger as it would be, had the other promotions of a set been accepted and verified."""
    instances = dict(ledger.instances)
    for number, other in enumerate(others, ledger.sequence + 1):
        facts = other.facts
        key = (facts.name.environment, name_of(other))
        here = ledger.instance(*key)
        most = reduce(
            Resources.most, (c.need for c in (facts.clusters or {}).values()), Resources()
        )
        texts = {CPU: most.cpu, MEMORY: most.memory}
        evidence = {name: str(figure) for name, figure in texts.items() if figure is not None}
        verdict = Verdict(
            ref=facts.ref,
            tag=ObjectId(other.tag.id),
            verb=Verb.PROMOTE,
            environment=key[0],
            instance=key[1],
            outcome=VerdictOutcome.ACCEPTED,
            answers=(
                GateAnswer(number=FIT, gate="fit", result=GateResult.PASS, evidence=evidence),
            ),
            principal=facts.principal,
            sequence=number,
            revision=facts.revision,
            targets=tuple(sorted(other.clusters)),
        )
        done = Progress(
            sequence=number, verified_at=ledger.last_at or datetime.min.replace(tzinfo=UTC)
        )
        instances[key] = replace(
            here,
            accepted=(*here.accepted, verdict),
            progress={**here.progress, number: done},
        )
    return replace(ledger, instances=instances)


def _shared(own: Case, others: Sequence[Case]) -> Mapping[str, tuple[Finding, ...]] | None:
    """What is wrong with each cluster's render, with a warning for what another of the set has there too."""
    renders = own.facts.renders
    if renders is None:
        return None
    found = dict(renders)
    for other in others:
        if other.subject is None:
            continue
        for cluster, objects in own.manifests.items():
            both = objects.refs() & _refs(other.manifests.get(cluster))
            if both:
                warning = shared(other.subject.installation, both)
                found[cluster] = tuple(dict.fromkeys((*found.get(cluster, ()), warning)))
    return found


def _refs(objects: ManifestSet | None) -> frozenset[ObjectRef]:
    return objects.refs() if objects is not None else frozenset()
