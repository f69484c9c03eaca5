"""Outcomes of single objects."""

from __future__ import annotations

from distributor.errors import DistributorError
from distributor.model.changes import Action, Outcome
from distributor.model.findings import Finding
from distributor.model.refs import ObjectRef


def failed(ref: ObjectRef, error: DistributorError) -> Outcome:
    """The outcome of an object that an error stopped."""
    return Outcome(
        ref=ref, action=Action.SKIPPED, error=Finding.from_error(error), retryable=error.retryable
    )
