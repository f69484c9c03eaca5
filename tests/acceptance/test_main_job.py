"""A tag moves a package to every cluster of an environment, and only what was accepted is there."""

from __future__ import annotations

from distributor.model.promotion import VerdictOutcome
from distributor.model.tags import Verb
from distributor.services.asking.telling import history, why
from distributor.services.asking.views import InstanceStage, instance_views
from distributor.services.state.desired import read_desired


async def view(service, environment, instance="shop"):
    await service.look()
    return (await instance_views(service, environment, instance))[0]


async def delivered(play, service, environment, instance):
    """(what the folders hold, what the accepted revision renders to), by cluster and object."""
    state = service.book.state.instance(environment, instance)
    desired = read_desired(service.world, service.book, state.desired)
    rendered = await service.renderer.render(desired.subject, desired.clusters)
    assert not rendered.failures
    found, wanted = {}, {}
    for name, cluster in desired.clusters.items():
        target = await service.world.connections.open(cluster)
        inventory = await target.read_inventory(environment, instance)
        live = await target.read_live(tuple(inventory.entries.values()))
        found[name] = {str(ref): obj.applied for ref, obj in live.items()}
        wanted[name] = {str(m.ref): m.digest for m in rendered.manifests[name]}
    return found, wanted


async def test_a_version_walks_the_pipeline_and_every_folder_holds_just_it(play):
    async with play.service() as service:
        await play.promote(service, "1.4.1", "sit", "uat", "pre", "prd", "dr")
        for environment in ("sit", "uat", "pre", "prd", "dr"):
            seen = await view(service, environment)
            assert (seen.version, seen.stage) == ("1.4.1", InstanceStage.VERIFIED)
            assert seen.in_step == seen.targets > 0
            found, wanted = await delivered(play, service, environment, "shop")
            assert found == wanted
    untouched = [c for c, files in play.fleet().items() if not files]
    assert all("edge" in c or "windows" in c for c in untouched)


async def test_a_second_version_writes_only_what_differs(play):
    async with play.service() as service:
        await play.promote(service, "1.4.1", "sit")
        rows = await service.world.store.targets("sit", "shop")
        await play.promote(service, "1.4.2", "sit")
        after = await service.world.store.targets("sit", "shop")
        found, wanted = await delivered(play, service, "sit", "shop")
        assert found == wanted
    assert {r.sequence for r in rows} != {r.sequence for r in after}


async def test_a_refused_version_changes_nothing_and_why_names_the_gate(play):
    async with play.service() as service:
        await play.promote(service, "1.4.1", "sit", "uat")
        await play.promote(service, "1.5.0", "sit")
        before = play.fleet()
        asked = await play.ask(service, Verb.PROMOTE, "uat", "shop", "1.5.0")
        await service.sync()
        state = service.book.state.instance("uat", "shop")
        assert state.outcomes[asked.tag] is VerdictOutcome.REFUSED
        assert play.fleet() == before
        chain = await why(service, "uat", "shop")
        assert any(not link.ok and "13 blast-radius" in link.text for link in chain)
        assert any("StatefulSet" in link.text for link in chain)


async def test_a_rollback_restores_the_bytes_and_holds(play):
    async with play.service() as service:
        await play.promote(service, "1.4.1", "sit")
        first = play.fleet()
        await play.promote(service, "1.4.2", "sit")
        assert play.fleet() != first
        await play.ask(service, Verb.ROLLBACK, "sit", "shop")
        await service.sync()
        assert play.fleet() == first
        seen = await view(service, "sit")
        assert seen.version == "1.4.1"
        assert seen.held
        again = await play.ask(service, Verb.PROMOTE, "sit", "shop", "1.4.2")
        await service.sync()
        state = service.book.state.instance("sit", "shop")
        assert state.outcomes[again.tag] is VerdictOutcome.REFUSED
        await play.ask(service, Verb.UNHOLD, "sit", "shop")
        await service.sync()
        await play.promote(service, "1.4.2", "sit")
        assert (await view(service, "sit")).version == "1.4.2"


