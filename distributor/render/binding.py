"""Late binding: a cell's objects, with the variables of one cluster substituted.

``Binder`` finds the places that hold variables once a cell. Canonical JSON does not move when a scalar
changes, so each object with variables is kept as pieces of its body, and binding a cluster joins them.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from distributor.errors.render import BadVariable, UnboundVariable
from distributor.model.manifest import Manifest, ManifestSet
from distributor.model.package import BindVariable, Package
from distributor.model.refs import GroupKind
from distributor.model.rendering import RenderInput
from distributor.render.finishing import finish, refuse_duplicates
from distributor.render.images import Images, image_places, runs
from distributor.render.places import holds_data, keys, only_text, shown, strings
from distributor.render.secrets import encoded, has_plain_text
from distributor.render.substitution import Grammar, Scalar, Use
from distributor.render.template import Bindings, Place, Template
from distributor.render.variables import Bound

OPT_OUT = "kustomize.toolkit.fluxcd.io/substitute"
"""Flux's label or annotation; the value ``disabled`` keeps an object as it is."""

REGISTRY = "registry of the cluster"
"""What stands for a cluster's registry in a template; no ``${...}`` can name it."""

_OWN = Use(name=REGISTRY, default=None)

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


def binder_of(objects: Sequence[bytes], cell: RenderInput, package: Package) -> Binder:
    """The binder of what the engine gave for a cell; raises what ``finish`` and ``Binder`` raise."""
    images = Images(package.images, cell.registry)
    return Binder(finish(objects, cell, package), package.values.bind, images)


class Binder:
    """Binds the objects of one cell to clusters.

    Substituted are ``${var}`` and ``${var:=default}`` for the variables in ``declared`` and the fixed
    cluster facts; ``$${var}`` gives ``${var}``, and every other ``${...}`` is literal text. A default
    counts where the variable is unset or empty text. A scalar that is exactly one variable takes its
    declared type, unless Kubernetes takes only text there. Keys are never substituted: one that holds
    a variable is refused, as is a default that does not fit (``BadVariable``, all at once).

    ``images`` are the package's, as ``finish`` wrote them: where a cluster has a registry of its own,
    every image comes from there. One whose registry is a variable is put below the registry that is
    asked for when it is bound.
    """

    def __init__(
        self,
        manifests: ManifestSet,
        declared: Iterable[BindVariable],
        images: Images | None = None,
    ) -> None:
        self._manifests, self._images = manifests, images
        self._grammar = Grammar({v.name: v.type for v in declared})
        self._plain = _Templates(manifests, self._grammar, images)
        self._mirrored: _Templates | None = None

    def bind(self, variables: Mapping[str, Bound], registry: str = "") -> ManifestSet:
        """The objects on a cluster; those that do not differ by cluster are shared, not copied.

        ``registry`` is the cluster's own, empty where it has none. Raises ``UnboundVariable`` naming
        every object and field that lacks a value, and ``DuplicateObject`` where two objects get the same
        name.
        """
        if not registry or self._images is None or registry == self._images.registry:
            return self._plain.bind(variables)
        if self._mirrored is None:  # found once, for the first cluster with a registry
            self._mirrored = _Templates(self._manifests, self._grammar, self._images, _OWN)
        return self._mirrored.bind({**variables, REGISTRY: registry})


class _Templates:
    """The objects of a cell, each as it is or cut at the places that change by cluster.

    With ``registry``, that of each image is such a place; else of those that ``images`` could not settle.
    """

    def __init__(
        self,
        manifests: ManifestSet,
        grammar: Grammar,
        images: Images | None,
        registry: Use | None = None,
    ) -> None:
        self._manifests, self._grammar, self._images = manifests, grammar, images
        self._registry: Use | str = registry or (images.registry if images is not None else "")
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
            places = self._places(manifest, bad) if b"${" in manifest.body else []
            if self._images is not None and self._registry:
                places = _over(places, self._mirrors(manifest, self._images, places))
            if places:
                found[number] = places
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

    def _mirrors(
        self, manifest: Manifest, images: Images, read: list[tuple[Place, str]]
    ) -> list[tuple[Place, str]]:
        """The images whose registry is set as they are bound; variables behind it stay variables.

        ``read`` are the places with variables, none where the object opted out of them.
        """
        late = isinstance(self._registry, Use)
        if b'"image' not in manifest.body or not (late or read):
            return []
        known = {place.path: place.scalar for place, _ in read}
        places: list[tuple[Place, str]] = []
        for path, text in image_places(manifest.data()):
            scalar = known.get(path)
            rest = images.rest(text, run=runs(path))
            if not rest and scalar is not None and runs(path):
                made = replace(scalar, kind="string", registry=self._registry)
            elif rest and late:
                behind = self._grammar.read(rest, only_text=True) if scalar is not None else None
                segments = behind.segments if behind is not None else (rest,)
                made = Scalar(segments=(_OWN, "/", *segments))
            else:
                continue
            places.append((Place(path=path, scalar=made), text))
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


def _over(
    places: list[tuple[Place, str]], more: list[tuple[Place, str]]
) -> list[tuple[Place, str]]:
    """Both; where they name the same place, the latter."""
    return list({entry[0].path: entry for entry in (*places, *more)}.values())


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
