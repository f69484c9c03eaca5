"""OpenPGP keys beside ``allowed_signers``: ``<principal>.asc``, or ``.gpg`` in binary -> public keys.

The name of the file says whose the keys in it are; what their user ids say is nobody's word but their own.
"""

from __future__ import annotations

import re

from distributor.errors import Where
from distributor.errors.policy import BadPolicy
from distributor.model.findings import Finding
from distributor.model.openpgp import (
    PUBLIC,
    SECRET,
    SECRET_SUB,
    NotOpenPgp,
    PgpKey,
    dearmour,
    fingerprint,
    packets,
)

SUFFIXES = (".asc", ".gpg")
_PRINCIPAL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*(?:@[A-Za-z0-9][A-Za-z0-9.-]*)?")
_BLOCK = "PUBLIC KEY BLOCK"


def parse_key_file(data: bytes, name: str, file: str) -> PgpKey | Finding:
    """The keys of one file, which belong to the principal that the file is called after."""
    principal = name[: -len(SUFFIXES[0])]
    try:
        binary, prints = _read(data, principal)
    except NotOpenPgp as error:
        return Finding.of(BadPolicy, f"{error}.", Where(file=file))
    return PgpKey(principal=principal, data=binary, fingerprints=prints, file=file)


def _read(data: bytes, principal: str) -> tuple[bytes, frozenset[str]]:
    if not _PRINCIPAL.fullmatch(principal):
        raise NotOpenPgp(f"{principal!r} is no principal")
    binary = dearmour(data, _BLOCK) if data.lstrip().startswith(b"-----BEGIN") else data
    found = tuple(packets(binary))
    tags = [tag for tag, _ in found]
    if {SECRET, SECRET_SUB} & set(tags):
        raise NotOpenPgp("it holds a secret key; that one has to be given up")
    if not tags or tags[0] != PUBLIC:
        raise NotOpenPgp("it holds no public key")
    return binary, frozenset(fingerprint(body) for tag, body in found if tag == PUBLIC)