async def test_a_removal_takes_everything_away_and_is_remembered(play):
    async with play.service() as service:
        await play.promote(service, "1.0.0", "sit", app="website")
        assert any("website" in name for files in play.fleet().values() for name in files)
        await play.ask(service, Verb.REMOVE, "sit", "website")
        await service.sync()
        seen = await view(service, "sit", "website")
        assert seen.stage is InstanceStage.REMOVED
        for files in play.fleet().values():
            for name, data in files.items():
                if "website" in name:
                    lines = data.decode().splitlines()
                    assert all(line.startswith("#") or not line for line in lines)


async def test_holds_and_vetoes_keep_versions_out(play):
    async with play.service() as service:
        await play.promote(service, "1.4.1", "sit")
        await play.ask(service, Verb.HOLD, "sit", "shop")
        await service.sync()
        asked = await play.ask(service, Verb.PROMOTE, "sit", "shop", "1.4.2")
        await service.sync()
        assert (
            service.book.state.instance("sit", "shop").outcomes[asked.tag] is VerdictOutcome.REFUSED
        )
        await play.ask(service, Verb.UNHOLD, "sit", "shop")
        await play.ask(service, Verb.REJECT, "all", "shop", "1.4.2", key="sre")
        await service.sync()
        asked = await play.ask(service, Verb.PROMOTE, "sit", "shop", "1.4.2")
        await service.sync()
        verdict = service.book.state.instance("sit", "shop").last_verdicts[asked.ref]
        assert any("DST215" in f.code for a in verdict.answers for f in a.findings)
        await play.ask(service, Verb.UNREJECT, "all", "shop", "1.4.2", key="sre")
        await service.sync()
        await play.promote(service, "1.4.2", "sit")
        assert (await view(service, "sit")).version == "1.4.2"


async def test_main_proposes_only(play):
    async with play.service() as service:
        await play.promote(service, "1.4.1", "sit", "uat", "pre", "prd")
        before = play.fleet()
        path = play.place.catalog / "environments" / "prd" / "apps" / "shop.yaml"
        text = path.read_text()
        path.write_text(
            text + "  values:\n    frontend_replicas: 7\n"
            if "values:" not in text
            else text.replace("spec:\n", "spec:\n  namespace: other-shop\n", 1)
        )
        play.place.commit("More replicas in prd", service.now())
        await service.sync()
        assert play.fleet() == before
        seen = await view(service, "prd")
        assert "configuration is newer" in seen.main_ahead
        assert not (await view(service, "uat")).main_ahead
        await play.promote(service, "1.4.1", "prd")
        assert play.fleet() != before
        assert not (await view(service, "prd")).main_ahead


async def test_a_deleted_database_changes_no_answer(play):
    async with play.service() as service:
        await play.promote(service, "1.4.1", "sit", "uat")
        await play.promote(service, "1.5.0", "sit")
        await play.ask(service, Verb.PROMOTE, "uat", "shop", "1.5.0")
        await service.sync()
        before = await answers(service)
    for file in play.place.state.glob("*.sqlite*"):
        file.unlink()
    fleet = play.fleet()
    async with play.service() as service:
        await service.sync()
        assert await answers(service) == before
    assert play.fleet() == fleet


async def answers(service):
    """Status, history and why, without observation times."""
    from dataclasses import replace

    views = await instance_views(service)
    targets = {
        (v.environment, v.instance): [replace(t, observed_at="") for t in v.clusters] for v in views
    }
    plain = [replace(v, observed_at="", clusters=()) for v in views]
    chain = [
        [
            (link.step, link.ok, link.text.partition(" at 20")[0])
            for link in await why(service, e, "shop")
        ]
        for e in ("sit", "uat")
    ]
    return plain, targets, history(service), chain


async def test_a_hand_edit_is_healed_at_the_next_pass(play):
    async with play.service() as service:
        await play.promote(service, "1.4.1", "sit")
        before = play.fleet()
        folder = play.place.clusters / "sit" / "sit-central-1"
        file = next(
            p for p in folder.rglob("*.yaml") if "shop" in p.name or "shop" in p.parent.name
        )
        file.write_text(
            file.read_text().replace("replicas: 1", "replicas: 9").replace("name: ", "name: ", 1)
            + "\n---\n"
        )
        (folder / file.relative_to(folder)).write_text("# emptied by hand\n")
        await service.sync()
        assert play.fleet() == before
