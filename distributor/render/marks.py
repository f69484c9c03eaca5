"""Marks: another value put into a field in the middle of a render, to see who sets it after that.

Where two hands give a field the same value, the one that is in force does not show by being taken away.
It does by what it makes of a value that neither of them gave.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from distributor.model.manifest import canonical
from distributor.model.refs import ObjectRef
from distributor.model.rendering import RenderJob
from distributor.render.places import Path

_FOLDER = "mark"
_COMPONENT = {"apiVersion": "kustomize.config.k8s.io/v1alpha1", "kind": "Component"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """Another value than a field's, and the entry of kustomize's ``patches`` that puts it there."""

    value: str | float
    patch: Mapping[str, Any]

    def below(self, job: RenderJob, number: int) -> RenderJob:
        """The job with the mark above as many of its layers."""
        data = canonical({**_COMPONENT, "patches": [self.patch]})
        files = {**job.files, f"{_FOLDER}/kustomization.yaml": data}
        layers = (*job.layers[:number], _FOLDER, *job.layers[number:])
        return replace(job, files=files, layers=layers)


def mark(ref: ObjectRef, steps: Path, value: object) -> Mark | None:
    """A mark for one field of an object that has this value; ``None`` for what is no plain value."""
    other: str | float
    match value:
        case bool():
            other = not value
        case int() | float():
            other = value + 1
        case str():
            other = f"{value}-marked"
        case _:
            return None
    pointer = "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in steps)
    operation = {"op": "replace", "path": pointer, "value": other}
    target = {"kind": ref.kind, "name": re.escape(ref.name)} | (
        {"group": ref.group} if ref.group else {}
    )
    return Mark(value=other, patch={"target": target, "patch": canonical([operation]).decode()})
