"""An ed25519 key in an OpenSSH file, and the signatures that it makes (PROTOCOL.sshsig)."""

from __future__ import annotations

import base64
import os
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_ssh_private_key,
)

from distributor.errors import Where
from distributor.errors.git import BadKey
from distributor.policy import armour

_KIND = b"ssh-ed25519"
_HASH = "sha512"  # what ssh-keygen -Y sign uses unless told otherwise
_HEADER = b"-----BEGIN OPENSSH PRIVATE KEY-----"
_LIMIT = 64 * 1024


class SshKey:
    """Signs with an ed25519 key held in memory; implements ``ports.Signer``."""

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self._private = private
        public = private.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
        self._public = public.decode("ascii")

    def __repr__(self) -> str:
        return f"SshKey({self._public})"

    @property
    def public_key(self) -> str:
        """The public key's text form: type and blob, as in ``allowed_signers`` and ``.pub`` files."""
        return self._public

    def plain(self, data: bytes) -> bytes:
        """The bare signature over ``data``, 64 bytes."""
        return self._private.sign(data)

    def sign(self, data: bytes, namespace: str) -> bytes:
        """An armoured signature over ``data`` for a namespace such as ``git``."""
        if not namespace:
            raise BadKey("A signature needs a namespace.")  # PROTOCOL.sshsig: must not be empty
        space = namespace.encode()
        return armour.write(
            armour.SignatureParts(
                key=base64.b64decode(self._public.split()[1]),
                namespace=space,
                hash_name=_HASH,
                algorithm=_KIND,
                signature=self._private.sign(armour.preimage(data, space, _HASH)),
            )
        )


def load(path: Path) -> SshKey:
    """Read a private key file; raises ``BadKey``, which never repeats what the file holds."""
    where = Where(file=str(path))
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            data = file.read(_LIMIT + 1)
    except OSError as error:
        raise BadKey(f"It cannot be read: {error.strerror}.", where=where) from error
    if not data.startswith(_HEADER) and len(data) <= _LIMIT:
        raise BadKey("It is no OpenSSH private key.", where=where)
    if mode & 0o077:
        raise BadKey("Others may read it.", where=where, remedy=f"Run `chmod 600 {path}`.")
    if len(data) > _LIMIT:
        raise BadKey("It is too large for a key.", where=where)
    try:
        private = load_ssh_private_key(data, password=None)
    except TypeError as error:  # what cryptography raises for a key that needs a password
        raise BadKey("It is encrypted.", where=where) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise BadKey("It is no OpenSSH private key.", where=where) from error
    if not isinstance(private, Ed25519PrivateKey):
        raise BadKey("It is of another type than ed25519.", where=where)
    return SshKey(private)


def generate(path: Path, comment: str) -> SshKey:
    """Make a key: the private file (mode 0600) and its public half beside it as ``.pub``.

    Never overwrites; raises ``BadKey`` where one of the two exists or cannot be written, and leaves
    nothing half made.
    """
    private = Ed25519PrivateKey.generate()
    key = SshKey(private)
    public = path.with_name(path.name + ".pub")
    if public.exists():
        raise BadKey("It exists.", where=Where(file=str(public)), remedy="Name another file.")
    text = private.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    _write(path, text, 0o600)
    try:
        _write(
            public, f"{key.public_key} {' '.join(comment.split())}".strip().encode() + b"\n", 0o644
        )
    except BadKey:
        path.unlink()
        raise
    return key


def _write(path: Path, data: bytes, mode: int) -> None:
    """Write a new file whole, or not at all."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except FileExistsError as error:
        where = Where(file=str(path))
        raise BadKey("It exists.", where=where, remedy="Name another file.") from error
    except OSError as error:
        raise BadKey(f"{error.strerror}.", where=Where(file=str(path))) from error
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        path.unlink(missing_ok=True)
        raise BadKey(f"{error.strerror}.", where=Where(file=str(path))) from error
