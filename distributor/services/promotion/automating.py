"""Automating: where an environment says so, the service asks by itself, with a tag like anybody's.

It only ever asks. Its tags are signed with the service's key and go through the same gates; what it asks
in vain is not asked again until something else was accepted, or main offers another revision.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from distributor import log
from distributor.catalog.tags import parse_name
from distributor.errors import DistributorError
from distributor.ledger import (
    failed_by_itself,
    rollback_candidates,
    running_verified,
    standing_holds,
    stopped,
)
from distributor.model.catalog import EnvironmentFiles
from distributor.model.findings import Finding
from distributor.model.fleet import Automation, Installation, Pipeline
from distributor.model.ledger import Key
from distributor.model.package import Package
from distributor.model.promotion import KEEPS_OUT, Verdict, VerdictOutcome
from distributor.model.refs import ObjectId
from distributor.model.tags import SERVICE, TagName, Verb
from distributor.model.versions import Version
from distributor.placement.instances import installations
from distributor.policy import GateFacts, authorise, foresee
from distributor.services.ledger.book import LedgerBook
from distributor.services.promotion.gathering import Gatherer
from distributor.services.promotion.policing import policy_views
from distributor.services.promotion.requesting import Ask, hypothetical, make_request
from distributor.services.state.looking import Snapshot
from distributor.services.world import World

_FIRST = frozenset({"provenance", "veto"})
_BEFORE = frozenset({"predecessors", "soak"})
"""What keeps the service from asking; all else is for the request itself to be told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """One instance that may be asked for."""

    snapshot: Snapshot
    files: EnvironmentFiles
    installation: Installation
    mode: Automation

    @property
    def environment(self) -> str:
        return self.files.environment.name

    @property
    def instance(self) -> str:
        return self.installation.instance

    @property
    def key(self) -> Key:
        return self.environment, self.instance

    @property
    def desired(self) -> Verdict | None:
        return self.snapshot.ledger.instance(self.environment, self.instance).desired

    def packages(self) -> dict[str, Package]:
        return dict(self.snapshot.catalog.packages.get(self.installation.app, {}))


class Automat:
    """Makes the requests that environments ask for by themselves."""

    def __init__(self, world: World, book: LedgerBook, gatherer: Gatherer) -> None:
        self._world = world
        self._book = book
        self._gatherer = gatherer
        self._seen: tuple[ObjectId, ObjectId] | None = None
        self.ask_at: datetime | None = None
        """When a soak that is waited for may be over."""
        self._log = log.get("automat")

    def active(self, snapshot: Snapshot) -> bool:
        """Whether any environment asks for anything by itself."""
        return self._world.signer is not None and any(map(_automatic, _environments(snapshot)))

    async def ask(self, snapshot: Snapshot) -> int:
        """Make the requests that are due; how many were made. Nothing is looked at where nothing moved."""
        now = self._book.now()
        snapshot = replace(snapshot, ledger=self._book.state)
        seen = (snapshot.main, snapshot.ledger.head)
        waits = self.ask_at is None or now < self.ask_at
        if not self.active(snapshot) or (seen == self._seen and waits):
            return 0
        self._seen, self.ask_at, made = seen, None, 0
        for place in self._places(snapshot):
            try:
                made += await self._go_back(place) or await self._ask(place, now)
            except DistributorError as error:
                self._log.warning(
                    "an automatic request was not made",
                    environment=place.environment,
                    instance=place.instance,
                    error=str(error),
                )
        return made

    def _places(self, snapshot: Snapshot) -> Iterator[_Place]:
        """The instances for which main's policy and the accepted one both want requests made."""
        for files in _environments(snapshot):
            if not _automatic(files):
                continue
            name = files.environment.name
            views = policy_views(self._world, snapshot, name)
            known = [v.environments[name] for v in views if name in v.environments]
            modes = {environment.promotion for environment in known}
            mode = files.environment.promotion if len(modes) == 1 else Automation.MANUAL
            for installation in installations(snapshot.catalog, name).values():
                key = (name, installation.instance)
                if not (standing_holds(snapshot.ledger, *key) or stopped(snapshot.ledger, *key)):
                    yield _Place(
                        snapshot=snapshot, files=files, installation=installation, mode=mode
                    )

    async def _go_back(self, place: _Place) -> int:
        """Ask for the last verified version where the desired one failed by itself; 1 where that was done."""
        here = place.snapshot.ledger.instance(place.environment, place.instance)
        asked = place.files.environment.rollback_on_failure
        if not asked or not failed_by_itself(place.snapshot.ledger, *place.key):
            return 0
        tried = any(
            v.verb is Verb.ROLLBACK and here.desired is not None and v.prev == here.desired.tag
            for v in here.last_verdicts.values()
        )
        if tried or not rollback_candidates(place.snapshot.ledger, *place.key):
            return 0
        ask = Ask(
            verb=Verb.ROLLBACK,
            environment=place.environment,
            instance=place.instance,
            reason="automatic: the rollout failed",
        )
        return await self._push(place, ask)

    async def _push(self, place: _Place, ask: Ask) -> int:
        asked = await make_request(
            self._world, place.snapshot, ask, tagger=SERVICE, signer=self._world.signer
        )
        self._log.info("asked", ref=asked.ref, reason=ask.reason)
        return 1

    async def _ask(self, place: _Place, now: datetime) -> int:
        """Ask for the first version that may come; 1 where a request was made."""
        if place.desired is not None and place.desired.verb is Verb.REMOVE:
            return 0
        for version, reason in self._wanted(place):
            if _open(place, version):
                return 0
            ask = Ask(
                verb=Verb.PROMOTE,
                environment=place.environment,
                instance=place.instance,
                version=version,
                reason=f"automatic: {reason}",
            )
            facts = self._facts(place, ask)
            if self._may_come(facts, now):
                return await self._made(place, ask, facts)
        return 0

    def _facts(self, place: _Place, ask: Ask) -> GateFacts:
        name, tag = hypothetical(
            self._world, place.snapshot, ask, tagger=SERVICE, signer=self._world.signer
        )
        return self._gatherer.case(place.snapshot, self._gatherer.observe(name, tag)).facts

    async def _made(self, place: _Place, ask: Ask, facts: GateFacts) -> int:
        return 0 if _in_vain(place, facts) else await self._push(place, ask)

    def _wanted(self, place: _Place) -> Iterator[tuple[str, str]]:
        """The versions to ask for, the best first, each with the reason."""
        match place.mode:
            case Automation.NEWEST:
                for version in _newer(place):
                    yield version, "the newest that is verified before"
            case Automation.AS_PREDECESSOR:
                for version in _as_predecessor(place):
                    yield version, "the environments before run it"
            case Automation.MANUAL:
                pass
        desired = place.desired
        if place.files.environment.configuration_automatic and desired and desired.revision:
            package = place.packages().get(desired.revision.version)
            if package is not None and package.digest == desired.revision.digest:
                root = self._world.objects.tree_of(place.snapshot.main)
                here = self._gatherer.revision(root, package, place.installation)
                if not here.same(desired.revision):
                    yield desired.revision.version, "main's configuration is newer"

    def _may_come(self, facts: GateFacts, now: datetime) -> bool:
        """Whether nothing is against it yet; where time alone is, ``ask_at`` says when that is over."""
        early = [a for a in authorise(facts, now) if a.gate in _FIRST and a.result in KEEPS_OUT]
        answers = early or foresee(facts, _BEFORE, now)
        against = [a for a in answers if a.result in KEEPS_OUT]
        if not against:
            return True
        times = [a.until for a in against]
        due = max((t for t in times if t is not None), default=None) if None not in times else None
        if due is not None:
            self.ask_at = due if self.ask_at is None else min(self.ask_at, due)
        return False


