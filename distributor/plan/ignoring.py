"""Ignore rules: drift that is no drift, and the rule that would make a drift one of these."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from distributor.errors.cluster import ExpressionFailed
from distributor.health import Holds, nobody
from distributor.model.manifest import Manifest, canonical
from distributor.model.package import IgnoreRule
from distributor.model.refs import ObjectRef
from distributor.plan.ownership import Ownership, Path, ownership
from distributor.plan.pointers import path_at, pointer_of, put_in, taken_out, value_at


@dataclass(frozen=True, slots=True, kw_only=True)
class Ignoring:
    """The ignore rules of a package, and who evaluates their expressions."""

    rules: tuple[IgnoreRule, ...] = ()
    holds: Holds = nobody

    def of(self, ref: ObjectRef, live: Mapping[str, Any]) -> tuple[IgnoreRule, ...]:
        """Those that count for a live object. One whose expression fails does not: drift is rather told."""
        return tuple(r for r in rules_for(self.rules, ref) if self._counts(r, live))

    def _counts(self, rule: IgnoreRule, live: Mapping[str, Any]) -> bool:
        if not rule.when:
            return True
        try:
            return self.holds(rule.when, live)
        except ExpressionFailed:
            return False


NOTHING_IGNORED = Ignoring()


def rules_for(rules: Iterable[IgnoreRule], ref: ObjectRef) -> tuple[IgnoreRule, ...]:
    """Those that speak of an object."""
    return tuple(r for r in rules if r.kind == ref.group_kind and r.name in {"", ref.name})


def paths(
    rules: Sequence[IgnoreRule],
    wanted: Mapping[str, Any],
    live: Mapping[str, Any],
    kind: str,
    owners: Ownership,
) -> tuple[Path, ...]:
    """The fields that rules name, as they stand in what is desired, or else in what is there.

    A place in a list means the desired one; so ``0`` goes on meaning it when others put theirs before.
    """
    found: dict[Path, None] = {}
    for pointer in dict.fromkeys(pointer for rule in rules for pointer in rule.fields):
        asked = path_at(pointer, wanted, kind, owners.keys)
        sure = asked is not None and value_at(wanted, asked) is not None
        for path in (asked, None if sure else path_at(pointer, live, kind, owners.keys)):
            if path:
                found[path] = None
    return tuple(found)


def left_out(
    rules: Sequence[IgnoreRule],
    wanted: Mapping[str, Any],
    live: Mapping[str, Any],
    kind: str,
    owners: Ownership,
) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Both sides without the fields that rules name whoever sets them."""
    ignored = paths([r for r in rules if not r.managers], wanted, live, kind, owners)
    if not ignored:
        return wanted, live
    sides = copy.deepcopy(dict(wanted)), copy.deepcopy(dict(live))
    for side in sides:
        for path in ignored:
            taken_out(side, path)
    return sides


def is_theirs(
    rules: Sequence[IgnoreRule],
    path: Path,
    owners: Ownership,
    named: Mapping[IgnoreRule, tuple[Path, ...]],
) -> bool:
    """Whether a rule leaves a field to one of the managers that own it; ``named`` are the rules' fields."""
    holders = owners.holders(path)
    return any(
        holders & set(rule.managers)
        and (not rule.fields or any(path[: len(p)] == p for p in named[rule]))
        for rule in rules
        if rule.managers
    )


def yielding(
    manifest: Manifest, live: Mapping[str, Any], rules: Iterable[IgnoreRule], *, manager: str
) -> Manifest:
    """The manifest to apply where others may set fields: with the values that are there.

    A field that another manager owns is left out, so that no conflict comes of it and it stays theirs;
    one that nobody else owns keeps its live value, because leaving it out would set it back. The digest
    stays that of what is desired.
    """
    found = rules_for(rules, manifest.ref)
    if not found:
        return manifest
    data = manifest.data()
    owners = ownership(live)
    before = manifest.data()
    for rule in found:
        for path in _named(rule, before, live, owners, manifest.ref.kind):
            holders = owners.holders(path) - {manager}
            if rule.managers and not holders & set(rule.managers):
                continue
            there = value_at(live, path)
            whole_list = any(isinstance(step, int) for step in path)
            if there is not None and (whole_list or not holders):
                put_in(data, path, there)
            elif not whole_list:
                _left_to_others(data, path)
    return manifest if data == before else replace(manifest, body=canonical(data))


def _left_to_others(data: dict[str, Any], path: Path) -> None:
    """Take a field out, and the maps that hold nothing without it: an empty map would be ours again."""
    taken_out(data, path)
    while len(path) > 1 and isinstance(path[-1], str) and value_at(data, path[:-1]) == {}:
        path = path[:-1]
        taken_out(data, path)


def _named(
    rule: IgnoreRule,
    wanted: Mapping[str, Any],
    live: Mapping[str, Any],
    owners: Ownership,
    kind: str,
) -> tuple[Path, ...]:
    if rule.fields:
        return paths((rule,), wanted, live, kind, owners)
    theirs = {path for manager in rule.managers for path in owners.leaves(manager)}
    return tuple(sorted((p for p in theirs if value_at(wanted, p) is not None), key=str))


def suggested(ref: ObjectRef, drifted: Iterable[tuple[Path, str]]) -> tuple[IgnoreRule, ...]:
    """The rules that would silence drifts of one object: (path, the managers that set it) each.

    Fields with a known manager are left to that manager alone.
    """
    by_manager: dict[tuple[str, ...], list[str]] = {}
    for path, managers in drifted:
        names = tuple(name for name in managers.split(", ") if name)
        by_manager.setdefault(names, []).append(pointer_of(path))
    return tuple(
        IgnoreRule(kind=ref.group_kind, name=ref.name, fields=tuple(sorted(found)), managers=names)
        for names, found in sorted(by_manager.items())
    )


def spec_of(rule: IgnoreRule) -> dict[str, Any]:
    """A rule as ``delivery.ignore`` of a package has it."""
    spec = {
        "group": rule.kind.group,
        "kind": rule.kind.kind,
        "name": rule.name,
        "fields": list(rule.fields),
        "managers": list(rule.managers),
        "when": rule.when,
        "reason": rule.reason,
    }
    return {name: value for name, value in spec.items() if value}
