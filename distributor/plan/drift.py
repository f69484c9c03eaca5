"""Drift: where a live object is not what we asked for, field by field.

Only what we set is compared, so defaults and other managers' fields are no drift. Where the object says who
owns what, two more things are told: a field that another manager has taken over, and one that is still
ours though we no longer ask for it.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from distributor.health import is_custom
from distributor.model.drift import DriftedField
from distributor.model.manifest import Manifest
from distributor.model.package import IgnoreRule
from distributor.plan.ignoring import is_theirs, left_out, paths, rules_for
from distributor.plan.lists import Key, key_text, keyed, keys_of, names_entry
from distributor.plan.ownership import OUR_MANAGER, Ownership, Path, ownership
from distributor.plan.pointers import pointer_of
from distributor.plan.quantities import is_nothing, is_zero, same_scalar

APPLIED = "distributor.dev/applied"
_BASE64 = {"Secret": "data", "ConfigMap": "binaryData"}
_UNSET = object()
_REPLICAS = ("spec", "replicas")
AUTOSCALER = "kube-controller-manager"
"""Who writes the sub-resource ``scale`` for autoscalers; no other controller of it sets replicas so."""
_SERVER_SIDE = frozenset(
    {"creationTimestamp", "generation", "managedFields", "resourceVersion", "selfLink", "uid"}
)


class Drifted(StrEnum):
    """In which way a field is not what we asked for."""

    CHANGED = "changed"
    MISSING = "missing"
    EXTRA = "extra"  # ours on the cluster, no longer asked for
    OWNED = "owned"  # another manager has set it to something else


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldDrift:
    """One field; ``manager`` names who owns it where it is not us. Secret values are hidden."""

    path: str
    drifted: Drifted
    desired: Any = None
    live: Any = None
    manager: str = ""
    steps: Path = field(default=(), compare=False)
    at_write: bool = field(default=False, compare=False)  # still ours: set so when it was applied

    @property
    def ours(self) -> bool:
        """Whether applying again would mend it."""
        return self.drifted is not Drifted.OWNED

    @property
    def pointer(self) -> str:
        """The field as a JSON pointer, as an ignore rule names it."""
        return pointer_of(self.steps)

    def told(self) -> DriftedField:
        """Without its values, which a report does not tell."""
        return DriftedField(
            path=self.path, pointer=self.pointer, manager=self.manager, at_write=self.at_write
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scope:
    kind: str
    custom: bool
    secret: bool
    manager: str
    owners: Ownership


def diff(
    desired: Manifest,
    live: Mapping[str, Any],
    *,
    manager: str = OUR_MANAGER,
    ignore: Sequence[IgnoreRule] = (),
    autoscaled: bool = True,
) -> tuple[FieldDrift, ...]:
    """The drift of a live object against its manifest, sorted by path; empty means in sync.

    What one of the rules in ``ignore`` leaves to others is no drift, nor are replicas that an autoscaler
    has set, unless none scales the object any more (``autoscaled`` is false).
    """
    wanted, there = _comparable(desired.data()), _comparable(live)
    scope = _Scope(
        kind=desired.ref.kind,
        custom=is_custom(desired.ref.group),
        secret=desired.ref.kind == "Secret" and desired.ref.group == "",
        manager=manager,
        owners=ownership(live),
    )
    rules = rules_for(ignore, desired.ref)
    named = {r: paths((r,), wanted, there, scope.kind, scope.owners) for r in rules if r.managers}
    compared, seen = left_out(rules, wanted, there, scope.kind, scope.owners)
    found = list(_maps(scope, (), compared, seen))
    found.extend(_left_behind(scope, compared, seen))
    kept = (
        f
        for f in found
        if not (autoscaled and is_autoscaled(f))
        and not is_theirs(rules, f.steps, scope.owners, named)
    )
    return tuple(sorted(kept, key=lambda f: f.path))


def is_autoscaled(found: FieldDrift) -> bool:
    """Whether the field is a number of replicas that an autoscaler set."""
    return found.steps == _REPLICAS and found.manager == AUTOSCALER


def _comparable(obj: Mapping[str, Any]) -> dict[str, Any]:
    """Without what the server writes; a Secret's ``stringData`` moved into ``data``."""
    kept = {k: v for k, v in obj.items() if k not in {"apiVersion", "kind", "status"}}
    metadata = obj.get("metadata")
    if isinstance(metadata, Mapping):
        # Identity was matched already; a live namespace may be one that the manifest left open.
        hidden = _SERVER_SIDE | {"name", "namespace"}
        kept["metadata"] = {k: v for k, v in metadata.items() if k not in hidden}
    plain = kept.get("stringData")
    if obj.get("kind") == "Secret" and isinstance(plain, Mapping):
        data = kept.get("data")
        coded = {k: base64.b64encode(str(v).encode()).decode() for k, v in plain.items()}
        kept["data"] = {**(data if isinstance(data, Mapping) else {}), **coded}
        del kept["stringData"]
    coded_field = _BASE64.get(str(obj.get("kind")), "")
    held = kept.get(coded_field)
    if isinstance(held, Mapping):
        # kustomize breaks long base64 into lines, and the API server joins them.
        joined = {k: "".join(v.split()) if isinstance(v, str) else v for k, v in held.items()}
        kept[coded_field] = joined
    return kept


