"""Opening: a SOPS file to its values, all of them or none."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path as DiskPath

from distributor.adapters.sops.keys import data_key, identities
from distributor.adapters.sops.values import Plain, decrypted, in_mac, opened
from distributor.errors.secrets import (
    BrokenCiphertext,
    SecretTampered,
    SecretUndecryptable,
)
from distributor.render.ciphertexts import Form, Leaf, SopsFile, read
from distributor.render.placeholders import edited, key_of

_ONLY_ENCRYPTED = hashlib.sha256(b"sops").digest()
"""What the MAC of a file with ``mac_only_encrypted`` begins with (getsops/sops, ``sops.go``)."""
_YES = frozenset({"true", "True", "TRUE"})


class SopsOpener:
    """Implements ``ports.SecretOpener`` with the age identities in a file, or in a folder of files.

    A folder holds one file an environment (``prd.txt``), so that what is encrypted for one environment
    cannot be delivered to another by copying the file.
    """

    def __init__(self, key: DiskPath | None) -> None:
        self._key = key

    def open(self, data: bytes, path: str, environment: str) -> Mapping[str, bytes]:
        """Every encrypted value by its key, and the whole file as decrypted under the empty one.

        Raises the errors of ``errors.secrets``; after one of them nothing of the file is known.
        """
        file = read(data, path)
        if file is None:
            raise BrokenCiphertext("(it is no SOPS file)")
        key = data_key(file, identities(self._key, environment))
        values = list(_values(file, key))
        _check_mac(file, key, values)
        found = {key_of(n, leaf): plain.text for n, leaf, plain in values if plain is not None}
        return {**found, "": _whole(file, values)}


_Value = tuple[int, Leaf, Plain | None]


def _values(file: SopsFile, key: bytes) -> Iterator[_Value]:
    """Each scalar with its document's number, decrypted if it is encrypted, in the file's order.

    The rules in the metadata (``encrypted_regex`` and so on) only matter when a file is encrypted. Here
    the form of a value decides, and the MAC notices one that was put in place of the other.
    """
    for number, part in enumerate(file.parts):
        for leaf in part.leaves:
            plain = (
                opened(leaf.text, key, leaf.path, file.where(leaf.path)) if leaf.encrypted else None
            )
            yield number, leaf, plain


def _check_mac(file: SopsFile, key: bytes, values: list[_Value]) -> None:
    where = file.where(("sops", "mac"))
    only = file.meta.get(("mac_only_encrypted",), "") in _YES
    hasher = hashlib.sha512(_ONLY_ENCRYPTED if only else b"")
    for _, leaf, plain in values:
        if plain is not None:
            hasher.update(plain.in_mac())
        elif not only:
            hasher.update(in_mac(leaf.text, plain=leaf.plain, json=file.form is Form.JSON))
    try:
        written = decrypted(file.meta.get(("mac",), ""), key, _when(file), where)
    except SecretUndecryptable as error:
        raise SecretTampered(where=where) from error
    if not hmac.compare_digest(written.text.upper(), hasher.hexdigest().upper().encode()):
        raise SecretTampered(where=where)


def _when(file: SopsFile) -> str:
    """The time that the MAC is bound to, as Go writes RFC 3339."""
    text = file.meta.get(("lastmodified",), "")
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise BrokenCiphertext("(no time)", where=file.where(("sops", "lastmodified"))) from error
    return found.isoformat(timespec="seconds").replace("+00:00", "Z")


def _whole(file: SopsFile, values: list[_Value]) -> bytes:
    """The file as it was before it was encrypted, but for comments and quotes."""
    if file.form is Form.BINARY:
        return next((plain.text for _, _, plain in values if plain is not None), b"")
    edits = [(begin, end, "") for part in file.parts for begin, end in part.cuts]
    for _, leaf, plain in values:
        if plain is not None and plain.type != "comment":
            edits.append((leaf.start, leaf.end, _written(file, plain)))
    return edited(file.text, edits).encode()


def _written(file: SopsFile, plain: Plain) -> str:
    if file.form is Form.DOTENV:
        return plain.text.decode("utf-8", "replace").replace("\n", "\\n")
    return plain.shown()
