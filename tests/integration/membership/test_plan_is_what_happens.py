"""What a plan says is what an apply then does, object by object; and to plan writes nothing."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest

from distributor.metrics import CLUSTER_REQUESTS
from distributor.model.changes import Action, Actuation, TargetReport
from distributor.model.refs import ObjectRef
from distributor.model.tags import Verb
from tests.integration.admission.conftest import until
from tests.integration.membership.conftest import Instance, codes, settings
from tests.integration.ownership.conftest import deployment, named
from tests.seeds import seed

pytestmark = [pytest.mark.controlplane, pytest.mark.timeout(240)]
ROUNDS = 12
NAMES = [f"o{number}" for number in range(9)]
KEEP_NOTHING = {"get", "dry-run"}
DONE = frozenset({Action.CREATED, Action.CONFIGURED, Action.PRUNED})


def claim(name: str) -> dict[str, Any]:
    asks = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}}
    return named("v1", "PersistentVolumeClaim", name, spec=asks)


def refused(dice: random.Random) -> dict[str, Any]:
    """One that can be made in any of its forms, but not always be changed to another."""
    pod = deployment("fixed", replicas=0)
    match dice.randrange(6):
        case 0 | 1:
            labels = {"app": "fixed", "form": str(dice.randrange(2))}
            pod["spec"]["selector"] = {"matchLabels": labels}
            pod["spec"]["template"]["metadata"]["labels"] = labels
            return pod
        case 2 | 3:
            kind = dice.choice(["Opaque", "example.com/other"])
            return named("v1", "Secret", "fixed", type=kind, data={"a": "YQ=="})
        case 4:
            pod["spec"]["template"]["spec"]["containers"][0]["imagee"] = "web:1"
            return pod
        case _:
            counted = {"selector": {"app": "fixed"}, "template": pod["spec"]["template"]}
            return named("v1", "ReplicationController", "fixed", spec={"replicas": 0, **counted})


async def none_allowed(instance: Instance) -> None:
    """A quota in force that lets nobody make a ReplicationController."""
    hard = {"count/replicationcontrollers": "0"}
    body = named("v1", "ResourceQuota", "none", spec={"hard": hard})
    await instance.send("POST", "v1 resourcequotas", body)

    async def counted() -> bool:
        status = (await instance.get("v1 resourcequotas/none")).get("status", {})
        return status.get("hard") == hard

    await until("the quota is counted", counted)


async def kept(instance: Instance) -> dict[str, str]:
    """What is there of the kinds that no controller writes, in the versions that there are."""
    found = {}
    for kind in ("configmaps", "secrets"):
        for item in (await instance.get(f"v1 {kind}"))["items"]:
            named = item["metadata"]
            if named["name"] != "kube-root-ca.crt":
                found[f"{kind}/{named['name']}"] = f"{named['uid']} {named['resourceVersion']}"
    return found


def some(dice: random.Random) -> list[dict[str, Any]]:
    """A revision: of each name a ConfigMap, a claim, a Deployment, one that is refused, or nothing.

    Now and then the API server refuses one of them: for a selector, a Secret's type, a typo, or the quota.
    """
    found = [settings("always"), *([refused(dice)] if dice.random() < 0.4 else [])]
    for name in NAMES:
        match dice.randrange(6):
            case 0 | 1:
                found.append(settings(name, value=str(dice.randrange(2))))
            case 2:
                found.append(claim(name))
            case 3:
                found.append(deployment(name, replicas=dice.randrange(2)))
            case 4:
                found.append(settings("foreign"))
    return list({(m["kind"], m["metadata"]["name"]): m for m in found}.values())


async def meddle(instance: Instance, dice: random.Random) -> None:
    """Somebody deletes or changes one of the ConfigMaps."""
    path = f"v1 configmaps/{dice.choice(NAMES)}"
    if not await instance.get(path):
        return
    if dice.random() < 0.5:
        await instance.send("DELETE", path, None)
    else:
        changed = {"data": {"value": "by hand"}}
        await instance.send("PATCH", path, changed, kind="application/merge-patch+json")


def writes() -> Counter[str]:
    found: Counter[str] = Counter()
    for family in CLUSTER_REQUESTS.collect():
        for sample in family.samples:
            if sample.name.endswith("_total") and sample.labels["method"] not in KEEP_NOTHING:
                found[sample.labels["method"]] += int(sample.value)
    return found


def did(report: TargetReport) -> dict[ObjectRef, Action]:
    return {o.ref: o.action for o in report.outcomes if o.action in DONE}


def waits(report: TargetReport) -> bool:
    """Whether something still goes once what is new is there, beside what a guard has stopped."""
    return any("goes when this is current" in health.message for health in report.health)


async def test_random_revisions(instance: Instance):
    dice = random.Random(seed())
    await instance.send("POST", "v1 configmaps", settings("foreign", of="somebody"))
    await none_allowed(instance)
    seen: Counter[Action] = Counter()
    for turn in range(ROUNDS):
        objects = some(dice)
        await meddle(instance, dice)
        agreed = [Verb.CONSENT] if dice.random() < 0.3 else []
        before, there = writes(), await kept(instance)
        plan = await instance.plan(*objects, agreed=agreed)
        assert writes() == before, "to plan writes nothing"
        assert (await kept(instance)).items() <= there.items(), "nor is anything of it kept"
        report = await instance.sync(*objects, agreed=agreed)
        done = did(report)
        while report.actuation is Actuation.APPLYING or "DST419" in codes(report) or waits(report):
            report = await instance.resync(
                *objects, agreed=agreed
            )  # a finalizer of the cluster's own
            done |= did(report)
        foreseen = {c.ref: c.action for c in plan.changes if c.action in DONE}
        assert done == foreseen, f"in turn {turn}"
        told = sorted((f.code, f.where.file) for f in plan.findings)
        assert sorted((f.code, f.where.file) for f in report.findings) == told, f"in turn {turn}"
        seen.update(foreseen.values())
        again = await instance.plan(*objects, agreed=agreed)
        assert not [c for c in again.changes if c.action in DONE], f"after turn {turn}"
    assert seen.keys() == DONE, "a walk that did all of it"
