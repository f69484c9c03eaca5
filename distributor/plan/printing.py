"""The plan as text: the same for the same plan, so that it can be compared and approved."""

from __future__ import annotations

from collections.abc import Iterator
from types import MappingProxyType

from distributor.model.changes import Action, ApplyPlan, Change, ChangeSet
from distributor.plan.order import rank

_MARKS = MappingProxyType(
    {
        Action.CREATED: "+",
        Action.CONFIGURED: "~",
        Action.PRUNED: "-",
        Action.SKIPPED: "!",
        Action.UNCHANGED: "=",
    }
)


_FIELDS = 5
"""Fields that a line names."""


def text(changes: ChangeSet, plan: ApplyPlan | None = None, *, unchanged: bool = False) -> str:
    """Counts, then one line a change, the hooks, the order, and the findings; ends in a newline.

    Objects that do not change are counted, and listed where they have something to say or ``unchanged``
    asks for them. Marks: + created, ~ configured, - pruned, ! skipped, = unchanged,
    > a hook that runs.
    """
    lines = [_counts(changes), *_changes(changes, all_of_them=unchanged)]
    if changes.hooks:
        lines.append("hooks:")
        lines.extend(f"  > {step}" for step in changes.hooks)
    if plan is not None:
        lines.extend(_order(plan))
    if changes.findings:
        lines.append("findings:")
        lines.extend(f"  {finding}" for finding in changes.findings)
    return "\n".join(lines) + "\n"


def _counts(changes: ChangeSet) -> str:
    counts = ", ".join(f"{len(changes.of(a))} {a}" for a in Action if changes.of(a))
    return counts or "nothing is desired and nothing is there"


def _changes(changes: ChangeSet, *, all_of_them: bool) -> Iterator[str]:
    for action in _MARKS:
        found = sorted(changes.of(action), key=lambda c: (rank(c.ref), c.ref))
        if action is Action.PRUNED:
            found.sort(key=lambda c: (-rank(c.ref), c.ref))
        yield from (
            _line(c) for c in found if all_of_them or c.reason or action is not Action.UNCHANGED
        )


def _line(change: Change) -> str:
    unasked = f"not asked: {change.unasked}" if change.unasked else ""
    told = "; ".join(part for part in (change.reason, _fields(change.fields), unasked) if part)
    return f"  {_MARKS[change.action]} {change.ref}" + (f"  ({told})" if told else "")


def _fields(paths: tuple[str, ...]) -> str:
    if not paths:
        return ""
    more = f" and {len(paths) - _FIELDS} more" if len(paths) > _FIELDS else ""
    return f"changes {', '.join(paths[:_FIELDS])}{more}"


def _order(plan: ApplyPlan) -> Iterator[str]:
    if not (plan.phases or plan.prune):
        return
    yield "order:"
    for phase in plan.phases:
        yield f"  phase {phase.name}"
        for number, group in enumerate(phase.groups, 1):
            yield f"    {number}. {', '.join(str(m.ref) for m in group.manifests)}"
    if plan.prune:
        yield "  prune"
    for number, entries in enumerate(plan.prune, 1):
        yield f"    {number}. {', '.join(str(e.ref) for e in entries)}"
