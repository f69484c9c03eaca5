"""Joining: clusters that main adds or changes later get what is accepted, recorded in the ledger."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from distributor import log
from distributor.errors import DistributorError
from distributor.ledger import stopped
from distributor.model.capacity import Resources
from distributor.model.catalog import EnvironmentFiles
from distributor.model.findings import Finding, errors
from distributor.model.fleet import Cluster
from distributor.model.ledger import FleetChanged, InstanceState, Key, Step
from distributor.model.tags import Verb
from distributor.placement.placing import place
from distributor.services.ledger.book import Entry, LedgerBook
from distributor.services.rendering.behind import Behind
from distributor.services.rendering.failures import passes_by
from distributor.services.rendering.renderer import Renderer
from distributor.services.rollouts.fitting import needs_of, unfit
from distributor.services.rollouts.rolling import owed
from distributor.services.state.desired import Desired, at_path, read_desired
from distributor.services.state.journal import Journal
from distributor.services.state.looking import Snapshot
from distributor.services.state.waiting import Waiting, remember
from distributor.services.world import World


@dataclass(frozen=True, slots=True, kw_only=True)
class _Newcomer:
    """A cluster whose file main added or changed, and the file's bytes by object id."""

    cluster: Cluster
    joined: bool
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Candidate:
    """What an instance should hold, and the clusters that are not part of it yet."""

    key: Key
    desired: Desired
    newcomers: tuple[_Newcomer, ...]


