"""Rehearsing: a target is asked what it would make of a plan's changes, and the plan goes by the answers.

Nothing is kept of what is asked. Only plans ask: a reconcile hears the same answers when it applies.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from distributor.errors.cluster import NotRehearsed, Unauthorised
from distributor.model.changes import Action, ChangeSet, LiveObject
from distributor.model.findings import Finding, Severity
from distributor.model.hooks import HookStep, Moment
from distributor.model.manifest import Manifest
from distributor.model.ownership import Claims
from distributor.model.refs import ObjectRef
from distributor.model.rehearsals import HookAhead, Rehearsal
from distributor.plan import apply_plan, foreseen, foretold, not_asked, probes
from distributor.ports import TargetConnection
from distributor.services.targets.work import Work

Live = Mapping[ObjectRef, LiveObject]
_AT_ONCE = 200
"""Objects that are asked about in one call: their answers are held whole until then."""
_MAY_NOT = "this login may not try it"


async def rehearsed(
    connection: TargetConnection,
    work: Work,
    changes: ChangeSet,
    live: Live,
    *,
    steps: Sequence[HookStep],
    hooks: Sequence[HookAhead],
) -> ChangeSet:
    """The changes as the target says that they would go; as they are where it cannot be asked.

    So are the hooks that it would begin. Raises what ordering the changes raises, as applying them would.
    """
    writes = changes.of(Action.CREATED, Action.CONFIGURED)
    if connection.delivered_only or not (writes or hooks):
        return replace(changes, findings=(*changes.findings, *foreseen(changes)))
    hooked = any(step.moment is Moment.PRE for step in steps)
    plan = apply_plan(changes, work.desired, depends_on=work.depends_on, hooked=hooked)
    early = not_asked(changes, plan)
    wanted = [
        m for phase in plan.phases for g in phase.groups for m in g.manifests if m.ref not in early
    ]
    bodies = [hook.body for hook in hooks if hook.body is not None]
    claims = {h.body.ref: h.claim for h in hooks if h.body is not None and h.claim is not None}
    there = {hook.live.ref: hook.live for hook in hooks if hook.live is not None}
    asking = _Asking(connection, work, {**plan.claims, **claims}, {**live, **there})
    answers, findings = await asking.about([*wanted, *bodies])
    answers |= {ref: Rehearsal(ref=ref, unasked=why) for ref, why in early.items()}
    found = foretold(changes, plan, answers, live, hooked=hooked, may=work.may, hooks=hooks)
    return replace(found, findings=(*found.findings, *findings))


@dataclass(frozen=True, slots=True)
class _Asking:
    """A target, and what is said of ownership when it is asked to try something."""

    connection: TargetConnection
    work: Work
    claims: Claims
    live: Live

    async def about(
        self, wanted: Sequence[Manifest]
    ) -> tuple[dict[ObjectRef, Rehearsal], tuple[Finding, ...]]:
        """What the target answers; a login that may write nothing at all is not asked about the rest.

        It is then somebody's who looks. An account that is named is the one that applies, and may do no more.
        """
        first = probes(wanted)
        tried = {manifest.ref for manifest in first}
        answers = await self._tried(first)
        denials = [
            a.error for a in answers.values() if a.error and a.error.code == Unauthorised.code
        ]
        if denials and len(denials) == len(answers) and not self.work.account:
            told = f"({len(wanted)} objects were not tried: {denials[0].message})"
            finding = Finding.of(NotRehearsed, told, severity=Severity.WARNING)
            return {m.ref: Rehearsal(ref=m.ref, unasked=_MAY_NOT) for m in wanted}, (finding,)
        rest = [manifest for manifest in wanted if manifest.ref not in tried]
        for begin in range(0, len(rest), _AT_ONCE):
            answers |= await self._tried(rest[begin : begin + _AT_ONCE])
        return answers, ()

    async def _tried(self, part: Sequence[Manifest]) -> dict[ObjectRef, Rehearsal]:
        found = await self.connection.rehearse(part, self.claims, self.live)
        return {answer.ref: answer for answer in found}
