"""Activating: a standby takes over the values of the environment that it stands in for, and gives them back."""

from __future__ import annotations

from dataclasses import dataclass, replace

from distributor.ledger import standing_veto
from distributor.model.catalog import Catalog
from distributor.model.package import Package
from distributor.model.parity import StandIn, excepted, excepted_keys
from distributor.model.promotion import Verdict
from distributor.model.refs import ObjectId
from distributor.model.tags import Verb
from distributor.placement.instances import installations
from distributor.ports import TreeChange
from distributor.render.parity import Parts, take
from distributor.services.ledger.book import LedgerBook
from distributor.services.promotion.case import Case
from distributor.services.rendering.renderer import Subject
from distributor.services.state.desired import Desired, at_path, own_subject, read_desired
from distributor.services.state.looking import Snapshot
from distributor.services.state.standing_in import activated
from distributor.services.world import World


@dataclass(frozen=True, slots=True, kw_only=True)
class There:
    """An instance in another environment: as it runs there, or as a commit would have it run a package.

    ``exact``: what runs there counts only where it is that very package. ``fresh``: it takes the commit along
    with what is asked, so that what runs there counts no more.
    """

    catalog: Catalog
    package: Package
    environment: str
    instance: str
    exact: bool = False
    fresh: bool = False


def parts_there(world: World, book: LedgerBook, there: There) -> Parts | None:
    """What gives an instance its values in another environment; ``None`` where it has no such instance."""
    running = book.state.instance(there.environment, there.instance).desired
    if running is not None and _counts(running, there):
        subject = own_subject(world, book, running)
        return _parts(subject)
    files = there.catalog.environments.get(there.environment)
    found = installations(there.catalog, there.environment).get(there.instance) if files else None
    if files is None or found is None or found.app != there.package.app:
        return None
    return Parts(package=there.package, installation=found, environment=files.environment)


def activation(world: World, book: LedgerBook, snapshot: Snapshot, case: Case) -> Case:
    """The facts of a failover or failback: the revision that runs, with the values that it would have then."""
    desired, request = case.verdict_before, case.facts.asked
    if desired is None or desired.verb is Verb.REMOVE or desired.revision is None:
        app = desired.revision.app if desired and desired.revision else ""
        facts = replace(case.facts, app=app, instance_exists=False, stands_in="")
        return replace(case, facts=facts)
    read, revision = read_desired(world, book, desired), desired.revision
    own = own_subject(world, book, desired)
    stand_in: StandIn | None = None
    if request.name.verb is Verb.FAILOVER and case.facts.reachable:
        catalog = world.loader.load(world.objects.tree_of(request.tag.target))
        stand_in = _stand_in(world, book, case, There(
            catalog=catalog, package=own.package,
            environment=_stands_by_for(case), instance=desired.instance,
        ))  # fmt: skip
    facts = replace(
        case.facts,
        app=revision.app,
        instance_exists=True,
        revision=revision,
        stands_in=desired.stands_in,
        veto=standing_veto(snapshot.ledger, desired.environment, revision.app, revision.version),
        fits=own.package.fits,
        tiers=tuple(sorted({cluster.tier for cluster in read.clusters.values()})),
        targets=tuple(sorted(read.clusters)),
    )
    pin = book.pinned(desired.environment, desired.instance, desired.sequence)
    return replace(
        case,
        facts=facts,
        root=pin,
        subject=activated(own, stand_in),
        clusters=read.clusters,
        fleet=_fleet(world, pin, read) if pin else {},
        stand_in=stand_in,
    )


def still_standing_in(world: World, book: LedgerBook, case: Case, catalog: Catalog) -> Case:
    """A promotion or rollback of a standby that stands in for another environment: it goes on to do so."""
    before, subject = case.verdict_before, case.subject
    if before is None or not before.stands_in or subject is None:
        return case
    there = There(
        catalog=catalog,
        package=subject.package,
        environment=before.stands_in,
        instance=before.instance,
        fresh=case.facts.ref.split("/")[1] == before.stands_in,
    )
    stand_in = _stand_in(world, book, case, there)
    return replace(case, stand_in=stand_in, subject=activated(subject, stand_in))


def _stand_in(world: World, book: LedgerBook, case: Case, there: There) -> StandIn:
    """What is taken over: the values at the paths that every policy excepts from parity."""
    theirs = parts_there(world, book, there)
    paths = excepted_keys(there.package.app, _excepts(case))
    values = take(theirs.values, paths) if theirs is not None else ()
    return StandIn(environment=there.environment, values=values)


def _excepts(case: Case) -> list[str]:
    here = case.facts.name.environment
    rules = [v.environments[here] for v in case.facts.policies if here in v.environments]
    if not rules:
        return []
    first, *others = (rule.parity_except for rule in rules)
    return [path for path in first if all(excepted(path, other) for other in others)]


def _stands_by_for(case: Case) -> str:
    """The environment that the first policy, main's as a rule, says; gate 1 asks the others too."""
    here = case.facts.name.environment
    rules = (v.environments[here] for v in case.facts.policies if here in v.environments)
    return next((rule.standby_for for rule in rules), "")


def _fleet(world: World, pin: ObjectId, read: Desired) -> dict[str, TreeChange]:
    folder = f"environments/{read.verdict.environment}/clusters"
    paths = [f"{folder}/{name}.yaml" for name in read.clusters]
    return {path: at_path(world, pin, path) for path in paths}


def _counts(running: Verdict, there: There) -> bool:
    revision = running.revision if running.verb is not Verb.REMOVE else None
    if revision is None or there.fresh or revision.app != there.package.app:
        return False
    return not there.exact or revision.digest == there.package.digest


def _parts(subject: Subject) -> Parts:
    return Parts(
        package=subject.package,
        installation=subject.installation,
        environment=subject.files.environment,
    )
