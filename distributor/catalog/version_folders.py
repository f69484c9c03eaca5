"""One version's folder -> Package, or everything that is wrong with it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import islice
from typing import Any

from jsonschema_rs import ValidationErrorKind

from distributor.catalog import packages
from distributor.catalog.contents import Files, check_content, components
from distributor.catalog.descriptors import Findings, Part, Source, descriptor, missing
from distributor.catalog.digests import digest_files
from distributor.catalog.documents import LIMIT, MAX_FINDINGS, Document, FieldPath
from distributor.catalog.names import check_version
from distributor.catalog.packages import VersionFolder
from distributor.catalog.schema import compiled, explain, unknown
from distributor.catalog.unused import unused
from distributor.catalog.vendored import check_vendored
from distributor.catalog.walking import TreeFile, walk
from distributor.errors import Where
from distributor.errors.catalog import (
    BadValues,
    BadVersion,
    DuplicateKey,
    MissingFile,
    NameMismatch,
    SchemaViolation,
    TooLarge,
)
from distributor.model.findings import Finding
from distributor.model.package import Package, Renderer
from distributor.model.refs import ObjectId
from distributor.model.trees import EntryKind, TreeEntry, TreeReader


def read_version(
    reader: TreeReader, app: str, name: str, tree: ObjectId
) -> Part[Package] | Findings:
    """The package at ``catalog/<app>/<name>/``. The files are digested only once their names are safe."""
    folder = f"catalog/{app}/{name}"
    version = check_version(name, folder)
    walked = walk(reader, tree, folder)
    findings = walked.findings + ((version,) if isinstance(version, Finding) else ())
    if findings or isinstance(version, Finding):
        return findings
    named = VersionFolder(app=app, version=version, folder=folder, tree=tree)
    return _Version(reader, named, walked.files).read()


class _Version:
    """Collects what is wrong with one version while it is read."""

    def __init__(self, reader: TreeReader, named: VersionFolder, files: Iterable[TreeFile]) -> None:
        self.reader = reader
        self.named = named
        self.folder = named.folder
        self.files: Files = {file.path: file for file in files}
        self.findings: list[Finding] = []

    def read(self) -> Part[Package] | Findings:
        file = self.files.get("package.yaml")
        digest, pointers = digest_files(self.reader, self.files.values(), self.folder)
        self.findings += pointers
        self.findings += check_vendored(self.reader, self.files, self.folder)
        environments = self._components("env")
        tiers = self._components("tier")
        if file is None:
            return (missing(f"{self.folder}/package.yaml"), *self.findings)
        document = self._document(file)
        if document is None:
            return tuple(self.findings)
        folder = replace(
            self.named,
            digest=digest,
            schema=self._schema(document),
            env_components=environments,
            tier_components=tiers,
        )
        package = self._package(document, folder)
        if self.findings or package is None:
            return tuple(self.findings)
        source = Source(file=document.file, blob=file.id)
        return Part(value=package, source=source, notes=unused(document, "Package"))

    def _document(self, file: TreeFile) -> Document | None:
        entry = TreeEntry(file.path, file.mode, file.id, EntryKind.BLOB)
        path = f"{self.folder}/{file.path}"
        document = descriptor(self.reader, entry, path, "Package", self.named.app)
        if isinstance(document, Document):
            return document
        self.findings += document
        return None

    def _components(self, below: str) -> frozenset[str]:
        names, findings = components(self.reader, self.files, below, self.folder)
        self.findings += findings
        return names

    def _package(self, document: Document, folder: VersionFolder) -> Package | None:
        spec = document.spec
        if spec["version"] != str(self.named.version):
            message = f"spec.version is {spec['version']}, the folder is {self.named.version}."
            where = document.where(("spec", "version"))
            self.findings.append(Finding.of(NameMismatch, message, where))
        self.findings += check_content(
            self.files, Renderer(spec["renderer"]), spec["path"], self.folder
        )
        self.findings += _doubled(document)
        self.findings += islice(_misfits(document, folder.schema), MAX_FINDINGS)
        try:
            return packages.package(document, folder)
        except ValueError as error:
            self.findings.append(Finding.of(BadVersion, f"{error}.", document.where(("spec",))))
            return None

    def _schema(self, document: Document) -> Mapping[str, Any]:
        """The JSON Schema of the values: inline, or from the file that is named."""
        found = document.spec.get("values", {}).get("schema", {})
        where = document.where(("spec", "values", "schema")) if found else Where()
        if isinstance(found, str):
            where = Where(file=f"{self.folder}/{found}")
            found = self._schema_file(found, document)
        try:
            compiled(found)
        except ValueError as error:
            message = f"It is no JSON Schema: {str(error).partition(chr(10))[0]}."
            self.findings.append(Finding.of(SchemaViolation, message, where))
            return {}
        schema: Mapping[str, Any] = found
        return schema

    def _schema_file(self, path: str, document: Document) -> Mapping[str, Any]:
        where = Where(file=f"{self.folder}/{path}")
        file = self.files.get(path)
        if file is None:
            named = document.where(("spec", "values", "schema"))
            self.findings.append(Finding.of(MissingFile, f"{path} is not there.", named))
            return {}
        if self.reader.size(file.id) > LIMIT:
            message = f"A schema may have {LIMIT} bytes."
            self.findings.append(Finding.of(TooLarge, message, where))
            return {}
        try:
            schema = json.loads(self.reader.blob(file.id))
        except (ValueError, RecursionError) as error:
            message = f"It is not JSON: {error}."
            self.findings.append(Finding.of(SchemaViolation, message, where))
            return {}
        if not isinstance(schema, dict):
            message = "A JSON Schema is an object."
            self.findings.append(Finding.of(SchemaViolation, message, where))
            return {}
        return schema


def _doubled(document: Document) -> Iterator[Finding]:
    """Lists whose entries carry a name, where a name stands twice."""
    spec = document.spec
    lists = (
        (("spec", "values", "bind"), spec.get("values", {}).get("bind", ())),
        (("spec", "images"), spec.get("images", ())),
    )
    for path, entries in lists:
        seen: set[str] = set()
        for index, entry in enumerate(entries):
            if entry["name"] in seen:
                where = document.where((*path, index, "name"))
                yield Finding.of(DuplicateKey, f"The name {entry['name']} stands twice.", where)
            seen.add(entry["name"])


def _misfits(document: Document, schema: Mapping[str, Any]) -> Iterator[Finding]:
    """Where the defaults differ from the values' schema. What is absent may come from elsewhere."""
    defaults = document.spec.get("values", {}).get("defaults", {})
    validator = compiled(schema)
    if validator.is_valid(defaults):
        return
    for error in validator.iter_errors(defaults):
        if isinstance(error.kind, ValidationErrorKind.Required):
            continue
        path: FieldPath = ("spec", "values", "defaults", *error.instance_path)
        if isinstance(error.kind, ValidationErrorKind.AdditionalProperties):
            for name in error.kind.unexpected:
                message = unknown(name, error, schema)
                yield Finding.of(BadValues, message, document.where((*path, name)))
            continue
        yield Finding.of(BadValues, explain(error, schema), document.where(path))
