"""What `status` and `why` say of targets and refusals, out of what was recorded."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from distributor.catalog.loading import Loader
from distributor.errors.cluster import ApiRefused, HooksNotRun
from distributor.errors.policy import Unsigned
from distributor.model.changes import Actuation, TargetReport
from distributor.model.findings import Finding, Severity
from distributor.model.ledger import InstanceState, LedgerState
from distributor.model.policy import PolicySet
from distributor.model.promotion import (
    GateAnswer,
    GateResult,
    Revision,
    Verdict,
    VerdictOutcome,
)
from distributor.model.refs import Digest, ObjectId
from distributor.model.tags import Verb
from distributor.services.asking.telling import why
from distributor.services.asking.views import instance_views
from distributor.services.rollouts.rolling import target_row
from distributor.services.rollouts.works import message_of
from distributor.services.state.looking import Snapshot
from distributor.testing.trees import MemoryTrees
from tests.benchmarks import fleet

NOW = datetime(2026, 1, 2, tzinfo=UTC)
KEY = ("sit", "app-000")


def verdict(sequence: int, outcome=VerdictOutcome.ACCEPTED, version="2.0.0", **more) -> Verdict:
    revision = Revision(
        app=KEY[1], version=version, digest=Digest("sha256:a"), config=Digest("sha256:b")
    )
    named = {"ref": f"promote/sit/app-000/{version}", "tag": ObjectId(f"{sequence:040}")}
    return Verdict(
        **named, verb=Verb.PROMOTE, environment=KEY[0], instance=KEY[1], outcome=outcome,
        principal="ada", sequence=sequence, revision=revision, **{"answers": (), **more},
    )  # fmt: skip


def report(sequence: int, actuation=Actuation.APPLIED, *findings: Finding, delivered=False):
    return TargetReport(
        environment=KEY[0], instance=KEY[1], cluster="c1", sequence=sequence, actuation=actuation,
        findings=findings, delivered=delivered, observed_at=NOW,
    )  # fmt: skip


class Told:
    """A service that knows one instance on one cluster, as reported last."""

    def __init__(
        self, *verdicts: Verdict, refused: Verdict | None = None, seen=None, version="1.0.0"
    ):
        rows = []
        if seen is not None:
            of = SimpleNamespace(verdict=verdict(seen.sequence, version=version))
            rows = [target_row(seen, of)]
        trees = MemoryTrees()
        root = trees.add(fleet.files(fleet.Size(clusters=5, apps=1)))
        state = InstanceState(
            environment=KEY[0], instance=KEY[1], accepted=verdicts,
            last_verdicts={refused.ref: refused} if refused else {},
        )  # fmt: skip
        ledger = LedgerState(head=ObjectId("0" * 40), genesis=None, instances={KEY: state})
        snapshot = Snapshot(
            main=root,
            catalog=Loader(trees).load(root),
            policies=PolicySet(),
            ledger=ledger,
            tags={},
        )

        async def targets(environment="", instance="", cluster=""):
            return [r for r in rows if cluster in ("", r.cluster)]

        async def get(key):
            return ""

        async def rollouts():
            return []

        store = SimpleNamespace(targets=targets, get=get, rollouts=rollouts)
        objects = SimpleNamespace(
            tree_of=lambda _: root, entries=trees.entries, blob=trees.blob, resolve=lambda _: None
        )
        self.snapshot = snapshot
        self.world = SimpleNamespace(
            store=store, objects=objects, holder="me", local_ledger=False, local_label=""
        )
        self.book = SimpleNamespace(state=ledger, apart=None)
        self.rollouts = SimpleNamespace(running=list)
        self.trouble = self.offline = None

    @staticmethod
    def now():
        return NOW

    async def target(self):
        (view,) = [v for v in await instance_views(self) if (v.environment, v.instance) == KEY]
        return view.clusters[0]

    async def links(self, *steps: str):
        return [link for link in await why(self, *KEY) if link.step in steps]


ACCEPTED = verdict(7, targets=("c1",))


@pytest.mark.parametrize(
    ("seen", "actuation", "message", "to_come"),
    [
        (None, "pending", "not observed yet", False),
        (report(3), "pending", "still 1.0.0; its turn is to come", True),
        (report(3, Actuation.FAILED), "pending", "its turn is to come; 1.0.0: failed", True),
        (report(3, Actuation.UNREACHABLE), "unreachable", "", False),
        (report(7), "applied", "", False),
        (report(7, Actuation.FAILED), "failed", "", False),
    ],
)
async def test_a_target_whose_turn_is_to_come_shows_no_older_revision_as_its_own(
    seen, actuation, message, to_come
):
    told = Told(ACCEPTED, seen=seen)
    target = await told.target()
    assert (target.actuation, target.message, target.to_come) == (actuation, message, to_come)
    assert target.in_step is (actuation == "applied")
    first, *_ = await told.links("apply")
    assert first.ok is (actuation == "applied")
    assert actuation in first.text
    assert message in first.text


async def test_a_failed_folder_was_not_delivered():
    error = Finding.of(ApiRefused, "no")
    failed = Told(ACCEPTED, seen=report(7, Actuation.FAILED, error, delivered=True))
    assert not any("delivered" in link.text for link in await failed.links("health"))
    assert not any(link.ok for link in await failed.links("apply", "health"))
    done = Told(ACCEPTED, seen=report(7, delivered=True))
    (health,) = await done.links("health")
    assert health.text == "c1: delivered; a folder or branch cannot show health"


async def test_a_warning_is_told_and_holds_nothing_up():
    warning = Finding.of(HooksNotRun, "(a)", severity=Severity.WARNING)
    links = await Told(ACCEPTED, seen=report(7, Actuation.APPLIED, warning)).links("apply")
    assert [link.ok for link in links] == [True, True]
    assert "DST424" in links[1].text
    error = Finding.of(ApiRefused, "no")
    seen = report(7, Actuation.FAILED, warning, error)
    links = await Told(ACCEPTED, seen=seen).links("apply")
    assert [link.ok for link in links] == [False, True, False]
    assert message_of(seen).startswith(f"{ApiRefused.code} ")


async def test_a_refusal_says_what_to_do():
    answers = (
        GateAnswer(number=1, gate="form", result=GateResult.PASS),
        GateAnswer(
            number=2, gate="signature", result=GateResult.FAIL, message="no signature",
            findings=(Finding.of(Unsigned), Finding.of(Unsigned, "again")),
        ),
    )  # fmt: skip
    refused = verdict(0, VerdictOutcome.REFUSED, "3.0.0", answers=answers)
    said = f"refused {refused.ref}: gate 2 signature: no signature"
    for accepted in ((), (ACCEPTED,)):
        links = await Told(*accepted, refused=refused).links("gate")
        bad = [link.text for link in links if not link.ok]
        assert bad == [f"{said} Remedy: {Unsigned.remedy}"]
    waits = replace(answers[0], result=GateResult.PENDING, message="soaks")
    pending = verdict(0, VerdictOutcome.PENDING, "3.0.0", answers=(waits,))
    (link,) = await Told(refused=pending).links("gate")
    assert link.text.endswith("gate 1 form: soaks")
