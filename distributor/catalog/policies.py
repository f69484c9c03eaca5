"""Everything under ``policies/`` -> PolicySet. Whatever cannot be read is a finding: policies fail closed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from distributor.catalog.calendar import FILE as CALENDAR
from distributor.catalog.calendar import read_windows
from distributor.catalog.descriptors import (
    Findings,
    Folder,
    data_of,
    descriptor,
    folder,
    missing,
)
from distributor.catalog.documents import Document
from distributor.catalog.durations import seconds
from distributor.catalog.names import check_name
from distributor.catalog.pgp_keys import SUFFIXES, parse_key_file
from distributor.catalog.signers import parse_revoked, parse_signers
from distributor.catalog.walking import check_entries
from distributor.errors import Where
from distributor.errors.catalog import BadEncoding, NameMismatch, UnknownReference
from distributor.errors.policy import BadPolicy
from distributor.model.findings import Finding, Severity
from distributor.model.openpgp import PgpKey
from distributor.model.policy import GateBinding, GateSeverity, PolicySet, Role, SignerEntry, Window
from distributor.model.trees import EntryKind, TreeEntry, TreeReader

_ANY = "*"
_SUFFIX = ".yaml"
_DURATIONS: Mapping[str, tuple[str, ...]] = {"soak": ("duration",)}
"""The parameters that are durations, by gate."""


def read_policies(
    reader: TreeReader,
    entry: TreeEntry | None,
    *,
    environments: frozenset[str] | None,
    apps: frozenset[str] | None,
) -> PolicySet:
    """The policies; ``environments`` and ``apps`` are the names that exist, ``None`` if unknown here."""
    if entry is None or entry.kind is not EntryKind.TREE:
        return PolicySet(findings=(missing("policies/roles.yaml"),))
    entries = folder(reader, entry.id)
    findings = [*check_entries(tuple(entries.values()), "policies")]
    roles, wrong = _roles(reader, entries, environments)
    findings += wrong
    gates, wrong = _gates(reader, entries, environments, apps)
    findings += wrong
    signers, revoked, wrong = _signers(reader, entries)
    findings += wrong
    pgp, wrong = _pgp(reader, entries)
    findings += wrong
    windows, wrong = _calendar(reader, entries, environments, apps)
    findings += wrong
    return PolicySet(
        gates=gates,
        roles=roles,
        signers=signers,
        revoked=revoked,
        windows=windows,
        findings=tuple(findings),
        pgp=pgp,
    )


def _calendar(
    reader: TreeReader,
    entries: Folder,
    environments: frozenset[str] | None,
    apps: frozenset[str] | None,
) -> tuple[tuple[Window, ...], Findings]:
    """The windows; without a calendar there are none."""
    if "calendar.yaml" not in entries:
        strays = [e for name, e in entries.items() if name in ("calendar.yml", "calendar.json")]
        return (), tuple(f for e in strays for f in _stray(e, f"policies/{e.name}"))
    document = descriptor(reader, entries["calendar.yaml"], CALENDAR, "Calendar", "calendar")
    if not isinstance(document, Document):
        return (), document
    windows, wrong = read_windows(document)
    findings = list(wrong)
    for index, window in enumerate(document.spec["windows"]):
        path = ("spec", "windows", index)
        findings += _unknown(
            document, (*path, "environments"), window["environments"], environments
        )
        findings += _unknown(
            document,
            (*path, "apps"),
            window.get("apps", ()),
            apps,
            what="app",
            severity=Severity.WARNING,
        )
    return windows, tuple(findings)


def _roles(
    reader: TreeReader, entries: Folder, environments: frozenset[str] | None
) -> tuple[tuple[Role, ...], Findings]:
    file = "policies/roles.yaml"
    if "roles.yaml" not in entries:
        return (), (missing(file),)
    document = descriptor(reader, entries["roles.yaml"], file, "Roles", "roles")
    if not isinstance(document, Document):
        return (), document
    listed = document.spec["roles"]
    findings = tuple(
        finding
        for index, role in enumerate(listed)
        for finding in _unknown(
            document, ("spec", "roles", index, "environments"), role["environments"], environments
        )
    )
    roles = tuple(
        Role(
            name=role["name"],
            principals=tuple(role["principals"]),
            may=tuple(role["may"]),
            environments=tuple(role["environments"]),
            apps=tuple(role.get("apps", (_ANY,))),
            classes=tuple(role.get("classes", (_ANY,))),
        )
        for role in listed
    )
    return roles, findings


def _gates(
    reader: TreeReader,
    entries: Folder,
    environments: frozenset[str] | None,
    apps: frozenset[str] | None,
) -> tuple[tuple[GateBinding, ...], Findings]:
    listed = _tree(reader, entries, "gates")
    findings = [*check_entries(tuple(listed.values()), "policies/gates")]
    gates: list[GateBinding] = []
    for name, entry in listed.items():
        file = f"policies/gates/{name}"
        if not name.endswith(_SUFFIX):
            findings += _stray(entry, file)
            continue
        stem = name.removesuffix(_SUFFIX)
        findings += check_name(stem, file)
        document = descriptor(reader, entry, file, "Gate", stem)
        if not isinstance(document, Document):
            findings += document
            continue
        gate = _gate(document)
        gates.append(gate)
        findings += _unknown(document, ("spec", "environments"), gate.environments, environments)
        findings += _unknown(
            document, ("spec", "apps"), gate.apps, apps, what="app", severity=Severity.WARNING
        )
    return tuple(gates), tuple(findings)


def _gate(document: Document) -> GateBinding:
    spec = document.spec
    return GateBinding(
        name=document.data["metadata"]["name"],
        gate=spec["gate"],
        environments=tuple(spec["environments"]),
        apps=tuple(spec.get("apps", (_ANY,))),
        severity=GateSeverity(spec.get("severity", "enforce")),
        params=_typed(spec["gate"], spec.get("params", {})),
        where=document.where(("spec", "gate")),
    )


def _typed(gate: str, params: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters as gates take them: durations in seconds. Those of an unknown gate are nobody's."""
    durations = _DURATIONS.get(gate, ())
    return {name: seconds(v) if name in durations else v for name, v in params.items()}


