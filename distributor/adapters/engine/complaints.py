"""What a worker's runtime says on standard error when it dies, without I/O."""

from __future__ import annotations

_MARKS = (b"fatal error: ", b"runtime: ", b"panic: ")
_LONGEST = 300
_MOST = 8


class Complaints:
    """Keeps the first lines that tell of a fault; libraries' warnings and stack traces pass by.

    Bounded whatever is fed: a template may make its library warn without end.
    """

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._partial = b""

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the stream."""
        first, *rest = data.split(b"\n")
        self._partial = (self._partial + first)[:_LONGEST]
        for piece in rest:
            self._take(self._partial)
            self._partial = piece[:_LONGEST]

    def clear(self) -> None:
        """Forget what was said: a new request begins."""
        self._lines.clear()

    def text(self) -> str:
        """The lines, one after the other."""
        return "\n".join(self._lines)

    def _take(self, line: bytes) -> None:
        if line.startswith(_MARKS) and len(self._lines) < _MOST:
            self._lines.append(line.decode(errors="replace"))
