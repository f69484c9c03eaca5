"""Parity: the values of an instance side by side with another environment's, and taken over from it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import orjson

from distributor.model.fleet import Environment, Installation
from distributor.model.package import Package
from distributor.model.parity import Difference, Side, Taken
from distributor.render.values import instance_values, values_file

_SHOWN = 80
"""Characters of a value that are shown."""
_ABSENT = object()


def side(package: Package, installation: Installation, environment: Environment) -> Side:
    """The values of an instance as one side of a comparison."""
    return Side(
        environment=environment.name,
        values=instance_values(package, installation, environment),
        files={
            values_file(installation): installation.values,
            f"environments/{environment.name}/environment.yaml": environment.defaults.get(
                package.app, {}
            ),
            f"{package.folder}/package.yaml": package.values.defaults,
        },
    )


def differences(app: str, ours: Side, theirs: Side) -> tuple[Difference, ...]:
    """Every value that the two sides do not share, by path; a map is told by the values in it."""
    return tuple(_differing((app,), ours, theirs, (ours.values, theirs.values)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What gives an instance its values."""

    package: Package
    installation: Installation
    environment: Environment

    @property
    def values(self) -> dict[str, Any]:
        """All of them, merged."""
        return instance_values(self.package, self.installation, self.environment)


def take(active: Mapping[str, Any], paths: Iterable[tuple[str, ...]]) -> tuple[Taken, ...]:
    """The values at some paths; one that is not set there is taken as not set."""
    found = ((path, _at(active, path)) for path in paths)
    return tuple(
        Taken(path=path, set=value is not _ABSENT, value=None if value is _ABSENT else value)
        for path, value in found
    )


def taken_over(own: Parts, values: Iterable[Taken]) -> Parts:
    """The parts of an instance with values of another environment in place of its own.

    All its values come to stand in the Installation: put over maps and no maps once more, they would not be
    the same.
    """
    merged, app = own.values, own.package.app
    for each in values:
        _put(merged, each.path, each.value if each.set else _ABSENT)
    defaults = {name: each for name, each in own.environment.defaults.items() if name != app}
    package_values = replace(own.package.values, defaults={})
    return Parts(
        package=replace(own.package, values=package_values),
        installation=replace(own.installation, values=merged),
        environment=replace(own.environment, defaults=defaults),
    )


def _differing(
    path: tuple[str, ...], ours: Side, theirs: Side, values: tuple[object, object]
) -> Iterator[Difference]:
    one, other = values
    maps = [value for value in values if isinstance(value, Mapping)]
    if maps and all(value is _ABSENT or isinstance(value, Mapping) for value in values):
        for key in sorted({key for value in maps for key in value}):
            below = tuple(_at(v, (key,)) if isinstance(v, Mapping) else _ABSENT for v in values)
            yield from _differing((*path, str(key)), ours, theirs, (below[0], below[1]))
    elif _text(one) != _text(other):
        yield Difference(
            path=".".join(path),
            environment=ours.environment,
            value=_text(one)[:_SHOWN],
            file=ours.file_of(path[1:]) if one is not _ABSENT else "",
            other=theirs.environment,
            other_value=_text(other)[:_SHOWN],
            other_file=theirs.file_of(path[1:]) if other is not _ABSENT else "",
        )


def _text(value: object) -> str:
    """JSON, so that 1 and true differ; keys sorted, so that their order does not count."""
    if value is _ABSENT:
        return ""
    try:
        return orjson.dumps(value, default=_plain, option=orjson.OPT_SORT_KEYS).decode()
    except TypeError:  # a number that JSON has no room for: what renders it says so
        return str(value)


def _plain(value: object) -> object:
    """Mappings that are no dicts, as YAML gives them."""
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, tuple):
        return list(value)
    return str(value)


def _at(values: Mapping[str, Any], path: tuple[str, ...]) -> object:
    here: object = values
    for key in path:
        if not isinstance(here, Mapping) or key not in here:
            return _ABSENT
        here = here[key]
    return here


def _put(values: dict[str, Any], path: tuple[str, ...], value: object) -> None:
    """Set the value at a path of nested maps, or take it out where it is absent."""
    *above, last = path
    here = values
    for key in above:
        below = here.get(key)
        if not isinstance(below, dict):
            if value is _ABSENT:
                return
            below = here[key] = {}
        here = below
    if value is _ABSENT:
        here.pop(last, None)
    else:
        here[last] = value
