"""Values given on the command line: read in order, put over an Installation's, and blamed where wrong."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from distributor.adapters.workspace import read_values
from distributor.cli.local import Choice
from distributor.cli.strvals import set_values
from distributor.errors import Where
from distributor.errors.catalog import BadValues
from distributor.model.findings import Finding
from distributor.render.values import check_values, instance_values, merged, together, values_file


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """One argument, such as ``--set a=1``, and the values of it and of all arguments before it."""

    argument: str
    values: Mapping[str, Any]


def given(files: Iterable[Path], sets: Iterable[str]) -> Iterator[Given]:
    """The arguments, each over the ones before: files first, then ``--set``, like Helm does."""
    values: dict[str, Any] = {}
    for file in files:
        values = merged(values, read_values(file))
        yield Given(argument=f"--values {file}", values=values)
    for text in sets:
        values = set_values((text,), values)
        yield Given(argument=f"--set {text}", values=values)


def with_values(choice: Choice, arguments: Iterable[Given]) -> Choice:
    """The choice with the arguments' values over its Installation's.

    Raises ``BadValues`` that blames the first argument after which the package's schema finds more than
    it found before; what was wrong without them is left to the render, which blames the file.
    """
    known = set(_wrong(choice))
    result = choice
    for argument in arguments:
        values = merged(choice.installation.values, argument.values)
        result = replace(choice, installation=replace(choice.installation, values=values))
        found = [finding for finding in _wrong(result) if finding not in known]
        if found:
            raise BadValues(
                f"({choice.package}) {together(found)}",
                where=Where(file=argument.argument),
                remedy="Correct the argument; spec.values.schema of package.yaml says what fits.",
            )
    return result


def _wrong(choice: Choice) -> tuple[Finding, ...]:
    package, installation = choice.package, choice.installation
    values = instance_values(package, installation, choice.files.environment)
    return check_values(package, values, values_file(installation))
