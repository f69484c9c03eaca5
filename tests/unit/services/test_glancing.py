"""Glances: nothing is read by a list in Distributor's own name that is to be read in an account's."""

from __future__ import annotations

from types import SimpleNamespace

from distributor.services.rollouts.glancing import glanced


class NothingVouchedFor:
    async def unknown(self, _verdict, _cluster):
        return True

    async def before(self, _verdict, _cluster):
        return "mark"


def desired(instance: str, account: str = "") -> SimpleNamespace:
    verdict = SimpleNamespace(environment="sit", instance=instance)
    installation = SimpleNamespace(service_account=account)
    return SimpleNamespace(verdict=verdict, subject=SimpleNamespace(installation=installation))


async def asked_for(*wanted: SimpleNamespace) -> list[str]:
    asked: list[str] = []

    async def glances(_cluster, instances):
        asked.extend(instances)
        return {
            name: SimpleNamespace(inventory=SimpleNamespace(environment="sit"))
            for name in instances
        }

    pairs = [(each, SimpleNamespace(name="c1")) for each in wanted]
    found = await glanced(SimpleNamespace(glances=glances), NothingVouchedFor(), pairs)
    assert sorted(place[1] for place in found) == sorted(asked)
    return sorted(asked)


async def test_an_instance_with_an_account_is_read_by_itself():
    own = [desired(name) for name in ("a", "b", "c")]
    assert await asked_for(*own, desired("tenant", "team/deployer")) == ["a", "b", "c"]


async def test_few_are_read_one_by_one():
    tenants = [desired(name, "team/deployer") for name in ("x", "y", "z")]
    assert await asked_for(desired("a"), desired("b"), *tenants) == []
