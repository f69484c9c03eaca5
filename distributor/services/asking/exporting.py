"""Exporting: verdicts of the ledger as signed in-toto verification summaries, for whoever trusts no tool of ours."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import metadata
from typing import Any

from distributor.errors.git import BadKey, NotTheLedgersKey
from distributor.ledger.summaries import Origin, envelope, preimage, statement, summarised
from distributor.model.ledger import Decided
from distributor.ports import Signer
from distributor.services.ledger.checking import same_key
from distributor.services.service import Service


async def export(
    service: Service,
    signer: Signer | None,
    *,
    environment: str = "",
    instance: str = "",
    sequence: int = 0,
) -> Iterator[dict[str, Any]]:
    """One DSSE envelope for each final verdict on a promotion or rollback, oldest first in each file.

    Raises ``BadKey`` without a key, ``NotTheLedgersKey`` for one that the ledger is not signed with.
    """
    await service.look()
    if signer is None:
        raise BadKey("(a summary must be signed; let `service_key` name the service's key)")
    if not same_key(service.book.key, signer.public_key):
        raise NotTheLedgersKey(
            f"(it is {service.book.key}, and this process has {signer.public_key})"
        )
    return _envelopes(service, signer, (environment, instance, sequence))


def _envelopes(
    service: Service, signer: Signer, wanted: tuple[str, str, int]
) -> Iterator[dict[str, Any]]:
    world, head = service.world, service.book.state.head
    environment, instance, sequence = wanted
    origin = Origin(
        catalog=world.catalog_at,
        ledger=world.ledger_at or world.catalog_at,
        head=head,
        key=signer.public_key,
        version=metadata.version("distributor"),
        local=world.local_ledger,
    )
    for key in sorted(service.book.keys(head)):
        if environment not in ("", key[0]) or instance not in ("", key[1]):
            continue
        for record in service.book.records(head, key):
            if not isinstance(record, Decided) or not summarised(record.verdict):
                continue
            if sequence in (0, record.verdict.sequence):
                payload = statement(record.verdict, record.at, origin)
                yield envelope(payload, signer.plain(preimage(payload)), signer.public_key)
