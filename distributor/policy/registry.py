"""The gates that this program knows, in the order of their numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from distributor.model.promotion import GateAnswer
from distributor.model.tags import ACTIVATIONS, Verb
from distributor.policy.facts import GateFacts, PolicyView
from distributor.policy.gates import (
    approvals,
    binding,
    blast_radius,
    fit,
    predecessors,
    provenance,
    renders,
    schemas,
    signature,
    soak,
    veto,
    windows,
)

Params = Mapping[str, Any]
Evaluate = Callable[[GateFacts, PolicyView, Params, datetime], GateAnswer]

_DEPLOY = frozenset({Verb.PROMOTE, Verb.ROLLBACK})
_CHANGE = _DEPLOY | {Verb.REMOVE}

_ROLLOUT = frozenset({Verb.PAUSE, Verb.RESUME, Verb.ABORT, Verb.RETRY})


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """One gate. ``verbs`` are those it judges (``None``: all). One that is ``always`` on has no severity.

    ``early`` gates end the evaluation when they fail, so that nothing of an unauthorised request is
    rendered. ``per_view`` ones are asked under each policy; the others see nothing of a policy. Where one
    of ``rules`` refuses, it says which policies' rules those were; the reasons of the others are facts.
    """

    number: int
    name: str
    evaluate: Evaluate
    verbs: frozenset[Verb] | None = None
    always: bool = True
    early: bool = False
    per_view: bool = False
    rules: bool = False


GATES: tuple[Gate, ...] = (
    Gate(number=1, name="binding", evaluate=binding.evaluate, early=True, per_view=True),
    Gate(
        number=2, name="signature", evaluate=signature.evaluate, early=True, per_view=True, rules=True
    ),
    Gate(
        number=3,
        name="provenance",
        evaluate=provenance.evaluate,
        verbs=_CHANGE | _ROLLOUT | ACTIVATIONS | {Verb.APPROVE, Verb.RETIRE},
        early=True,
    ),
    Gate(
        number=4,
        name="veto",
        evaluate=veto.evaluate,
        verbs=_CHANGE | ACTIVATIONS,
        early=True,
        per_view=True,
    ),
    Gate(
        number=5,
        name="predecessors",
        evaluate=predecessors.evaluate,
        verbs=_DEPLOY,
        always=False,
        per_view=True,
        rules=True,
    ),
    Gate(
        number=6,
        name="soak",
        evaluate=soak.evaluate,
        verbs=frozenset({Verb.PROMOTE}),
        always=False,
        per_view=True,
        rules=True,
    ),
    Gate(
        number=7,
        name="windows",
        evaluate=windows.evaluate,
        verbs=frozenset({Verb.PROMOTE, Verb.REMOVE, Verb.RETIRE}),
        always=False,
        per_view=True,
        rules=True,
    ),
    Gate(number=8, name="renders", evaluate=renders.evaluate, verbs=_DEPLOY | ACTIVATIONS),
    Gate(number=9, name="schemas", evaluate=schemas.evaluate, verbs=_DEPLOY | ACTIVATIONS),
    Gate(
        number=12,
        name="fit",
        evaluate=fit.evaluate,
        verbs=frozenset({Verb.PROMOTE}) | ACTIVATIONS,
        always=False,
        per_view=True,
        rules=True,
    ),
    Gate(
        number=13,
        name="blast-radius",
        evaluate=blast_radius.evaluate,
        verbs=_CHANGE,
        always=False,
        per_view=True,
        rules=True,
    ),
    Gate(
        number=14,
        name="approvals",
        evaluate=approvals.evaluate,
        verbs=frozenset({Verb.PROMOTE}),
        always=False,
        per_view=True,
        rules=True,
    ),
)  # fmt: skip

NEVER_LIFTED = frozenset({1, 2, 3, 4, 8, 9})
"""No emergency lifts these: who asks, for what, against a veto; and what does not render or fit its schema
cannot be applied either."""
WINDOWS = 7
"""The gate that is asked again before each wave."""
NAMES = frozenset(gate.name for gate in GATES)


def gates_for(verb: Verb) -> tuple[Gate, ...]:
    """The gates that judge a verb, in order."""
    return tuple(gate for gate in GATES if gate.verbs is None or verb in gate.verbs)