def _stray(entry: TreeEntry, file: str) -> Findings:
    """A gate in a file that is not read would be a gate that is silently off."""
    if entry.kind is EntryKind.BLOB and not entry.name.lower().endswith((".yml", ".json", _SUFFIX)):
        return ()
    message = f"Only files that end in {_SUFFIX} are read here."
    return (Finding.of(NameMismatch, message, Where(file=file)),)


def _unknown(
    document: Document,
    path: tuple[str | int, ...],
    names: list[str] | tuple[str, ...],
    known: frozenset[str] | None,
    *,
    what: str = "environment",
    severity: Severity = Severity.ERROR,
) -> Iterator[Finding]:
    """A finding for each name that does not exist: a policy for a misspelt place would guard nothing."""
    if known is None:
        return
    for index, name in enumerate(names):
        if name != _ANY and name not in known:
            message = f"There is no {what} called {name!r}."
            where = document.where((*path, index))
            yield Finding.of(UnknownReference, message, where, severity=severity)


def _signers(
    reader: TreeReader, entries: Folder
) -> tuple[tuple[SignerEntry, ...], frozenset[str], Findings]:
    listed = _tree(reader, entries, "signers")
    findings = [*check_entries(tuple(listed.values()), "policies/signers")]
    signers: tuple[SignerEntry, ...] = ()
    revoked: frozenset[str] = frozenset()
    allowed = _text(reader, listed, "allowed_signers")
    if isinstance(allowed, str):
        signers, wrong = parse_signers(allowed, "policies/signers/allowed_signers")
        findings += wrong
    else:
        findings += allowed
    withdrawn = _text(reader, listed, "revoked_keys")
    if isinstance(withdrawn, str):
        revoked, wrong = parse_revoked(withdrawn, "policies/signers/revoked_keys")
        findings += wrong
    else:
        findings += withdrawn
    return signers, revoked, tuple(findings)


def _pgp(reader: TreeReader, entries: Folder) -> tuple[tuple[PgpKey, ...], Findings]:
    """The OpenPGP keys that lie beside ``allowed_signers``."""
    keys: list[PgpKey] = []
    findings: list[Finding] = []
    for name, entry in _tree(reader, entries, "signers").items():
        if not name.endswith(SUFFIXES):
            continue
        file = f"policies/signers/{name}"
        data = data_of(reader, entry, file)
        found = data if isinstance(data, tuple) else parse_key_file(data, name, file)
        if isinstance(found, PgpKey):
            keys.append(found)
        else:
            findings += found if isinstance(found, tuple) else (found,)
    return tuple(keys), tuple(findings)


def _text(reader: TreeReader, listed: Folder, name: str) -> str | Findings:
    """A text file's content; a file that is not there is empty."""
    file = f"policies/signers/{name}"
    if name not in listed:
        return ""
    data = data_of(reader, listed[name], file)
    if isinstance(data, tuple):
        return data
    if data.startswith(b"SSHKRL\n"):
        message = "Binary revocation lists are not read; list the public keys, one a line."
        return (Finding.of(BadPolicy, message, Where(file=file)),)
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return _encoding(file)
    return _encoding(file) if "\0" in text else text


def _encoding(file: str) -> Findings:
    return (Finding.of(BadEncoding, "", Where(file=file)),)


def _tree(reader: TreeReader, entries: Folder, name: str) -> Folder:
    entry = entries.get(name)
    if entry is None or entry.kind is not EntryKind.TREE:
        return {}
    return folder(reader, entry.id)
