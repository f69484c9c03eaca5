"""``vendor.lock.yaml`` beside a ``package.yaml``: what was brought into the package, by digest."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from typing import Any

from distributor.catalog.documents import Document, read
from distributor.catalog.walking import bad_name
from distributor.errors import Where
from distributor.errors.vendoring import BadLock
from distributor.model.artifacts import Reference, Vendored
from distributor.model.findings import Finding
from distributor.model.refs import Digest, is_digest

FILE = "vendor.lock.yaml"
API_VERSION = "distributor.dev/v1alpha1"
KIND = "VendorLock"
_NOTE = (
    "# Written by `distributor vendor`; `distributor vendor --check` compares it with the files.\n"
)
_TEXTS = ("path", "reference", "tag", "digest", "mediaType", "layer", "files")
_DIGESTS = ("digest", "layer", "files")
_FIELDS = frozenset({*_TEXTS, "size"})


def write_lock(app: str, entries: Iterable[Vendored]) -> bytes:
    """The lock's bytes: entries by path, so that the same ones give the same bytes."""
    rows = "".join(map(_row, sorted(entries, key=lambda e: e.path)))
    head = f"apiVersion: {API_VERSION}\nkind: {KIND}\nmetadata:\n  name: {json.dumps(app)}\n"
    return (_NOTE + head + "spec:\n  artifacts:" + (f"\n{rows}" if rows else " []\n")).encode()


def read_lock(data: bytes, file: str) -> tuple[Vendored, ...] | tuple[Finding, ...]:
    """The entries, or everything that is wrong with them."""
    document = read(data, file)
    if not isinstance(document, Document):
        return document
    findings: list[Finding] = []
    entries: list[Vendored] = []
    for index, row in enumerate(_rows(document, findings)):
        wrong = list(_wrong(row))
        path = ("spec", "artifacts", index)
        findings += [Finding.of(BadLock, text, document.where(path)) for text in wrong]
        if not wrong:
            entries.append(_entry(row))
    for one, other in overlaps(e.path for e in entries):
        findings.append(Finding.of(BadLock, f"{one} lies in {other}.", Where(file=file)))
    return tuple(findings) if findings else tuple(entries)


def overlaps(paths: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Pairs of folders of which one is, or lies in, the other."""
    ordered = sorted(paths, key=lambda path: path.split("/"))
    for before, path in pairwise(ordered):
        if f"{path}/".startswith(f"{before}/"):
            yield path, before


def check_path(path: str) -> str:
    """Why a folder in a package cannot be vendored to; empty if it can."""
    if not path or path.partition("/")[0] in {"env", "tier"}:
        return "it is the package's own, or one of its Components"
    return next(filter(None, map(bad_name, path.split("/"))), "")


def _row(entry: Vendored) -> str:
    """An entry; texts in quotes, for a tag may look like a number."""
    fields = {
        "path": entry.path,
        "reference": entry.location,
        "tag": entry.tag,
        "digest": entry.digest,
        "mediaType": entry.media_type,
        "layer": entry.layer,
        "size": entry.size,
        "files": entry.files,
    }
    lines = [f"{name}: {json.dumps(value, ensure_ascii=False)}" for name, value in fields.items()]
    return "    - " + "\n      ".join(lines) + "\n"


def _rows(document: Document, findings: list[Finding]) -> list[Any]:
    data = document.data
    head = (data.get("apiVersion"), data.get("kind")) if isinstance(data, Mapping) else ()
    spec = data.get("spec") if isinstance(data, Mapping) else None
    rows = spec.get("artifacts") if isinstance(spec, Mapping) else None
    if head != (API_VERSION, KIND) or not isinstance(rows, list):
        message = f"It is no {KIND} of {API_VERSION} with spec.artifacts."
        findings.append(Finding.of(BadLock, message, document.where()))
        return []
    return rows


def _wrong(row: object) -> Iterator[str]:
    if not isinstance(row, Mapping) or set(row) != _FIELDS:
        yield f"An entry has exactly these fields: {', '.join(sorted(_FIELDS))}."
        return
    for name in _TEXTS:
        if not isinstance(row[name], str):
            yield f"{name} is no text."
            return
    for name in _DIGESTS:
        if not is_digest(row[name]):
            yield f"{name} is no sha256 digest."
            return
    if not isinstance(row["size"], int) or isinstance(row["size"], bool) or row["size"] < 0:
        yield "size is no number of bytes."
    reason = check_path(row["path"])
    if reason:
        yield f"path {row['path']!r}: {reason}."
    try:
        Reference.parse(f"{row['reference']}@{row['digest']}")
    except ValueError as error:
        yield f"reference: {error}."


def _entry(row: Mapping[str, Any]) -> Vendored:
    return Vendored(
        path=row["path"],
        location=row["reference"],
        tag=row["tag"],
        digest=Digest(row["digest"]),
        layer=Digest(row["layer"]),
        media_type=row["mediaType"],
        size=row["size"],
        files=Digest(row["files"]),
    )
