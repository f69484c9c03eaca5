"""Hooks in a plan: which run, in which order, once a change; and what is done about one of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distributor.model.changes import Inventory, LiveObject
from distributor.model.hooks import (
    DeletePolicy,
    Hook,
    HookLog,
    HookResult,
    HookStep,
    Moment,
    Occasion,
)
from distributor.model.manifest import Manifest
from distributor.model.refs import Digest
from distributor.plan import (
    REMOVED,
    Move,
    ended,
    judge,
    made_by_run,
    marked,
    narrowed,
    occasion_of,
    opened,
    remaining,
    removable,
    schedule,
    widened,
)
from distributor.plan.attesting import ADOPT
from distributor.plan.hooks import KEPT, RUN
from tests.unit.plan.objects import OWNER, entry, inventory, live, manifest, manifests

PRE, POST = Moment.PRE, Moment.POST
INSTALL, UPGRADE, ROLLBACK = Occasion
NOW = datetime(2026, 3, 1, tzinfo=UTC)
JOB = "batch/Job/shop/migrate"
BEFORE, SUCCEEDED, FAILED = DeletePolicy


def hook(ref: str = JOB, *events: tuple[Moment, Occasion], weight: int = 0, **parts) -> Hook:
    body = parts.pop("body", {})
    made = Hook(manifest=manifest(ref, **body), events=frozenset(events), weight=weight)
    return replace(made, **parts)


def step(ref: str = JOB, moment: Moment = PRE, **parts) -> HookStep:
    found = hook(ref, (moment, UPGRADE), **parts)
    return HookStep(moment=moment, occasion=UPGRADE, hook=found)


def log(change: str = "one", occasion: Occasion | None = None, *, begun: bool = True, **parts):
    return HookLog(change=change, occasion=occasion, begun=begun, **parts)


HELD = inventory(entry("apps/Deployment/shop/cart", "u"), sequence=4)


@pytest.mark.parametrize(
    ("held", "rolling_back", "occasion"),
    [
        (None, False, INSTALL),
        (None, True, INSTALL),
        (inventory(), False, INSTALL),
        (replace(inventory(), hooks=log(REMOVED)), False, INSTALL),
        (replace(HELD, hooks=log(REMOVED)), False, INSTALL),
        (replace(HELD, hooks=log("one")), False, UPGRADE),
        (replace(HELD, hooks=log("one")), True, ROLLBACK),
        (replace(HELD, hooks=log("one", INSTALL)), False, UPGRADE),
        (replace(HELD, hooks=log("one", INSTALL, begun=False)), False, INSTALL),
        (replace(HELD, hooks=log("one", UPGRADE, begun=False)), False, UPGRADE),
        (replace(HELD, hooks=log("two")), False, None),
        (replace(HELD, hooks=log("two", INSTALL)), True, INSTALL),
        (replace(HELD, hooks=log("two", ROLLBACK)), False, ROLLBACK),
        (replace(HELD, revision="shop 2"), False, None),
        (replace(HELD, revision="shop 1"), False, UPGRADE),
    ],
)
def test_the_occasion(held: Inventory | None, rolling_back, occasion):
    found = occasion_of(
        held, change="two", revision="shop 2", rolling_back=rolling_back, found=False
    )
    assert found is occasion


def test_a_lost_inventory_is_no_install():
    found = occasion_of(None, change="two", revision="", rolling_back=False, found=True)
    assert found is UPGRADE


def test_hooks_go_by_weight_then_kind_then_name_and_those_before_first():
    both = ((PRE, UPGRADE), (POST, UPGRADE))
    hooks = [
        hook("batch/Job/shop/b", *both),
        hook("batch/Job/shop/a", (PRE, UPGRADE)),
        hook("ServiceAccount/shop/z", (PRE, UPGRADE)),
        hook("batch/Job/shop/early", (PRE, UPGRADE), weight=-5),
        hook("ConfigMap/shop/late", (PRE, UPGRADE), weight=1),
        hook("batch/Job/shop/other", (PRE, INSTALL), (POST, ROLLBACK)),
    ]
    found = [(s.moment.value, s.hook.ref.name) for s in schedule(hooks, UPGRADE)]
    before = ["early", "z", "a", "b", "late"]
    assert found == [*(("pre", name) for name in before), ("post", "b")]
    assert [s.hook.ref.name for s in schedule(hooks, INSTALL)] == ["other"]
    assert [s.moment for s in schedule(hooks, ROLLBACK)] == [POST]
    assert schedule(hooks, None) == ()


@given(st.permutations([(w, n) for w in (-1, 0, 1) for n in "abc"]))
def test_the_order_does_not_depend_on_the_order_of_rendering(order):
    hooks = [hook(f"batch/Job/shop/{n}{w}", (PRE, UPGRADE), weight=w) for w, n in order]
    names = [s.hook.ref.name for s in schedule(hooks, UPGRADE)]
    assert names == [f"{n}{w}" for w in (-1, 0, 1) for n in "abc"]


def begin(held: Inventory, *steps: HookStep, change="two", sequence=5, members=(), hooks=()):
    return opened(
        held, steps, change=change, revision="shop 2", occasion=UPGRADE, sequence=sequence,
        members=frozenset(manifests(*members).refs()), hooks=hooks or [s.hook for s in steps],
    )  # fmt: skip


def results(found: HookLog) -> dict[str, str]:
    return {name: run.result.value for name, run in found.runs.items()}


def test_every_hook_to_come_is_noted_before_anything_is_done():
    held = replace(HELD, hooks=log("one"))
    found = begin(held, step(), step(moment=POST))
    assert results(found) == {f"pre {JOB}": "pending", f"post {JOB}": "pending"}
    assert (found.change, found.occasion, found.begun) == ("two", UPGRADE, False)
    assert len({run.run for run in found.runs.values()}) == 2


def test_without_hooks_before_them_the_objects_are_begun_at_once():
    assert begin(HELD, step(moment=POST)).begun
    assert begin(HELD).begun
    assert not begin(HELD, step()).begun


@pytest.mark.parametrize(
    ("result", "change", "sequence", "kept"),
    [
        (HookResult.SUCCEEDED, "two", 4, True),
        (HookResult.SUCCEEDED, "two", 5, True),
        (HookResult.PENDING, "two", 5, True),
        (HookResult.FAILED, "two", 4, True),
        (HookResult.FAILED, "two", 5, False),
        (HookResult.PAST, "two", 4, False),
        (HookResult.SUCCEEDED, "one", 5, False),
        (HookResult.FAILED, "one", 5, False),
    ],
)
def test_a_run_is_begun_anew_for_another_change_or_by_a_later_verdict(
    result, change, sequence, kept
):
    first = begin(replace(HELD, hooks=log("zero")), step(), change=change, sequence=4)
    before = replace(HELD, hooks=ended(first, step(), result, "u"))
    after = begin(before, step(), sequence=sequence)
    run = after.runs[f"pre {JOB}"]
    assert (run == before.hooks.runs[run.name]) is kept
    assert kept or (run.result, run.uid) == (HookResult.PENDING, "")
    assert kept or sequence == 4 or run.run != first.runs[run.name].run


def test_objects_of_former_hooks_are_remembered():
    before = replace(HELD, hooks=begin(HELD, step("Secret/shop/old"), change="one"))
    after = begin(before, step())
    assert results(after) == {"pre Secret/shop/old": "past", f"pre {JOB}": "pending"}


def test_a_hook_that_became_a_member_is_no_hook_and_the_other_way_round():
    before = replace(HELD, hooks=begin(HELD, step(), change="one"))
    assert results(begin(before, members=[JOB])) == {}

    held = inventory(entry(JOB, "u"), entry("apps/Deployment/shop/cart"))
    only_at_install = hook(JOB, (PRE, INSTALL))
    found = begin(held, hooks=[only_at_install])
    assert results(found) == {f"pre {JOB}": "past"}
    wide = widened(held, manifests(), sequence=5, ledger_commit="", revision="", hooks=found)
    assert [str(ref) for ref in wide.entries] == ["apps/Deployment/shop/cart"]
    gone = narrowed(wide, [only_at_install.ref])
    assert gone.hooks.runs == {}


def test_what_remains():
    steps = (step(), step(moment=POST))
    before = begin(HELD, *steps)
    assert remaining(before, steps) == steps
    assert remaining(ended(before, steps[0], HookResult.SUCCEEDED, "u"), steps) == steps[1:]
    assert remaining(ended(before, steps[0], HookResult.FAILED, "u"), steps) == steps


def at(status: object = None, *, run: str = "", uid: str = "u", owner: str = OWNER) -> LiveObject:
    data = manifest(JOB, annotations={RUN: run} if run else {}).data()
    return live(JOB, uid=uid, owner=owner, data={**data, "status": status})


def by(there: LiveObject, manager: str, operation: str = "Update") -> LiveObject:
    metadata = {**there.data["metadata"]}
    metadata["managedFields"] = [{"manager": manager, "operation": operation}]
    return replace(there, data={**there.data, "metadata": metadata})


COMPLETE = {"conditions": [{"type": "Complete", "status": "True"}]}
BROKEN = {"conditions": [{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded"}]}
ONLY_SUCCEEDED = frozenset({SUCCEEDED})


@pytest.mark.parametrize(
    ("there", "uid", "policies", "move"),
    [
        (None, "", None, Move.APPLY),
        (None, "u", None, Move.LOST),
        (at(run="r"), "", None, Move.WAIT),
        (at({"startTime": "x", "active": 1}, run="r"), "u", None, Move.WAIT),
        (at(COMPLETE, run="r"), "u", None, Move.SUCCEEDED),
        (at(BROKEN, run="r"), "u", None, Move.FAILED),
        (at(COMPLETE), "u", None, Move.SUCCEEDED),
        (at(COMPLETE, run="q"), "", None, Move.REPLACE),
        (at(COMPLETE, run="q"), "v", None, Move.REPLACE),
        (at(COMPLETE), "", None, Move.REPLACE),
        (at(COMPLETE, run="q"), "", ONLY_SUCCEEDED, Move.REPLACE),
        (at(BROKEN, run="q"), "", ONLY_SUCCEEDED, Move.REPLACE),
        (at({"startTime": "x", "active": 1}, run="q"), "", ONLY_SUCCEEDED, Move.IN_THE_WAY),
        (at(COMPLETE), "", ONLY_SUCCEEDED, Move.IN_THE_WAY),
        (at(COMPLETE, owner=""), "", None, Move.IN_THE_WAY),
        (at(COMPLETE, run="r", owner=""), "", None, Move.SUCCEEDED),
        (by(at(COMPLETE, run="q"), "distributor", "Apply"), "", None, Move.REPLACE),
        (by(at(COMPLETE, run="q"), "velero"), "", None, Move.REPLACE),
        (by(at(COMPLETE), "an-operator"), "", None, Move.IN_THE_WAY),
        (at(COMPLETE, run="r", owner="else"), "", None, Move.FOREIGN),
    ],
)
def test_the_next_move(there, uid, policies, move):
    parts = {"policies": policies} if policies else {}
    found = step(**parts)
    run = replace(begin(HELD, found).runs[found.name], run="r", uid=uid)
    assert judge(found, run, there, owner=OWNER, now=NOW).move is move


@pytest.mark.parametrize(
    ("ref", "policies", "notes", "move"),
    [
        ("ConfigMap/shop/a", None, {RUN: "q"}, Move.REPLACE),
        ("ConfigMap/shop/a", None, {RUN: "q", KEPT: "true"}, Move.APPLY),
        ("ConfigMap/shop/a", None, {}, Move.APPLY),
        ("ConfigMap/shop/a", ONLY_SUCCEEDED, {RUN: "q"}, Move.APPLY),
        ("PersistentVolumeClaim/shop/a", None, {RUN: "q"}, Move.APPLY),
        ("Namespace//a", None, {RUN: "q"}, Move.APPLY),
        ("apiextensions.k8s.io/CustomResourceDefinition//a", None, {RUN: "q"}, Move.APPLY),
    ],
)
def test_what_does_not_run_to_an_end(ref, policies, notes, move):
    found = step(ref, **({"policies": policies} if policies else {}))
    run = begin(HELD, found).runs[found.name]
    there = live(ref, data=manifest(ref, annotations=notes).data())
    judged = judge(found, run, there, owner=OWNER, now=NOW)
    assert (judged.move, judged.keeps) == (move, move is Move.APPLY and notes != {RUN: "q"})
    mine = live(ref, data=marked(found, run).data())
    assert judge(found, run, mine, owner=OWNER, now=NOW).move is Move.SUCCEEDED


NOBODYS = live("Secret/shop/a", owner="", data=manifest("Secret/shop/a").data())
COPY = by(live("Secret/shop/a", data=manifest("Secret/shop/a").data()), "an-operator")
MARKED = live(
    "Secret/shop/a", owner="", data=manifest("Secret/shop/a", annotations={RUN: "q"}).data()
)


@pytest.mark.parametrize("there", [NOBODYS, COPY, MARKED])
@pytest.mark.parametrize("policies", [None, ONLY_SUCCEEDED])
def test_what_no_run_of_ours_made_is_left_unless_somebody_says_so(there, policies):
    parts = {"policies": policies} if policies else {}
    found = step("Secret/shop/a", **parts)
    run = begin(HELD, found).runs[found.name]
    assert judge(found, run, there, owner=OWNER, now=NOW).move is Move.NOT_ADOPTED
    agreed = judge(found, run, there, owner=OWNER, now=NOW, adopting=True)
    said = step("Secret/shop/a", body={"annotations": {ADOPT: "existing"}}, **parts)
    declared = judge(said, run, there, owner=OWNER, now=NOW)
    for taken in (agreed, declared):
        assert (taken.move, taken.keeps, taken.adopts) == (Move.APPLY, True, True)
    ours = live("Secret/shop/a", data=marked(found, run, keeps=True).data())
    assert not made_by_run(ours)
    later = replace(run, run="later")
    again = judge(found, later, ours, owner=OWNER, now=NOW)
    assert (again.move, again.keeps) == (Move.APPLY, True), "and it is never made anew"


def test_a_namespace_that_is_nobodys_is_used_as_it_is():
    found = step("Namespace//a")
    run = begin(HELD, found).runs[found.name]
    there = live("Namespace//a", owner="", data=manifest("Namespace//a").data())
    assert judge(found, run, there, owner=OWNER, now=NOW).move is Move.USE


@pytest.mark.parametrize(
    ("timeout", "born", "status", "move"),
    [
        (60, "2026-02-28T23:58:00Z", {}, Move.FAILED),
        (60, "2026-02-28T23:59:30Z", {}, Move.WAIT),
        (60, "2026-02-28T23:58:00Z", COMPLETE, Move.SUCCEEDED),
        (None, "2020-01-01T00:00:00Z", {}, Move.WAIT),
        (60, "yesterday", {}, Move.WAIT),
    ],
)
def test_a_hook_has_the_time_that_its_package_gives_it(timeout, born, status, move):
    found = step(timeout=timeout)
    run = replace(begin(HELD, found).runs[found.name], run="r")
    there = at(status, run="r")
    data = {**there.data, "metadata": {**there.data["metadata"], "creationTimestamp": born}}
    judged = judge(found, run, replace(there, data=data), owner=OWNER, now=NOW)
    assert judged.move is move
    assert move is not Move.FAILED or "60 s" in judged.message


def test_a_lost_job_is_told_with_its_reason():
    run = replace(begin(HELD, step()).runs[f"pre {JOB}"], uid="u")
    short = step(body={"spec": {"ttlSecondsAfterFinished": 1}})
    assert "TTL" in judge(short, run, None, owner=OWNER, now=NOW).message
    assert "deleted" in judge(step(), run, None, owner=OWNER, now=NOW).message


def test_marking_changes_nothing_but_the_mark():
    found = step(body={"annotations": {"a": "b"}, "spec": {"x": 1}})
    run = begin(HELD, found).runs[found.name]
    data = marked(found, run).data()
    assert data["metadata"]["annotations"].pop(RUN) == run.run
    assert data == found.hook.manifest.data()


def test_the_digest_of_what_is_marked_tells_no_more_than_the_manifests():
    found = step("Secret/shop/a", body={"stringData": {"password": "hunter2"}})
    run = begin(HELD, found).runs[found.name]
    sealed = replace(found.hook.manifest, digest=Digest("sha256:" + "5" * 64))
    told = marked(replace(found, hook=replace(found.hook, manifest=sealed)), run)
    assert told.digest not in {sealed.digest, marked(found, run).digest}
    assert told.digest != Manifest.of(told.data()).digest


@pytest.mark.parametrize(
    ("ref", "policies", "uid", "answer"),
    [
        (JOB, ONLY_SUCCEEDED, "u", True),
        (JOB, ONLY_SUCCEEDED, "", False),
        (JOB, frozenset({BEFORE}), "u", False),
        ("PersistentVolumeClaim/shop/a", ONLY_SUCCEEDED, "u", False),
        ("Namespace//a", ONLY_SUCCEEDED, "u", False),
    ],
)
def test_what_a_policy_deletes(ref, policies, uid, answer):
    found = step(ref, policies=policies)
    after = ended(begin(HELD, found), found, HookResult.SUCCEEDED, uid)
    assert removable(found, after, SUCCEEDED) is answer
    assert not removable(found, after, FAILED)
