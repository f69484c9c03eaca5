"""Gate 9: every object fits the schema of its kind."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from distributor.model.findings import errors
from distributor.model.promotion import GateAnswer
from distributor.policy.facts import GateFacts, PolicyView
from distributor.policy.gates.answers import Speaker

_SAY = Speaker(9, "schemas")


def evaluate(
    facts: GateFacts, _view: PolicyView, _params: Mapping[str, Any], _now: datetime
) -> GateAnswer:
    """Fails on every error; a declared kind without a schema passes with its warning."""
    if facts.schemas is None:
        return _SAY.lacks("the check of the schemas")
    bad = errors(facts.schemas)
    if bad:
        return _SAY.fails(bad)
    return _SAY.passes("all objects fit their schemas", warnings=facts.schemas)
