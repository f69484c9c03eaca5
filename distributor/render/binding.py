"""Late binding: a cell's objects, with the variables of one cluster substituted.

``Binder`` finds the places that hold variables once a cell. Canonical JSON does not move when a scalar
changes, so each object with variables is kept as pieces of its body, and binding a cluster joins them.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping

from distributor.errors.render import BadVariable, UnboundVariable
from distributor.model.manifest import Manifest, ManifestSet
from distributor.model.package import BindVariable
from distributor.model.refs import GroupKind
from distributor.render.finishing import refuse_duplicates
from distributor.render.places import holds_data, keys, only_text, shown, strings
from distributor.render.secrets import encoded, has_plain_text
from distributor.render.substitution import Grammar, Scalar
from distributor.render.template import Bindings, Place, Template
from distributor.render.variables import Bound

OPT_OUT = "kustomize.toolkit.fluxcd.io/substitute"
"""Flux's label or annotation; the value ``disabled`` keeps an object as it is."""

_GENERATED = re.compile(r".-[2456789bcdfghkmt]{10}")
"""How kustomize ends a generated name: ten characters of a hash, in its own alphabet of 16."""
_GENERATORS = frozenset({GroupKind("", "ConfigMap"), GroupKind("", "Secret")})


def bind(
    manifests: ManifestSet,
    variables: Mapping[str, Bound],
    declared: Iterable[BindVariable] = (),
) -> ManifestSet:
    """Bind one cluster; for several clusters of a cell, make a ``Binder`` once."""
    return Binder(manifests, declared).bind(variables)


class Binder:
    """Binds the objects of one cell to clusters.

    Substituted are ``${var}`` and ``${var:=default}`` for the variables in ``declared`` and the fixed
    cluster facts; ``$${var}`` gives ``${var}``, and every other ``${...}`` is literal text. A default
    counts where the variable is unset or empty text. A scalar that is exactly one variable takes its
    declared type, unless Kubernetes takes only text there. Keys are never substituted: one that holds
    a variable is refused, as is a default that does not fit (``BadVariable``, all at once).
    """

    def __init__(self, manifests: ManifestSet, declared: Iterable[BindVariable]) -> None:
        self._manifests = manifests
        self._grammar = Grammar({v.name: v.type for v in declared})
        scalars = self._scalars()
        self._generated = self._renamed(scalars)
        self._slots = [self._slot(m, scalars.get(n, [])) for n, m in enumerate(manifests)]
        self._templates = [s for s in self._slots if isinstance(s, Template)]
        self._sources = [
            (t.origin.ref.name, t) for t in self._templates if t.origin.ref.name in self._generated
        ]
        scalars_used = (place.scalar for t in self._templates for place in t.places)
        self._required = frozenset(
            use.name for scalar in scalars_used for use in scalar.uses() if use.default is None
        )
        self._moves = any(t.moves for t in self._templates)
        if not self._templates and any(
            s is not m for s, m in zip(self._slots, manifests, strict=True)
        ):
            self._manifests = ManifestSet.of(s for s in self._slots if isinstance(s, Manifest))

    def bind(self, variables: Mapping[str, Bound]) -> ManifestSet:
        """The objects on a cluster; those without variables are shared, not copied.

        Raises ``UnboundVariable`` naming every object and field that lacks a value, and
        ``DuplicateObject`` where two objects get the same name.
        """
        if not self._templates:
            return self._manifests
        if not self._required <= variables.keys():
            missing = [line for t in self._templates for line in t.unbound(variables)]
            raise UnboundVariable("; ".join(missing))
        bindings = Bindings(variables)
        for name, template in self._sources:
            bindings.suffixes[name] = _second_hash(template, variables)
        bound = [
            slot.bound(bindings) if isinstance(slot, Template) else slot for slot in self._slots
        ]
        if self._moves:
            refuse_duplicates(bound)
        return ManifestSet.of(bound)

    def _scalars(self) -> dict[int, list[tuple[Place, str]]]:
        """The places that hold variables, by the object's index; the raw text beside each."""
        found: dict[int, list[tuple[Place, str]]] = {}
        bad: list[str] = []
        for number, manifest in enumerate(self._manifests):
            if b"${" in manifest.body:
                found[number] = self._places(manifest, bad)
        if bad:
            raise BadVariable("; ".join(bad))
        return found

    def _places(self, manifest: Manifest, bad: list[str]) -> list[tuple[Place, str]]:
        data, kind = manifest.data(), manifest.ref.group_kind
        if _opted_out(data):
            return []
        places: list[tuple[Place, str]] = []
        for path, text in strings(data):
            try:
                scalar = self._grammar.read(text, only_text=only_text(kind, path))
            except ValueError as error:
                bad.append(f"{manifest.ref} {shown(path)}: {error}")
                continue
            if scalar is not None:
                places.append((Place(path=path, scalar=scalar), text))
        for path, key in keys(data):
            if "${" in key and self._grammar.read(key, only_text=True) is not None:
                bad.append(f"{manifest.ref} {shown(path)}: the key {key!r} holds a variable")
        return places

    def _renamed(self, scalars: Mapping[int, list[tuple[Place, str]]]) -> frozenset[str]:
        """The generated names whose data is bound: they need a second hash."""
        ordered = tuple(self._manifests)
        return frozenset(
            ordered[number].ref.name
            for number, places in scalars.items()
            if ordered[number].ref.group_kind in _GENERATORS
            and _GENERATED.fullmatch(ordered[number].ref.name[-12:])
            and any(holds_data(ordered[number].ref.group_kind, place.path) for place, _ in places)
        )

    def _slot(self, manifest: Manifest, places: list[tuple[Place, str]]) -> Manifest | Template:
        """What stands for one object: a template where it changes by cluster, else the object."""
        referring = self._referring(manifest)
        if not places and not referring:
            return encoded(manifest) if has_plain_text(manifest) else manifest
        by_path = {place.path: place for place, _ in places}
        for place in referring:
            known = by_path.get(place.path)
            scalar = known.scalar if known is not None else place.scalar
            by_path[place.path] = Place(path=place.path, scalar=scalar, follows=place.follows)
        return Template(manifest, tuple(by_path.values()))

    def _referring(self, manifest: Manifest) -> list[Place]:
        """The scalars that are exactly a generated name: the object's own name, and references.

        With its hash such a name is unique enough that text equal to it means it, in any kind.
        """
        names = {n for n in self._generated if n.encode() in manifest.body}
        if not names:
            return []
        return [
            Place(path=path, scalar=Scalar(segments=(text,)), follows=text)
            for path, text in strings(manifest.data())
            if text in names
        ]


def _opted_out(data: Mapping[str, object]) -> bool:
    metadata = data.get("metadata")
    if not isinstance(metadata, Mapping):
        return False
    marks = (metadata.get("annotations"), metadata.get("labels"))
    return any(isinstance(m, Mapping) and m.get(OPT_OUT) == "disabled" for m in marks)


def _second_hash(template: Template, variables: Mapping[str, Bound]) -> str:
    """Ten hex digits over what was bound in the data; the rest of it is in the first hash."""
    kind = template.origin.ref.group_kind
    hasher = hashlib.sha256()
    for place in sorted(template.places, key=lambda p: shown(p.path)):
        if holds_data(kind, place.path):
            hasher.update(shown(place.path).encode() + b"\0" + place.scalar.json(variables) + b"\n")
    return hasher.hexdigest()[:10]
