"""``distributor drift``: what is not as accepted, told by a program of its own beside the service."""

from __future__ import annotations

import json
import os
import subprocess
import sys


def drift(play, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("DISTRIBUTOR_")}
    return subprocess.run(
        [sys.executable, "-m", "distributor", "drift", *arguments],
        cwd=play.place.catalog,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


async def test_drift_is_told_with_its_place_until_it_is_healed(play):
    async with play.service() as service:
        await play.promote(service, "1.4.1", "sit")
        same = drift(play, "sit", "shop", "-o", "json")
        assert (same.returncode, json.loads(same.stdout)) == (0, []), same.stderr

        folder = play.place.clusters / "sit" / "sit-central-1"
        file = next(
            p
            for p in sorted(folder.rglob("*.yaml"))
            if "shop" in str(p.relative_to(folder)) and "replicas: " in p.read_text()
        )
        file.write_text(file.read_text().replace("replicas: ", "replicas: 4", 1))
        found = drift(play, "sit", "shop", "-o", "json")
        (row,) = json.loads(found.stdout)
        assert found.returncode == 1
        assert (row["environment"], row["instance"], row["cluster"]) == ("sit", "shop", folder.name)
        assert (row["mode"], row["drift"], row["pointer"]) == ("heal", "changed", "/spec/replicas")
        assert "ignore:" in found.stderr
        assert drift(play, "sit", "shop", "sit-slim-1").returncode == 0
        assert drift(play, "nowhere").returncode == 2

        await service.sync()
        healed = drift(play, "sit", "shop")
        assert (healed.returncode, healed.stdout) == (0, "")
        kinds = [e.kind for e in await service.world.store.events()]
        assert kinds.count("healed") == 1
