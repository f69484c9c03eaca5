"""Auditing: does everything still add up, and making the read model anew."""

from __future__ import annotations

from distributor.catalog.digests import find, package_digest
from distributor.errors import DistributorError, Where
from distributor.errors.catalog import MissingFile
from distributor.errors.git import LedgerBroken, MainRewound, ObjectMissing
from distributor.errors.policy import DigestMismatch, TagDeleted, TagMoved
from distributor.ledger import BRANCH, list_digest, list_folder
from distributor.model.findings import Finding, Severity
from distributor.model.fleet import ALL
from distributor.model.ledger import InstanceState
from distributor.model.promotion import Verdict
from distributor.model.tags import Verb
from distributor.services.asking.views import instance_views, main_findings
from distributor.services.ledger.agreeing import agreed_list
from distributor.services.ledger.book import HEAD, LedgerBook
from distributor.services.service import Service
from distributor.services.state.looking import MAIN_HEAD, Snapshot


async def fsck(service: Service) -> tuple[Finding, ...]:
    """Fold tags and ledger again from nothing, check every signature and pin; every difference found."""
    snapshot = await service.look()
    book = LedgerBook(service.world, thorough=True)
    try:
        fresh = await book.read()
    except DistributorError as error:
        return (Finding.from_error(error),)
    findings = [*main_findings(snapshot), *_main(snapshot)]
    for view in await instance_views(service):
        where = Where(file=f"records/{view.environment}/{view.instance}.jsonl")
        lost = ("no such Installation", "is gone from main")
        if view.vanished or any(text in view.main_ahead for text in lost):
            what = ", ".join(view.vanished) or view.main_ahead
            text = f"(main declares no more what runs: {what})"
            findings.append(Finding.of(MissingFile, text, where, severity=Severity.WARNING))
    if fresh.instances != snapshot.ledger.instances or fresh.sequence != snapshot.ledger.sequence:
        findings.append(Finding.of(LedgerBroken, "(this process' state differs from a fresh fold)"))
    for state in fresh.instances.values():
        findings += _tags(snapshot, state)
        for verdict in state.accepted:
            findings += _pin(service, book, verdict)
        findings += _lists(service, state)
    return tuple(findings)


def _main(snapshot: Snapshot) -> list[Finding]:
    """Main where its history was rewritten and nobody acknowledged that."""
    state = snapshot.ledger.instance(ALL, ALL)
    alarms = {(a.recorded, a.found) for a in state.tampered if a.ref.startswith(BRANCH)}
    if snapshot.rewound is not None:
        alarms.add((snapshot.rewound, snapshot.main))
    return [
        Finding.of(MainRewound, f"(it was {was[:12]}, and became {now[:12]})")
        for was, now in sorted(alarms)
    ]


def _tags(snapshot: Snapshot, state: InstanceState) -> list[Finding]:
    """Tags that the remote shows otherwise than the ledger recorded them."""
    findings: list[Finding] = []
    for ref, oid in state.observed.items():
        seen = snapshot.tags.get(ref)
        if seen is None and ref not in state.archived:
            where = Where(file=f"refs/tags/{ref}")
            findings.append(Finding.of(TagDeleted, "", where, severity=Severity.WARNING))
        elif seen is not None and seen != oid:
            text = f"(recorded {oid[:12]}, now {seen[:12]})"
            findings.append(Finding.of(TagMoved, text, Where(file=f"refs/tags/{ref}")))
    return findings


def _pin(service: Service, book: LedgerBook, verdict: Verdict) -> list[Finding]:
    """The accepted trees are still there, and are what was accepted."""
    file = f"pins/{verdict.environment}/{verdict.instance}/{verdict.sequence}"
    revision, objects = verdict.revision, service.world.objects
    try:
        pin = book.pinned(verdict.environment, verdict.instance, verdict.sequence)
        if pin is None or revision is None:
            return [Finding.of(ObjectMissing, "(nothing is pinned)", Where(file=file))]
        folder = find(objects, pin, f"catalog/{revision.app}/{revision.version}")
        if folder is None:
            return [Finding.of(ObjectMissing, f"(no {revision})", Where(file=file))]
        digest = package_digest(objects, folder.id)
    except DistributorError as error:
        return [Finding.from_error(error)]
    if digest != revision.digest and verdict.verb is not Verb.REMOVE:
        return [
            Finding.of(DigestMismatch, f"({digest} instead of {revision.digest})", Where(file=file))
        ]
    return []


def _lists(service: Service, state: InstanceState) -> list[Finding]:
    """The lists of what people agreed to are still there, and are what was agreed to."""
    findings: list[Finding] = []
    for consented in (c for c in state.consents if c.digest):
        where = Where(file=list_folder(consented.digest))
        try:
            kept = list_digest(agreed_list(service.world, consented))
        except DistributorError as error:
            findings.append(Finding.from_error(error))
            continue
        if kept != consented.digest:
            text = f"(what {consented.ref} agreed to is lost, and so permits nothing)"
            findings.append(Finding.of(ObjectMissing, text, where))
    return findings


async def rebuild(service: Service) -> int:
    """Forget the read model and fill it again from the ledger and the targets; how many targets.

    The last heads seen are kept: they are what tells a rewound ledger or main from an honest one.
    """
    store = service.world.store
    kept = {key: await store.get(key) for key in (HEAD, MAIN_HEAD)}
    await store.clear()
    for key, value in kept.items():
        if value is not None:
            await store.set(key, value)
    await service.look()
    return await service.rollouts.resync()
