"""The engine's refusals as errors of the tree."""

from __future__ import annotations

import re

from distributor.adapters.engine.frames import Refusal
from distributor.errors import DistributorError, Where
from distributor.errors.render import (
    BadManifest,
    ChartValuesInvalid,
    DuplicateObject,
    ImpureTemplate,
    NoKustomization,
    OutsideTree,
    PluginRefused,
    RemoteBase,
    RenderFailed,
    RenderTooLarge,
    TemplateFailed,
    TooDeep,
    TooManyObjects,
    WorkerDied,
)

CODES: dict[str, type[DistributorError]] = {
    "bad-request": RenderFailed,
    "bad-yaml": BadManifest,
    "build": RenderFailed,
    "duplicate-object": DuplicateObject,
    "impure": ImpureTemplate,
    "internal": RenderFailed,
    "no-chart": NoKustomization,
    "no-kustomization": NoKustomization,
    "outside-tree": OutsideTree,
    "plugin": PluginRefused,
    "remote-base": RemoteBase,
    "template": TemplateFailed,
    "too-deep": TooDeep,
    "too-large": RenderTooLarge,
    "too-many-objects": TooManyObjects,
    "values-schema": ChartValuesInvalid,
}
"""Every code that the engine knows."""

_EXIT_MEMORY = 86  # exitMemory of the engine's main.go
_EXIT_CRASH = 2  # what Go exits with on a fault it cannot recover from

_TEMPLATE_PLACE = re.compile(r"(?:template: |.*? at \()?([^\s:()]+\.\w+):(\d+)(?::(\d+))?")
_YAML_LINE = re.compile(r"(?:yaml: )?line (\d+)")


def error_of(refusal: Refusal) -> DistributorError:
    """The error that a refusal stands for, with the place to blame as far as it is known."""
    kind = CODES.get(refusal.code, RenderFailed)
    detail = refusal.message if refusal.code in CODES else f"[{refusal.code}] {refusal.message}"
    return kind(detail, where=_place(refusal))


def death_of(returncode: int | None) -> WorkerDied:
    """What the death of a worker in the middle of a render means to the user."""
    if returncode == _EXIT_MEMORY:
        return WorkerDied("the render used more memory than a worker may")
    if returncode == _EXIT_CRASH:
        return WorkerDied("the engine crashed; endless recursion in a template does that")
    if returncode is not None and returncode < 0:
        return WorkerDied(f"the worker was ended from outside by signal {-returncode}")
    return WorkerDied(f"the worker ended with exit code {returncode}")


def _place(refusal: Refusal) -> Where:
    if refusal.code in {"template", "impure"}:
        found = _TEMPLATE_PLACE.search(refusal.message)
        if found:
            return Where(file=found[1], line=int(found[2]), column=int(found[3] or 0))
    line = _YAML_LINE.match(refusal.message)
    return Where(file=refusal.path, line=int(line[1]) if line else 0)
