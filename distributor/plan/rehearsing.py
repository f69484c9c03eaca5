"""What a target says beforehand, as changes: refusals, what they stop, and the fields that would be others.

A target that is asked to try one object alone knows nothing of those that the same revision makes first. So
what these may settle is no refusal, and is told as not asked.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from distributor.errors import Where, registry
from distributor.errors.cluster import ImmutableField, MissingKind
from distributor.errors.render import BadManifest
from distributor.errors.rollout import DependencySkipped
from distributor.model.changes import Action, ApplyPlan, Change, ChangeSet, LiveObject, Phase
from distributor.model.consents import NOTHING_PERMITTED, Question
from distributor.model.findings import Finding, errors
from distributor.model.hooks import Moment
from distributor.model.manifest import Manifest
from distributor.model.refs import GroupKind, ObjectRef
from distributor.model.rehearsals import HookAhead, Rehearsal
from distributor.plan.applying import blocked_by
from distributor.plan.changing import ALREADY_GONE
from distributor.plan.conflicts import foreseen
from distributor.plan.drift import Drifted, diff
from distributor.plan.guards import in_a_hurry
from distributor.plan.order import DEFINITION, NAMESPACE

Answers = Mapping[ObjectRef, Rehearsal]
_WRITES = (Action.CREATED, Action.CONFIGURED)
_RBAC = "rbac.authorization.k8s.io"
_BINDINGS = frozenset({GroupKind(_RBAC, "RoleBinding"), GroupKind(_RBAC, "ClusterRoleBinding")})
_LACKS = re.compile(r'"([^"]+)" not found|with name (\S+) was found')
"""How API servers name another object that something needs."""
_WAITS = "waits until all else is applied"
_UNDONE = "is not come to, as something before the hooks would be refused"
_UNHOOKED = "is not come to, as a hook before it would be refused"
_POD_SECURITY = "violates PodSecurity"


def left_out(ref: ObjectRef, why: str) -> Finding:
    """The finding of an object that is not applied because of another."""
    return Finding.of(DependencySkipped, f"({ref}: {why}, which failed)", Where(file=str(ref)))


def not_asked(changes: ChangeSet, plan: ApplyPlan) -> dict[ObjectRef, str]:
    """The objects that no target can try yet, with the reason: what they are in is made with them."""
    made = {c.ref for c in changes.of(Action.CREATED)}
    found: dict[ObjectRef, str] = {}
    for change in changes.of(*_WRITES):
        implied = plan.dependencies.get(change.ref, frozenset()) - plan.awaits.get(
            change.ref, frozenset()
        )
        kinds = {ref.group_kind for ref in implied & made}
        if DEFINITION in kinds:
            found[change.ref] = "its kind is made by this revision"
        elif NAMESPACE in kinds:
            found[change.ref] = "its namespace is made by this revision"
    return found


def probes(manifests: Iterable[Manifest]) -> list[Manifest]:
    """One object of each kind in each namespace: what a login may do to one, it may do to all of them."""
    found: dict[tuple[GroupKind, str], Manifest] = {}
    for manifest in manifests:
        found.setdefault((manifest.ref.group_kind, manifest.ref.namespace), manifest)
    return list(found.values())


@dataclass(slots=True, kw_only=True)
class _Course:
    """How an apply would go on: which objects fail, which are left out for them, and which are not come to.

    ``halted``: it ends before or at the hooks that come before all else; ``undone`` says why.
    """

    broken: set[ObjectRef] = field(default_factory=set)
    skipped: dict[ObjectRef, str] = field(default_factory=dict)
    undone: dict[ObjectRef, str] = field(default_factory=dict)
    halted: bool = False

    @property
    def whole(self) -> bool:
        """Whether nothing is in the way."""
        return not (self.broken or self.skipped)


def foretold(
    changes: ChangeSet,
    plan: ApplyPlan,
    answers: Answers,
    live: Mapping[ObjectRef, LiveObject],
    *,
    hooked: bool,
    may: Callable[[Question], bool] = NOTHING_PERMITTED.allows,
    hooks: Sequence[HookAhead] = (),
) -> ChangeSet:
    """The changes as they will go by what the target said; ``hooked`` where hooks run before all else.

    ``may`` says what people agreed to: deletions that need not wait, though something fails. Of the ``hooks``
    the first is told that would be refused, where an apply comes to it.
    """
    fields = {ref: _fields(live[ref], a) for ref, a in answers.items() if a.made and ref in live}
    doubts = _Doubts.of(changes, plan, fields, hooked=hooked)
    of_hooks = {hook.step.hook.ref for hook in hooks}
    sure = {ref: doubts.weighed(answer) for ref, answer in answers.items() if ref not in of_hooks}
    refused = {ref: answer.error for ref, answer in sure.items() if answer.error is not None}
    again = {r for r, e in refused.items() if e.code == ImmutableField.code and r in plan.recreates}
    for ref in again:
        del refused[ref]
    refusals = tuple(doubts.refusals(hooks, answers))
    early = any(hook.step.moment is Moment.PRE for hook, _ in refusals)
    course = _course(changes, plan, refused.keys(), hooked=hooked, early=early)
    told = tuple(
        _as_told(change, sure.get(change.ref), fields.get(change.ref, ()), refused, course)
        for change in _in_time(changes.changes, refused, course, may)
    )
    findings = [refused[ref] for ref in sorted(course.broken)]
    findings += [left_out(ref, why) for ref, why in course.skipped.items()]
    if course.whole and (early or not errors(changes.findings)):
        findings += [told for hook, told in refusals[:1] if not hook.stops]
    unheard = [c for c in changes.changes if c.ref not in sure or sure[c.ref].unasked]
    findings += foreseen(replace(changes, changes=tuple(unheard)))
    return replace(changes, changes=told, findings=(*changes.findings, *findings))


def _fields(there: LiveObject, answer: Rehearsal) -> tuple[str, ...]:
    """The fields that would be others, whoever changes them: the revision, defaults, or a webhook."""
    before, after = _bare(there.data), _bare(answer.made)
    try:
        changed = {f.path for f in diff(Manifest.of(after), before)}
        gone = [f for f in diff(Manifest.of(before), after) if f.drifted is Drifted.MISSING]
    except BadManifest:  # an answer that is no object says nothing of fields
        return ()
    return tuple(sorted(changed | {f.path for f in gone}))


def _bare(data: Mapping[str, object]) -> dict[str, object]:
    metadata = data.get("metadata")
    named = metadata if isinstance(metadata, Mapping) else {}
    return {**data, "metadata": {k: v for k, v in named.items() if k != "managedFields"}}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Doubts:
    """Why a refusal of one object alone need not be one of the whole revision."""

    plan: ApplyPlan
    fields: Mapping[ObjectRef, tuple[str, ...]]
    writes: Mapping[ObjectRef, Change]
    new: Mapping[str, ObjectRef]
    hooked: bool

    @classmethod
    def of(
        cls,
        changes: ChangeSet,
        plan: ApplyPlan,
        fields: Mapping[ObjectRef, tuple[str, ...]],
        *,
        hooked: bool,
    ) -> _Doubts:
        new = {c.ref.name: c.ref for c in changes.of(Action.CREATED)}
        writes = {c.ref: c for c in changes.of(*_WRITES)}
        return cls(plan=plan, fields=fields, writes=writes, new=new, hooked=hooked)

    def weighed(self, answer: Rehearsal) -> Rehearsal:
        """The answer, or none where its refusal may not last."""
        if answer.error is None:
            return answer
        needed = self._needed(answer.ref, answer.error)
        if needed is not None:
            why = f"it needs {needed}, which this revision makes or changes first"
            return replace(answer, error=None, unasked=why)
        if self.hooked and _lacks(answer.error):
            return replace(answer, error=None, unasked="a hook before it may make what it needs")
        return answer

    def refusals(
        self, hooks: Sequence[HookAhead], answers: Answers
    ) -> Iterator[tuple[HookAhead, Finding]]:
        """The hooks that would be refused, whatever is made before them, in the order that they run in."""
        for number, hook in enumerate(hooks):
            answer = answers.get(hook.step.hook.ref)
            if hook.stops and hook.told is not None:
                yield hook, hook.told
            elif answer is not None and answer.error is not None:
                by_a_hook = number > 0 and _lacks(answer.error)
                if not (by_a_hook or self._settled_before(hook, answer.error)):
                    yield hook, answer.error

    def _settled_before(self, hook: HookAhead, error: Finding) -> bool:
        """Whether the revision's own objects that come before a hook may settle its refusal."""
        before: Collection[ObjectRef] = self.writes.keys()
        if hook.step.moment is Moment.PRE:  # then the ground alone, which is the first phase
            ground = self.plan.phases[0].groups if self.plan.phases else ()
            before = {m.ref for group in ground for m in group.manifests}
        if error.code == MissingKind.code:
            return any(ref.group_kind == DEFINITION for ref in before)
        home = ObjectRef(NAMESPACE.group, NAMESPACE.kind, "", hook.step.hook.ref.namespace)
        if _POD_SECURITY in error.message and home in before:
            return True
        named = _named(error)
        return any(ref.name in named and self.new.get(ref.name) == ref for ref in before)

    def _needed(self, ref: ObjectRef, error: Finding) -> ObjectRef | None:
        """What comes first and may settle it."""
        asked = self.plan.awaits.get(ref, frozenset())
        before = sorted(self.plan.dependencies.get(ref, frozenset()) & self.writes.keys())
        for other in before:
            schema = any(path.startswith("spec") for path in self.fields.get(other, ()))
            is_definition = other.group_kind == DEFINITION
            is_home = other.group_kind == NAMESPACE and _POD_SECURITY in error.message
            if other in asked or (is_definition and schema) or is_home:
                return other
        role = self._role(ref)
        if role is not None:
            return role
        named = _named(error)
        return next((self.new[n] for n in named if n in self.new and self.new[n] != ref), None)

    def _role(self, ref: ObjectRef) -> ObjectRef | None:
        """The role of a binding: an API server looks into it to see whether one may give it away."""
        manifest = self.writes[ref].manifest
        if ref.group_kind not in _BINDINGS or manifest is None:
            return None
        named = manifest.data().get("roleRef") or {}
        kind, name = str(named.get("kind")), str(named.get("name"))
        role = ObjectRef(_RBAC, kind, ref.namespace if kind == "Role" else "", name)
        return role if role in self.writes else None


