"""A service that accepted every app of a fleet everywhere: ledger, pins and read model, all in place."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from distributor.app import open_service
from distributor.catalog.digests import find
from distributor.cli.playground import PEOPLE, Playground, create_playground
from distributor.model.catalog import EnvironmentFiles
from distributor.model.changes import Actuation
from distributor.model.fleet import Installation
from distributor.model.health import HealthStatus
from distributor.model.ledger import Claimed, Decided, Key, Observed, Progressed, Record, Step
from distributor.model.package import Package
from distributor.model.promotion import GateAnswer, GateResult, Verdict, VerdictOutcome
from distributor.model.refs import ObjectId
from distributor.model.stored import StoredTarget
from distributor.model.tags import Verb
from distributor.placement.instances import installations
from distributor.placement.placing import Placer
from distributor.ports import TreeChange
from distributor.services.asking.founding import found_ledger
from distributor.services.ledger.book import Entry
from distributor.services.service import Service
from distributor.services.state.looking import Snapshot
from distributor.settings import Settings, load
from tests.benchmarks import fleet

GATES = (
    "tamper",
    "reachable",
    "signature",
    "roles",
    "provenance",
    "predecessors",
    "renders",
    "schemas",
)
_DECIDED = 2
"""The first records of a verdict: what was seen, and what was decided."""


def sample(root: Path) -> Playground:
    """The playground of the sample catalog."""
    return create_playground(root, datetime.now(UTC))


def playground(root: Path, files: Mapping[str, bytes]) -> Playground:
    """The playground with a generated repository in place of the sample's catalog and environments."""
    place = sample(root)
    for name in ("catalog", "environments"):
        shutil.rmtree(place.catalog / name)
    shutil.rmtree(place.clusters)
    for path, data in files.items():
        file = place.catalog / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    place.commit("The fleet", datetime.now(UTC))
    return place


def settings(place: Playground) -> Settings:
    return load({}, {}, place.root).settings


async def found(place: Playground) -> None:
    async with open_service(settings(place), writing=True) as service:
        await found_ledger(service.world)


async def accept_everything(place: Playground, *, carried_out: bool = True) -> int:
    """Record that every instance was accepted, and verified and seen on all its clusters; how many targets.

    Unless ``carried_out``, nothing came after the verdicts: that is for a service to do.
    """
    async with open_service(settings(place), writing=True) as service:
        await found_ledger(service.world)
        snapshot = await service.look()
        records: list[tuple[Key, Record]] = []
        pins: dict[str, TreeChange] = {}
        rows: list[StoredTarget] = []
        refs: dict[str, ObjectId] = {}
        for given in _verdicts(service, snapshot):
            verdict = given if carried_out else _tagged(service, given)
            refs[f"refs/tags/{verdict.ref}"] = verdict.tag
            key = (verdict.environment, verdict.instance)
            found = itertools.islice(_records(verdict), None if carried_out else _DECIDED)
            records += [(key, record) for record in found]
            pins[f"pins/{key[0]}/{key[1]}/{verdict.sequence}"] = ("tree", _pin(service, verdict))
            rows += _rows(verdict)
        if not carried_out:
            await service.world.remote.push(refs, expect=dict.fromkeys(refs))
        await service.book.append(Entry(records=records, message="everything", pins=pins))
        for start in range(0, len(rows) if carried_out else 0, 5_000):
            await service.world.store.save_targets(rows[start : start + 5_000])
        return len(rows)


def _verdicts(service: Service, snapshot: Snapshot) -> Iterator[Verdict]:
    catalog, numbers = snapshot.catalog, itertools.count(1)
    root = service.world.objects.tree_of(snapshot.main)
    if catalog.findings:
        msg = f"the generated catalog is broken: {catalog.findings[0]}"
        raise ValueError(msg)
    for environment, files in catalog.environments.items():
        placer = Placer(files)
        for installation in installations(catalog, environment).values():
            package = catalog.package(installation.app, fleet.VERSION)
            if package is not None:
                yield _verdict(
                    service, snapshot, root, (package, installation, files, placer), next(numbers)
                )


def _verdict(
    service: Service,
    snapshot: Snapshot,
    root: ObjectId,
    subject: tuple[Package, Installation, EnvironmentFiles, Placer],
    number: int,
) -> Verdict:
    package, installation, _, placer = subject
    answers = tuple(
        GateAnswer(number=n, gate=gate, result=GateResult.PASS, message="as it should be")
        for n, gate in enumerate(GATES, start=1)
    )
    targets = tuple(t.name for t in placer.place(package, installation).targets)
    return Verdict(
        ref=f"promote/{installation.environment}/{installation.instance}/{package.version}",
        tag=ObjectId(f"{number:040x}"),
        verb=Verb.PROMOTE,
        environment=installation.environment,
        instance=installation.instance,
        outcome=VerdictOutcome.ACCEPTED,
        answers=answers,
        principal="anonymous",
        sequence=number,
        revision=service.gatherer.revision(root, package, installation),
        commit=snapshot.main,
        policy_commit=snapshot.main,
        targets=targets,
        reason="benchmark",
    )


def _tagged(service: Service, verdict: Verdict) -> Verdict:
    """The verdict on a tag that there is: a service that runs looks at its tags."""
    tag = service.world.objects.write_tag(
        verdict.ref,
        verdict.commit,
        message=f"{verdict.ref}\n",
        at=datetime.now(UTC),
        tagger=PEOPLE["sre"],
        signer=None,
    )
    return replace(verdict, tag=tag)


def _records(verdict: Verdict) -> Iterator[Record]:
    now = datetime.now(UTC)
    yield Observed(at=now, ref=verdict.ref, tag=verdict.tag, raw=b"tag " * 128)
    yield Decided(at=now, verdict=verdict)
    claim = Claimed(at=now, holder="benchmark", number=1, expires=now + timedelta(minutes=1))
    yield claim
    number = verdict.sequence
    yield Progressed(at=now, step=Step.STARTED, sequence=number)
    yield Progressed(at=now, step=Step.WAVE, sequence=number, wave="all")
    results = dict.fromkeys(verdict.targets, "delivered")
    yield Progressed(at=now, step=Step.VERIFIED, sequence=number, targets=results)
    yield replace(claim, expires=now, released=True)


def _pin(service: Service, verdict: Verdict) -> ObjectId:
    """What `pin_paths` gives where every cluster of the environment is a target: whole folders."""
    objects, revision = service.world.objects, verdict.revision
    root = objects.tree_of(verdict.commit)
    here = f"environments/{verdict.environment}"
    paths = [f"{here}/environment.yaml", f"{here}/clusters", "environments/tiers"]
    if revision is not None:
        folder = f"catalog/{revision.app}"
        paths += [f"{folder}/app.yaml", f"{folder}/{revision.version}"]
    changes: dict[str, TreeChange] = {}
    for path in paths:
        entry = find(objects, root, path)
        if entry is not None:
            changes[path] = (entry.kind.value, entry.id)
    return objects.write_tree(None, changes)


def _rows(verdict: Verdict) -> Iterator[StoredTarget]:
    at = datetime.now(UTC).isoformat()
    detail = '{"version":"1.0.0","verb":"promote","delivered":true,"objects":{},"findings":[],"changed":{}}'
    for cluster in verdict.targets:
        yield StoredTarget(
            environment=verdict.environment,
            instance=verdict.instance,
            cluster=cluster,
            sequence=verdict.sequence,
            actuation=Actuation.APPLIED.value,
            health=HealthStatus.UNKNOWN.value,
            message="",
            observed_at=at,
            detail=detail,
        )
