"""Telling: why an instance is where it is, and how it came there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import assert_never

import orjson

from distributor.errors.rollout import RolloutHalted, TargetDeadline
from distributor.ledger import refused_ack
from distributor.model.changes import Actuation
from distributor.model.consents import DEEDS, Deed
from distributor.model.findings import Severity, errors
from distributor.model.fleet import ALL
from distributor.model.ledger import (
    Acknowledged,
    Archived,
    Claimed,
    Consented,
    Decided,
    FleetChanged,
    HoldSet,
    InstanceState,
    Key,
    KeyChanged,
    Observed,
    Parted,
    Progress,
    Progressed,
    Record,
    Retired,
    Step,
    Tampered,
    VetoSet,
)
from distributor.model.promotion import KEEPS_OUT, Verdict
from distributor.model.stored import StoredTarget
from distributor.model.tags import Verb
from distributor.placement.placing import place
from distributor.services.asking.recounting import Told, counted, told_apart, verdict_told
from distributor.services.asking.views import (
    InstanceStage,
    InstanceView,
    TargetView,
    instance_views,
    last_refused,
)
from distributor.services.ledger.agreeing import agreed_text, questions_of
from distributor.services.service import Service
from distributor.services.state.desired import read_desired
from distributor.services.state.waiting import waiting

_Shown = (
    Observed
    | Decided
    | Progressed
    | HoldSet
    | VetoSet
    | FleetChanged
    | Tampered
    | Acknowledged
    | Archived
    | Consented
    | KeyChanged
    | Retired
    | Parted
)
"""The records that are told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One link of the causal chain: what it is about, whether it is fine, and what is known."""

    step: str  # request, gate, rollout, render, queue, fetch, apply, health
    ok: bool
    text: str


async def why(
    service: Service, environment: str, instance: str, cluster: str = ""
) -> tuple[Link, ...]:
    """The chain that leads to what is (not) running, first cause first."""
    if ALL in (environment, instance):
        return (*_trouble(service), *_everywhere(service, environment, instance))
    views = await instance_views(service, environment, instance)
    if not views:
        return (Link(step="request", ok=False, text=f"{environment} has no instance {instance}"),)
    view = views[0]
    state = service.book.state.instance(environment, instance)
    chain = [*_trouble(service), *_requests(view, state)]
    if state.desired is not None:
        chain += [_claim(service, (environment, instance))]
        for target in view.clusters:
            if cluster in ("", target.cluster):
                chain += await _target(service, view, target)
        chain += await _kept_off(service, view, cluster)
    return tuple(chain)


async def _kept_off(service: Service, view: InstanceView, cluster: str) -> list[Link]:
    """Why clusters that main has are no targets: all that cannot join, or the one that is asked for."""
    snapshot = service.snapshot
    desired = service.book.state.instance(view.environment, view.instance).desired
    if snapshot is None or desired is None or (cluster and cluster in desired.targets):
        return []
    found = (await waiting(service.world, snapshot, service.book.state)).get(
        (view.environment, view.instance), ()
    )
    links = [
        Link(step="render", ok=False, text=f"{w.cluster} cannot join: {w.text}")
        for w in found
        if cluster in ("", w.cluster)
    ]
    if links or not cluster or desired.verb is Verb.REMOVE:
        return links
    files = snapshot.catalog.environments.get(view.environment)
    subject = read_desired(service.world, service.book, desired).subject
    reasons = (
        place(
            subject.package, subject.installation, files, present=frozenset(desired.targets)
        ).left_out
        if files is not None
        else {}
    )
    reason = reasons.get(cluster, "it has not joined yet; the next sync looks at it")
    return [Link(step="request", ok=cluster in reasons, text=f"{cluster} is no target: {reason}")]


def _everywhere(service: Service, environment: str, instance: str) -> list[Link]:
    """What was said of ``all``: alarms that stop decisions, refused acknowledgements, holds, vetoes."""
    book = service.book.state
    state, place = book.instance(environment, instance), f"{environment}/{instance}"
    chain = [
        Link(step="gate", ok=not alarm.found, text=f"{place}: alarm: {_told(('', ''), alarm).text}")
        for alarm in state.tampered
    ]
    if state.tampered:
        asked = refused_ack(book, environment, instance) or (
            f"decisions go on after `distributor ack {environment} {instance}`"
        )
        chain.append(Link(step="request", ok=False, text=asked))
    chain += [
        Link(step="gate", ok=False, text=f"{place}: hold by {hold.by} {hold.reason}".rstrip())
        for hold in state.holds
    ]
    chain += [
        Link(step="gate", ok=False, text=f"veto on {veto.app} {veto.version} by {veto.by}")
        for veto in state.vetoes
    ]
    return chain or [Link(step="request", ok=True, text=f"{place}: nothing stops anything")]


def _trouble(service: Service) -> list[Link]:
    found: list[Link] = []
    if label := service.world.local_label:
        found.append(Link(step="request", ok=True, text=label))
    found += [Link(step="fetch", ok=False, text=text) for text in told_apart(service)]
    if service.trouble is not None:
        found.append(Link(step="fetch", ok=False, text=f"decisions stopped: {service.trouble}"))
    if service.offline is not None:
        found.append(Link(step="fetch", ok=False, text=str(service.offline)))
    return found


def _requests(view: InstanceView, state: InstanceState) -> list[Link]:
    chain: list[Link] = []
    desired, refused = state.desired, last_refused(state)
    if desired is None:
        text = "nothing was accepted yet; ask with `distributor promote`"
        chain.append(Link(step="request", ok=not view.last_refusal, text=text))
    else:
        text = f"{desired.ref} by {desired.principal} accepted as sequence {desired.sequence}"
        chain.append(Link(step="request", ok=True, text=text))
        if desired.stands_in:
            text = f"it stands in for {desired.stands_in}, with its values, until a failback"
            chain.append(Link(step="request", ok=True, text=text))
        for answer in desired.answers:
            text = f"{answer.number} {answer.gate}: {answer.result.value} {answer.message}".strip()
            chain.append(Link(step="gate", ok=True, text=text))
    failed = state.progress.get(desired.sequence) if desired is not None else None
    if failed is not None and failed.end is Step.FAILED:
        chain.append(Link(step="rollout", ok=False, text=_failed(failed)))
    if refused is not None:
        said = f"{view.last_refusal}{_remedies(refused)}"
        chain.append(Link(step="gate", ok=False, text=said))
    told = (
        ("hold", view.held),
        *(("debt", debt) for debt in view.debts),
        ("stopped", view.stopped),
        ("rollout", view.shut),
        ("main", view.main_ahead),
    )
    for label, text in told:
        if text:
            chain.append(Link(step="gate", ok=label in {"main", "debt"}, text=f"{label}: {text}"))
    return chain


def _failed(progress: Progress) -> str:
    """Why a rollout failed, and what to do: about targets that were late, too, where any was."""
    late = TargetDeadline.code in progress.reason
    remedies = [RolloutHalted.remedy, *([TargetDeadline.remedy] if late else [])]
    return f"the rollout failed: {progress.reason} Remedy: {' '.join(remedies)}"


def _remedies(verdict: Verdict) -> str:
    """What to do about the gates that did not pass, each thing once."""
    kept_out = (a for a in verdict.answers if a.result in KEEPS_OUT)
    found = dict.fromkeys(f.remedy for a in kept_out for f in errors(a.findings) if f.remedy)
    return f" Remedy: {' '.join(found)}" if found else ""


def _claim(service: Service, key: Key) -> Link:
    claim = service.book.state.instance(*key).claim
    if claim is None or claim.released:
        return Link(step="queue", ok=True, text="nobody works on it: there is nothing to do")
    if claim.holder == service.world.holder:
        return Link(step="queue", ok=True, text="this service works on it")
    stale = claim.expires <= service.now()
    until = f"{claim.holder} has claimed it until {claim.expires.isoformat()}"
    return Link(step="queue", ok=not stale, text=until + (" (expired)" if stale else ""))


async def _target(service: Service, view: InstanceView, target: TargetView) -> list[Link]:
    rows = await service.world.store.targets(view.environment, view.instance, target.cluster)
    detail = orjson.loads(rows[0].detail) if rows else {}
    where = target.cluster
    applied = target.actuation == Actuation.APPLIED
    text = f"{where}: {target.actuation} at {target.observed_at or 'no time yet'}"
    if target.actuation == Actuation.PENDING:
        text = f"{where}: pending: {target.message}"
        return [Link(step="apply", ok=False, text=text)]  # what is known is of an older revision
    chain = [Link(step="apply", ok=applied, text=text)]
    chain += _asked(where, rows)
    for finding in detail.get("findings", ()):
        step = "render" if finding["code"].startswith("DST3") else "apply"
        said = ": ".join(part for part in (finding["where"], finding["message"]) if part)
        text = f"{where}: {finding['code']} {said} Remedy: {finding['remedy']}"
        chain.append(Link(step=step, ok=finding.get("severity") in _NO_ERROR, text=text))
    if applied and detail.get("delivered") and target.health == "Unknown":
        text = f"{where}: delivered; a folder or branch cannot show health"
        chain.append(Link(step="health", ok=view.stage is InstanceStage.VERIFIED, text=text))
        return chain
    chain.append(
        Link(step="health", ok=target.health == "Current", text=f"{where}: {target.health}")
    )
    for ref, (status, message) in detail.get("objects", {}).items():
        if status != "Current":
            chain.append(Link(step="health", ok=False, text=f"{where}: {ref} {status} {message}"))
    return chain


def _asked(where: str, rows: Sequence[StoredTarget]) -> list[Link]:
    """What a target asks people about, each with the command that answers it."""
    asked = questions_of(rows[0].detail) if rows else ()
    found = [
        Link(
            step="apply",
            ok=question.deed in _PATIENT,
            text=f"{where}: `distributor {verb}` would {question}",
        )
        for verb, deeds in DEEDS.items()
        for question in asked
        if question.deed in deeds
    ]
    rest = len(found) - _SHOWN_QUESTIONS
    more = Link(step="apply", ok=False, text=f"{where}: it asks {rest} things more")
    return [*found[:_SHOWN_QUESTIONS], *([more] if rest > 0 else [])]


_PATIENT = frozenset({Deed.HURRY, Deed.LEAVE})
"""What is asked about while all may go well."""
_SHOWN_QUESTIONS = 20
_NO_ERROR = (Severity.WARNING.value, Severity.INFO.value)


def history(service: Service, environment: str = "", instance: str = "") -> tuple[Told, ...]:
    """What the ledger says happened, oldest first; claims are left out, being nobody's business."""
    told: list[Told] = []
    head = service.book.state.head
    for key in service.book.keys(head):
        if environment in ("", key[0]) and instance in ("", key[1]):
            shown = (r for r in service.book.records(head, key) if not isinstance(r, Claimed))
            told += [_with_list(service, _told(key, record), record) for record in shown]
    return tuple(sorted(told, key=lambda t: t.at))


