"""Verifying: a tag explained from what was fetched before: each of its bindings, one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from distributor.catalog.tag_checks import Apart, take_apart
from distributor.errors import DistributorError
from distributor.errors.policy import NotOnMain, TagMoved
from distributor.ledger import prev_before
from distributor.model.checks import CheckResult, TagCheck
from distributor.model.findings import Finding
from distributor.model.ledger import Genesis, InstanceState, LedgerState
from distributor.model.promotion import VerdictOutcome
from distributor.model.refs import ObjectId
from distributor.model.tags import ObservedTag, Request, Verb
from distributor.policy import GateFacts, PolicyView, is_openpgp
from distributor.policy.explaining import content_checks, right_checks, signer_checks
from distributor.services.promotion.case import Case
from distributor.services.promotion.opening import key_of
from distributor.services.promotion.policing import policy_views
from distributor.services.service import Service
from distributor.services.state.looking import Snapshot, look, observe

_FETCH = "Fetch first: `git fetch origin` in the clone, or `distributor status`."
_RENAMED = "The name does not say whose policy and ledger file it belongs to."


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """A tag with all of its checks, and how the ledger decided about it, where it did."""

    ref: str
    tag: str
    result: CheckResult
    principal: str
    verdict: str
    checks: tuple[TagCheck, ...]


async def explain_tag(
    service: Service,
    ref: str,
    oid: ObjectId,
    *,
    mirrored: ObjectId | None = None,
    trouble: DistributorError | None = None,
) -> Explained:
    """Check every binding of a tag against main, policies and ledger as they were last fetched.

    ``mirrored`` is another object that the shared repository has under this name, ``trouble`` why the
    ledger at hand is not believed.
    """
    tag = observe(service.world, ref, oid)
    apart = take_apart(tag)
    snapshot, told = await _snapshot(service, trouble)
    checks = [*apart.checks]
    if mirrored is not None:
        text = f"The shared repository shows {mirrored}, here it is {oid}."
        checks.append(TagCheck.refused("ref", TagMoved, text))
    verdict = ""
    if snapshot is None or told is not None:
        checks.append(told or TagCheck.unknown("main", "main is not here.", _FETCH))
    else:
        state = snapshot.ledger.instance(*key_of(ref))
        verdict = _verdict(state, ref, oid)
        checks.append(_ledger(snapshot.ledger, state, ref, oid, verdict))
    if snapshot is not None:
        checks += await _bound(service, snapshot, tag, apart)
    return Explained(
        ref=ref,
        tag=oid,
        result=_worst(checks),
        principal=next((c.text for c in checks if c.what == "principal" and not c.code), ""),
        verdict=verdict,
        checks=tuple(checks),
    )


async def _snapshot(
    service: Service, trouble: DistributorError | None
) -> tuple[Snapshot | None, TagCheck | None]:
    """What is known, and the check that says so where the ledger is not."""
    world = service.world
    main = world.objects.resolve(world.main_ref)
    if main is None:
        return None, None
    if world.objects.resolve(world.ledger_ref) is not None:
        return await look(world, service.book), None
    root = world.objects.tree_of(main)
    snapshot = Snapshot(
        main=main,
        catalog=world.loader.load(root),
        policies=world.loader.policies(root),
        ledger=LedgerState(head=ObjectId(""), genesis=Genesis(at=service.now(), main=main, key="")),
        tags={},
    )
    if trouble is not None:
        return snapshot, TagCheck.failed("ledger", Finding.from_error(trouble))
    text = "the ledger is not here: nothing is known of what was accepted before"
    return snapshot, TagCheck.unknown("ledger", text, _FETCH)


def _verdict(state: InstanceState, ref: str, oid: ObjectId) -> str:
    """How the ledger decided about this very object; empty where it did not."""
    last = state.last_verdicts.get(ref)
    if last is None or last.tag != oid:
        return ""
    if last.accepted:
        return f"accepted as sequence {last.sequence}"
    return f"{last.outcome.value}: {'; '.join(last.reasons())}"


def _ledger(
    ledger: LedgerState, state: InstanceState, ref: str, oid: ObjectId, verdict: str
) -> TagCheck:
    known = state.observed.get(ref)
    if known is not None and known != oid:
        return TagCheck.refused("ledger", TagMoved, f"The ledger knows it as {known}.")
    if ledger.genesis.tags.get(ref) == oid:
        return TagCheck.ok("ledger", "it is older than the ledger, and history")
    if known is None:
        return TagCheck.ok("ledger", "not seen by a service yet")
    seen = f"seen first at {state.observed_at[ref].isoformat()}"
    return TagCheck.ok("ledger", f"{seen}; {verdict}" if verdict else seen)


async def _bound(
    service: Service, snapshot: Snapshot, tag: ObservedTag, apart: Apart
) -> list[TagCheck]:
    """The checks that need main and the ledger: signer, right, commit, content and chain."""
    if apart.tag is None:
        return []
    if apart.name is None:
        return [TagCheck.unknown("signature", _RENAMED)]
    views = policy_views(service.world, snapshot, apart.name.environment)
    ref = tag.ref.removeprefix("refs/tags/")
    state = snapshot.ledger.instance(*key_of(ref))
    now = state.observed_at.get(ref) or service.now()
    seals = {
        view.commit: await service.world.openpgp(apart.tag.signed, apart.tag.signature, view.policies.pgp)
        for view in views
        if service.world.openpgp is not None and is_openpgp(apart.tag.signature)
    }  # fmt: skip
    found = [*signer_checks(apart.tag, views, seals, now)]
    try:
        case = await service.gatherer.sealed(service.gatherer.case(snapshot, tag))
    except DistributorError as error:
        return [*found, TagCheck.failed("content", Finding.from_error(error))]
    if not isinstance(case.facts.request, Request):
        return [*found, *_reachable(service, snapshot, apart, views)]
    known = bool(snapshot.ledger.head)
    decided = state.outcomes.get(tag.id) in (VerdictOutcome.ACCEPTED, VerdictOutcome.REFUSED)
    cases = case.members or (case,)
    for one in cases:
        facts = _as_asked(snapshot, one, case)
        checks = [*right_checks(facts, now), *content_checks(facts, now)]
        found += _told(checks, facts, known=known, decided=decided, many=bool(case.members))
    return list(dict.fromkeys(found))


def _reachable(
    service: Service, snapshot: Snapshot, apart: Apart, views: tuple[PolicyView, ...]
) -> Iterator[TagCheck]:
    """What is still to be said of a tag whose form is wrong."""
    tag = apart.tag
    if tag is None or tag.target_type != "commit" or not views:
        return
    if service.world.objects.is_ancestor(tag.target, snapshot.main):
        yield TagCheck.ok("commit", f"{tag.target[:12]} is on main")
    else:
        yield TagCheck.refused("commit", NotOnMain, f"({tag.target})")


def _as_asked(snapshot: Snapshot, one: Case, whole: Case) -> GateFacts:
    """The facts as they were for a tag that was accepted since: it does not build on itself."""
    name = one.facts.name
    prev = prev_before(snapshot.ledger, name.environment, name.instance, whole.tag.id)
    return replace(one.facts, prev=prev)


def _told(
    checks: list[TagCheck], facts: GateFacts, *, known: bool, decided: bool, many: bool
) -> Iterator[TagCheck]:
    """The checks of one promotion, those that say nothing left out; of a set each with its instance."""
    for check in checks:
        if check.what == "applies" and (decided or facts.verb not in _APPLYING):
            continue
        if check.what == "prev" and not known:
            yield TagCheck.unknown("prev", f"it says {facts.asked.trailers.prev}", _FETCH)
        elif many and check.what != "right":
            yield replace(check, text=f"{facts.name.instance}: {check.text}")
        else:
            yield check


_APPLYING = frozenset({Verb.PAUSE, Verb.RESUME, Verb.ABORT, Verb.RETRY, Verb.RETIRE})
"""The verbs that gate 3 asks about what is going on, as long as they are not decided."""


def _worst(checks: list[TagCheck]) -> CheckResult:
    results = {check.result for check in checks}
    if CheckResult.FAILED in results:
        return CheckResult.FAILED
    return CheckResult.UNKNOWN if CheckResult.UNKNOWN in results else CheckResult.OK
