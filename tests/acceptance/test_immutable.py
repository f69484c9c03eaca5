"""What a version is, and whose an object is: a released version stays, and two instances share nothing unseen."""

from __future__ import annotations

from distributor.model.findings import Severity
from distributor.model.promotion import VerdictOutcome
from distributor.model.tags import Verb
from distributor.services.asking.planning import plan_promotion
from distributor.services.asking.views import main_findings
from tests.acceptance.forging import forger, verdict_on

SITE = "catalog/website/1.0.0"
NOTES = f"{SITE}/package.yaml"


def more(data: bytes) -> bytes:
    return data + b"# one more line\n"


async def test_a_version_that_changed_after_it_was_accepted_is_refused(play):
    evil = forger(play)
    async with play.service() as service:
        await play.promote(service, "1.0.0", "sit", app="website")
        before = service.book.state.instance("sit", "website").desired
        evil.branch("main", evil.commit(evil.head(), {NOTES: more(evil.read(NOTES, "main"))}))
        (found,) = main_findings(await service.look())
        assert (found.code, found.where.file) == ("DST119", SITE)
        made = await plan_promotion(service, "sit", "website", "1.0.0")
        assert "DST119" in {f.code for a in made.answers for f in a.findings}

        asked = await play.ask(service, Verb.PROMOTE, "sit", "website", "1.0.0")
        await service.sync()
        verdict = verdict_on(service, asked.ref.removeprefix("refs/tags/"))
        assert verdict.outcome is VerdictOutcome.REFUSED
        (found,) = [f for a in verdict.answers for f in a.findings if f.code == "DST119"]
        assert before.revision.digest in found.message
        assert "new version" in found.remedy
        assert service.book.state.instance("sit", "website").desired == before

        # Another version is not kept out, and nor is this one as it was.
        evil.branch("main", evil.commit(evil.head(), {NOTES: evil.read(NOTES, "main~1")}))
        assert main_findings(await service.look()) == ()
        await play.promote(service, "1.1.0", "sit", app="website")
        assert service.book.state.instance("sit", "website").desired.revision.version == "1.1.0"
        await play.promote(service, "1.0.0", "sit", app="website")
        assert service.book.state.instance("sit", "website").desired.revision == before.revision


INSTALLATION = b"""apiVersion: distributor.dev/v1alpha1
kind: Installation
metadata: {name: %s}
spec: {app: website, namespace: %s}
"""


def two(namespace: bytes) -> dict[str, bytes]:
    """Two instances of one app, the second in a namespace of one's choice."""
    folder = "environments/sit/apps"
    return {
        f"{folder}/website.yaml": INSTALLATION % (b"website", b"website"),
        f"{folder}/second.yaml": INSTALLATION % (b"second", namespace),
    }


async def test_two_instances_with_the_same_objects_are_a_finding(play):
    evil = forger(play)
    evil.branch("main", evil.commit(evil.head(), two(b"website")))
    async with play.service() as service:
        await play.promote(service, "1.0.0", "sit", app="website")
        plan = await plan_promotion(service, "sit", "second", "1.0.0")
        (gate,) = [a for a in plan.answers if a.number == 8]
        (found,) = [f for f in gate.findings if f.code == "DST123"]
        assert found.severity is Severity.WARNING
        assert found.where.file == "environments/sit/apps/website.yaml"
        assert "instance website" in found.message
        assert "sit-central-1" in found.message
        assert found.remedy


async def test_two_instances_apart_are_none(play):
    evil = forger(play)
    evil.branch("main", evil.commit(evil.head(), two(b"elsewhere")))
    async with play.service() as service:
        for app in ("website", "iot-gateway"):
            version = "1.0.0" if app == "website" else "2.0.0"
            await play.promote(service, version, "sit", app=app)
        plan = await plan_promotion(service, "sit", "second", "1.0.0")
        assert "DST123" not in {f.code for a in plan.answers for f in a.findings}
