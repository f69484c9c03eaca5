"""Keys: the age identities of this process, and the data key of a file.

The way from identity to data key is age's own format (age-encryption.org/v1), which ``pyrage`` speaks.
"""

from __future__ import annotations

import os
from pathlib import Path

from pyrage import DecryptError, IdentityError, decrypt
from pyrage.x25519 import Identity

from distributor.errors import Where
from distributor.errors.secrets import (
    BadSecretsKey,
    BrokenCiphertext,
    SecretsKeyMissing,
    UnsupportedCiphertext,
    WrongSecretsKey,
)
from distributor.render.ciphertexts import SopsFile

_LIMIT = 64 << 10
_KEY_BYTES = 32


def identities(path: Path | None, environment: str) -> list[Identity]:
    """The identities of a file as age-keygen writes it; of a folder, those of the environment's file.

    Read at each use, so that a key may change while the service runs. Raises ``SecretsKeyMissing`` and
    ``BadSecretsKey``, which never repeat what the file holds.
    """
    if path is None:
        raise SecretsKeyMissing
    if path.is_dir():
        path = path / f"{environment}.txt"
    where = Where(file=str(path))
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            data = file.read(_LIMIT + 1)
    except FileNotFoundError as error:
        raise SecretsKeyMissing("There is no such file.", where=where) from error
    except OSError as error:
        raise BadSecretsKey(f"It cannot be read: {error.strerror}.", where=where) from error
    if mode & 0o077:
        raise BadSecretsKey("Others may read it.", where=where, remedy=f"Run `chmod 600 {path}`.")
    return _parsed(data, where)


def _parsed(data: bytes, where: Where) -> list[Identity]:
    if len(data) > _LIMIT:
        raise BadSecretsKey("It is too large.", where=where)
    found: list[Identity] = []
    for number, line in enumerate(data.decode("ascii", "replace").splitlines(), 1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        try:
            found.append(Identity.from_str(text))
        except IdentityError as error:
            at = Where(file=where.file, line=number)
            raise BadSecretsKey("This line is no age identity.", where=at) from error
    if not found:
        raise BadSecretsKey("It holds no identity.", where=where)
    return found


def data_key(file: SopsFile, held: list[Identity]) -> bytes:
    """The key that the file's values are encrypted with.

    Raises ``UnsupportedCiphertext`` without an age recipient, ``WrongSecretsKey``, ``BrokenCiphertext``.
    """
    wrapped = _wrapped(file)
    for text in wrapped:
        try:
            key: bytes = decrypt(text.encode("ascii", "replace"), held)
        except DecryptError:
            continue
        if len(key) != _KEY_BYTES:
            raise BrokenCiphertext(
                "(a data key of another size)", where=file.where(("sops", "age"))
            )
        return key
    raise WrongSecretsKey(f"It has {len(wrapped)} recipients.", where=file.where(("sops", "age")))


def _wrapped(file: SopsFile) -> list[str]:
    """The data key once for each recipient; a threshold would split it in shares."""
    if file.meta.get(("shamir_threshold",), "0") not in {"", "0", "1"}:
        raise UnsupportedCiphertext("(a Shamir threshold)", where=file.where(("sops",)))
    groups = {path[1] for path in file.meta if path[0] == "key_groups"}
    if len(groups) > 1:
        raise UnsupportedCiphertext("(several key groups)", where=file.where(("sops",)))
    found = [
        text
        for path, text in file.meta.items()
        if path[-1] == "enc" and (path[0] == "age" or path[2:3] == ("age",))
    ]
    if not found:
        raise UnsupportedCiphertext("(no age recipient)", where=file.where(("sops", "age")))
    return found
