"""Gate 9's evidence: every object of a set against the schema of its kind."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from itertools import islice
from typing import Any, Generic, Protocol, TypeVar

import jsonschema_rs

from distributor.adapters.schemas.shipped import ShippedSchemas
from distributor.adapters.schemas.structural import Served, served
from distributor.errors import Where
from distributor.errors.policy import SchemaGate, UnknownKind
from distributor.model.findings import Finding, Severity
from distributor.model.manifest import Manifest, ManifestSet
from distributor.model.package import GroupVersionKind
from distributor.model.refs import GroupKind

_CRD = GroupKind("apiextensions.k8s.io", "CustomResourceDefinition")
_MOST_ERRORS = 50  # of one object
_MOST_TEXT = 300  # characters of one message
_VALIDATORS = 256
_RESULTS = 20_000
_MASK = "a value"

T = TypeVar("T")
Findings = tuple[Finding, ...]


class _Validator(Protocol):
    """What is used of a compiled schema."""

    def is_valid(self, instance: object) -> bool: ...

    def iter_errors(self, instance: object) -> Iterable[jsonschema_rs.ValidationError]: ...


class _Recent(Generic[T]):
    """Keeps the entries used last, up to a number of them."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: OrderedDict[tuple[object, ...], T] = OrderedDict()

    def get(self, key: tuple[object, ...]) -> T | None:
        """What was put under the key, if it is still kept."""
        if key in self._kept:
            self._kept.move_to_end(key)
        return self._kept.get(key)

    def put(self, key: tuple[object, ...], value: T) -> T:
        """Keep a value, and give it back."""
        self._kept[key] = value
        if len(self._kept) > self._most:
            self._kept.popitem(last=False)
        return value


class KubernetesSchemas:
    """Checks objects; compiled schemas and results are kept by content, up to fixed numbers."""

    def __init__(self) -> None:
        self._shipped = ShippedSchemas()
        self._validators: _Recent[tuple[_Validator] | tuple[()]] = _Recent(_VALIDATORS)
        self._results: _Recent[Findings] = _Recent(_RESULTS)

    def check(
        self, manifests: ManifestSet, kubernetes: str, known: frozenset[GroupVersionKind]
    ) -> Findings:
        """All misfits of the objects, in the order of the set; empty where everything fits.

        ``kubernetes`` is a minor such as ``1.33`` (the nearest one shipped is used), ``known`` what the
        package lists in ``fits.requiresApis``: such a kind without a schema is a warning, any other an
        error. A CRD in the set gives the schema of its objects.
        """
        try:
            minor = self._shipped.minor(kubernetes)
        except ValueError as error:
            return (Finding.of(SchemaGate, f"({error})"),)
        own: dict[GroupVersionKind, Served] = {}
        groups: set[GroupKind] = set()
        for crd in (m for m in manifests if m.ref.group_kind == _CRD):
            for each in served(crd):
                own[each.kind] = each
                groups.add(each.kind.group_kind)
        found: list[Finding] = []
        for manifest in manifests:
            kind = _kind(manifest)
            extra = own.get(kind)
            if extra is None and manifest.ref.group_kind in groups:
                found.append(_not_served(manifest))
                continue
            result = self._object(manifest, kind, minor, extra)
            found += _unknown(manifest, kind, known) if result is None else result
        return tuple(found)

    def _object(
        self, manifest: Manifest, kind: GroupVersionKind, minor: int, own: Served | None
    ) -> Findings | None:
        """The findings of one object; ``None`` where its kind has no schema."""
        source = own.source if own is not None else minor
        key = (manifest.digest, source)
        result = self._results.get(key)
        if result is not None:
            return result
        try:
            validator = self._validator(kind, source, minor, own)
        except ValueError as error:
            return (Finding.of(SchemaGate, f"(its CRD's schema: {error})", _where(manifest)),)
        if validator is None:
            return None
        data = manifest.data()
        if own is None:
            data.pop("status", None)  # the API server ignores what is applied there
            data = _without_nulls(data) if b"null" in manifest.body else data
        return self._results.put(key, _findings(validator, manifest, data))

    def _validator(
        self, kind: GroupVersionKind, source: object, minor: int, own: Served | None
    ) -> _Validator | None:
        key = (kind, source)
        kept = self._validators.get(key)
        if kept is None:
            schema = own.schema if own is not None else self._shipped.find(kind, minor)
            kept = self._validators.put(key, () if schema is None else (_compile(schema, kind),))
        return kept[0] if kept else None


def _compile(schema: dict[str, Any], kind: GroupVersionKind) -> _Validator:
    # Messages repeat values, and those of a Secret must not reach any log or ledger.
    mask = _MASK if kind.group_kind == GroupKind("", "Secret") else None
    validator: _Validator = jsonschema_rs.Draft202012Validator(schema, mask=mask, offline=True)
    return validator


def _without_nulls(value: Any) -> Any:  # noqa: ANN401 - any JSON value, and one of its kind back
    """The value as the API server reads built-in kinds: a member that is null was not given."""
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value


def _findings(validator: _Validator, manifest: Manifest, data: dict[str, Any]) -> Findings:
    if validator.is_valid(data):
        return ()
    wrong = islice(validator.iter_errors(data), _MOST_ERRORS)
    return tuple(
        Finding.of(
            SchemaGate,
            f"{manifest.ref}: {_short(error.message)}",
            _where(manifest, _path(error.instance_path)),
        )
        for error in wrong
    )


def _kind(manifest: Manifest) -> GroupVersionKind:
    version = manifest.api_version.rpartition("/")[2]
    return GroupVersionKind(manifest.ref.group, version, manifest.ref.kind)


def _not_served(manifest: Manifest) -> Finding:
    text = f"{manifest.ref}: the CRD beside it does not serve {manifest.api_version}."
    return Finding.of(
        UnknownKind,
        text,
        _where(manifest, "apiVersion"),
        remedy="Use a version that the CRD serves.",
    )


def _unknown(
    manifest: Manifest, kind: GroupVersionKind, known: frozenset[GroupVersionKind]
) -> Findings:
    if kind in known:
        text = f"{kind} has no schema here, so {manifest.ref} was not checked."
        warning = Finding(
            code=UnknownKind.code,
            message=text,
            where=_where(manifest),
            remedy="Add the CRD to the package to have such objects checked.",
            severity=Severity.WARNING,
        )
        return (warning,)
    return (Finding.of(UnknownKind, f"({kind}, of {manifest.ref})", _where(manifest)),)


def _where(manifest: Manifest, field: str = "") -> Where:
    """Rendered objects have no file of their own: the object's reference stands for it."""
    return Where(file=str(manifest.ref), field=field)


def _path(parts: Iterable[str | int]) -> str:
    path = ""
    for part in parts:
        path += f"[{part}]" if isinstance(part, int) else f".{part}"
    return path.removeprefix(".")


def _short(text: str) -> str:
    return text if len(text) <= _MOST_TEXT else text[: _MOST_TEXT - 1] + "…"