def _environments(snapshot: Snapshot) -> Iterable[EnvironmentFiles]:
    return snapshot.catalog.environments.values()


def _automatic(files: EnvironmentFiles) -> bool:
    environment = files.environment
    asks = environment.promotion is not Automation.MANUAL or environment.configuration_automatic
    return asks or environment.rollback_on_failure


def _newer(place: _Place) -> list[str]:
    """Main's versions above the one that is desired, newest first, that never were here before."""
    state = place.snapshot.ledger.instance(place.environment, place.instance)
    been = {verdict.revision.digest for verdict in state.accepted if verdict.revision}
    revision = place.desired.revision if place.desired else None
    least = Version.parse(revision.version) if revision else None
    found = [
        package
        for package in place.packages().values()
        if package.digest not in been and (least is None or package.version > least)
    ]
    return [str(p.version) for p in sorted(found, key=lambda p: p.version, reverse=True)]


def _as_predecessor(place: _Place) -> list[str]:
    """What the environments before run and have verified, last accepted first, unless it runs here."""
    pipeline = place.snapshot.catalog.pipeline
    if pipeline is None:
        return []
    revision = place.desired.revision if place.desired else None
    running = _running(place, pipeline, place.environment)
    ordered = sorted(running.items(), key=lambda item: item[1].sequence, reverse=True)
    found = [v.revision for _, v in ordered if v.revision]
    known = place.packages()
    return [
        r.version
        for r in found
        if r.version in known
        and known[r.version].digest == r.digest
        and (revision is None or r.digest != revision.digest)
    ]


def _running(place: _Place, pipeline: Pipeline, environment: str) -> dict[str, Verdict]:
    """The packages that all (or any, as the pipeline says) steps before one run, by digest.

    A step that has no instance of the app hands the question on to those before it.
    """
    step = pipeline.step(environment)
    found: list[dict[str, Verdict]] = []
    for before in step.after if step is not None else ():
        there = installations(place.snapshot.catalog, before).values()
        app = place.installation.app
        if any(installation.app == app for installation in there):
            verdicts = running_verified(place.snapshot.ledger, before, app)
            found.append({v.revision.digest: v for v in verdicts if v.revision})
        else:
            found.append(_running(place, pipeline, before))
    if step is None or not found:
        return {}
    every = {digest: verdict for each in found for digest, verdict in each.items()}
    if not step.require_all:
        return every
    return {d: v for d, v in every.items() if all(d in each for each in found)}


def _open(place: _Place, version: str) -> bool:
    """Whether somebody's request for this version has not been decided yet, or waits for the same revision."""
    state = place.snapshot.ledger.instance(place.environment, place.instance)
    main = place.snapshot.main
    for ref, tag in place.snapshot.tags.items():
        name = parse_name(ref)
        if isinstance(name, Finding) or not _same(name, place, version):
            continue
        verdict = state.last_verdicts.get(ref)
        if verdict is None or verdict.tag != tag:
            return True
        if verdict.outcome is VerdictOutcome.PENDING and verdict.commit == main:
            return True
    return False


def _same(name: TagName, place: _Place, version: str) -> bool:
    asked = (Verb.PROMOTE, place.environment, place.instance, version)
    return (name.verb, name.environment, name.instance, name.version) == asked


def _in_vain(place: _Place, facts: GateFacts) -> bool:
    """Whether this revision was asked for since the last acceptance, and waits or was refused."""
    state = place.snapshot.ledger.instance(place.environment, place.instance)
    return any(
        verdict.verb is Verb.PROMOTE
        and not verdict.accepted
        and verdict.prev == facts.prev
        and facts.revision is not None
        and facts.revision.same(verdict.revision)
        for verdict in state.last_verdicts.values()
    )
