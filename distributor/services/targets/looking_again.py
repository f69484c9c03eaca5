"""Looking again: objects that somebody else made or changed between our look and our apply.

Two instances may want one object at the same instant. An API server lets only one of them make it, and the
other one learns here whose it is, instead of at its next look.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from distributor.errors import registry
from distributor.model.changes import Action, Change, ChangeSet, LiveObject, Outcome
from distributor.model.findings import Finding, Severity
from distributor.model.manifest import Manifest, ManifestSet
from distributor.model.ownership import ABSENT, Claims
from distributor.model.refs import ObjectRef
from distributor.plan import refused
from distributor.services.targets.comparing import changes_of
from distributor.services.targets.work import Run, changed_meanwhile

_TRIES = 2


async def judged_again(run: Run, manifests: Sequence[Manifest]) -> dict[ObjectRef, Outcome]:
    """What becomes of these objects by what is there now; one that keeps changing is for the next reconcile."""
    done: dict[ObjectRef, Outcome] = {}
    left = list(manifests)
    for number in range(_TRIES):
        if not left:
            break
        last = number == _TRIES - 1
        done |= await _once(run, left, last=last)
        left = [m for m in left if changed_meanwhile(done[m.ref])]
    return done


async def _once(run: Run, manifests: Sequence[Manifest], *, last: bool) -> dict[ObjectRef, Outcome]:
    """Judge them by the rules of the plan; what is not there at last is made as if nobody else did."""
    refs = {m.ref for m in manifests}
    entries = {ref: entry for ref, entry in run.inventory.entries.items() if ref in refs}
    known = replace(run.inventory, entries=entries)
    scope = replace(run.scope, members=ManifestSet.of(manifests), hooks=(), findings=())
    found, live = await changes_of(run.connection, run.work, scope, known)
    run.refused |= refused(found)
    run.questions.extend(found.questions)
    about = {finding.where.file: finding for finding in found.findings}
    done = {c.ref: _left(run, c, live.get(c.ref), about.get(str(c.ref))) for c in found.changes}
    written = found.of(Action.CREATED, Action.CONFIGURED)
    if written:
        await run.check_fence()
        wanted = [c.manifest for c in written if c.manifest is not None]
        outcomes = await run.connection.apply(run.inventory, wanted, _claims(found, last=last))
        done |= {outcome.ref: outcome for outcome in outcomes}
    return done


def _claims(found: ChangeSet, *, last: bool) -> Claims:
    made = {} if last else {c.ref: ABSENT for c in found.of(Action.CREATED)}
    return made | {c.ref: c.claim for c in found.changes if c.claim is not None}


def _left(run: Run, change: Change, there: LiveObject | None, told: Finding | None) -> Outcome:
    """The outcome of what is left as it is, with the reason."""
    uid = there.uid if there is not None else ""
    if told is None or told.severity is not Severity.ERROR:
        if told is not None:
            run.warnings.append(told)
        return Outcome(ref=change.ref, action=change.action, uid=uid)
    kind = registry().get(told.code)
    retryable = kind is not None and kind.retryable
    return Outcome(ref=change.ref, action=Action.SKIPPED, error=told, retryable=retryable)
