"""Where an answer's body goes: bounded and hashed while it comes in."""

from __future__ import annotations

import hashlib
import io

from distributor.errors.vendoring import ArtifactTooLarge
from distributor.model.refs import Digest


class Sink:
    """Takes the bytes of one answer, ``largest`` of them at most; begun anew when a try is repeated."""

    def __init__(self, largest: int) -> None:
        self._largest = largest
        self._data = io.BytesIO()
        self._hash = hashlib.sha256()
        self.size = 0

    def start(self, announced: int | None) -> None:
        """Forget what came before; refuse at once what is announced to be too large."""
        self._data = io.BytesIO()
        self._hash = hashlib.sha256()
        self.size = 0
        if announced is not None:
            self._check(announced)

    def write(self, chunk: bytes) -> None:
        """Take some bytes."""
        self.size += len(chunk)
        self._check(self.size)
        self._hash.update(chunk)
        self._data.write(chunk)

    @property
    def data(self) -> bytes:
        """All bytes."""
        return self._data.getvalue()

    @property
    def digest(self) -> Digest:
        """The digest of all bytes."""
        return Digest("sha256:" + self._hash.hexdigest())

    def _check(self, size: int) -> None:
        if size > self._largest:
            raise ArtifactTooLarge(f"({size} bytes, and {self._largest} are allowed)")
