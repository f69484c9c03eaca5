"""Gathering: the facts about one request that the gates will look at."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from distributor.catalog.digests import config_digest
from distributor.catalog.tags import parse
from distributor.ledger import (
    approvals,
    newest_verified,
    prev_of,
    released,
    rollout_stands,
    standing_holds,
    standing_veto,
    stopped,
    verified_here,
)
from distributor.model.catalog import EnvironmentFiles
from distributor.model.findings import Finding
from distributor.model.fleet import Cluster, Installation
from distributor.model.manifest import ManifestSet
from distributor.model.package import Package
from distributor.model.promotion import Revision, Verdict
from distributor.model.refs import Digest, ObjectId
from distributor.model.tags import ACTIVATIONS, CONSENTS, ObservedTag, Request, Verb, ledger_name
from distributor.placement.instances import installations
from distributor.placement.placing import place
from distributor.policy import Approval, GateFacts, is_openpgp
from distributor.ports import TreeChange
from distributor.render import rendered_digest
from distributor.services.ledger.book import LedgerBook
from distributor.services.promotion import standbys
from distributor.services.promotion.activating import activation, still_standing_in
from distributor.services.promotion.authors import asks_for_approvals, authors
from distributor.services.promotion.case import Case
from distributor.services.promotion.elsewhere import Asked, elsewhere, running_on
from distributor.services.promotion.neighbours import cluster_facts
from distributor.services.promotion.policing import policy_views
from distributor.services.promotion.reaching import reach_of
from distributor.services.promotion.retiring import retired_tier, retirement, without_retired
from distributor.services.promotion.sets import parts_of, together
from distributor.services.promotion.sharing import Sharing
from distributor.services.promotion.wrongs import wrong
from distributor.services.rendering.renderer import Renderer, Subject
from distributor.services.state.desired import (
    cluster_files,
    own_subject,
    read_desired,
    tier_names,
)
from distributor.services.state.looking import Snapshot, approved, observe
from distributor.services.world import World


class Gatherer:
    """Gathers facts; reads Git and the ledger, renders, and changes nothing."""

    def __init__(self, world: World, book: LedgerBook, renderer: Renderer) -> None:
        self._world = world
        self._book = book
        self._renderer = renderer
        self._sharing = Sharing(world, book, renderer)

    def observe(self, name: str, oid: ObjectId) -> ObservedTag:
        """The tag as the remote shows it."""
        return observe(self._world, name, oid)

    def bare(self, tag: ObservedTag) -> Case:
        """The case of a tag of which nothing but its form is known."""
        ref = tag.ref.removeprefix("refs/tags/")
        return Case(tag=tag, facts=GateFacts(ref=ref, request=parse(tag), policies=()))

    def case(self, snapshot: Snapshot, tag: ObservedTag) -> Case:
        """The facts that cost nothing to have: enough for the gates that come first."""
        bare = self.bare(tag)
        request = bare.facts.request
        if isinstance(request, Finding):
            return bare
        if parts := parts_of(snapshot.ledger, request):
            return self._set(snapshot, bare, parts)
        return self._both(snapshot, bare, request, ledger_name(request.name))

    def _set(self, snapshot: Snapshot, bare: Case, parts: tuple[Request, ...]) -> Case:
        """The case of a set: those of its parts, under the policies that judge all of them."""
        file = ledger_name(bare.facts.name)
        each = tuple(self._both(snapshot, bare, one, file) for one in parts)
        return replace(
            bare, members=each, facts=replace(bare.facts, policies=each[0].facts.policies)
        )

    def _both(self, snapshot: Snapshot, bare: Case, request: Request, file: str) -> Case:
        """The case of one request, with those of the standbys that follow it."""
        case = self._one(snapshot, bare, request, file)
        asked = standbys.followers(self._world, snapshot, case)
        return standbys.beside(case, [self._one(snapshot, bare, one, file) for one in asked])

    def _one(self, snapshot: Snapshot, bare: Case, request: Request, file: str) -> Case:
        """The case of one promotion or switch; ``file`` is where the ledger has its tag."""
        tag, ref, state = bare.tag, bare.facts.ref, snapshot.ledger
        environment, instance = request.name.environment, request.name.instance or file
        asked_in = ref.split("/")[1]  # of a standby: the environment that it follows
        here, seen = state.instance(environment, instance), state.instance(asked_in, file)
        facts = GateFacts(
            ref=ref,
            request=request,
            policies=policy_views(self._world, snapshot, environment),
            first_observed=seen.observed_at.get(ref) or self._book.now(),
            stopped=stopped(state, environment, instance),
            reachable=self._reachable(snapshot, request),
            prev=prev_of(state, environment, instance),
            holds=standing_holds(state, environment, instance),
            approvals=tuple(
                Approval(by=verdict.principal, rendered=verdict.rendered)
                for verdict in approvals(state, asked_in, file, tag.id)
            ),
            rollout=rollout_stands(here),
            approves=approved(self._world, snapshot, request),
        )
        return self._about(
            snapshot, Case(tag=tag, facts=facts, verdict_before=here.desired), request
        )

    async def sealed(self, case: Case) -> Case:
        """Add what gpg says of an OpenPGP signature, under the keys of each policy that judges it."""
        request, openpgp = case.facts.request, self._world.openpgp
        if isinstance(request, Finding) or openpgp is None:
            return case
        tag = request.tag
        if not is_openpgp(tag.signature):
            return case
        seals = {
            view.commit: await openpgp(tag.signed, tag.signature, view.policies.pgp)
            for view in case.facts.policies
        }
        each = tuple([await self.sealed(m) for m in case.members])
        also = tuple([await self.sealed(f) for f in case.followers])
        facts = replace(case.facts, seals=seals)
        return replace(case, members=each, followers=also, facts=facts)

    def _reachable(self, snapshot: Snapshot, request: Request) -> bool | None:
        if request.tag.target_type != "commit":
            return None
        return self._world.objects.is_ancestor(request.tag.target, snapshot.main)

    def _about(self, snapshot: Snapshot, case: Case, request: Request) -> Case:
        name, state = request.name, snapshot.ledger
        if name.verb in (Verb.REJECT, Verb.UNREJECT):
            known = name.instance in snapshot.catalog.apps
            return replace(
                case, facts=replace(case.facts, app=name.instance, instance_exists=known)
            )
        desired = case.verdict_before
        running = desired.revision if desired and desired.verb is not Verb.REMOVE else None
        match name.verb:
            case Verb.PROMOTE:
                return self._promotion(snapshot, case, request) if case.facts.reachable else case
            case Verb.ROLLBACK:
                return self._rollback(snapshot, case, request)
            case Verb.REMOVE:
                facts = replace(
                    case.facts,
                    app=running.app if running else "",
                    instance_exists=running is not None,
                    revision=running,
                )
                pinned = self._pinned_again(desired)
                tiers = tiers_of(pinned.get("clusters", {}).values())
                return replace(case, facts=replace(facts, tiers=tiers), **pinned)
            case Verb.RETIRE:
                found_there = retirement(snapshot, name.environment, name.instance)
                tier = retired_tier(self._world, self._book, snapshot, name)
                return replace(case, facts=replace(case.facts, retirement=found_there, tiers=tier))
            case verb if verb in ACTIVATIONS:
                return activation(self._world, self._book, snapshot, case)
            case verb if verb in CONSENTS and desired and (accepted := desired.revision):
                facts = replace(case.facts, app=accepted.app, revision=accepted)
                return replace(case, facts=replace(facts, instance_exists=True))
            case _:
                found = installations(snapshot.catalog, name.environment).get(name.instance)
                app = found.app if found else running.app if running else ""
                exists = found is not None or bool(
                    state.instance(name.environment, name.instance).records
                )
                return replace(case, facts=replace(case.facts, app=app, instance_exists=exists))

    def _promotion(self, snapshot: Snapshot, case: Case, request: Request) -> Case:
        name, root = request.name, self._world.objects.tree_of(request.tag.target)
        catalog = self._world.loader.load(root)
        files = catalog.environments.get(name.environment)
        installation = installations(catalog, name.environment).get(name.instance)
        facts = replace(case.facts, instance_exists=installation is not None)
        if files is None or installation is None:
            folder = f"environments/{name.environment}"
            paths = (f"{folder}/environment.yaml", f"{folder}/apps/{name.instance}.yaml")
            return replace(case, facts=replace(facts, content=wrong(catalog, *paths)))
        package = catalog.package(installation.app, name.version)
        veto = standing_veto(snapshot.ledger, name.environment, installation.app, name.version)
        facts = replace(facts, app=installation.app, veto=veto)
        if package is None:
            folder = f"catalog/{installation.app}"
            content = wrong(catalog, f"{folder}/app.yaml", f"{folder}/{name.version}")
            return replace(case, facts=replace(facts, content=content))
        files, fleet = self._fleet(snapshot, case.verdict_before, files, root)
        present = running_on(case.verdict_before)
        placed = place(package, installation, files, present=present)
        targets = placed.targets
        facts = replace(
            facts,
            fits=package.fits,
            unfit={n: why for n, why in placed.left_out.items() if n in present},
            revision=self.revision(root, package, installation),
            released=released(snapshot.ledger).get((package.app, name.version)),
            elsewhere=elsewhere(
                self._world,
                self._book,
                snapshot,
                Asked(catalog, package, root, installation, facts),
            ),
            tiers=tiers_of(t.cluster for t in targets),
            targets=tuple(t.name for t in targets),
        )
        if asks_for_approvals(facts):
            before = self._pin_before(case.verdict_before)
            who = authors(self._world, request.tag.target, package, installation, before)
            facts = replace(facts, authors=who)
        subject = Subject(catalog=catalog, package=package, installation=installation, files=files)
        clusters = {t.name: t.cluster for t in targets}
        case = replace(
            case, facts=facts, root=root, subject=subject, clusters=clusters, fleet=fleet
        )
        return still_standing_in(self._world, self._book, case, catalog)

    def _fleet(
        self, snapshot: Snapshot, before: Verdict | None, files: EnvironmentFiles, root: ObjectId
    ) -> tuple[EnvironmentFiles, dict[str, TreeChange]]:
        """The clusters of a request: its commit's, and those that were accepted before.

        A file that vanished takes no cluster away: only a retirement would.
        An older commit, or a rollback, neither drops a cluster that joined later nor turns its facts back.
        """
        environment = files.environment.name
        files = without_retired(snapshot, before, files)
        fleet = self._cluster_files(root, files)
        if before is None or before.verb is Verb.REMOVE:
            return files, fleet
        later = read_desired(self._world, self._book, before).clusters
        newest = root == self._world.objects.tree_of(snapshot.main)
        taken = {
            name: cluster
            for name, cluster in later.items()
            if not (newest and name in files.clusters)
        }
        if pin := self._pin_before(before):
            fleet |= cluster_files(self._world, pin, environment, taken)
        return replace(files, clusters={**files.clusters, **taken}), fleet

    def _pin_before(self, before: Verdict | None) -> ObjectId | None:
        """The tree that the last accepted request pinned; ``None`` after a removal."""
        if before is None or before.verb is Verb.REMOVE or not before.sequence:
            return None
        return self._book.pinned(before.environment, before.instance, before.sequence)

    def _cluster_files(self, root: ObjectId, files: EnvironmentFiles) -> dict[str, TreeChange]:
        return cluster_files(self._world, root, files.environment.name, files.clusters)

    def _pinned_again(self, verdict: Verdict | None) -> dict[str, Any]:
        """What a verdict pinned, to be pinned again by another one."""
        if verdict is None or not verdict.sequence:
            return {}
        pin = self._book.pinned(verdict.environment, verdict.instance, verdict.sequence)
        desired = read_desired(self._world, self._book, verdict)
        return {
            "root": pin,
            "subject": desired.subject,
            "clusters": desired.clusters,
            "fleet": self._cluster_files(pin, desired.subject.files) if pin else {},
        }

    def revision(self, root: ObjectId, package: Package, installation: Installation) -> Revision:
        """The revision that a root tree holds for an instance."""
        config = config_digest(
            self._world.objects,
            root,
            environment=installation.environment,
            instance=installation.instance,
            tiers=package.fits.tiers or tier_names(self._world, root),
        )
        return Revision(
            app=package.app, version=str(package.version), digest=package.digest, config=config
        )

    def _rollback(self, snapshot: Snapshot, case: Case, request: Request) -> Case:
        name, state, config = request.name, snapshot.ledger, request.trailers.config
        verdict = newest_verified(state, name.environment, name.instance, name.version)
        if config:
            accepted = state.instance(name.environment, name.instance).accepted
            same = [v for v in accepted if v.revision and v.revision.version == name.version]
            verdict = next(
                (v for v in reversed(same) if v.revision and v.revision.config == config), None
            )
        exists = bool(state.instance(name.environment, name.instance).accepted)
        facts = replace(case.facts, instance_exists=exists, verified_here=False)
        if verdict is None or verdict.revision is None:
            desired = case.verdict_before
            app = desired.revision.app if desired and desired.revision else ""
            return replace(case, facts=replace(facts, app=app))
        revision = verdict.revision
        again = self._pinned_again(verdict)
        subject = own_subject(self._world, self._book, verdict)
        files, fleet = self._fleet(snapshot, case.verdict_before, subject.files, again["root"])
        present = running_on(case.verdict_before)
        targets = place(subject.package, subject.installation, files, present=present).targets
        facts = replace(
            facts,
            app=revision.app,
            revision=revision,
            veto=standing_veto(state, name.environment, revision.app, name.version),
            verified_here=verified_here(state, name.environment, name.instance, revision)
            is not None,
            tiers=tiers_of(t.cluster for t in targets),
            targets=tuple(t.name for t in targets),
        )
        case = replace(
            case,
            facts=facts,
            root=again["root"],
            subject=replace(subject, files=files),
            clusters={t.name: t.cluster for t in targets},
            fleet=fleet,
        )
        return still_standing_in(self._world, self._book, case, snapshot.catalog)

    async def rendered(self, case: Case) -> Case:
        """Add the facts that need a render of every target, and of what was accepted before."""
        if case.members:
            each = [await self.rendered(member) for member in case.members]
            return self.beside(replace(case, members=tuple(each)))
        also = tuple([await self.rendered(f) for f in case.followers])
        case = replace(case, followers=also)
        if case.subject is None or not case.clusters:
            return replace(case, facts=replace(case.facts, targets=tuple(case.clusters)))
        result = await self._renderer.render(case.subject, case.clusters)
        before = await self._before(case.verdict_before)
        reach = reach_of(before, result.manifests, len(case.subject.files.clusters))
        vanished = {ref for refs in reach.pruned.values() for ref in refs}
        shared = await self._sharing.findings(case.subject, case.clusters, result.manifests)
        facts = replace(
            case.facts,
            renders={
                n: (result.failures[n],) if n in result.failures else shared.get(n, ())
                for n in case.clusters
            },
            # a part of the clusters has no hash that an approval could bind to
            rendered=Digest("")
            if result.failures
            else rendered_digest({n: m.digest for n, m in result.manifests.items()}, vanished),
            schemas=self._schemas(case, result.manifests),
            reach=reach,
        )
        done = standbys.bound_together(replace(case, facts=facts, manifests=result.manifests))
        return self.beside(done)

    def beside(self, case: Case) -> Case:
        """Add what the ledger says by now of the clusters that a case rendered for."""
        if case.members:
            each = tuple(self.beside(member) for member in case.members)
            return together(replace(case, members=each), self._book.state)
        case = replace(case, followers=tuple(map(self.beside, case.followers)))
        if case.subject is None:
            return case
        key = (case.facts.name.environment, case.facts.name.instance)
        package, manifests = case.subject.package, case.manifests
        found = cluster_facts(self._book.state, key, package, case.clusters, manifests)
        return replace(case, facts=replace(case.facts, clusters=found))

    async def _before(self, verdict: Verdict | None) -> Mapping[str, ManifestSet]:
        """What was accepted before, rendered; nothing where there was nothing or it was removed."""
        if verdict is None or verdict.verb is Verb.REMOVE:
            return {}
        desired = read_desired(self._world, self._book, verdict)
        return (await self._renderer.render(desired.subject, desired.clusters)).manifests

    def _schemas(self, case: Case, manifests: Mapping[str, ManifestSet]) -> tuple[Finding, ...]:
        """Findings of all objects, each told once."""
        known = frozenset(case.subject.package.fits.requires_apis) if case.subject else frozenset()
        found: dict[Finding, None] = {}
        for name, objects in manifests.items():
            minor = case.clusters[name].kubernetes
            found.update(dict.fromkeys(self._world.schemas.check(objects, minor, known)))
        return tuple(found)


def tiers_of(clusters: Iterable[Cluster]) -> tuple[str, ...]:
    """The tiers of some clusters, each once."""
    return tuple(sorted({cluster.tier for cluster in clusters}))
