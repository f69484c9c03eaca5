"""Effects: what an accepted request changes beside desired state, as records."""

from __future__ import annotations

from datetime import datetime

from distributor.ledger import list_digest
from distributor.model.consents import count
from distributor.model.ledger import (
    Acknowledged,
    Consented,
    HoldSet,
    InstanceState,
    Record,
    VetoSet,
)
from distributor.model.promotion import Verdict
from distributor.model.refs import Digest
from distributor.model.tags import Verb
from distributor.services.promotion.case import Case


def effects(here: InstanceState, case: Case, verdict: Verdict, now: datetime) -> list[Record]:
    """The records that stand beside the verdict; ``here`` is the state before it."""
    by, ref, reason = verdict.principal, verdict.ref, verdict.reason
    match verdict.verb:
        case Verb.HOLD | Verb.UNHOLD:
            on = verdict.verb is Verb.HOLD
            return [HoldSet(at=now, on=on, by=by, ref=ref, reason=reason)]
        case Verb.REJECT | Verb.UNREJECT:
            name, on = case.facts.asked.name, verdict.verb is Verb.REJECT
            app, version = name.instance, name.version
            veto = VetoSet(at=now, on=on, app=app, version=version, by=by, ref=ref, reason=reason)
            return [veto]
        case Verb.ROLLBACK:
            left = case.verdict_before
            digest = left.revision.digest if left and left.revision else Digest("")
            return [HoldSet(at=now, on=True, by=by, ref=ref, digest=digest, reason=reason)]
        case Verb.ACK:
            alarms = [alarm.ref for alarm in here.tampered] + [each.ref for each in here.parted]
            about = dict.fromkeys(alarms + [debt.ref for debt in here.debts])
            return [Acknowledged(at=now, ref=one, by=by, tag_ref=ref) for one in about]
        case Verb.CONSENT | Verb.DETACH if case.verdict_before is not None:
            seen = case.verdict_before.sequence
            return [
                Consented(
                    at=now,
                    verb=verdict.verb,
                    by=by,
                    sequence=seen,
                    ref=ref,
                    reason=reason,
                    digest=list_digest(case.questions),
                    count=count(case.questions),
                )
            ]
        case _:
            return []
