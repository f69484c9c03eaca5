"""A worker in a process of its own: brings one target to one revision and says how that went."""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime

from distributor.adapters.kube import KubeConnections
from tests.integration.membership.conftest import Instance, settings
from tests.integration.weather.conftest import world_of

PHASE = "distributor.dev/phase"


def revision(text: str, *names: str) -> list[dict]:
    """Objects of a revision, each in a phase of its own."""
    objects = [settings(name, text=text) for name in names]
    for number, one in enumerate(objects):
        one["metadata"]["annotations"] = {PHASE: str(number)}
    return objects


async def main(config: str, namespace: str) -> None:
    connections = KubeConnections({"c1": {"kubeconfig": config}})
    world = world_of(connections, datetime.now(UTC))
    instance = Instance(plane=None, world=world, namespace=namespace, sequence=1)
    report = await instance.sync(*revision("old", "a", "b", "c"))
    await connections.aclose()
    sys.stdout.write(report.actuation.value)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
