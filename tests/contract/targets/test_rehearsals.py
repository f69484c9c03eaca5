"""What a target says of objects that it is only asked to try: what an apply would come to, and nothing is kept."""

from __future__ import annotations

from pathlib import Path

import pytest
from aiohttp import web

from distributor.adapters.kube import KubeConnections
from distributor.model.changes import LiveObject
from distributor.model.manifest import Manifest
from distributor.model.ownership import NO_CLAIMS, Claim
from tests.contract.targets.fake_api import FakeApi, kubeconfig, serve, status
from tests.contract.targets.objects import config_map, entry, inventory, namespace
from tests.contract.targets.suite import Harness
from tests.contract.targets.test_surveys import api, harness
from tests.contract.targets.test_targets import PUSHED

__all__ = ["api", "harness"]


async def test_one_answer_each_in_order_and_nothing_is_kept(harness: Harness) -> None:
    kept = await harness.installed(namespace(), config_map("a"))
    group = [config_map("b"), config_map("a", "2"), config_map("c")]
    found = await harness.target.rehearse(group, NO_CLAIMS, {})
    assert [a.ref for a in found] == [m.ref for m in group]
    assert [a.made["data"] for a in found] == [{"value": "1"}, {"value": "2"}, {"value": "1"}]
    assert not any(a.error or a.unasked for a in found)
    live = await harness.other.read_live([entry(m) for m in group])
    assert {ref.name: there.data["data"] for ref, there in live.items()} == {"a": {"value": "1"}}
    assert await harness.other.read_inventory(kept.environment, kept.instance) == kept
    assert await harness.target.rehearse([], NO_CLAIMS, {}) == ()


async def test_an_api_server_refuses_what_it_would_refuse(tmp_path: Path, api: FakeApi) -> None:
    async with serve(api) as url:
        told = {"kubeconfig": str(kubeconfig(tmp_path / "config", url))}
        connections = KubeConnections({"c1": told})
        target = await connections.open(PUSHED)
        unknown = Manifest.of({**config_map("a").data(), "apiVersion": "x.example/v1"})
        group = [config_map("a", namespace="nowhere"), unknown]
        tried = await target.rehearse(group, NO_CLAIMS, {})
        done = await target.apply(inventory(token=""), group)
        assert [a.error for a in tried] == [o.error for o in done]
        assert [a.error.code for a in tried if a.error] == ["DST402", "DST411"]
        await connections.aclose()


@pytest.mark.parametrize(
    ("claim", "message", "unasked"),
    [
        (
            Claim(),
            'admission webhook "w.example.com" does not support dry run',
            'admission webhook "w.example.com" does not support dry run',
        ),
        (Claim(migrates=True), "no", "its managed fields are moved to this apiVersion first"),
        (Claim(), "no", ""),
    ],
    ids=["a webhook with effects", "another version's record", "a refusal"],
)
async def test_what_cannot_be_tried_is_no_refusal(
    tmp_path: Path, api: FakeApi, claim: Claim, message: str, unasked: str
) -> None:
    async def fault(request: web.Request) -> web.Response | None:
        return status(400, "BadRequest", message) if request.method == "PATCH" else None

    api.fault = fault
    async with serve(api) as url:
        told = {"kubeconfig": str(kubeconfig(tmp_path / "config", url))}
        connections = KubeConnections({"c1": told})
        target = await connections.open(PUSHED)
        wanted = config_map("a")
        (found,) = await target.rehearse([wanted], {wanted.ref: claim}, {})
        assert found.unasked == unasked
        assert (found.error is None) == bool(unasked)
        await connections.aclose()


async def test_what_is_handed_over_is_tried_as_it_is(tmp_path: Path, api: FakeApi) -> None:
    async with serve(api) as url:
        told = {"kubeconfig": str(kubeconfig(tmp_path / "config", url))}
        connections = KubeConnections({"c1": told})
        target = await connections.open(PUSHED)
        await target.apply(inventory(token=""), [namespace()])
        wanted, before = config_map("a"), config_map("a", "2").data()
        there = LiveObject(
            ref=wanted.ref, api_version="v1", data={**before, "spec": {"replicas": 3}}
        )
        claim = Claim(hands_over=(("spec", "replicas"),))
        (found,) = await target.rehearse([wanted], {wanted.ref: claim}, {wanted.ref: there})
        assert found.made["spec"] == {"replicas": 3}
        assert found.made["data"] == {"value": "1"}
        await connections.aclose()
