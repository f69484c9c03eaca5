"""Desired state: what an accepted verdict pinned, read back as a subject to render."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from distributor.catalog.digests import config_paths, find
from distributor.errors.git import LedgerBroken
from distributor.ledger import agreed
from distributor.model.catalog import Catalog
from distributor.model.fleet import Cluster, Environment
from distributor.model.ledger import Consented, Genesis
from distributor.model.promotion import Verdict
from distributor.model.refs import ObjectId
from distributor.model.trees import EntryKind
from distributor.placement.instances import installations
from distributor.ports import TreeChange
from distributor.services.ledger.book import LedgerBook
from distributor.services.rendering.renderer import Subject
from distributor.services.state.standing_in import activated, stand_in_of
from distributor.services.world import World


@dataclass(frozen=True, slots=True, kw_only=True)
class Desired:
    """An accepted revision with everything that is needed to render it, from its pinned tree alone.

    ``agreed`` is what people agreed to for it when this was read, ``names`` are all instances then. Sequence
    numbers below ``renewed_below`` are of the ledger that this one renews.
    """

    verdict: Verdict
    subject: Subject
    clusters: Mapping[str, Cluster]
    agreed: tuple[Consented, ...] = ()
    names: tuple[str, ...] = ()
    renewed_below: int = 0

    @property
    def environment(self) -> Environment:
        """The environment as it was pinned."""
        return self.subject.files.environment


def read_desired(world: World, book: LedgerBook, verdict: Verdict) -> Desired:
    """Read what a verdict pinned; raises ``LedgerBroken`` where the pin is not whole."""
    pin = book.pinned(verdict.environment, verdict.instance, verdict.sequence)
    if pin is None:
        raise LedgerBroken(f"(sequence {verdict.sequence} pins nothing)")
    own = subject_of(world.loader.load(pin), verdict)
    subject = activated(own, stand_in_of(world, pin, verdict))
    files = subject.files.clusters
    clusters = {name: files[name] for name in verdict.targets if name in files}
    if len(clusters) != len(verdict.targets):
        missing = sorted(set(verdict.targets) - set(clusters))
        raise LedgerBroken(f"(sequence {verdict.sequence} pins no cluster file for {missing})")
    return Desired(
        verdict=verdict,
        subject=subject,
        clusters=clusters,
        agreed=agreed(book.state, verdict),
        names=book.names,
        renewed_below=renewed_below(book.state.genesis),
    )


def own_subject(world: World, book: LedgerBook, verdict: Verdict) -> Subject:
    """The subject that a verdict pinned, with the environment's own values even where it stood in for another."""
    pin = book.pinned(verdict.environment, verdict.instance, verdict.sequence)
    if pin is None:
        raise LedgerBroken(f"(sequence {verdict.sequence} pins nothing)")
    return subject_of(world.loader.load(pin), verdict)


def renewed_below(genesis: Genesis) -> int:
    """The first sequence number of a renewed ledger; 0 for one that renews none."""
    return genesis.next_sequence if genesis.previous else 0


def subject_of(catalog: Catalog, verdict: Verdict) -> Subject:
    """The subject of a verdict in a catalog."""
    revision = verdict.revision
    files = catalog.environments.get(verdict.environment)
    package = catalog.package(revision.app, revision.version) if revision else None
    found = installations(catalog, verdict.environment).get(verdict.instance) if files else None
    if revision is None or files is None or package is None or found is None:
        reasons = "; ".join(str(f) for f in catalog.findings[:3])
        raise LedgerBroken(
            f"(sequence {verdict.sequence}: its pinned tree is not whole. {reasons})"
        )
    return Subject(catalog=catalog, package=package, installation=found, files=files)


def pin_paths(
    world: World, root: ObjectId, subject: Subject, fleet: Mapping[str, TreeChange]
) -> dict[str, TreeChange]:
    """The files and folders that a verdict pins: a small repository of its own.

    Package and configuration come from ``root``; ``fleet`` holds the cluster files by path.
    """
    package, environment = subject.package, subject.files.environment.name
    tiers = package.fits.tiers or tier_names(world, root)
    instance = subject.installation.instance
    wanted = [
        f"catalog/{package.app}/app.yaml",
        f"catalog/{package.app}/{package.version}",
        *config_paths(world.objects, root, environment=environment, instance=instance, tiers=tiers),
    ]
    found = {path: at_path(world, root, path) for path in wanted} | dict(fleet)
    return {path: change for path, change in found.items() if change is not None}


def policy_pin(world: World, commit: ObjectId) -> dict[str, TreeChange]:
    """What keeps the policy of a commit, by path in the ledger: a verdict is judged by it later."""
    root = world.objects.tree_of(commit)
    found = {part: at_path(world, root, part) for part in ("policies", "environments")}
    return {f"policies/{commit}/{part}": change for part, change in found.items() if change}


def policy_root(world: World, commit: ObjectId) -> ObjectId:
    """The root tree to read a commit's policy from: what the ledger keeps, else the commit itself."""
    head = world.objects.resolve(world.ledger_ref)
    kept = at_path(world, world.objects.tree_of(head), f"policies/{commit}") if head else None
    return kept[1] if kept is not None else world.objects.tree_of(commit)


def tier_names(world: World, root: ObjectId) -> tuple[str, ...]:
    """The tiers that a root tree has."""
    change = at_path(world, root, "environments/tiers")
    if change is None or change[0] != "tree":
        return ()
    return tuple(e.name for e in world.objects.entries(change[1]) if e.kind is EntryKind.TREE)


def at_path(world: World, root: ObjectId, path: str) -> TreeChange:
    """What stands at a path of a tree, in the form that ``write_tree`` takes; ``None`` for nothing."""
    entry = find(world.objects, root, path)
    return None if entry is None else (entry.kind.value, entry.id)


def cluster_files(
    world: World, root: ObjectId, environment: str, names: Iterable[str]
) -> dict[str, TreeChange]:
    """What stands at the paths of some clusters' files, from one look at their folder."""
    folder = f"environments/{environment}/clusters"
    change = at_path(world, root, folder)
    entries = world.objects.entries(change[1]) if change and change[0] == "tree" else ()
    there = {entry.name: (entry.kind.value, entry.id) for entry in entries}
    return {f"{folder}/{name}.yaml": there.get(f"{name}.yaml") for name in names}