def _lacks(error: Finding) -> bool:
    """Whether a refusal speaks of something that is not there."""
    return error.code == MissingKind.code or bool(_named(error))


def _named(error: Finding) -> list[str]:
    """The names of what a refusal says is not there."""
    return [one or other for one, other in _LACKS.findall(error.message)]


def _course(
    changes: ChangeSet,
    plan: ApplyPlan,
    refused: Collection[ObjectRef],
    *,
    hooked: bool,
    early: bool,
) -> _Course:
    """How phases and groups go on past what is refused: as the executor does it.

    ``early``: a hook that comes before all else would be refused.
    """
    bad = {f.where.file for f in errors(changes.findings)}
    stuck = {c.ref for c in changes.of(Action.SKIPPED) if c.manifest and str(c.ref) in bad}
    course = _Course()
    for number, phase in enumerate(plan.phases):
        members = [m.ref for group in phase.groups for m in group.manifests]
        if course.halted:
            course.undone.update(dict.fromkeys(members, _UNDONE if not course.whole else _UNHOOKED))
            continue
        stopped = sorted((course.broken | stuck) & phase.after)
        if stopped:
            why = f"phase {phase.name} comes after {stopped[0]}"
            course.skipped.update(dict.fromkeys(members, why))
            continue
        _through(plan, phase, course, refused=refused, stuck=stuck)
        course.halted = hooked and number == 0 and (early or not course.whole)
    return course


