"""Push hints: a forge says that something moved, and the service looks. They carry nothing else."""

from __future__ import annotations

import ipaddress
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path, Request
from pydantic import BaseModel, Field

from distributor.api.reading import TheService
from distributor.api.signatures import Sender, signed
from distributor.errors.service import BodyTooLarge, HintRefused
from distributor.settings import Settings

router = APIRouter(prefix="/webhooks", tags=["Webhooks"])

MOST_BYTES = 1 << 20
_BODY = {
    "requestBody": {
        "description": "Whatever the forge sends; of it, only the signature is looked at.",
        "content": {"application/json": {"schema": {}}},
    }
}


class HintTaken(BaseModel):
    """The answer to a push hint."""

    looking: bool = Field(description="Always true: the service looks soon, whatever was pushed.")


@router.post(
    "/git/{sender}",
    operation_id="hint",
    summary="Something was pushed",
    status_code=HTTPStatus.ACCEPTED,
    openapi_extra=_BODY,
)
async def hint(
    request: Request,
    service: TheService,
    sender: Annotated[Sender, Path(description="Whose signature header to look for.")],
) -> HintTaken:
    """Look soon. Signed as the sender signs; unsigned only from loopback where no secret is set.

    GitHub: `X-Hub-Signature-256`. Gitea: `X-Gitea-Signature` or `X-Hub-Signature-256`. GitLab: the secret
    itself in `X-Gitlab-Token`. Generic: `X-Distributor-Signature-256`, the HMAC-SHA256 of the body in hex.
    """
    settings: Settings = request.app.state.settings
    body = await _read(request)
    if settings.webhook_secret:
        if not signed(sender, settings.webhook_secret, request.headers, body):
            raise HintRefused(f"(its {sender.value} signature is missing or wrong)")
    elif not _from_loopback(request):
        raise HintRefused("(it is unsigned and does not come from this machine)")
    service.hint()
    return HintTaken(looking=True)


async def _read(request: Request) -> bytes:
    """The body; raises ``BodyTooLarge`` as soon as there is too much of it."""
    length = request.headers.get("content-length", "")
    if length.isdigit() and int(length) > MOST_BYTES:
        raise BodyTooLarge(f"(it says it has {length} bytes; the most is {MOST_BYTES})")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST_BYTES:
            raise BodyTooLarge(f"(the most is {MOST_BYTES} bytes)")
    return bytes(body)


def _from_loopback(request: Request) -> bool:
    try:
        return request.client is not None and ipaddress.ip_address(request.client.host).is_loopback
    except ValueError:
        return False
