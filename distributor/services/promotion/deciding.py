"""Deciding: every tag that the ledger has no verdict for gets one, in one order, by one path."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from distributor import log, metrics
from distributor.catalog.tag_objects import LIMIT
from distributor.errors import DistributorError
from distributor.errors.git import PushRejected
from distributor.errors.policy import GateCrashed
from distributor.model.ledger import (
    Decided,
    Key,
    LedgerState,
    Observed,
    Progressed,
    Record,
    Step,
    Tampered,
)
from distributor.model.promotion import GateAnswer, GateResult, Verdict, VerdictOutcome
from distributor.model.refs import Digest, ObjectId
from distributor.model.tags import (
    ACTIVATIONS,
    CONSENTS,
    ObservedTag,
    Request,
    Verb,
)
from distributor.policy import GateFacts, needed, principal
from distributor.ports import TreeChange
from distributor.services.ledger.agreeing import pinned_list
from distributor.services.ledger.book import Entry, LedgerBook
from distributor.services.ledger.claiming import new_claim
from distributor.services.promotion.case import Case
from distributor.services.promotion.consenting import with_questions
from distributor.services.promotion.effects import effects
from distributor.services.promotion.gathering import Gatherer
from distributor.services.promotion.opening import MAIN, OpenTags, key_of, known, verb_of
from distributor.services.promotion.pending import Pending, Seen
from distributor.services.promotion.preparing import Preparing
from distributor.services.promotion.retiring import retirements
from distributor.services.promotion.sets import (
    asked_first,
    asked_last,
    name_of,
    outcome_of,
    told_apart,
)
from distributor.services.state.desired import pin_paths, policy_pin
from distributor.services.state.journal import Journal
from distributor.services.state.looking import Snapshot, look, main_seen
from distributor.services.state.standing_in import pinned_stand_in
from distributor.services.world import World

_EXECUTED = frozenset({Verb.PROMOTE, Verb.ROLLBACK, Verb.REMOVE}) | ACTIVATIONS


class Decider:
    """Gives verdicts. One at a time: each stands on the ledger that the one before left."""

    def __init__(
        self,
        world: World,
        book: LedgerBook,
        gatherer: Gatherer,
        preparing: Preparing,
        journal: Journal,
    ) -> None:
        self._world = world
        self._book = book
        self._gatherer = gatherer
        self._preparing = preparing
        self._journal = journal
        self.refused = 0  # by this process
        self.pending = Pending()
        self._open = OpenTags(world)
        self._log = log.get("decider")

    async def decide_all(self, snapshot: Snapshot) -> int:
        """Decide every open tag that renders soon; how many verdicts were recorded.

        What takes longer is rendered behind this, and decided when ``Preparing`` says that it is ready.
        When somebody else moved the ledger in between, looks again and goes on with what is left.
        """
        decided = 0
        await self._alarms(snapshot)
        open_tags = self._open.of(snapshot)
        self._preparing.begin_pass(open_tags)
        self.pending.begin_pass(open_tags)
        for name, oid in open_tags:
            for _ in range(8):
                if known(self._book.state, name, oid):
                    break  # by another service, while this pass went on
                if self._preparing.waits((name, oid), _behind(name)):
                    break
                if self.pending.still((name, oid), self._seen(snapshot), self._book.now()):
                    break
                try:
                    decided += await self.decide(snapshot, name, oid)
                    break
                except PushRejected:
                    snapshot = await look(self._world, self._book)
        if snapshot.rewound is None:
            await main_seen(self._world, snapshot.main)
        return decided

    async def _alarms(self, snapshot: Snapshot) -> None:
        """Tags that moved or vanished, and a main that was rewritten, are recorded once."""
        now = self._book.now()
        found: list[tuple[Key, Record]] = []
        for key, state in snapshot.ledger.instances.items():
            standing = {(t.ref, t.found) for t in state.tampered}
            for ref, oid in state.observed.items():
                seen = snapshot.tags.get(ref, "")
                if seen == oid or (not seen and ref in state.archived) or (ref, seen) in standing:
                    continue
                found.append((key, Tampered(at=now, ref=ref, recorded=oid, found=seen)))
        if snapshot.rewound is not None:
            ref = f"refs/heads/{self._world.main}"
            known = snapshot.ledger.instance(*MAIN).tampered
            if not any((t.ref, t.found) == (ref, snapshot.main) for t in known):
                alarm = Tampered(at=now, ref=ref, recorded=snapshot.rewound, found=snapshot.main)
                found.append((MAIN, alarm))
        if not found:
            await self._rewritten(snapshot)
            return
        await self._book.append(
            Entry(records=found, message=f"alarm: {len(found)} refs were changed")
        )
        await self._rewritten(snapshot)
        for key, record in found:
            text = f"{getattr(record, 'ref', '')} was moved, deleted or rewritten"
            await self._journal.tell("alarm", text, environment=key[0], instance=key[1])

    async def _rewritten(self, snapshot: Snapshot) -> None:
        """Only when the alarm is in the ledger is the rewritten main the one that was seen."""
        if snapshot.rewound is not None:
            await main_seen(self._world, snapshot.main)

    async def decide(self, snapshot: Snapshot, name: str, oid: ObjectId) -> int:
        """Decide one tag and record the verdict; 0 where it still renders, or is pending as it was before."""
        epoch, snapshot = self._book.epoch, replace(snapshot, ledger=self._book.state)
        seen = self._seen(snapshot)  # what moves while this one is asked is asked about once more
        tag = self._gatherer.observe(name, oid)
        case, answers = await self._ask(snapshot, tag)
        if answers is None:
            return 0
        verdict = self._verdict(snapshot, case, answers)
        self.pending.note((name, oid), verdict, seen)
        before = self._book.state.instance(*key_of(name)).last_verdicts.get(name)
        if before is not None and _waits_as_before(before, verdict):
            return 0
        await self._book.append(self._entry(snapshot, case, verdict), epoch=epoch)
        self.refused += verdict.outcome is VerdictOutcome.REFUSED
        metrics.VERDICTS.labels(verdict.environment, verdict.outcome.value).inc()
        await self._announce(name, verdict)
        return 1

    def _seen(self, snapshot: Snapshot) -> Seen:
        return Seen(main=snapshot.main, ledger=self._book.state.head)

    async def _ask(
        self, snapshot: Snapshot, tag: ObservedTag
    ) -> tuple[Case, tuple[GateAnswer, ...] | None]:
        """Ask the gates; a crash is an error answer, which never passes and is asked again.

        Without answers where the render that they ask for goes on behind this pass.
        """
        now = self._book.now()
        case = self._gatherer.bare(tag)
        try:
            case = await self._gatherer.sealed(self._gatherer.case(snapshot, tag))
            case = await with_questions(self._world, case)
            case, answers = asked_first(case, now)
            facts = case.facts
            if not isinstance(facts.request, Request) or _kept_out(answers):
                return case, answers
            if needed(facts.verb) <= {a.number for a in answers}:
                return case, answers
            ref = facts.ref
            rendered = await self._preparing.rendered((ref, tag.id), _behind(ref), case)
            if rendered is None:
                return case, None
            now = self._book.now()  # a render takes time
            return asked_last(rendered, now)
        except DistributorError as error:
            return case, (_crashed(str(error)),)
        except Exception as error:  # noqa: BLE001 - one request that crashes stops no other
            self._log.exception("an evaluation crashed", ref=tag.ref)
            return case, (_crashed(type(error).__name__),)

    def _verdict(self, snapshot: Snapshot, case: Case, answers: tuple[GateAnswer, ...]) -> Verdict:
        facts, request = case.facts, case.facts.request
        key = key_of(facts.ref)
        result = outcome_of(case, answers)
        base = Verdict(
            ref=facts.ref,
            tag=case.tag.id,
            verb=verb_of(facts.ref),
            environment=key[0],
            instance=key[1],
            outcome=result,
            answers=answers,
            principal=principal(answers),
            sequence=next_sequence(self._book.state) if result is VerdictOutcome.ACCEPTED else 0,
            policy_commit=snapshot.main,
        )
        if not isinstance(request, Request):
            return base
        return replace(
            base,
            verb=request.name.verb,
            request_class=request.trailers.request_class,
            revision=facts.revision,
            commit=request.tag.target,
            prev=request.trailers.prev,
            rendered=_rendered_of(facts, request),
            targets=self._targets(case, request),
            reason=request.trailers.reason,
            stands_in=case.stand_in.environment if case.stand_in else "",
        )

    def _entry(self, snapshot: Snapshot, case: Case, verdict: Verdict) -> Entry:
        """What is appended for a verdict: beside its own, one for each promotion of a set, and each standby."""
        given = [(case, verdict)]
        for number, (one, answers) in enumerate(told_apart(case, verdict.outcome), 1):
            part = replace(
                self._verdict(snapshot, one, answers),
                environment=one.facts.name.environment,
                instance=name_of(one),
                outcome=verdict.outcome,
                sequence=verdict.sequence + number if verdict.accepted else 0,
            )
            given.append((one, part))
        pins: dict[str, TreeChange] = {}
        for one, part in given:
            pins.update(self._pins(one, part))
        records = [record for one, part in given for record in self._records(one, part)]
        if verdict.accepted and verdict.verb is Verb.RETIRE:
            records += retirements(self._book.state, verdict, self._book.now())
        return Entry(
            records=records,
            message=f"{verdict.outcome.value} {verdict.ref}",
            pins=pins,
        )

    def _targets(self, case: Case, request: Request) -> tuple[str, ...]:
        """The clusters of the verdict; a removal reaches all that the revision before it had."""
        if request.name.verb is Verb.REMOVE and case.verdict_before is not None:
            return case.verdict_before.targets
        return tuple(sorted(case.clusters))

    def _records(self, case: Case, verdict: Verdict) -> list[tuple[Key, Record]]:
        now, key = self._book.now(), (verdict.environment, verdict.instance)
        here = self._book.state.instance(*key)
        records: list[Record] = []
        if verdict.ref not in here.observed:
            raw = case.tag.raw if len(case.tag.raw) <= LIMIT else b""  # else nobody reads it either
            records.append(Observed(at=now, ref=verdict.ref, tag=case.tag.id, raw=raw))
        records.append(Decided(at=now, verdict=verdict))
        if verdict.accepted:
            records += effects(here, case, verdict, now)
            if verdict.verb in _EXECUTED and not case.members:
                records.append(new_claim(self._world, here, now))
                records.append(Progressed(at=now, step=Step.STARTED, sequence=verdict.sequence))
        return [(key, record) for record in records]

    def _pins(self, case: Case, verdict: Verdict) -> Mapping[str, TreeChange]:
        """The accepted trees, so that they stay reachable whatever happens to main and tags.

        Of a consent, the list of what it is about.
        """
        if verdict.accepted and verdict.verb in CONSENTS:
            return pinned_list(self._world, case.questions)
        if not verdict.accepted or verdict.verb not in _EXECUTED:
            return {}
        if case.subject is None or case.root is None:
            return {}
        folder = f"pins/{verdict.environment}/{verdict.instance}/{verdict.sequence}"
        wanted = {f"environments/{verdict.environment}/clusters/{n}.yaml" for n in verdict.targets}
        fleet = {path: change for path, change in case.fleet.items() if path in wanted}
        paths = pin_paths(self._world, case.root, case.subject, fleet)
        paths |= pinned_stand_in(self._world, case.stand_in)
        pin: TreeChange = ("tree", self._world.objects.write_tree(None, paths))
        return {folder: pin, **policy_pin(self._world, verdict.policy_commit)}

    async def _announce(self, name: str, verdict: Verdict) -> None:
        reasons = "; ".join(verdict.reasons())
        text = f"{verdict.outcome.value} {name}" + (f": {reasons}" if reasons else "")
        await self._journal.tell(
            "verdict", text, environment=verdict.environment, instance=verdict.instance
        )


def _rendered_of(facts: GateFacts, request: Request) -> Digest:
    """The result that a verdict is about: what was rendered, or what a person says to have approved."""
    if request.name.verb is Verb.APPROVE:
        return request.trailers.rendered
    return facts.rendered


def _behind(name: str) -> Key | None:
    """The instance whose earlier promotions go before this one."""
    return key_of(name) if verb_of(name) is Verb.PROMOTE else None


def _crashed(text: str) -> GateAnswer:
    message = f"{GateCrashed.code} {text}"
    return GateAnswer(number=0, gate="evaluation", result=GateResult.ERROR, message=message)


def _waits_as_before(before: Verdict, verdict: Verdict) -> bool:
    pending = before.outcome is verdict.outcome is VerdictOutcome.PENDING
    return pending and before.tag == verdict.tag and before.reasons() == verdict.reasons()


def _kept_out(answers: tuple[GateAnswer, ...]) -> bool:
    bad = (GateResult.FAIL, GateResult.ERROR, GateResult.PENDING)
    return any(answer.result in bad for answer in answers)


def next_sequence(state: LedgerState) -> int:
    """The next sequence number of a ledger."""
    return max(state.sequence + 1, state.genesis.next_sequence)
