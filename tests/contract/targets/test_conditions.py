"""What is applied only on a condition: that an object is not there yet, or is still as it was seen."""

from __future__ import annotations

from pathlib import Path

from distributor.adapters.kube import KubeConnections
from distributor.model.changes import Action
from distributor.model.manifest import Manifest
from distributor.model.ownership import ABSENT, Claim
from tests.contract.targets.fake_api import FakeApi, kubeconfig, serve
from tests.contract.targets.objects import NAMESPACE, config_map, entry, inventory, namespace
from tests.contract.targets.suite import Harness
from tests.contract.targets.test_surveys import api, harness
from tests.contract.targets.test_targets import PUSHED

__all__ = ["api", "harness"]
MAP = f"/api/v1/namespaces/{NAMESPACE}/configmaps/a"


async def test_what_is_to_be_made_is_not_applied_over_what_is_there(harness: Harness) -> None:
    kept = await harness.installed(namespace(), config_map("a"))
    theirs = [config_map(name, "2", instance="other") for name in ("a", "b")]
    outcomes = await harness.other.apply(kept, theirs, {m.ref: ABSENT for m in theirs})
    assert [o.action for o in outcomes] == [Action.SKIPPED, Action.CREATED]
    assert [(o.error.code, o.retryable) for o in outcomes if o.error] == [("DST444", True)]
    live = await harness.target.read_live([entry(m) for m in theirs])
    assert {ref.name: there.data["data"]["value"] for ref, there in live.items()} == {
        "a": "1",
        "b": "2",
    }


async def test_what_is_taken_is_taken_as_it_was_seen(tmp_path: Path, api: FakeApi) -> None:
    async with serve(api) as url:
        connections = KubeConnections({"c1": {"kubeconfig": str(kubeconfig(tmp_path / "c", url))}})
        target = await connections.open(PUSHED)
        kept = inventory(token="")
        place: Manifest = namespace()
        await target.apply(kept, [place])
        first, second = config_map("a"), config_map("a", "2")
        await target.apply(kept, [first])
        seen = api.objects[MAP]["metadata"]["resourceVersion"]
        for managers in (
            frozenset[str](),
            frozenset({"kubectl"}),
        ):  # with and without a write before
            claims = {first.ref: Claim(seen=f"{seen}0", takes=managers)}
            (outcome,) = await target.apply(kept, [second], claims)
            assert (outcome.error.code if outcome.error else "") == "DST444"
            assert api.objects[MAP]["data"] == {"value": "1"}
        (outcome,) = await target.apply(kept, [second], {first.ref: Claim(seen=seen)})
        assert (outcome.action, outcome.error) == (Action.CONFIGURED, None)
        await connections.aclose()
