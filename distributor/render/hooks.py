"""Hooks among rendered objects: which objects run around an apply, by Helm's annotations and Argo CD's.

The annotations and their meaning are Helm's (https://helm.sh/docs/topics/charts_hooks/) and Argo CD's
(https://argo-cd.readthedocs.io/en/stable/user-guide/sync-waves/). They count in any renderer's output,
because a kustomization may inflate a chart.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
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
ARGO_HOOK = "argocd.argoproj.io/hook"
SYNC_WAVE = "argocd.argoproj.io/sync-wave"

_Events = frozenset[tuple[Moment, Occasion]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Dialect:
    """One tool's annotations. ``never`` are events that no delivery has, ``plain`` those of ordinary objects."""

    hook: str
    weight: str
    policy: str
    events: Mapping[str, _Events]
    policies: Mapping[str, DeletePolicy]
    never: frozenset[str]
    plain: frozenset[str]


def _always(moment: Moment) -> _Events:
    return frozenset((moment, occasion) for occasion in Occasion)


_HELM = _Dialect(
    hook=HOOK,
    weight=WEIGHT,
    policy=DELETE_POLICY,
    events={
        f"{moment}-{occasion}": frozenset({(moment, occasion)})
        for moment in (Moment.PRE, Moment.POST)
        for occasion in Occasion
    },
    policies={policy.value: policy for policy in DeletePolicy},
    # Tests are asked for by hand, and what is removed runs nothing more.
    never=frozenset({"test", "test-success", "test-failure", "pre-delete", "post-delete"}),
    plain=frozenset({"crd-install"}),  # Helm 2's word for what is an ordinary object now
)
_ARGO = _Dialect(
    hook=ARGO_HOOK,
    weight=SYNC_WAVE,
    policy="argocd.argoproj.io/hook-delete-policy",
    events={
        "presync": _always(Moment.PRE),
        "postsync": _always(Moment.POST),
        "syncfail": _always(Moment.FAILURE),
    },
    policies={
        "beforehookcreation": DeletePolicy.BEFORE_CREATION,
        "hooksucceeded": DeletePolicy.SUCCEEDED,
        "hookfailed": DeletePolicy.FAILED,
    },
    never=frozenset({"skip", "predelete", "postdelete"}),
    plain=frozenset({"sync"}),  # applied with all other objects, in its wave
)
_DIALECTS = (_ARGO, _HELM)
"""As Argo CD does it: its own annotation on an object goes before Helm's."""
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
        if problems or not said.events <= said.dialect.never:
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
    """For a target that can wait for nothing: hooks are members there, but for those of a rollback or a failure alone.

    The hooks are told beside, so that somebody can be told.
    """
    apart = split(found, declared)
    installed = {
        hook.ref
        for hook in apart.hooks
        if any(o is not Occasion.ROLLBACK and m is not Moment.FAILURE for m, o in hook.events)
    }
    left_out = {hook.ref for hook in apart.hooks} - installed
    kept = found if not left_out else ManifestSet.of(m for m in found if m.ref not in left_out)
    return Split(members=kept, hooks=tuple(h for h in apart.hooks if h.ref in installed))


def hook_of(manifest: Manifest) -> Hook | None:
    """What a manifest says of itself as a hook, ``None`` for an ordinary object; raises ``Invalid``."""
    if not any(dialect.hook.encode() in manifest.body for dialect in _DIALECTS):
        return None
    data = manifest.data()
    said = _Said.of(data)
    if said is None:
        return None
    if problems := said.problems():
        raise Invalid([_finding(data, field, why) for field, why in problems])
    known = said.dialect
    policies = frozenset(known.policies[policy] for policy in said.policies)
    events = (known.events[event] for event in said.events if event in known.events)
    return Hook(
        manifest=manifest,
        events=frozenset().union(*events),
        weight=int(said.weight or 0),
        policies=policies or frozenset({DeletePolicy.BEFORE_CREATION}),
    )


@dataclass(frozen=True, slots=True)
class _Said:
    """The three annotations as they are written."""

    dialect: _Dialect
    events: frozenset[str]
    weight: str
    policies: frozenset[str]

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> _Said | None:
        """``None`` for an ordinary object."""
        metadata = data.get("metadata")
        annotations = metadata.get("annotations") if isinstance(metadata, Mapping) else None
        if not isinstance(annotations, Mapping):
            return None
        found = (d for d in _DIALECTS if annotations.get(d.hook) is not None)
        dialect = next(found, None)
        if dialect is None:
            return None
        events = _words(annotations[dialect.hook])
        if events & dialect.plain:
            return None
        weight = annotations.get(dialect.weight)
        policies = _words(annotations.get(dialect.policy) or "") - {""}
        return cls(dialect, events, "" if weight is None else str(weight).strip(), policies)

    def problems(self) -> list[tuple[str, str]]:
        """What cannot be read: annotation and reason."""
        known = self.dialect
        found = [
            (known.hook, f"{event!r} is no event of a hook")
            for event in sorted(self.events - known.events.keys() - known.never)
        ]
        if self.weight and not _NUMBER.fullmatch(self.weight):
            found.append((known.weight, f"{self.weight[:40]!r} is no whole number"))
        found += [
            (known.policy, f"{policy!r} is no delete policy")
            for policy in sorted(self.policies - known.policies.keys())
        ]
        return found


def _words(text: object) -> frozenset[str]:
    """Words between commas, as Helm reads them; long ones cut, they only serve to be told."""
    return frozenset(word.strip().lower()[:40] for word in str(text).split(","))


def _finding(data: Mapping[str, Any], field: str, why: str) -> Finding:
    name = (data.get("metadata") or {}).get("name")
    return Finding.of(BadHook, f"({why})", Where(file=f"{data.get('kind')} {name}", field=field))
