"""Signatures of push hints: each forge has a header of its own. Pure; compared in constant time."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from enum import StrEnum


class Sender(StrEnum):
    """Who sends a push hint."""

    GITHUB = "github"
    GITLAB = "gitlab"
    GITEA = "gitea"
    GENERIC = "generic"


_OF_GITLAB = "x-gitlab-token"
_HMACS: Mapping[Sender, tuple[str, ...]] = {
    Sender.GITHUB: ("x-hub-signature-256",),
    Sender.GITLAB: (),
    Sender.GITEA: ("x-gitea-signature", "x-hub-signature-256"),
    Sender.GENERIC: ("x-distributor-signature-256",),
}
"""Headers with the HMAC-SHA256 of the body in hex, with or without ``sha256=`` before it."""


def signed(sender: Sender, secret: str, headers: Mapping[str, str], body: bytes) -> bool:
    """Whether a hint proves that its sender knows the secret; ``headers`` by lower-case name.

    Where a sender has two headers, the first that is there counts, and the other is not looked at.
    """
    if sender is Sender.GITLAB:
        return _same(headers.get(_OF_GITLAB, ""), secret)
    wanted = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    for name in _HMACS[sender]:
        if name in headers:
            return _same(headers[name].lower().removeprefix("sha256="), wanted)
    return False


def _same(given: str, wanted: str) -> bool:
    """Compare without telling by time where they differ."""
    return hmac.compare_digest(given.encode("utf-8", "surrogateescape"), wanted.encode())
