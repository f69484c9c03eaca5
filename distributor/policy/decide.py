"""The order in which gates are asked, and what their answers add up to.

1 to 4 end the evaluation when they fail, so that nothing of an unauthorised request is rendered; the
others are always all asked, so that one look shows everything. Every policy view must allow a request:
the worst answer counts. A policy that cannot be read lets nothing in.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from datetime import datetime
from itertools import chain

from distributor.errors.policy import (
    BadPolicy,
    DecisionsStopped,
    GateCrashed,
    NoSuchInstance,
    UnknownGate,
    UnknownSigner,
    UnsupportedRequest,
)
from distributor.model.findings import Finding, errors
from distributor.model.fleet import ALL
from distributor.model.policy import GateBinding, GateSeverity
from distributor.model.promotion import WORSE, GateAnswer, GateResult, VerdictOutcome
from distributor.model.tags import OF_SETS, TagName, Verb
from distributor.policy import overriding
from distributor.policy.facts import GateFacts, PolicyView, Source
from distributor.policy.gates.answers import Speaker, placed, said
from distributor.policy.gates.signature import PRINCIPAL
from distributor.policy.registry import NAMES, WINDOWS, Gate, gates_for
from distributor.policy.roles import ANONYMOUS

_KEEPS_OUT = frozenset({GateResult.FAIL, GateResult.PENDING})
"""What a gate whose severity is warn only warns of."""
_POLICY = Speaker(0, "policy")
_SUPPORT = Speaker(0, "support")
_WHOSE = {Source.MAIN: "main's policy", Source.ACCEPTED: "the accepted one"}
_STOPPED = frozenset({Verb.ACK, Verb.HOLD, Verb.PAUSE, Verb.ABORT, Verb.REJECT})
"""What is still decided while decisions have stopped."""


def authorise(facts: GateFacts, now: datetime) -> tuple[GateAnswer, ...]:
    """The answers of gates 1 to 4, up to the first that keeps the request out.

    Answers with number 0 come from no gate: the policy itself cannot be used, decisions have stopped,
    or this program does not carry such requests out.
    """
    if isinstance(facts.request, Finding):
        return (Speaker(1, "binding").fails((facts.request,)),)
    first = _until_stopped(_first(facts, now))
    if _stops(first[-1]):
        return first
    known = replace(facts, principal=principal(first))
    return first + _until_stopped(chain(_supported(known), _rest(known, now)))


def judge(facts: GateFacts, now: datetime) -> tuple[GateAnswer, ...]:
    """The answers of the gates from 5 on; all of them, whatever the first ones say."""
    later = (gate for gate in gates_for(facts.verb) if not gate.early)
    return overriding.lifted(facts, (_ask(gate, facts, now) for gate in later))


def foresee(facts: GateFacts, gates: Collection[str], now: datetime) -> tuple[GateAnswer, ...]:
    """The answers of the later gates that have these names, and of no others."""
    later = (gate for gate in gates_for(facts.verb) if not gate.early and gate.name in gates)
    return tuple(_ask(gate, facts, now) for gate in later)


def before_wave(facts: GateFacts, now: datetime) -> GateAnswer | None:
    """The answer of gate 7 about one wave of a rollout; ``None`` for requests that never wait for a window."""
    gates = (gate for gate in gates_for(facts.verb) if gate.number == WINDOWS)
    answers = overriding.lifted(facts, (_ask(gate, facts, now) for gate in gates))
    return next(iter(answers), None)


def needed(verb: Verb) -> frozenset[int]:
    """The numbers of the gates without whose answer such a request is not accepted."""
    return frozenset(gate.number for gate in gates_for(verb))


def outcome(facts: GateFacts, answers: Iterable[GateAnswer]) -> VerdictOutcome:
    """What the answers add up to; accepted only if every gate that the verb needs has answered."""
    given = tuple(answers)
    results = {answer.result for answer in given}
    if GateResult.FAIL in results:
        return VerdictOutcome.REFUSED
    if results & {GateResult.ERROR, GateResult.PENDING} or isinstance(facts.request, Finding):
        return VerdictOutcome.PENDING
    if not needed(facts.verb) <= {answer.number for answer in given}:
        return VerdictOutcome.PENDING
    return VerdictOutcome.ACCEPTED


def principal(answers: Iterable[GateAnswer]) -> str:
    """Who asks, as gate 2 found out; ``anonymous`` where it did not."""
    return next((a.evidence[PRINCIPAL] for a in answers if PRINCIPAL in a.evidence), ANONYMOUS)


def _until_stopped(answers: Iterable[GateAnswer]) -> tuple[GateAnswer, ...]:
    """The answers up to and with the first that keeps the request out."""
    kept: list[GateAnswer] = []
    for answer in answers:
        kept.append(answer)
        if _stops(answer):
            break
    return tuple(kept)


def _stops(answer: GateAnswer) -> bool:
    return answer.result in (GateResult.FAIL, GateResult.ERROR, GateResult.PENDING)


def _first(facts: GateFacts, now: datetime) -> Iterable[GateAnswer]:
    binding, signature, *_ = gates_for(facts.verb)
    yield _ask(binding, facts, now)
    unusable = tuple(_unusable(facts))
    if unusable:
        yield _POLICY.fails(unusable, said(map(placed, dict.fromkeys(unusable))))
    yield _ask(signature, facts, now)


def _rest(facts: GateFacts, now: datetime) -> Iterable[GateAnswer]:
    _, _, *gates = gates_for(facts.verb)
    return (_ask(gate, facts, now) for gate in gates if gate.early)


def _unusable(facts: GateFacts) -> Iterable[Finding]:
    """Why no policy can judge: there is none, one has findings, or one asks for an unknown gate."""
    if not facts.policies:
        yield Finding.of(BadPolicy, "There is none.")
    environment = facts.name.environment
    for view in facts.policies:
        yield from errors(view.policies.findings)
        for bound in view.policies.gates:
            named = {environment, "*"} & set(bound.environments) or environment == ALL
            if bound.gate not in NAMES and named:
                yield Finding.of(UnknownGate, f"({bound.gate}, in {view})", bound.where)


def _supported(facts: GateFacts) -> Iterable[GateAnswer]:
    name = facts.name
    if name.set_id and name.verb is not Verb.APPROVE:
        yield _SUPPORT.fails((_no_such_set(name),))
    elif (refusal := overriding.authorised(facts)) is not None:
        yield refusal
    if facts.stopped and name.verb not in _STOPPED:
        finding = Finding.of(DecisionsStopped, f"({facts.stopped})")
        yield replace(_POLICY.errors((finding,)), result=GateResult.PENDING)


def _no_such_set(name: TagName) -> Finding:
    """Why a set is refused whose parts nobody knows."""
    if name.verb not in OF_SETS or name.environment == ALL:
        return Finding.of(UnsupportedRequest, f"({name.verb.value} of a set in {name.environment})")
    text = f"(no set @{name.set_id} was accepted in {name.environment}, and none waits)"
    return Finding.of(NoSuchInstance, text, remedy=_NO_SET)


_NO_SET = "Check the name: a switch reaches the last set that `promote-set` asked for under it."


def _ask(gate: Gate, facts: GateFacts, now: datetime) -> GateAnswer:
    """One gate under every view and every file that parametrises it; the worst answer counts."""
    views = facts.policies if gate.per_view else facts.policies[:1]
    given = [(view, answer) for view in views for answer in _under(gate, facts, view, now)]
    answers = [answer for _, answer in given]
    if not answers:
        return Speaker(gate.number, gate.name).lacks("a policy")
    if len({a.evidence[PRINCIPAL] for a in answers if PRINCIPAL in a.evidence}) > 1:
        text = "The key belongs to different principals in main's policy and in the accepted one."
        return Speaker(gate.number, gate.name).refuses(UnknownSigner, text)
    worst = _worst(answers)
    if gate.rules and worst.result is GateResult.FAIL:
        return replace(worst, message=_by(given))
    return worst


def _by(given: Iterable[tuple[PolicyView, GateAnswer]]) -> str:
    """Each reason for a refusal once, with the policies that have it."""
    said: dict[str, dict[str, None]] = {}
    for view, answer in given:
        if answer.result is GateResult.FAIL:
            said.setdefault(answer.message, {})[_WHOSE[view.source]] = None
    return "; ".join(f"{text} (by {' and '.join(whose)})" for text, whose in said.items())


def _under(gate: Gate, facts: GateFacts, view: PolicyView, now: datetime) -> Iterable[GateAnswer]:
    uses: list[GateBinding | None] = [
        bound
        for bound in view.policies.gates
        if bound.gate == gate.name and bound.covers(facts.name.environment, facts.app)
    ]
    for use in uses or [None]:
        severity = GateSeverity.ENFORCE if use is None or gate.always else use.severity
        if severity is GateSeverity.OFF:
            yield Speaker(gate.number, gate.name).skipped(f"switched off by {view}")
            continue
        answer = _guarded(gate, facts, view, use, now)
        if severity is GateSeverity.WARN and answer.result in _KEEPS_OUT:
            answer = replace(answer, result=GateResult.WARN)
        yield answer


def _guarded(
    gate: Gate, facts: GateFacts, view: PolicyView, use: GateBinding | None, now: datetime
) -> GateAnswer:
    try:
        return gate.evaluate(facts, view, use.params if use is not None else {}, now)
    except Exception as error:  # noqa: BLE001 - whatever a gate dies of, it must not let anything in
        text = f"({type(error).__name__})"
        return Speaker(gate.number, gate.name).errors((Finding.of(GateCrashed, text),))


def _worst(answers: list[GateAnswer]) -> GateAnswer:
    """The worst answer, with the findings and evidence of all."""
    worst = max(answers, key=lambda answer: WORSE.index(answer.result))
    same = [answer for answer in answers if answer.result is worst.result]
    evidence = {key: text for answer in reversed(answers) for key, text in answer.evidence.items()}
    untils = [answer.until for answer in same if answer.until is not None]
    return replace(
        worst,
        until=max(untils) if len(untils) == len(same) else None,  # all of them must let it in
        message="; ".join(dict.fromkeys(a.message for a in same if a.message)),
        findings=tuple(dict.fromkeys(f for answer in answers for f in answer.findings)),
        evidence=evidence,
    )
