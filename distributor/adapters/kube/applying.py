"""Server-side apply of a group of objects."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from types import MappingProxyType

from distributor.adapters.kube.bodies import FIELD_MANAGER, after, apply_body, version_of
from distributor.adapters.kube.discovery import Discovery, Served
from distributor.adapters.kube.messages import (
    APPLY,
    CONFLICT,
    CREATED,
    METADATA_ONLY,
    NOT_FOUND,
    Answer,
    Request,
    autoscaled,
    checked,
    error_of,
    holders,
    lacks,
    malformed,
    missing_namespace,
)
from distributor.adapters.kube.outcomes import failed
from distributor.adapters.kube.owning import forced, prepare
from distributor.adapters.kube.settings import Limits
from distributor.adapters.kube.together import together
from distributor.adapters.kube.transport import Sender
from distributor.errors import DistributorError
from distributor.errors.cluster import ApiRefused, ChangedMeanwhile, ClusterUnreachable, MissingKind
from distributor.model.changes import Action, Outcome
from distributor.model.manifest import Manifest
from distributor.model.ownership import NO_CLAIMS, Claim, Claims
from distributor.model.refs import GroupKind
from distributor.plan import AUTOSCALER

_DEFINITION = GroupKind("apiextensions.k8s.io", "CustomResourceDefinition")
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 0.5
_NO_CLAIM = Claim()
_AT_BIRTH = "1"
"""A version that no object ever has: an API server goes by it for one that is there, and not for a new one.

