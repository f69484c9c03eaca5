"""Sets as cases: the cases of its promotions, asked one by one and decided as one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import reduce

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
from distributor.model.refs import ObjectId, ObjectRef
from distributor.model.tags import Verb
from distributor.policy import authorise, judge, outcome, principal, sets
from distributor.policy.gates.fit import CPU, MEMORY
from distributor.services.promotion.case import Case
from distributor.services.promotion.neighbours import FIT, cluster_facts
from distributor.services.promotion.sharing import shared

Answers = tuple[GateAnswer, ...]


def asked_first(case: Case, now: datetime) -> tuple[Case, Answers]:
    """The answers of the gates that come first, and the case with who asks."""
    if not case.members:
        answers = authorise(case.facts, now)
        facts = replace(case.facts, principal=principal(answers))
        return replace(case, facts=facts, answers=answers), answers
    each = tuple(asked_first(member, now)[0] for member in case.members)
    return _joined(replace(case, members=each))


def asked_last(case: Case, now: datetime) -> tuple[Case, Answers]:
    """The answers of all gates, once everything is rendered."""
    if not case.members:
        answers = case.answers + judge(case.facts, now)
        return replace(case, answers=answers), answers
    whole = sets.rendered({name_of(m): m.facts.rendered for m in case.members})
    each = tuple(
        asked_last(replace(m, facts=sets.approved(m.facts, whole)), now)[0] for m in case.members
    )
    facts = replace(case.facts, rendered=whole)
    return _joined(replace(case, members=each, facts=facts))


def outcome_of(case: Case, answers: Answers) -> VerdictOutcome:
    """What becomes of a case: of a set, what becomes of all of it."""
    if not case.members or any(a.number == 0 and a.result in KEEPS_OUT for a in answers):
        return outcome(case.facts, answers)
    return sets.outcome(outcome(m.facts, m.answers) for m in case.members)


def told_apart(case: Case, whole: VerdictOutcome) -> Sequence[tuple[Case, Answers]]:
    """The promotions of a set whose verdicts are recorded beside the set's: what kept each of them out.

    None while nobody who may ask for it stands behind the set: a stranger writes in no instance's file.
    """
    kept = {name_of(m) for m in case.members if any(a.result in KEEPS_OUT for a in m.answers)}
    if any(a.number < _PROVEN and a.result in KEEPS_OUT for m in case.members for a in m.answers):
        return ()
    if whole is VerdictOutcome.ACCEPTED:
        return [(m, m.answers) for m in case.members]
    others = sorted(kept)
    return [(m, sets.withheld(m.answers, whole, others)) for m in case.members]


_PROVEN = 3
"""Number of the first gate that is asked only of who may ask."""


def together(case: Case, ledger: LedgerState) -> Case:
    """The facts of a set's promotions as they are with the others of the set beside them."""
    each = []
    for own in case.members:
        others = [m for m in case.members if m is not own]
        facts = own.facts
        if own.subject is not None and facts.clusters is not None:
            key: Key = (facts.name.environment, name_of(own))
            found = cluster_facts(
                _supposed(ledger, others), key, own.subject.package, own.clusters, own.manifests
            )
            facts = replace(facts, clusters=found, renders=_shared(own, others))
        each.append(replace(own, facts=facts))
    return replace(case, members=tuple(each))


def name_of(case: Case) -> str:
    """The instance that a promotion is about."""
    return case.facts.name.instance


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
