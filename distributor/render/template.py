"""Templates: one object cut at the places that change by cluster."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import orjson

from distributor.model.manifest import Manifest, body_digest, canonical
from distributor.render.placeholders import check, in_secret
from distributor.render.places import Path, is_identity, put, shown
from distributor.render.secrets import SECRET, encoded, has_plain_text
from distributor.render.substitution import Scalar
from distributor.render.variables import Bound


class Bindings:
    """The variables of one cluster; a scalar that many objects hold is made once."""

    __slots__ = ("_made", "suffixes", "variables")

    def __init__(self, variables: Mapping[str, Bound]) -> None:
        self.variables = variables
        self.suffixes: dict[str, str] = {}  # second hashes by generated name
        self._made: dict[int, bytes] = {}

    def json(self, scalar: Scalar) -> bytes:
        """The scalar as JSON."""
        key = id(scalar)  # equal scalars of a cell are one object, and live as long as its Binder
        made = self._made.get(key)
        if made is None:
            made = self._made[key] = scalar.json(self.variables)
        return made


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A scalar that changes; ``follows`` is the generated name whose second hash it takes on."""

    path: Path
    scalar: Scalar
    follows: str = ""

    def json(self, bound: Bindings) -> bytes:
        """The scalar on one cluster, as JSON."""
        if not self.follows:
            return bound.json(self.scalar)
        return orjson.dumps(f"{self.scalar.text(bound.variables)}-{bound.suffixes[self.follows]}")


class Template:
    """An object with places: ``origin`` is how it was rendered."""

    __slots__ = ("_parts", "_placeholders", "_plain", "_remade", "moves", "origin", "places")

    def __init__(self, origin: Manifest, places: tuple[Place, ...]) -> None:
        self.origin = origin
        self.moves = any(is_identity(place.path) for place in places)
        self._plain = has_plain_text(origin)
        secret = origin.ref.group_kind == SECRET
        # A variable must not make a placeholder of somebody else's value.
        self._placeholders = (
            frozenset(map(str, in_secret(origin.data(), origin))) if secret else None
        )
        self._remade = self.moves or secret
        self._parts, order = _cut(origin, places)
        self.places = tuple(places[number] for number in order)

    def unbound(self, variables: Mapping[str, Bound]) -> Iterator[str]:
        """One line for each place that lacks a value: object, field, variable."""
        return (
            f"{name} in {self.origin.ref} {shown(place.path)}"
            for place in self.places
            for name in place.scalar.unbound(variables)
        )

    def bound(self, bound: Bindings) -> Manifest:
        """The object on one cluster; every variable must be bound."""
        pieces = [self._parts[0]]
        for place, part in zip(self.places, self._parts[1:], strict=True):
            pieces.append(place.json(bound))
            pieces.append(part)
        body = b"".join(pieces)
        if self._remade:
            made = Manifest.of(orjson.loads(body))
            made = encoded(made) if self._plain else made
            if self._placeholders is not None:
                check([made], self._placeholders)
            return made
        origin = self.origin
        return Manifest(
            ref=origin.ref, api_version=origin.api_version, body=body, digest=body_digest(body)
        )


def _cut(origin: Manifest, places: tuple[Place, ...]) -> tuple[tuple[bytes, ...], list[int]]:
    """The body in pieces around its places, and the places' order in it.

    Each place is marked by a word that holds a hash of the body, so that no body can contain it.
    """
    data = origin.data()
    word = "place-" + hashlib.sha256(origin.body).hexdigest()
    for number, place in enumerate(places):
        put(data, place.path, f"{word}-{number}")
    pieces = re.split(f'"{word}-([0-9]+)"'.encode(), canonical(data))
    return tuple(pieces[::2]), [int(number) for number in pieces[1::2]]
