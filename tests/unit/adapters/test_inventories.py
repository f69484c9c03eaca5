"""The written form of inventories."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distributor.errors.cluster import InventoryBroken
from distributor.model.changes import Inventory, InventoryEntry
from distributor.model.hooks import HookLog, HookResult, HookRun, Moment, Occasion
from distributor.model.inventories import from_json, to_json
from distributor.model.refs import Digest, ObjectRef

NAME = st.text("abz09-.", min_size=1, max_size=8)
REF = st.builds(ObjectRef, st.sampled_from(["", "apps"]), st.just("Kind"), st.just("") | NAME, NAME)
DIGEST = st.integers(0, 2**256 - 1).map(lambda number: Digest(f"sha256:{number:064x}"))
ENTRY = st.builds(InventoryEntry, ref=REF, api_version=NAME, digest=DIGEST, uid=st.text())
RUN = st.builds(
    HookRun,
    moment=st.sampled_from(Moment),
    ref=REF,
    api_version=NAME,
    run=NAME,
    result=st.sampled_from(HookResult),
    uid=st.text(),
    message=st.text(),
)
HOOKS = st.builds(
    HookLog,
    change=st.text(),
    occasion=st.sampled_from([None, *Occasion]),
    begun=st.booleans(),
    runs=st.lists(RUN, max_size=3).map(lambda found: {r.name: r for r in found}),
)
INVENTORY = st.builds(
    Inventory,
    environment=NAME,
    instance=NAME,
    cluster=NAME,
    sequence=st.integers(0, 2**53),
    ledger_commit=st.text(),
    revision=st.text(),
    applied=DIGEST | st.just(Digest("")),
    entries=st.lists(ENTRY, max_size=5).map(lambda found: {e.ref: e for e in found}),
    hooks=HOOKS,
    token=st.just("t"),
)


@given(INVENTORY)
@settings(deadline=None)
def test_what_is_written_is_read(inventory: Inventory) -> None:
    assert from_json(json.loads(json.dumps(to_json(inventory))), token="t") == inventory  # noqa: S106 - a resource version


def test_a_section_is_read_as_it_is_written() -> None:
    read = from_json({**GOOD, **section(HOOK, occasion="upgrade")}, token="")
    assert read.hooks.occasion is Occasion.UPGRADE
    assert [(r.name, r.result) for r in read.hooks.runs.values()] == [
        ("pre batch/Job/ns/x", HookResult.SUCCEEDED)
    ]
    assert from_json(GOOD, token="").hooks == HookLog()


GOOD = to_json(Inventory(environment="sit", instance="shop", cluster="c1", sequence=1))
HOOK = ["pre", "batch/Job/ns/x", "batch/v1", "1", "succeeded", "", ""]


def section(*runs: object, **parts: object) -> dict[str, Any]:
    return {"hooks": {"change": "c", "occasion": "", "begun": True, "runs": list(runs), **parts}}


ROW = ["v1/Kind/ns/x", "v1", "sha256:" + "a" * 64, ""]


@pytest.mark.parametrize(
    "change",
    [
        {"format": 2}, {"format": None}, {"sequence": "1"}, {"sequence": True}, {"sequence": -1},
        {"environment": None}, {"hooks": []}, {"hooks": {"a": 1}}, {"entries": {}}, {"entries": ["x"]},
        {"entries": [ROW[:3]]}, {"entries": [[1, *ROW[1:]]]}, {"entries": [["x", *ROW[1:]]]},
        {"entries": [[*ROW[:2], "sha256:1", ""]]}, {"entries": [ROW, ROW]},
        section(HOOK, HOOK), section(HOOK[:6]), section(["mid", *HOOK[1:]]), section("x"),
        section([*HOOK[:4], "fine", "", ""]), section(["pre", "x", *HOOK[2:]]), section([*HOOK[:6], 1]),
        section(occasion="party"), section(begun="yes"), section(change=1), section(runs={}),
    ],
)  # fmt: skip
def test_anything_else_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(InventoryBroken):
        from_json({**GOOD, **change}, token="")


@pytest.mark.parametrize("value", [None, [], "x", 1])
def test_it_must_be_an_object(value: object) -> None:
    with pytest.raises(InventoryBroken):
        from_json(value, token="")