def _names(path: Path) -> tuple[str, ...]:
    return tuple(step for step in path if isinstance(step, str))


def _written(path: Path) -> str:
    """A path for people: ``spec.template.spec.containers[name=web].image``."""
    text = ""
    for step in path:
        if isinstance(step, str):
            text += f".{step}" if step.replace("-", "").isalnum() else f"[{step!r}]"
        else:
            text += f"[{step}]" if isinstance(step, int) else key_text(step)
    return text.removeprefix(".")


def _drift(
    scope: _Scope, path: Path, drifted: Drifted, desired: object, live: object
) -> FieldDrift:
    hide = scope.secret and path[:1] == ("data",)
    others = () if drifted is Drifted.EXTRA else scope.owners.others(path, scope.manager)
    return FieldDrift(
        path=_written(path),
        drifted=Drifted.OWNED if others and live is not _UNSET else drifted,
        desired="(hidden)" if hide and desired is not _UNSET else _value(desired),
        live="(hidden)" if hide and live is not _UNSET else _value(live),
        manager=", ".join(others) if live is not _UNSET else "",
        steps=path,
        at_write=drifted is Drifted.CHANGED and scope.manager in scope.owners.holders(path),
    )


def _value(value: object) -> object:
    return None if value is _UNSET else value


def _values(scope: _Scope, path: Path, desired: object, live: object) -> Iterator[FieldDrift]:
    if live is _UNSET:
        absent_is_equal = is_nothing(desired) or (not scope.custom and is_zero(desired))
        if not absent_is_equal and not _is_default(path, desired) and not _hollow(desired):
            yield _drift(scope, path, Drifted.MISSING, desired, live)
    elif isinstance(desired, Mapping) and isinstance(live, Mapping):
        yield from _maps(scope, path, desired, live)
    elif isinstance(desired, list) and isinstance(live, list):
        yield from _lists(scope, path, desired, live)
    elif is_nothing(desired) and is_nothing(live):
        return
    elif desired is not None and not same_scalar(_names(path), scope.kind, desired, live):
        yield _drift(scope, path, Drifted.CHANGED, desired, live)


def _is_default(path: Path, desired: object) -> bool:
    return path[-1:] == ("protocol",) and desired == "TCP"


def _hollow(desired: object) -> bool:
    """A map that holds nothing but nothings, at any depth, as templates leave behind."""
    return isinstance(desired, Mapping) and all(
        is_nothing(v) or (bool(v) and _hollow(v)) for v in desired.values()
    )


def _maps(
    scope: _Scope, path: Path, desired: Mapping[str, Any], live: Mapping[str, Any]
) -> Iterator[FieldDrift]:
    for name in desired:
        if path == ("metadata", "annotations") and name == APPLIED:
            continue
        yield from _values(scope, (*path, name), desired[name], live.get(name, _UNSET))


def _lists(scope: _Scope, path: Path, desired: list[Any], live: list[Any]) -> Iterator[FieldDrift]:
    keys = scope.owners.keys.get(path) or keys_of(_names(path), scope.kind)
    wanted, there = keyed(desired, keys), keyed(live, keys)
    if wanted is not None and there is not None:
        for key, item in wanted.items():
            step = _sorted(key)
            yield from _values(scope, (*path, step), item, there.get(key, _UNSET))
        return
    if path == ("metadata", "finalizers"):
        live = [
            item for item in live if item in desired
        ]  # others add theirs, and order says nothing
        desired, live = sorted(map(str, desired)), sorted(map(str, live))
    if len(desired) != len(live):
        yield _drift(scope, path, Drifted.CHANGED, desired, live)
        return
    for place, (item, other) in enumerate(zip(desired, live, strict=True)):
        yield from _values(scope, (*path, place), item, other)


def _sorted(key: Key) -> Key:
    """Keys in managed fields come in name order, whatever order the API lists them in."""
    return tuple(sorted(key))


def _left_behind(
    scope: _Scope, wanted: Mapping[str, Any], live: Mapping[str, Any]
) -> Iterator[FieldDrift]:
    """What we own on the cluster and no longer ask for: a part of an earlier apply that stayed."""
    for path in scope.owners.leaves(scope.manager):
        if path == ("metadata", "annotations", APPLIED) or _at(wanted, path) is not _UNSET:
            continue
        there = _at(live, path)
        if there is not _UNSET and not is_nothing(there):
            yield _drift(scope, path, Drifted.EXTRA, _UNSET, there)


def _at(obj: object, path: Path) -> object:
    """The value at a path of managed fields; unset where any step leads nowhere."""
    for step in path:
        if isinstance(step, str):
            obj = obj.get(step, _UNSET) if isinstance(obj, Mapping) else _UNSET
        elif not isinstance(obj, list):
            return _UNSET
        elif isinstance(step, int):
            obj = obj[step] if 0 <= step < len(obj) else _UNSET
        else:
            obj = next((item for item in obj if names_entry(step, item)), _UNSET)
    return obj
