"""Names of files and folders: what a descriptor may be called, and what Git can carry in a ref."""

from __future__ import annotations

import re

from distributor.catalog.documents import Document
from distributor.catalog.walking import printable
from distributor.errors import Where
from distributor.errors.catalog import (
    BadVersion,
    NameMismatch,
    UnboundReference,
    UnrefableVersion,
)
from distributor.model.findings import Finding
from distributor.model.fleet import ALL
from distributor.model.refs import is_label
from distributor.model.versions import Version

LONGEST_VERSION = 128
RESERVED = frozenset({ALL})
_SEMVER_LOCK = re.compile(r"[0-9]+\.[0-9]+\.[0-9]+[-+].*\.lock")


def check_name(name: str, file: str) -> tuple[Finding, ...]:
    """What is wrong with the name of an app, environment, cluster or installation."""
    where = Where(file=file)
    if not is_label(name):
        message = f"The name {printable(name)!r} is no RFC 1123 label."
        return (Finding.of(UnboundReference, message, where),)
    if name in RESERVED:
        message = f"The name {name!r} is reserved: in tags it means every one."
        return (Finding.of(UnboundReference, message, where),)
    return ()


def check_version(name: str, file: str) -> Version | Finding:
    """The version that a folder is named after."""
    where = Where(file=file)
    if _SEMVER_LOCK.fullmatch(name) or len(name) > LONGEST_VERSION:
        return Finding.of(UnrefableVersion, f"It is {printable(name[:80])!r}.", where)
    try:
        version = Version.parse(name)
    except ValueError:
        message = f"The folder is called {printable(name[:80])!r}."
        return Finding.of(BadVersion, message, where)
    return version


def check_same(document: Document, expected: str) -> tuple[Finding, ...]:
    """A finding where ``metadata.name`` is not the name in the path."""
    found = document.data["metadata"]["name"]
    if found == expected:
        return ()
    message = f"metadata.name is {found!r}, the path says {expected!r}."
    where = document.where(("metadata", "name"))
    return (Finding.of(NameMismatch, message, where),)
