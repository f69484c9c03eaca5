"""Signatures: who signed these bytes, by an OpenSSH allowed_signers policy at a given time.

The meaning of the entries is that of ssh-keygen(1), "ALLOWED SIGNERS"; the signature itself is read by
``armour``. Certificates and OpenPGP are not accepted.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from distributor.errors.policy import (
    BadSignature,
    CertificateRefused,
    KeyNotValid,
    UnknownSigner,
    Unsigned,
)
from distributor.model.findings import Finding
from distributor.model.policy import SignerEntry
from distributor.model.tags import TagObject
from distributor.policy.armour import BadArmour, check, read
from distributor.policy.patterns import fits, is_plain
from distributor.policy.roles import ANONYMOUS

GIT = "git"
"""The namespace that Git signs under."""
_CERTIFICATE = b"-cert-v01@openssh.com"
"""How the types of certificates end (OpenSSH's PROTOCOL.certkeys)."""


def verify(
    tag: TagObject,
    signers: Sequence[SignerEntry],
    revoked: Iterable[str],
    *,
    at: datetime,
    namespace: str = GIT,
) -> str | Finding:
    """The principal who signed the tag, or the finding that says why nobody did.

    ``at`` is when the ledger first observed the tag: the key must have been valid then. Where an entry
    is for several principals, the tagger's address chooses among them, and only among them.
    """
    if not tag.signature:
        return Finding.of(Unsigned)
    return verify_bytes(
        tag.signed,
        tag.signature,
        signers,
        revoked,
        at=at,
        namespace=namespace,
        claimed=address(tag.tagger),
    )


def verify_bytes(
    data: bytes,
    signature: bytes,
    signers: Sequence[SignerEntry],
    revoked: Iterable[str],
    *,
    at: datetime,
    namespace: str = GIT,
    claimed: str = "",
) -> str | Finding:
    """The principal whose key signed ``data``; as ``verify``, for anything that is signed."""
    steps = deque(
        steps_of(data, signature, signers, revoked, at=at, namespace=namespace, claimed=claimed),
        maxlen=1,
    )
    return steps[0].result


@dataclass(frozen=True, slots=True)
class Step:
    """One step on the way to a principal: what was found, or the finding that ends the way."""

    what: str  # signature, revocation, signer, validity, principal
    result: str | Finding


def steps_of(
    data: bytes,
    signature: bytes,
    signers: Sequence[SignerEntry],
    revoked: Iterable[str],
    *,
    at: datetime,
    namespace: str = GIT,
    claimed: str = "",
) -> Iterator[Step]:
    """The steps of ``verify_bytes``, up to the first that fails; the last one without that has the principal."""
    key = signing_key(data, signature, namespace)
    yield Step("signature", key)
    if isinstance(key, Finding):
        return
    blob = _blob(key)
    if any(_blob(text) == blob for text in revoked):
        yield Step("revocation", Finding.of(KeyNotValid, "It is revoked."))
        return
    yield Step("revocation", "not revoked")
    entries = [e for e in signers if not e.cert_authority and _blob(e.key) == blob]
    entries = [e for e in entries if _covers(e, namespace)]
    if not entries:
        yield Step("signer", Finding.of(UnknownSigner, f"The key is {key[:60]}."))
        return
    yield Step("signer", f"listed, and for the namespace {namespace}")
    valid = [e for e in entries if _valid(e, at)]
    if not valid:
        yield Step("validity", Finding.of(KeyNotValid, f"That was {at.isoformat()}."))
        return
    yield Step("validity", f"valid at {at.isoformat()}")
    if name := _principal(valid, claimed):
        yield Step("principal", name)
        return
    shown = f"The tagger's address, {claimed!r}, is none of them"
    text = f"Its entry is for {','.join(valid[0].principals)}. {shown}."
    yield Step("principal", Finding.of(UnknownSigner, text))


def signing_key(data: bytes, signature: bytes, namespace: str = GIT) -> str | Finding:
    """The text form (type and blob) of the key that signed ``data``, whoever may own it."""
    if b"BEGIN PGP" in signature:
        return Finding.of(UnknownSigner, "It is an OpenPGP signature; only SSH keys are listed.")
    try:
        parts = read(signature)
        if parts.namespace != namespace.encode():
            shown = parts.namespace[:40].decode(errors="replace")
            return Finding.of(BadSignature, f"It was made for {shown!r}, not for {namespace!r}.")
        if parts.kind.endswith(_CERTIFICATE):
            return Finding.of(CertificateRefused)
        return check(data, parts)
    except BadArmour as error:
        return Finding.of(BadSignature, f"({error})")


def address(person: str) -> str:
    """The mail address of a Git identity such as ``Ada <ada@example.org>``; empty where it has none."""
    _, _, rest = person.partition("<")
    return rest.partition(">")[0]


def _blob(text: str) -> str:
    """A key's base64 part, with or without its type before it."""
    words = text.split()
    return words[1] if len(words) > 1 else text.strip()


def _covers(entry: SignerEntry, namespace: str) -> bool:
    return not entry.namespaces or fits(namespace, entry.namespaces)


def _valid(entry: SignerEntry, at: datetime) -> bool:
    """Whether the key counted in that second; the last one of its validity still counts."""
    second = at.replace(microsecond=0)
    if entry.valid_after is not None and second < entry.valid_after:
        return False
    return entry.valid_before is None or second <= entry.valid_before


def _principal(entries: Sequence[SignerEntry], claimed: str) -> str:
    """The principal that entries of one key give: the one claimed if one is for that, else the first named.

    A pattern names nobody: who signs with such a key says in the tagger line, which is signed, who it is.
    """
    if claimed and claimed != ANONYMOUS and any(fits(claimed, e.principals) for e in entries):
        return claimed
    for entry in entries:
        for name in entry.principals:
            if is_plain(name) and name != ANONYMOUS and fits(name, entry.principals):
                return name
    return ""
