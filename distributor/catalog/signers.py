"""OpenSSH ``allowed_signers`` files (ssh-keygen(1), "ALLOWED SIGNERS") -> signer entries."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from distributor.errors import Where
from distributor.errors.policy import BadPolicy
from distributor.model.findings import Finding
from distributor.model.policy import SignerEntry

KEY_TYPES = frozenset(
    {
        "ssh-ed25519", "ssh-rsa", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521",
        "sk-ssh-ed25519@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com",
    }
)  # fmt: skip
"""The key types that a line may carry."""
_WORD = re.compile(r'(?:"[^"]*"|[^\s"])+')
_OPTION = re.compile(r'([A-Za-z-]+)(?:="([^"]*)")?')
_TIME = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})(?:([0-9]{2})([0-9]{2})([0-9]{2})?)?Z")
_PRINCIPAL = re.compile(r"[!A-Za-z0-9._+*?@-]+")


class _BadLine(ValueError):
    """A line that cannot be read."""


def parse_signers(text: str, file: str) -> tuple[tuple[SignerEntry, ...], tuple[Finding, ...]]:
    """All lines that can be read, and a finding for each that cannot."""
    entries: list[SignerEntry] = []
    findings: list[Finding] = []
    for number, line in _lines(text):
        try:
            entries.append(_entry(line, number))
        except _BadLine as error:
            where = Where(file=file, line=number)
            findings.append(Finding.of(BadPolicy, f"{error}.", where))
    return tuple(entries), tuple(findings)


def parse_revoked(text: str, file: str) -> tuple[frozenset[str], tuple[Finding, ...]]:
    """The texts of revoked keys: one public key a line, as in a ``.pub`` file."""
    keys: set[str] = set()
    findings: list[Finding] = []
    for number, line in _lines(text):
        words = line.split()
        try:
            keys.add(_key(words[0], words[1] if len(words) > 1 else ""))
        except _BadLine as error:
            where = Where(file=file, line=number)
            findings.append(Finding.of(BadPolicy, f"{error}.", where))
    return frozenset(keys), tuple(findings)


def _lines(text: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(text.split("\n"), 1):
        stripped = line.strip()
        if stripped and not stripped.startswith("#"):
            yield number, stripped


def _entry(line: str, number: int) -> SignerEntry:
    words = _WORD.findall(line)
    options: Mapping[str, str] = {}
    match words:
        case [principals, kind, key, *_] if kind in KEY_TYPES:
            pass
        case [principals, written, kind, key, *_]:
            options = _options(written)
        case _:
            raise _BadLine("A line has principals, options, a key type and a key")
    after, before = (_time(options.get(name, "")) for name in ("valid-after", "valid-before"))
    return SignerEntry(
        principals=_principals(principals.strip('"')),
        key_type=kind,
        key=_key(kind, key),
        namespaces=tuple(n.strip() for n in options.get("namespaces", "").split(",") if n.strip()),
        valid_after=after,
        valid_before=before,
        cert_authority="cert-authority" in options,
        line=number,
    )


def _principals(text: str) -> tuple[str, ...]:
    names = tuple(text.split(","))
    for name in names:
        if not _PRINCIPAL.fullmatch(name):
            raise _BadLine(f"{name!r} is no principal")
    return names


def _options(word: str) -> dict[str, str]:
    found: dict[str, str] = {}
    rest = word
    while rest:
        match = _OPTION.match(rest)
        if match is None:
            raise _BadLine(f"{rest[:40]!r} is neither a key type nor an option")
        name, value = match[1].lower(), match[2]
        if (value is None) != (name == "cert-authority") or name in found:
            raise _BadLine(f"The option {name!r} stands twice or lacks its quoted value")
        if name not in ("cert-authority", "namespaces", "valid-after", "valid-before"):
            raise _BadLine(f"The option {name!r} is not known")
        found[name] = value or ""
        rest = rest[match.end() :]
        if rest and not rest.startswith(","):
            raise _BadLine(f"{rest[:40]!r} follows an option without a comma")
        rest = rest.removeprefix(",")
    return found


def _time(text: str) -> datetime | None:
    """A time in UTC; local times are refused, for they mean something else on each machine."""
    if not text:
        return None
    match = _TIME.fullmatch(text)
    if match is None:
        raise _BadLine(f"{text!r} is no time such as 20260131Z or 202601311200Z")
    year, month, day, hour, minute, second = (int(part or 0) for part in match.groups())
    try:
        return datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError as error:
        raise _BadLine(f"{text!r} is no time: {error}") from error


def _key(key_type: str, text: str) -> str:
    """The text of a key; what it says inside must be what its type says."""
    if key_type not in KEY_TYPES:
        raise _BadLine(f"The key type {key_type[:40]!r} is not known")
    try:
        blob = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise _BadLine("The key is not in base64") from error
    length = int.from_bytes(blob[:4], "big")
    if blob[4 : 4 + length] != key_type.encode() or len(blob) <= 4 + length:
        raise _BadLine(f"The key is no {key_type} key")
    return base64.b64encode(blob).decode()
