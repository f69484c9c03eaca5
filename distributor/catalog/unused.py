"""Fields that descriptors may have and that this release does not act on yet: each is told, none is silent.

Fields that only describe (notes, maintainers, links ...) are not listed: they promise nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from distributor.catalog.documents import Document
from distributor.errors.catalog import NotUsed
from distributor.model.findings import Finding, Severity
from distributor.model.fleet import Mode

_ABSENT = object()


@dataclass(frozen=True, slots=True)
class _Field:
    """One field below ``spec``; values in ``fine`` ask for nothing that is missing."""

    path: str
    fine: tuple[object, ...] = ()


FIELDS: Mapping[str, tuple[_Field, ...]] = {
    "App": (_Field("automation"), _Field("channels")),
    "Package": (
        _Field("capacity.pods"),
        _Field("fits.windowsBuild"),
        _Field("delivery.offline", ("keep",)),
        _Field("delivery.timeout", ("5m",)),
    ),
    "Cluster": (_Field("lifecycle"), _Field("bandwidth")),
    "Installation": (_Field("pin"), _Field("replicas.divide", ("none",))),
}
"""By kind of descriptor. Who makes a field work takes it out here."""
UNSERVED = frozenset({Mode.PULL})
"""Delivery modes that no part of this release serves: such a cluster is an error, and left out."""


def unused(document: Document, kind: str) -> tuple[Finding, ...]:
    """A warning for each field of a document that is set and does nothing."""
    found: list[Finding] = []
    for each in FIELDS.get(kind, ()):
        path = tuple(each.path.split("."))
        value = _at(document.spec, path)
        if value is _ABSENT or value in each.fine or value in ([], {}):
            continue
        where = document.where(("spec", *path))
        text = f"spec.{each.path} is kept and shown, and changes nothing."
        found.append(Finding.of(NotUsed, text, where, severity=Severity.WARNING))
    return tuple(found)


def _at(spec: Mapping[str, Any], path: tuple[str, ...]) -> object:
    value: Any = spec
    for name in path:
        if not isinstance(value, Mapping) or name not in value:
            return _ABSENT
        value = value[name]
    return value
