"""Hooks among rendered objects: what their annotations say, and what of them is refused."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distributor.model.findings import Invalid
from distributor.model.hooks import DeclaredHook, DeletePolicy, Moment, Occasion
from distributor.model.manifest import Manifest, ManifestSet
from distributor.render import ordinary, split
from distributor.render.hooks import MOST_HOOKS, hook_of, wanted

PRE, POST = Moment.PRE, Moment.POST
INSTALL, UPGRADE, ROLLBACK = Occasion
NAMES = {"hook": "helm.sh/hook", "weight": "helm.sh/hook-weight", "policy": "helm.sh/hook-delete-policy"}  # fmt: skip


def job(name: str = "a", **said: object) -> dict[str, Any]:
    notes = {NAMES[k]: v for k, v in said.items()}
    metadata = {"name": name, "namespace": "shop", **({"annotations": notes} if notes else {})}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata}


def names(found: ManifestSet) -> list[str]:
    return [m.ref.name for m in found]


@pytest.mark.parametrize(
    ("said", "events"),
    [
        ("pre-install", {(PRE, INSTALL)}),
        ("pre-install,pre-upgrade", {(PRE, INSTALL), (PRE, UPGRADE)}),
        (" Post-Upgrade , post-rollback", {(POST, UPGRADE), (POST, ROLLBACK)}),
        ("pre-rollback", {(PRE, ROLLBACK)}),
        ("post-install,test", {(POST, INSTALL)}),
        ("post-install,pre-delete", {(POST, INSTALL)}),
    ],
)
def test_events(said, events):
    assert hook_of(Manifest.of(job(hook=said))).events == events


@pytest.mark.parametrize("data", [job(), job(hook="crd-install"), job(weight="1")])
def test_ordinary_objects(data):
    assert hook_of(Manifest.of(data)) is None
    assert wanted([data]) == [data]


@pytest.mark.parametrize("said", ["test", "test-success", "test-failure", "pre-delete,post-delete"])
def test_what_no_delivery_runs_is_dropped(said):
    assert wanted([job(hook=said)]) == []


@pytest.mark.parametrize(
    ("weight", "number"), [(None, 0), ("5", 5), ("-5", -5), ("+3", 3), (" 7 ", 7), (4, 4)]
)
def test_weights(weight, number):
    said = {} if weight is None else {"weight": weight}
    assert hook_of(Manifest.of(job(hook="pre-install", **said))).weight == number


@pytest.mark.parametrize(
    ("policy", "found"),
    [
        (None, {DeletePolicy.BEFORE_CREATION}),
        ("", {DeletePolicy.BEFORE_CREATION}),
        ("hook-succeeded", {DeletePolicy.SUCCEEDED}),
        ("before-hook-creation, hook-failed", {DeletePolicy.BEFORE_CREATION, DeletePolicy.FAILED}),
    ],
)
def test_delete_policies(policy, found):
    said = {} if policy is None else {"policy": policy}
    assert hook_of(Manifest.of(job(hook="pre-install", **said))).policies == found


ARGO = "argocd.argoproj.io/"
FAILURE = Moment.FAILURE


def argo(name: str = "a", wave: str = "", policy: str = "", **more: str) -> dict[str, Any]:
    found = job(name)
    said = {"hook": more.pop("hook", ""), "sync-wave": wave, "hook-delete-policy": policy}
    notes = {ARGO + key: value for key, value in said.items() if value}
    found["metadata"]["annotations"] = notes | {NAMES[k]: v for k, v in more.items()}
    return found


@pytest.mark.parametrize(
    ("said", "moments"),
    [
        ("PreSync", {PRE}),
        ("PostSync", {POST}),
        ("SyncFail", {FAILURE}),
        ("PreSync, PostSync", {PRE, POST}),
    ],
)
def test_hooks_of_argo_cd_run_at_every_change(said, moments):
    hook = hook_of(Manifest.of(argo(hook=said, wave="-3", policy="HookSucceeded,HookFailed")))
    assert hook.events == {(moment, occasion) for moment in moments for occasion in Occasion}
    assert hook.weight == -3
    assert hook.policies == {DeletePolicy.SUCCEEDED, DeletePolicy.FAILED}


def test_argo_cds_word_goes_before_helms():
    both = argo(hook="PostSync")
    both["metadata"]["annotations"][NAMES["hook"]] = "pre-install"
    assert hook_of(Manifest.of(both)).events == {(POST, occasion) for occasion in Occasion}


def test_what_argo_cd_applies_in_its_wave_is_ordinary_and_what_it_skips_is_dropped():
    assert hook_of(Manifest.of(argo(hook="Sync", wave="2"))) is None
    assert hook_of(Manifest.of(argo(wave="2"))) is None
    assert wanted([argo(hook="Sync"), argo("b", hook="Skip"), argo("c", hook="PostDelete")]) == [
        argo(hook="Sync")
    ]


@pytest.mark.parametrize(
    ("data", "field"),
    [
        (argo(hook="BeforeSync"), "hook"),
        (argo(hook="PreSync", policy="Never"), "hook-delete-policy"),
        (argo(hook="PreSync", wave="first"), "sync-wave"),
    ],
)
def test_annotations_of_argo_cd_that_cannot_be_read_are_told(data, field):
    with pytest.raises(Invalid) as caught:
        wanted([data])
    assert [(f.code, f.where.field) for f in caught.value.findings] == [("DST325", ARGO + field)]


def test_a_folder_runs_nothing_on_failure():
    found = ManifestSet.of(map(Manifest.of, [argo(hook="SyncFail"), argo("b", hook="PreSync")]))
    assert names(ordinary(found).members) == ["b"]


BAD = [
    job("event", hook="pre-instal"),
    job("none", hook=""),
    job("weight", hook="test", weight="heavy"),
    job("half", hook="pre-install", weight="1.5"),
    job("huge", hook="pre-install", weight="9" * 400),
    job("policy", hook="post-install", policy="hook-succeded"),
]


def test_everything_that_cannot_be_read_is_told_at_once():
    with pytest.raises(Invalid) as caught:
        wanted([*BAD, job("good", hook="pre-install")])
    assert {f.code for f in caught.value.findings} == {"DST325"}
    assert [f.where.file for f in caught.value.findings] == [
        f"Job {data['metadata']['name']}" for data in BAD
    ]
    assert all(len(f.message) < 200 for f in caught.value.findings)
    assert caught.value.findings[-1].where.field == NAMES["policy"]


def test_there_are_only_so_many():
    objects = [job(f"j{n}", hook="pre-install") for n in range(MOST_HOOKS)]
    tests = [job(f"t{n}", hook="test") for n in range(9)]
    assert len(wanted([*objects, *tests, job("own")])) == MOST_HOOKS + 1
    with pytest.raises(Invalid, match="DST326"):
        wanted([*objects, job("one", hook="post-install")])


@pytest.mark.parametrize("data", BAD)
def test_a_set_with_what_cannot_be_read_is_not_split(data):
    with pytest.raises(Invalid, match="DST325"):
        split(ManifestSet.of([Manifest.of(data)]))


def test_members_and_hooks_are_taken_apart():
    objects = [job("a", hook="pre-install"), job("b"), job("c", hook="post-rollback")]
    found = ManifestSet.of(map(Manifest.of, objects))
    apart = split(found)
    assert names(apart.members) == ["b"]
    assert [hook.ref.name for hook in apart.hooks] == ["a", "c"]
    assert split(apart.members).members is apart.members


def test_where_nothing_can_wait_hooks_are_members_but_for_those_of_a_rollback():
    objects = [job("a", hook="pre-install"), job("b"), job("c", hook="post-rollback")]
    apart = ordinary(ManifestSet.of(map(Manifest.of, objects)))
    assert names(apart.members) == ["a", "b"]
    assert [hook.ref.name for hook in apart.hooks] == ["a"]
    plain = ManifestSet.of([Manifest.of(job("b"))])
    assert ordinary(plain).members is plain
    assert ordinary(plain).hooks == ()


def declared(name: str, moment: Moment, timeout: float | None = None) -> DeclaredHook:
    return DeclaredHook(ref=Manifest.of(job(name)).ref, moment=moment, timeout=timeout)


def test_a_package_names_hooks_too():
    found = ManifestSet.of(map(Manifest.of, [job("a"), job("b"), job("c")]))
    said = [
        declared("b", POST, 60),
        declared("absent", PRE),
        declared("a", PRE),
        declared("a", POST),
    ]
    apart = split(found, said)
    assert names(apart.members) == ["c"]
    first, second = apart.hooks
    assert (first.weight, second.weight) == (2, 0), "in the order of the list"
    assert (first.timeout, second.timeout) == (None, 60)
    assert second.events == {(POST, occasion) for occasion in Occasion}
    assert first.events == {(moment, occasion) for moment in (PRE, POST) for occasion in Occasion}


def test_a_package_adds_to_what_annotations_say():
    found = ManifestSet.of(
        [Manifest.of(job("a", hook="post-install", weight="7", policy="hook-failed"))]
    )
    (hook,) = split(found, [declared("a", PRE)]).hooks
    assert hook.events == {(POST, INSTALL), *((PRE, occasion) for occasion in Occasion)}
    assert (hook.weight, hook.policies) == (7, {DeletePolicy.FAILED})


WORDS = st.sampled_from(
    [*(f"{m}-{o}" for m in (PRE, POST) for o in Occasion), "test", "pre-delete"]
)


@given(st.lists(st.lists(WORDS, min_size=1, max_size=3), max_size=6))
def test_split_loses_nothing(said):
    objects = [job(f"j{n}", hook=",".join(words)) for n, words in enumerate(said)] + [job("own")]
    kept = ManifestSet.of(map(Manifest.of, wanted(objects)))
    apart = split(kept)
    assert apart.members.refs() | {h.ref for h in apart.hooks} == kept.refs()
    assert all(hook.events for hook in apart.hooks)