_Check = tuple[Key, int, frozenset[str]]
"""What is checked: instance, sequence number, and the digests of the newcomers' files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """What keeps each newcomer out by its own values, and what would be asked of it, by cluster name."""

    findings: Mapping[str, tuple[Finding, ...]]
    needs: Mapping[str, Resources]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """What a check gave, and when it is worth making again; ``None`` while nothing moves."""

    found: _Found
    again: datetime | None


_SLOTS = 8
"""Instances whose newcomers are rendered at once, so that memory stays bounded."""


class Joiner:
    """Takes newcomers in after the gates that look at a cluster's own values: renders, schemas and fit.

    What runs there is the pinned revision; only the cluster's own file is taken from main.
    """

    def __init__(
        self,
        world: World,
        book: LedgerBook,
        renderer: Renderer,
        journal: Journal,
        ready: Callable[[], None],
    ) -> None:
        self._world = world
        self._book = book
        self._renderer = renderer
        self._journal = journal
        self._done: tuple[str, str] | None = None  # main and ledger that hold no newcomer any more
        self._refused: set[tuple[Key, str]] = set()  # told once for each file
        self._waiting: list[Waiting] = []  # what this pass could not take in
        self._known: dict[_Check, _Known] = {}
        self._complete: dict[Key, tuple[InstanceState, EnvironmentFiles]] = {}  # with no newcomer
        self._again: datetime | None = None  # when something that failed is worth another try
        self._checks: Behind[_Check, _Found] = Behind(ready)
        self._slots = asyncio.Semaphore(_SLOTS)
        self._log = log.get("joining")

    async def join_all(self, snapshot: Snapshot) -> int:
        """Take in every newcomer of every instance whose rollout is over; how many there were.

        What could not be taken in is looked at again when main or the ledger moves; what still renders,
        when that is done; what failed for a reason that may pass, when it is worth another try.
        """
        count, now = 0, self._world.clock.now()
        asked = (snapshot.main, self._book.state.head)
        if self._done == asked and not _due(self._again, now):
            return count
        epoch, self._waiting, self._again = self._book.epoch, [], None
        candidates = {_check_of(c): c for c in self._candidates(snapshot)}
        self._known = {
            check: known
            for check, known in self._known.items()
            if check in candidates and not _due(known.again, now)
        }
        self._checks.begin_pass(candidates.keys() - self._known.keys())
        for check in candidates.keys() - self._known.keys():
            self._checks.begin(check, partial(self._findings, candidates[check]))
        late = False
        for check, candidate in candidates.items():
            try:
                found = await self._found(check)
                if found is None:
                    late = True
                else:
                    count += await self._join(snapshot, candidate, found, epoch)
            except DistributorError as error:
                self._again = now
                self._log.warning("newcomers wait", key=candidate.key, error=str(error))
        if not late:
            await remember(self._world, self._waiting)
            self._done = asked
        return count

    async def _found(self, check: _Check) -> _Found | None:
        """What keeps the newcomers of one check out; ``None`` where that is not known yet.

        It is kept as long as it is sure, so that what is refused is not rendered over and over while
        another check takes its time.
        """
        known = self._known.get(check)
        if known is None:
            for found in await self._checks.take(check):
                again = _again(found.findings, self._world.clock.now())
                known = self._known[check] = _Known(found=found, again=again)
        if known is None:
            return None
        if known.again is not None:
            self._again = min(self._again or known.again, known.again)
        return known.found

    @property
    def busy(self) -> bool:
        """Whether newcomers are left to be taken in when their render is done."""
        return self._checks.busy

    async def stop(self) -> None:
        """End what is under way."""
        await self._checks.stop()

    def _candidates(self, snapshot: Snapshot) -> Iterator[_Candidate]:
        """The newcomers of each instance that may have some; those of what moved since it had none."""
        known, self._complete = self._complete, {}
        for key, state in tuple(self._book.state.instances.items()):
            desired = state.desired
            progress = state.progress.get(desired.sequence) if desired else None
            if desired is None or desired.verb is Verb.REMOVE or owed(state):
                continue
            if progress is not None and progress.end is Step.FAILED:
                continue  # what failed is given to nobody else
            if key[0] not in snapshot.catalog.environments or stopped(self._book.state, *key):
                continue
            files = snapshot.catalog.environments[key[0]]
            before = known.get(key)
            if before is not None and before[0] is state and before[1] is files:
                self._complete[key] = before
                continue
            try:
                read = read_desired(self._world, self._book, desired)
            except DistributorError as error:
                self._log.warning("newcomers wait", key=key, error=str(error))
                continue
            if newcomers := self._newcomers(snapshot, read):
                yield _Candidate(key=key, desired=read, newcomers=tuple(newcomers))
            else:
                self._complete[key] = (state, files)

    async def _join(
        self, snapshot: Snapshot, candidate: _Candidate, checked: _Found, epoch: int
    ) -> int:
        key, desired = candidate.key, candidate.desired
        found = self._with_fit(snapshot, candidate, checked)
        fine = [n for n in candidate.newcomers if not found[n.cluster.name]]
        for newcomer in candidate.newcomers:
            if found[newcomer.cluster.name]:
                await self._refuse(key, newcomer, found[newcomer.cluster.name][0])
        if not fine:
            return 0
        now, root = self._book.now(), self._world.objects.tree_of(snapshot.main)
        folder = f"pins/{key[0]}/{key[1]}/{desired.verdict.sequence}"
        records = [
            FleetChanged(
                at=now,
                joined=n.joined,
                cluster=n.cluster.name,
                file=n.cluster.file_digest,
                sequence=desired.verdict.sequence,
            )
            for n in fine
        ]
        pins = {f"{folder}/{n.path}": at_path(self._world, root, n.path) for n in fine}
        names = ", ".join(n.cluster.name for n in fine)
        entry = Entry(
            records=[(key, record) for record in records],
            message=f"fleet of {key[0]}/{key[1]}: {names}",
            pins=pins,
        )
        await self._book.append(entry, epoch=epoch)
        for n in fine:
            text = "joined" if n.joined else "has new facts"
            await self._journal.tell(
                "fleet", text, environment=key[0], instance=key[1], cluster=n.cluster.name
            )
        return len(fine)

    def _with_fit(
        self, snapshot: Snapshot, candidate: _Candidate, checked: _Found
    ) -> Mapping[str, tuple[Finding, ...]]:
        """What keeps newcomers out, gate 12 asked anew each time: what runs beside them may have changed."""
        clusters = {n.cluster.name: n.cluster for n in candidate.newcomers}
        kept = unfit(
            self._world,
            self._book,
            snapshot,
            candidate.desired,
            clusters=clusters,
            needs=checked.needs,
            now=self._book.now(),
        )
        return {name: own or kept.get(name, ()) for name, own in checked.findings.items()}

    def _newcomers(self, snapshot: Snapshot, desired: Desired) -> list[_Newcomer]:
        """Clusters that would be targets by main's files, and are not, or not with these facts."""
        environment = desired.verdict.environment
        files = snapshot.catalog.environments[environment]
        installation = desired.subject.installation
        room = installation.count == 0 or len(desired.clusters) < installation.count
        fresh = {
            name: cluster
            for name, cluster in files.clusters.items()
            if (name in desired.clusters or room)
            and (
                name not in desired.clusters
                or desired.clusters[name].file_digest != cluster.file_digest
            )
        }
        if not fresh:
            return []
        candidates = replace(desired.subject.files, clusters=fresh)
        placed = place(
            desired.subject.package,
            replace(installation, count=0),
            candidates,
            present=frozenset(desired.clusters),
        )
        found = [
            _Newcomer(
                cluster=target.cluster,
                joined=target.name not in desired.clusters,
                path=f"environments/{environment}/clusters/{target.name}.yaml",
            )
            for target in placed.targets
        ]
        rest = max(0, installation.count - len(desired.clusters))
        joining = [n for n in found if n.joined]
        return [n for n in found if not n.joined] + (
            joining[:rest] if installation.count else joining
        )

    async def _findings(self, candidate: _Candidate) -> _Found:
        """What gates 8 and 9 say of each newcomer's own values, and what gate 12 has to know."""
        subject = candidate.desired.subject
        clusters = {n.cluster.name: n.cluster for n in candidate.newcomers}
        async with self._slots:
            rendered = await self._renderer.render(subject, clusters)
        known = frozenset(subject.package.fits.requires_apis)
        found: dict[str, tuple[Finding, ...]] = {n: (f,) for n, f in rendered.failures.items()}
        for name, manifests in rendered.manifests.items():
            checked = self._world.schemas.check(manifests, clusters[name].kubernetes, known)
            found[name] = tuple(errors(checked))
        needs = needs_of(candidate.desired, clusters, rendered.manifests)
        return _Found(findings=found, needs=needs)

    async def _refuse(self, key: Key, newcomer: _Newcomer, finding: Finding) -> None:
        """A refusal is told once for each file."""
        cluster = newcomer.cluster
        self._waiting.append(_waiting(key, cluster, finding, self._book.now()))
        mark = (key, cluster.file_digest)
        if mark in self._refused:
            return
        self._refused.add(mark)
        text = f"cannot join: {finding}"
        await self._journal.tell(
            "fleet", text, environment=key[0], instance=key[1], cluster=cluster.name
        )


def _due(again: datetime | None, now: datetime) -> bool:
    return again is not None and now >= again


def _again(found: Mapping[str, tuple[Finding, ...]], now: datetime) -> datetime | None:
    """When the first of the findings may have passed; ``None`` where all of them stay."""
    times = (passes_by(f, now) for findings in found.values() for f in findings)
    return min((time for time in times if time is not None), default=None)


def _check_of(candidate: _Candidate) -> _Check:
    files = frozenset(n.cluster.file_digest for n in candidate.newcomers)
    return (candidate.key, candidate.desired.verdict.sequence, files)


def _waiting(key: Key, cluster: Cluster, finding: Finding, now: datetime) -> Waiting:
    return Waiting(
        environment=key[0],
        instance=key[1],
        cluster=cluster.name,
        file=cluster.file_digest,
        text=f"{finding} Remedy: {finding.remedy}",
        since=now,
    )