Its store is at 1 before anything is written. Were a server to refuse it for a new object too, that would be
told like one that is there, and looked at again.
"""
_QUERY = MappingProxyType({"fieldManager": FIELD_MANAGER, "force": "false"})


class Applier:
    """Applies objects side by side; remembers which kinds it defined, to wait for those alone."""

    def __init__(self, transport: Sender, discovery: Discovery, limits: Limits) -> None:
        self._transport = transport
        self._discovery = discovery
        self._limits = limits
        self._defined: set[GroupKind] = set()

    async def apply(
        self, group: Sequence[Manifest], claims: Claims = NO_CLAIMS
    ) -> tuple[Outcome, ...]:
        """One outcome each, in order; raises ``ClusterUnreachable`` at the first sign of it."""
        if not group:
            return ()
        served = await self.served(group)
        return tuple(
            await together(
                (self._outcome(served, m, claims.get(m.ref, _NO_CLAIM)) for m in group),
                at_once=self._limits.concurrency,
            )
        )

    async def served(self, group: Sequence[Manifest]) -> Served:
        """What is served now, as far as these objects need it."""
        served = await self._discovery.served()
        missing = _missing(served, group)
        if missing:
            served = await self._discovery.refresh(served)
            missing = _missing(served, group)
        # The API server takes a moment to serve a kind after its definition was accepted.
        pause, waited = _FIRST_PAUSE, 0.0
        while missing & self._defined and waited < self._limits.establish:
            await asyncio.sleep(pause)
            waited, pause = waited + pause, min(pause * 2, _LONGEST_PAUSE)
            served = await self._discovery.refresh(served)
            missing = _missing(served, group)
        return served

    async def _outcome(self, served: Served, manifest: Manifest, claim: Claim) -> Outcome:
        try:
            return await self._apply(served, manifest, claim)
        except ClusterUnreachable:
            raise
        except DistributorError as error:
            return failed(manifest.ref, error)

    async def _apply(self, served: Served, manifest: Manifest, claim: Claim) -> Outcome:
        answer = await self.answered(served, manifest, claim)
        metadata = answer.object(str(manifest.ref)).get("metadata") or {}
        self._note_definition(manifest)
        return Outcome(
            ref=manifest.ref,
            action=Action.CREATED if answer.status == CREATED else Action.CONFIGURED,
            uid=str(metadata.get("uid", "")),
            after=after(manifest, metadata, answer.date),
        )

    async def answered(self, served: Served, manifest: Manifest, claim: Claim) -> Answer:
        """What the API server says to one object, good or bad; raises where there is nowhere to send it."""
        resource = served.find(manifest.ref.group_kind, version_of(manifest.api_version))
        if resource is None:
            raise MissingKind(f"{manifest.api_version} {manifest.ref.kind}.")
        if resource.namespaced and not manifest.ref.namespace:
            raise ApiRefused(f"{manifest.ref} has no namespace.")
        resource.check_within(manifest.ref, self._limits.namespaces)
        path = resource.of(manifest.ref)
        if claim.prepares:
            claim = await prepare(self._transport, path, manifest, claim)
        answer = await self._understood(path, manifest, claim)
        if answer.status == CONFLICT and claim.seen is not None and not _is_owned(answer, claim):
            raise ChangedMeanwhile(f"({manifest.ref})")
        if answer.status == NOT_FOUND:
            if not lacks(answer, manifest.ref.name):  # the next look is in a version that is served
                await self._discovery.refresh(served)
            raise _absent(answer, manifest)
        return answer

    async def _understood(self, path: str, manifest: Manifest, claim: Claim) -> Answer:
        """The answer; the API server takes a moment to go by the schema of a definition it has just accepted."""
        kind = manifest.ref.group_kind
        answer = await self._sent(path, manifest, claim)
        pause, waited = _FIRST_PAUSE, 0.0
        while malformed(answer) and kind in self._defined and waited < self._limits.establish:
            await asyncio.sleep(pause)
            waited, pause = waited + pause, min(pause * 2, _LONGEST_PAUSE)
            answer = await self._sent(path, manifest, claim)
        if malformed(answer):
            self._defined.discard(kind)  # it means what it says, and is not waited for again
        return answer

    async def _sent(self, path: str, manifest: Manifest, claim: Claim) -> Answer:
        at = _AT_BIRTH if claim.seen == "" else claim.seen or ""
        body = checked(apply_body(manifest, at=at), str(manifest.ref))
        answer = await self._transport.send(_request(path, body))
        if autoscaled(answer) and AUTOSCALER not in claim.over:
            body = apply_body(manifest, at=at, autoscaled=True)
            answer = await self._transport.send(_request(path, body))
        if frozenset() < holders(answer) <= claim.over:
            by_force = await forced(self._transport, path, _QUERY, body, claim)
            return answer if by_force is None else by_force
        return answer

    def _note_definition(self, manifest: Manifest) -> None:
        if manifest.ref.group_kind == _DEFINITION:
            spec = manifest.data().get("spec") or {}
            kind = (spec.get("names") or {}).get("kind", "")
            self._defined.add(GroupKind(spec.get("group", ""), kind))


def _is_owned(answer: Answer, claim: Claim) -> bool:
    """Whether an object is as it was seen, and refused for its fields' owners; one to be made has none."""
    return claim.seen != "" and bool(holders(answer))


def _missing(served: Served, group: Sequence[Manifest]) -> set[GroupKind]:
    return {
        m.ref.group_kind
        for m in group
        if served.find(m.ref.group_kind, version_of(m.api_version)) is None
    }


def _request(path: str, body: bytes) -> Request:
    return Request(
        method="PATCH",
        path=path,
        query=_QUERY,
        body=body,
        content_type=APPLY,
        accept=METADATA_ONLY,
    )


def _absent(answer: Answer, manifest: Manifest) -> DistributorError:
    namespace = missing_namespace(answer)
    if namespace:
        return ApiRefused(
            f"{manifest.ref}: there is no namespace {namespace}.",
            remedy="Create the namespace, or let the package do it (namespace.create).",
        )
    if lacks(answer, manifest.ref.name):
        return error_of(answer, str(manifest.ref))
    return MissingKind(f"{manifest.api_version} {manifest.ref.kind} is no longer served.")