def _with_list(service: Service, told: Told, record: Record) -> Told:
    """A line with what exactly was agreed to, where that is what it tells."""
    if not isinstance(record, Consented):
        return told
    if not record.digest:
        return replace(told, text=f"{told.text}: all that is asked")
    return replace(told, text=f"{told.text}: {agreed_text(service.world, record)}")


async def refused_joins(
    service: Service, environment: str = "", instance: str = ""
) -> tuple[Told, ...]:
    """The clusters that cannot join, as lines beside those of the ledger, which records no such thing."""
    snapshot = service.snapshot
    if snapshot is None:
        return ()
    found = await waiting(service.world, snapshot, service.book.state)
    return tuple(
        Told(
            at=each.since,
            kind="waiting",
            text=f"{'/'.join(key)} {each.cluster} cannot join: {each.text}",
        )
        for key, all_of_it in found.items()
        for each in all_of_it
        if environment in ("", key[0]) and instance in ("", key[1])
    )


def _told(key: Key, record: _Shown) -> Told:
    place = "/".join(key)
    match record:
        case Observed():
            return Told(at=record.at, kind="observed", text=f"{record.ref} ({record.tag[:12]})")
        case Decided(verdict=verdict):
            return verdict_told(record.at, verdict)
        case Progressed():
            text = f"{place} {record.wave} {counted(record)} {record.reason}"
            return Told(
                at=record.at,
                kind=record.step.value,
                text=" ".join(text.split()),
                sequence=record.sequence,
            )
        case HoldSet() | Consented() | Retired():
            return _switched(place, record)
        case VetoSet():
            kind = "veto" if record.on else "unveto"
            text = f"{record.app} {record.version} in {key[0]} {record.reason}".strip()
            return Told(at=record.at, kind=kind, text=text, by=record.by)
        case FleetChanged():
            kind = "joined" if record.joined else "changed"
            return Told(
                at=record.at, kind=kind, text=f"{place} {record.cluster}", sequence=record.sequence
            )
        case Tampered():
            text = f"{record.ref}: {record.recorded[:12]} became {record.found[:12] or 'nothing'}"
            return Told(at=record.at, kind="tampered", text=text)
        case Acknowledged() | Archived() | KeyChanged() | Parted():
            return _noted(record)
        case _:
            assert_never(record)


def _noted(record: Acknowledged | Archived | KeyChanged | Parted) -> Told:
    if isinstance(record, Parted):
        text = f"{record.ref} was recorded apart from the shared ledger, which has {record.found or 'moved'}"
        return Told(at=record.at, kind="parted", text=text)
    if isinstance(record, Acknowledged):
        return Told(at=record.at, kind="acknowledged", text=record.ref, by=record.by)
    if isinstance(record, Archived):
        return Told(at=record.at, kind="archived", text=record.ref)
    return Told(at=record.at, kind="key", text=f"{record.key} {record.reason}".strip())


def _switched(place: str, record: HoldSet | Consented | Retired) -> Told:
    if isinstance(record, Retired):
        kind, text = "emptied" if record.drained else "retired", f"{place} {record.cluster}"
        return Told(at=record.at, kind=kind, text=text, by=record.by, sequence=record.number)
    text = f"{place} {record.reason}".strip()
    if isinstance(record, Consented):
        kind, about = record.verb.value, record.sequence
        return Told(at=record.at, kind=kind, text=text, by=record.by, sequence=about)
    kind = "hold" if record.on else "unhold"
    return Told(at=record.at, kind=kind, text=text, by=record.by)
