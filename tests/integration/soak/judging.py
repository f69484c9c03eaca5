"""The judgement at the end: what lives on each cluster against what the accepted revisions render to.

Asked with a plain client and the program's own ``render``, not with anything that the service uses to
compare; fields that the API server adds are not looked at, and every desired one must have its value.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import urllib.error
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from distributor.model.tags import Verb
from distributor.render.applyset import PART_OF, applyset_id
from distributor.services.service import Service
from tests.integration.soak.fleet import CLUSTERS, Fleet
from tests.integration.soak.moves import Foreign
from tests.integration.soak.serving import environment

LONG = 1200.0
"""Seconds that a command may take on a ledger of an hour of requests."""
PLACES = {
    "Namespace": "/api/v1/namespaces",
    "ConfigMap": "/api/v1/namespaces/{}/configmaps",
    "Service": "/api/v1/namespaces/{}/services",
    "Deployment": "/apis/apps/v1/namespaces/{}/deployments",
}
EVERYWHERE = {
    "Namespace": "/api/v1/namespaces",
    "ConfigMap": "/api/v1/configmaps",
    "Service": "/api/v1/services",
    "Deployment": "/apis/apps/v1/deployments",
}


async def program(folder: Path, *arguments: str) -> str:
    """Run the program; what it printed."""
    command = [sys.executable, "-m", "distributor", *arguments]
    done = await asyncio.to_thread(
        subprocess.run,
        command, cwd=folder, env=environment(), capture_output=True, text=True, check=False,
        timeout=LONG,
    )  # fmt: skip
    assert done.returncode == 0, f"{' '.join(arguments)}: {done.stdout}{done.stderr}"
    return done.stdout


def pinned(service: Service, instance: str) -> tuple[str, str]:
    """The version that is desired, and the commit whose files it pinned."""
    state = service.book.state.instance("sit", instance)
    desired = state.desired
    assert desired is not None
    assert desired.revision is not None
    same = [
        v
        for v in state.accepted
        if v.verb is Verb.PROMOTE and v.revision is not None and v.revision.same(desired.revision)
    ]
    return desired.revision.version, same[-1].commit


async def wrong(fleet: Fleet, service: Service, scratch: Path) -> list[str]:
    """Everything that is not as it should be."""
    await service.look()
    clone = scratch / "judged"
    await asyncio.to_thread(
        _git, fleet.place.root, "clone", "-q", str(fleet.place.remote), str(clone)
    )
    found: list[str] = []
    for instance in fleet.instances:
        version, commit = pinned(service, instance)
        await asyncio.to_thread(_git, clone, "checkout", "-q", commit)
        for cluster in CLUSTERS:
            text = await program(
                clone, "render", f"catalog/{instance}/{version}", "--env", "sit",
                "--cluster", cluster, "--name", instance, "-o", "json",
            )  # fmt: skip
            desired = json.loads(text)
            assert desired, text
            found += await asyncio.to_thread(_target, fleet, instance, cluster, desired)
    return found


def _git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True, timeout=60)


def _target(
    fleet: Fleet, instance: str, cluster: str, desired: Sequence[Mapping[str, Any]]
) -> list[str]:
    client = fleet.plane(cluster).client
    found: list[str] = []
    for body in desired:
        metadata = body["metadata"]
        folder = PLACES[body["kind"]].format(metadata.get("namespace", ""))
        where = f"{cluster} {body['kind']} {metadata.get('namespace', '')}/{metadata['name']}"
        try:
            live = client.get(f"{folder}/{metadata['name']}")
        except urllib.error.HTTPError as error:
            error.close()
            found.append(f"{where} is missing ({error.code})")
            continue
        found += [f"{where}: {text}" for text in differing(body, live)]
    names = {
        (b["kind"], b["metadata"].get("namespace", ""), b["metadata"]["name"]) for b in desired
    }
    for kind, path in EVERYWHERE.items():
        labelled = client.get(f"{path}?labelSelector={PART_OF}={applyset_id(instance)}")["items"]
        for item in labelled:
            metadata = item["metadata"]
            key = (kind, metadata.get("namespace", ""), metadata["name"])
            if key not in names and not metadata["name"].startswith("foreign-"):
                found.append(f"{cluster} has {'/'.join(key)} beyond what is desired")
        labelled_names = {
            (kind, i["metadata"].get("namespace", ""), i["metadata"]["name"]) for i in labelled
        }
        found += [
            f"{cluster} {'/'.join(key)} has not the label of its set"
            for key in sorted(names)
            if key[0] == kind and key not in labelled_names
        ]
    return found


def differing(desired: object, live: object, path: str = "") -> Iterator[str]:
    """Where a live value does not have what a desired one says."""
    if isinstance(desired, Mapping) and isinstance(live, Mapping):
        for key, value in desired.items():
            yield from differing(value, live.get(key), f"{path}/{key}")
    elif isinstance(desired, list) and isinstance(live, list) and len(desired) == len(live):
        for number, (one, other) in enumerate(zip(desired, live, strict=True)):
            yield from differing(one, other, f"{path}/{number}")
    elif desired != live and not (path == "/metadata/namespace" and live is None):
        yield f"{path} is {live!r}, not {desired!r}"


def touched(fleet: Fleet, foreign: Sequence[Foreign]) -> list[str]:
    """Objects of others that are not as they were made."""
    found: list[str] = []
    for one in foreign:
        if not one.version:
            continue  # whether it was made at all was never answered
        try:
            live = fleet.plane(one.cluster).client.get(one.path)
        except urllib.error.HTTPError as error:
            error.close()
            found.append(f"{one.cluster} {one.path} is gone ({error.code})")
            continue
        if live["metadata"]["resourceVersion"] != one.version:
            found.append(f"{one.cluster} {one.path} was written to")
    return found
