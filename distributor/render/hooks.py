"""Hooks among rendered objects: which objects run around an apply, by Helm's annotations.

The annotations and their meaning are Helm's (https://helm.sh/docs/topics/charts_hooks/). They count in
any renderer's output, because a kustomization may inflate a chart.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from distributor.errors import Where
from distributor.errors.render import BadHook, TooManyHooks
from distributor.model.findings import Finding, Invalid
from distributor.model.hooks import DeclaredHook, DeletePolicy, Hook, Moment, Occasion
from distributor.model.manifest import Manifest, ManifestSet
from distributor.model.refs import ObjectRef

HOOK = "helm.sh/hook"
WEIGHT = "helm.sh/hook-weight"
DELETE_POLICY = "helm.sh/hook-delete-policy"

_EVENTS = MappingProxyType({f"{m}-{o}": (m, o) for m in Moment for o in Occasion})
_NEVER = frozenset({"test", "test-success", "test-failure", "pre-delete", "post-delete"})
"""Events that no delivery has: tests are asked for by hand, and what is removed runs nothing more."""
_NO_HOOK = frozenset({"crd-install"})  # Helm 2's word for what is an ordinary object now
MOST_HOOKS = 500
"""Hooks of one instance; an inventory keeps a line for each, and an object of Kubernetes holds 1 MiB."""
_NUMBER = re.compile(r"[-+]?[0-9]{1,9}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """An instance's own objects, and the hooks around them."""

    members: ManifestSet
    hooks: tuple[Hook, ...] = ()


def wanted(objects: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The objects without the hooks that no delivery runs: those for tests and deletions.

    Raises ``Invalid`` with a ``DST325`` for every annotation of a hook that cannot be read, and a
    ``DST326`` for too many hooks.
    """
    kept: list[dict[str, Any]] = []
    findings: list[Finding] = []
    count = 0
    for data in objects:
        said = _Said.of(data)
        if said is None:
            kept.append(data)
            continue
        problems = said.problems()
        findings.extend(_finding(data, field, why) for field, why in problems)
        if problems or not said.events <= _NEVER:
            count += 1
            kept.append(data)
    if count > MOST_HOOKS:
        findings.append(Finding.of(TooManyHooks, f"({count}, and {MOST_HOOKS} may be)"))
    if findings:
        raise Invalid(findings)
    return kept


def split(found: ManifestSet, declared: Sequence[DeclaredHook] = ()) -> Split:
    """Take hooks and members apart; the very same set where there are no hooks.

    ``declared`` are the hooks that the package names beside the annotations; one whose object is not
    among these (a component left it out) asks for nothing.
    """
    named = _named(declared)
    seen = (_both(m, hook_of(m), named.get(m.ref, ())) for m in found)
    hooks = tuple(hook for hook in seen if hook is not None)
    if not hooks:
        return Split(members=found)
    refs = {hook.ref for hook in hooks}
    return Split(members=ManifestSet.of(m for m in found if m.ref not in refs), hooks=hooks)


def _named(declared: Sequence[DeclaredHook]) -> dict[ObjectRef, list[tuple[int, DeclaredHook]]]:
    """The entries of each object, with their place in the list."""
    named: dict[ObjectRef, list[tuple[int, DeclaredHook]]] = {}
    for place, entry in enumerate(declared):
        named.setdefault(entry.ref, []).append((place, entry))
    return named


def _both(
    manifest: Manifest, said: Hook | None, named: Sequence[tuple[int, DeclaredHook]]
) -> Hook | None:
    """A hook by its annotations, by its package's word, or by both: then at all moments of either."""
    if not named:
        return said
    events = {(entry.moment, occasion) for _, entry in named for occasion in Occasion}
    hook = said or Hook(manifest=manifest, events=frozenset(), weight=named[0][0])
    limits = [entry.timeout for _, entry in named if entry.timeout is not None]
    return replace(hook, events=hook.events | events, timeout=min(limits, default=None))


def ordinary(found: ManifestSet, declared: Sequence[DeclaredHook] = ()) -> Split:
    """For a target that can wait for nothing: hooks are members there, but for those of a rollback alone.

    The hooks are told beside, so that somebody can be told.
    """
    apart = split(found, declared)
    installed = {
        hook.ref for hook in apart.hooks if any(o is not Occasion.ROLLBACK for _, o in hook.events)
    }
    left_out = {hook.ref for hook in apart.hooks} - installed
    kept = found if not left_out else ManifestSet.of(m for m in found if m.ref not in left_out)
    return Split(members=kept, hooks=tuple(h for h in apart.hooks if h.ref in installed))


def hook_of(manifest: Manifest) -> Hook | None:
    """What a manifest says of itself as a hook, ``None`` for an ordinary object; raises ``Invalid``."""
    if HOOK.encode() not in manifest.body:
        return None
    data = manifest.data()
    said = _Said.of(data)
    if said is None:
        return None
    if problems := said.problems():
        raise Invalid([_finding(data, field, why) for field, why in problems])
    policies = frozenset(map(DeletePolicy, said.policies))
    return Hook(
        manifest=manifest,
        events=frozenset(_EVENTS[event] for event in said.events if event in _EVENTS),
        weight=int(said.weight or 0),
        policies=policies or frozenset({DeletePolicy.BEFORE_CREATION}),
    )


@dataclass(frozen=True, slots=True)
class _Said:
    """The three annotations as they are written."""

    events: frozenset[str]
    weight: str
    policies: frozenset[str]

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> _Said | None:
        """``None`` for an ordinary object."""
        metadata = data.get("metadata")
        annotations = metadata.get("annotations") if isinstance(metadata, Mapping) else None
        if not isinstance(annotations, Mapping) or annotations.get(HOOK) is None:
            return None
        events = _words(annotations[HOOK])
        if events & _NO_HOOK:
            return None
        weight = annotations.get(WEIGHT)
        policies = _words(annotations.get(DELETE_POLICY) or "") - {""}
        return cls(events, "" if weight is None else str(weight).strip(), policies)

    def problems(self) -> list[tuple[str, str]]:
        """What cannot be read: annotation and reason."""
        found = [
            (HOOK, f"{event!r} is no event of a hook")
            for event in sorted(self.events - _EVENTS.keys() - _NEVER)
        ]
        if self.weight and not _NUMBER.fullmatch(self.weight):
            found.append((WEIGHT, f"{self.weight[:40]!r} is no whole number"))
        known = {policy.value for policy in DeletePolicy}
        found += [
            (DELETE_POLICY, f"{policy!r} is no delete policy")
            for policy in sorted(self.policies - known)
        ]
        return found


def _words(text: object) -> frozenset[str]:
    """Words between commas, as Helm reads them; long ones cut, they only serve to be told."""
    return frozenset(word.strip().lower()[:40] for word in str(text).split(","))


def _finding(data: Mapping[str, Any], field: str, why: str) -> Finding:
    name = (data.get("metadata") or {}).get("name")
    return Finding.of(BadHook, f"({why})", Where(file=f"{data.get('kind')} {name}", field=field))