def _through(
    plan: ApplyPlan,
    phase: Phase,
    course: _Course,
    *,
    refused: Collection[ObjectRef],
    stuck: Collection[ObjectRef],
) -> None:
    places = {NAMESPACE, DEFINITION}
    left = {ref for ref in stuck if ref.group_kind not in places}
    for group in phase.groups:
        blocked = blocked_by(plan, frozenset(course.broken | left))
        for manifest in group.manifests:
            if manifest.ref in blocked:
                course.skipped[manifest.ref] = f"it needs {blocked[manifest.ref]}"
            elif manifest.ref in refused:
                course.broken.add(manifest.ref)


def _in_time(
    changes: Iterable[Change],
    refused: Mapping[ObjectRef, Finding],
    course: _Course,
    may: Callable[[Question], bool],
) -> Iterator[Change]:
    """With those deletions skipped that wait for what fails; people are asked unless that passes by itself."""
    kinds = [registry().get(refused[ref].code) for ref in course.broken]
    passing = bool(kinds) and all(kind is not None and kind.retryable for kind in kinds)
    for change in changes:
        waits = change.action is Action.PRUNED and (course.halted or not course.whole)
        asks = in_a_hurry(change)
        if not waits or (not course.halted and (change.reason == ALREADY_GONE or may(asks))):
            yield change
            continue
        why = "; ".join(part for part in (change.reason, _WAITS) if part)
        asked = None if passing or course.halted else asks
        yield replace(change, action=Action.SKIPPED, reason=why, asks=asked)


def _as_told(
    change: Change,
    answer: Rehearsal | None,
    fields: tuple[str, ...],
    refused: Mapping[ObjectRef, Finding],
    course: _Course,
) -> Change:
    ref = change.ref
    why = ""
    if ref in course.broken:
        why = f"would be refused: {refused[ref].code}"
    elif ref in course.skipped:
        why = course.skipped[ref]
    elif ref in course.undone:
        why = course.undone[ref]
    if why:
        # A conflict that was seen coming is told there already, with its fields.
        parts = (change.reason, "" if change.conflicts and ref in course.broken else why)
        return replace(change, action=Action.SKIPPED, reason="; ".join(p for p in parts if p))
    if answer is None:
        return change
    return replace(change, fields=fields, unasked=answer.unasked)
