"""Rehearsing: the same server-side apply as the real one, which the API server is told not to keep."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from distributor.adapters.kube.applying import Applier
from distributor.adapters.kube.discovery import Discovery, Served
from distributor.adapters.kube.messages import JSON, Answer, Request
from distributor.adapters.kube.settings import Limits
from distributor.adapters.kube.together import together
from distributor.adapters.kube.transport import Sender
from distributor.errors import DistributorError
from distributor.errors.cluster import ClusterUnreachable
from distributor.model.changes import LiveObject
from distributor.model.findings import Finding
from distributor.model.manifest import Manifest
from distributor.model.ownership import Claim, Claims
from distributor.model.refs import ObjectRef
from distributor.model.rehearsals import Rehearsal
from distributor.plan import handed_over

_NO_CLAIM = Claim()
_NOT_DRY = re.compile(r'admission webhook "[^"]*" does not support dry run')
"""How an API server words that it may not ask a webhook, which would do more than to judge."""
_MIGRATES = "its managed fields are moved to this apiVersion first"


class DryLane:
    """Sends every write so that nothing of it is kept, and asks for the whole of what it would make."""

    def __init__(self, lane: Sender) -> None:
        self._lane = lane

    async def send(self, request: Request) -> Answer:
        """The answer, whatever its status."""
        if request.method != "GET":
            query = {**request.query, "dryRun": "All"}
            request = replace(request, query=query, accept=JSON)
        return await self._lane.send(request)


class Rehearser:
    """Tries objects side by side: what is sent, by which manager and over whom, the applier decides."""

    def __init__(self, lane: Sender, discovery: Discovery, limits: Limits) -> None:
        self._applier = Applier(DryLane(lane), discovery, limits)
        self._limits = limits

    async def rehearse(
        self, group: Sequence[Manifest], claims: Claims, there: Mapping[ObjectRef, LiveObject]
    ) -> tuple[Rehearsal, ...]:
        """One answer each, in order; raises ``ClusterUnreachable`` at the first sign of it."""
        if not group:
            return ()
        served = await self._applier.served(group)
        return tuple(
            await together(
                (
                    self._tried(served, m, claims.get(m.ref, _NO_CLAIM), there.get(m.ref))
                    for m in group
                ),
                at_once=self._limits.concurrency,
            )
        )

    async def _tried(
        self, served: Served, manifest: Manifest, claim: Claim, there: LiveObject | None
    ) -> Rehearsal:
        ref = manifest.ref
        try:
            body, alone = _prepared(manifest, claim, there)
            answer = await self._applier.answered(served, body, alone)
            return Rehearsal(ref=ref, made=answer.object(str(ref)))
        except ClusterUnreachable:
            raise
        except DistributorError as error:
            if refuses_to_try := _NOT_DRY.search(error.detail):
                return Rehearsal(ref=ref, unasked=refuses_to_try[0])
            if claim.migrates:
                return Rehearsal(ref=ref, unasked=_MIGRATES)
            return Rehearsal(ref=ref, error=Finding.from_error(error))


def _prepared(manifest: Manifest, claim: Claim, there: LiveObject | None) -> tuple[Manifest, Claim]:
    """What comes to the same without the writes that come before a real apply: these are not kept either.

    Managers whose fields are taken are forced over, and what is handed over is set as it is.
    """
    alone = Claim(over=claim.over | claim.takes)
    if there is None or not claim.hands_over:
        return manifest, alone
    kept = handed_over(there.data, claim.hands_over)
    return Manifest.of(_with(manifest.data(), kept)), alone


def _with(body: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    found = dict(body)
    for name, value in more.items():
        here = found.get(name)
        nested = isinstance(here, Mapping) and isinstance(value, Mapping)
        found[name] = _with(here or {}, value) if nested else value
    return found
