"""What gpg says on its status file descriptor (GnuPG's doc/DETAILS) -> a seal, or why there is none."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from distributor.errors.policy import BadSignature, OpenPgpUnavailable, UnknownSigner
from distributor.model.findings import Finding
from distributor.model.openpgp import PgpSeal

_PREFIX = "[GNUPG:] "
_VERDICTS = frozenset({"GOODSIG", "EXPSIG", "EXPKEYSIG", "REVKEYSIG", "BADSIG", "ERRSIG"})
_GOOD = frozenset({"GOODSIG", "EXPSIG", "EXPKEYSIG", "REVKEYSIG"})
_VALID = 10
"""Words of a VALIDSIG line: fingerprint, date, times, version, algorithms, class, primary key."""
_BINARY = "00"
_NO_KEY = "9"
"""The reason in an ERRSIG line for a key that gpg does not have."""


def read_status(text: str) -> PgpSeal | Finding:
    """The one signature that gpg judged; anything but exactly one is no signature."""
    lines = [
        line.removeprefix(_PREFIX).split() for line in text.splitlines() if line.startswith(_PREFIX)
    ]
    said = [words for words in lines if words and words[0] in _VERDICTS]
    valid = [words[1:] for words in lines if words and words[0] == "VALIDSIG"]
    if len(said) != 1 or len(valid) > 1:
        return Finding.of(
            OpenPgpUnavailable if not said else BadSignature, f"(gpg judged {len(said)} signatures)"
        )
    match said[0]:
        case [word, *_] if word in _GOOD and len(valid) == 1:
            return _seal(valid[0], revoked=word == "REVKEYSIG")
        case ["ERRSIG", short, _, _, _, _, reason, *more] if reason == _NO_KEY:
            return Finding.of(UnknownSigner, f"The OpenPGP key is {(more or [short])[0][:40]}.")
        case words:
            return Finding.of(BadSignature, f"(gpg says {words[0]})")


def expiry(listing: str, seal: PgpSeal) -> datetime | None:
    """When the key that signed stopped to count, by ``--list-keys --with-colons``: itself, or its owner."""
    ends: list[datetime] = []
    end = ""
    for line in listing.splitlines():
        match line.split(":"):
            case ["pub" | "sub", _, _, _, _, _, end, *_]:
                pass
            case ["fpr", _, _, _, _, _, _, _, _, name, *_] if name in (
                seal.fingerprint,
                seal.primary,
            ):
                ends += [datetime.fromtimestamp(int(end), UTC)] if end.isdigit() else []
            case _:
                pass
    return min(ends, default=None)


def _seal(valid: Sequence[str], *, revoked: bool) -> PgpSeal | Finding:
    if len(valid) < _VALID or valid[8] != _BINARY:
        return Finding.of(BadSignature, "(it is no signature of a document)")
    expires = int(valid[3]) if valid[3].isdigit() else 0
    return PgpSeal(
        fingerprint=valid[0],
        primary=valid[9],
        expires=datetime.fromtimestamp(expires, UTC) if expires else None,
        revoked=revoked,
    )
