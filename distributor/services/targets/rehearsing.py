"""Rehearsing: a target is asked what it would make of a plan's changes, and the plan goes by the answers.

Nothing is kept of what is asked. Only plans ask: a reconcile hears the same answers when it applies.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from distributor.errors.cluster import NotRehearsed, Unauthorised
from distributor.model.changes import Action, ApplyPlan, ChangeSet, LiveObject
from distributor.model.findings import Finding, Severity
from distributor.model.hooks import HookStep, Moment
from distributor.model.manifest import Manifest
from distributor.model.refs import ObjectRef
from distributor.model.rehearsals import Rehearsal
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
    steps: Sequence[HookStep],
) -> ChangeSet:
    """The changes as the target says that they would go; as they are where it cannot be asked.

    Raises what ordering them raises, as applying them would.
    """
    if connection.delivered_only or not changes.of(Action.CREATED, Action.CONFIGURED):
        return replace(changes, findings=(*changes.findings, *foreseen(changes)))
    hooked = any(step.moment is Moment.PRE for step in steps)
    plan = apply_plan(changes, work.desired, depends_on=work.depends_on, hooked=hooked)
    early = not_asked(changes, plan)
    wanted = [
        m for phase in plan.phases for g in phase.groups for m in g.manifests if m.ref not in early
    ]
    answers, findings = await _asked(connection, work, plan, wanted, live)
    answers |= {ref: Rehearsal(ref=ref, unasked=why) for ref, why in early.items()}
    found = foretold(changes, plan, answers, live, hooked=hooked, may=work.may)
    return replace(found, findings=(*found.findings, *findings))


async def _asked(
    connection: TargetConnection,
    work: Work,
    plan: ApplyPlan,
    wanted: Sequence[Manifest],
    live: Live,
) -> tuple[dict[ObjectRef, Rehearsal], tuple[Finding, ...]]:
    """What the target answers; a login that may write nothing at all is not asked about the rest.

    It is then somebody's who looks. An account that is named is the one that applies, and may do no more.
    """
    first = probes(wanted)
    tried = {manifest.ref for manifest in first}
    answers = {a.ref: a for a in await connection.rehearse(first, plan.claims, live)}
    denials = [a.error for a in answers.values() if a.error and a.error.code == Unauthorised.code]
    if denials and len(denials) == len(answers) and not work.account:
        told = f"({len(wanted)} objects were not tried: {denials[0].message})"
        finding = Finding.of(NotRehearsed, told, severity=Severity.WARNING)
        return {m.ref: Rehearsal(ref=m.ref, unasked=_MAY_NOT) for m in wanted}, (finding,)
    rest = [manifest for manifest in wanted if manifest.ref not in tried]
    for begin in range(0, len(rest), _AT_ONCE):
        part = rest[begin : begin + _AT_ONCE]
        answers |= {a.ref: a for a in await connection.rehearse(part, plan.claims, live)}
    return answers, ()
