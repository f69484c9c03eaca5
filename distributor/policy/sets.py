"""Sets: several promotions in one tag. Each is judged like a request of its own; they stand or fall together."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from distributor.errors.policy import SetWithheld
from distributor.model.findings import Finding
from distributor.model.promotion import KEEPS_OUT, WORSE, GateAnswer, VerdictOutcome
from distributor.model.refs import Digest
from distributor.model.tags import Request
from distributor.policy.facts import Approval, GateFacts
from distributor.policy.gates.answers import Speaker
from distributor.policy.gates.signature import PRINCIPAL

_SAY = Speaker(0, "set")
_OUTCOMES = (VerdictOutcome.ACCEPTED, VerdictOutcome.PENDING, VerdictOutcome.REFUSED)


def members(request: Request) -> tuple[Request, ...]:
    """The promotions of a set, each as if it had been asked for by a tag of its own."""
    common = replace(request.trailers, items=())
    return tuple(
        replace(
            request,
            name=replace(
                request.name, set_id="", instance=item["instance"], version=item["version"]
            ),
            trailers=replace(
                common,
                app=item["app"],
                version=item["version"],
                digest=Digest(item["digest"]),
                config=Digest(item.get("config", "")),
                rendered=Digest(item.get("rendered", "")),
                prev=item["prev"],
            ),
        )
        for item in request.trailers.items
    )


def joined(each: Mapping[str, Sequence[GateAnswer]]) -> tuple[GateAnswer, ...]:
    """One answer for each gate, by the instances of a set: the worst, saying whose it is."""
    gates = dict.fromkeys((a.number, a.gate) for answers in each.values() for a in answers)
    return tuple(
        _join(
            {name: a for name, given in each.items() for a in given if (a.number, a.gate) == gate}
        )
        for gate in sorted(gates)
    )


def outcome(each: Iterable[VerdictOutcome]) -> VerdictOutcome:
    """What becomes of a set: accepted only if each of its promotions would be."""
    return max(each, key=_OUTCOMES.index)


def withheld(
    own: Sequence[GateAnswer], whole: VerdictOutcome, others: Sequence[str]
) -> tuple[GateAnswer, ...]:
    """The answers of one promotion that the others of its set keep out."""
    if not others or any(answer.result in KEEPS_OUT for answer in own):
        return tuple(own)
    finding = Finding.of(SetWithheld, f"(because of {', '.join(others)})")
    if whole is VerdictOutcome.REFUSED:
        return (*own, _SAY.fails((finding,)))
    return (*own, _SAY.waits(findings=(finding,)))


def rendered(each: Mapping[str, Digest]) -> Digest:
    """The hash that approvals of a set bind to; empty where a part of it does not render."""
    if not each or not all(each.values()):
        return Digest("")
    lines = "".join(f"{name} {digest}\n" for name, digest in sorted(each.items()))
    return Digest("sha256:" + hashlib.sha256(lines.encode()).hexdigest())


def approved(facts: GateFacts, whole: Digest) -> GateFacts:
    """A promotion's facts where an approval of the whole set is one of it, and no other approval is."""
    counted = tuple(
        Approval(
            by=given.by,
            rendered=facts.rendered if given.rendered == whole else Digest("another result"),
        )
        for given in facts.approvals
    )
    return replace(facts, approvals=counted)


def _join(given: Mapping[str, GateAnswer]) -> GateAnswer:
    worst = max(given.values(), key=lambda answer: WORSE.index(answer.result))
    same = {name: a for name, a in given.items() if a.result is worst.result}
    texts: dict[str, list[str]] = {}
    for name, answer in same.items():
        texts.setdefault(answer.message, []).append(name)
    untils = [a.until for a in same.values() if a.until is not None]
    evidence = {
        key if key == PRINCIPAL else f"{name} {key}": text
        for name, answer in given.items()
        for key, text in answer.evidence.items()
    }
    return replace(
        worst,
        message="; ".join(f"{', '.join(names)}: {text}" for text, names in texts.items() if text),
        findings=tuple(dict.fromkeys(f for answer in given.values() for f in answer.findings)),
        evidence=evidence,
        until=max(untils) if len(untils) == len(same) else None,
    )
