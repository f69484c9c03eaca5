"""OpenSSH ``allowed_signers`` files (ssh-keygen(1), "ALLOWED SIGNERS") -> signer entries.

Read as ssh-keygen reads them, and never to let more in. Times without a zone are refused, for they mean
something else on each machine, and so are principals of odd characters.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from datetime import UTC, datetime

from distributor.errors import Where
from distributor.errors.policy import BadPolicy, CertificateRefused
from distributor.model.findings import Finding, Severity
from distributor.model.policy import SignerEntry

KEY_TYPES = frozenset(
    {
        "ssh-ed25519", "ssh-rsa", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521",
        "sk-ssh-ed25519@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com",
    }
)  # fmt: skip
"""The key types that a line may carry."""
_VALUE = r'"(?:\\"|[^"])*"'
_FIRST = re.compile(rf'({_VALUE}|[^\s"]+)[ \t]+')
_WORD = re.compile(rf'((?:{_VALUE}|[^\s"])+)[ \t]+')
_OPTION = re.compile(rf"([A-Za-z-]+)(?:=({_VALUE}))?")
_TIME = re.compile(
    r"([0-9]{4})([0-9]{2})([0-9]{2})(?:([0-9]{2})([0-9]{2})([0-9]{2})?)?(?:Z|UTC)", re.IGNORECASE
)
_FINGERPRINT = re.compile(r"openpgp4fpr:([0-9A-Fa-f]{40})")
_PRINCIPAL = re.compile(r"[!A-Za-z0-9._+*?@-]+")


class _BadLine(ValueError):
    """A line that cannot be read."""


def parse_signers(text: str, file: str) -> tuple[tuple[SignerEntry, ...], tuple[Finding, ...]]:
    """All lines that can be read, and a finding for each that cannot."""
    entries: list[SignerEntry] = []
    findings: list[Finding] = []
    for number, line in _lines(text):
        where = Where(file=file, line=number)
        try:
            entries.append(_entry(line, number))
        except _BadLine as error:
            findings.append(Finding.of(BadPolicy, f"{error}.", where))
            continue
        if entries[-1].cert_authority:
            said = "The line lets nobody in."
            findings.append(Finding.of(CertificateRefused, said, where, severity=Severity.WARNING))
    return tuple(entries), tuple(findings)


def parse_revoked(text: str, file: str) -> tuple[frozenset[str], tuple[Finding, ...]]:
    """The texts of revoked keys: one public key a line, as in a ``.pub`` file.

    An OpenPGP key is named by its fingerprint, ``openpgp4fpr:`` before it.
    """
    keys: set[str] = set()
    findings: list[Finding] = []
    for number, line in _lines(text):
        words = line.split()
        try:
            if fingerprint := _FINGERPRINT.fullmatch(words[0]):
                keys.add(fingerprint[1].upper())
                continue
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
    first = _FIRST.match(line)
    if first is None:
        raise _BadLine("A line has principals, options, a key type and a key")
    rest, options = line[first.end() :], dict[str, str]()
    if rest.split(maxsplit=1)[0] not in KEY_TYPES:
        written = _WORD.match(rest)
        if written is None:
            raise _BadLine("A line has principals, options, a key type and a key")
        options, rest = _options(written[1]), rest[written.end() :]
    kind, key = (*rest.split(), "", "")[:2]
    after, before = (_time(options.get(name)) for name in ("valid-after", "valid-before"))
    if after is not None and before is not None and before <= after:
        raise _BadLine("The option 'valid-before' is not after 'valid-after'")
    listed = options.get("namespaces")
    return SignerEntry(
        principals=_principals(first[1].strip('"')),
        key_type=kind,
        key=_key(kind, key),
        namespaces=() if listed is None else tuple(listed.split(",")),
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
        found[name] = (value or "")[1:-1].replace('\\"', '"')
        rest = rest[match.end() :]
        if rest and (not rest.startswith(",") or rest == ","):
            raise _BadLine(f"{rest[:40]!r} follows an option where a comma and an option may")
        rest = rest.removeprefix(",")
    return found


def _time(text: str | None) -> datetime | None:
    """A time in UTC."""
    if text is None:
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
