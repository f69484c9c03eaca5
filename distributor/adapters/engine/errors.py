"""The engine's refusals as errors of the tree."""

from __future__ import annotations

import re

from distributor.adapters.engine.frames import Refusal
from distributor.adapters.engine.settings import MIB, EngineSettings
from distributor.errors import DistributorError, Where
from distributor.errors.render import (
    BadManifest,
    ChartValuesInvalid,
    DuplicateObject,
    EndlessRecursion,
    ImpureTemplate,
    NoKustomization,
    OutOfMemory,
    OutOfProcessorTime,
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
_EXIT_CPU = 87  # exitCPU
_EXIT_CRASH = 2  # what Go exits with on a fault it cannot recover from

_NO_MEMORY = re.compile(r"out of memory|cannot allocate memory")
_NO_STACK = re.compile(r"stack exceeds (\d+)-byte limit")
_TEMPLATE_PLACE = re.compile(r"(?:template: |.*? at \()?([^\s:()]+\.\w+):(\d+)(?::(\d+))?")
_REMEDIES = (
    (r"stands twice in one mapping", "Remove one of the two: only one of them could count."),
    (
        r"^NUL byte",
        "Write the file anew as UTF-8 text; a NUL byte is none, it may be a binary file or UTF-16.",
    ),
    (r"is not UTF-8$|invalid (leading|trailing|continuation) UTF-8", "Save the file as UTF-8."),
    (r"contains itself$", "Remove the alias that stands inside its own anchor."),
    (r"an integer of|no number that JSON|is not a boolean$", "Put it in quotes if it is text."),
    (r"the tag .* is not known", "Remove the tag and write the value in plain YAML."),
    (r"!!binary is not", "Write the value as plain text, or encode it as base64 of UTF-8 text."),
    (r"a key must", "Write the key as plain text."),
    (r"a merge key needs", "Let `<<` name a mapping, or write its fields out."),
    (
        r"^yaml: |MalformedYAMLError|did not find|could not find",
        "Mend the YAML at the place named.",
    ),
)
"""What to do about content that is no object, by what the engine says of it; else what the class says."""
_YAML_LINE = re.compile(r"(?:yaml: )?line (\d+)")


def error_of(refusal: Refusal) -> DistributorError:
    """The error that a refusal stands for, with the place to blame as far as it is known."""
    kind = CODES.get(refusal.code, RenderFailed)
    detail = refusal.message if refusal.code in CODES else f"[{refusal.code}] {refusal.message}"
    return kind(detail, where=_place(refusal), remedy=_remedy(refusal))


def death_of(returncode: int | None, complaints: str, settings: EngineSettings) -> DistributorError:
    """What the death of a worker in the middle of a render means to the user.

    ``complaints`` is what the worker's runtime said on standard error: a fault that it cannot recover
    from has one exit code, whatever it is.
    """
    crashed = returncode == _EXIT_CRASH
    if returncode == _EXIT_MEMORY or (crashed and _NO_MEMORY.search(complaints)):
        return OutOfMemory(f"It took more than {settings.hard_memory / MIB:g} MiB of memory.")
    if returncode == _EXIT_CPU:
        return OutOfProcessorTime(f"It took more than {settings.cpu_seconds:g} seconds of it.")
    if crashed and (found := _NO_STACK.search(complaints)):
        return EndlessRecursion(f"Its stack grew beyond {int(found[1]) / MIB:g} MiB.")
    if crashed:
        said, _, _ = complaints.partition("\n")
        return WorkerDied(f"The engine crashed. {said}".strip())
    if returncode is not None and returncode < 0:
        return WorkerDied(f"The worker was ended from outside by signal {-returncode}.")
    return WorkerDied(f"The worker ended with exit code {returncode}.")


def _remedy(refusal: Refusal) -> str:
    """What to do where one code has several causes; empty where the class knows."""
    if refusal.code != "bad-yaml":
        return ""
    return next((text for found, text in _REMEDIES if re.search(found, refusal.message)), "")


def _place(refusal: Refusal) -> Where:
    if refusal.code in {"template", "impure"}:
        found = _TEMPLATE_PLACE.search(refusal.message)
        if found:
            return Where(file=found[1], line=int(found[2]), column=int(found[3] or 0))
    line = _YAML_LINE.match(refusal.message)
    return Where(file=refusal.path, line=int(line[1]) if line else 0)
