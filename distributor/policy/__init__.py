"""Policy: may this request go ahead, and why not. Gates answer, answers add up to an outcome.

What lives here: signatures and roles, the facts that gates look at, one file a gate, and the order in
which gates are asked. What never does: reading Git, the ledger or clusters, writing, clocks. Whoever
calls gathers the facts first. Called by: services; ``adapters/keys`` for the form of signatures.
"""

from distributor.policy.decide import (
    authorise,
    before_wave,
    foresee,
    judge,
    needed,
    outcome,
    principal,
)
from distributor.policy.facts import (
    Approval,
    ClusterFact,
    EnvironmentFact,
    GateFacts,
    Neighbour,
    PolicyView,
    Reach,
    Retirement,
    Source,
)
from distributor.policy.immutable import changed
from distributor.policy.openpgp import is_openpgp
from distributor.policy.registry import GATES, Gate
from distributor.policy.roles import is_service, may
from distributor.policy.signatures import signing_key, verify, verify_bytes

__all__ = [
    "GATES",
    "Approval",
    "ClusterFact",
    "EnvironmentFact",
    "Gate",
    "GateFacts",
    "Neighbour",
    "PolicyView",
    "Reach",
    "Retirement",
    "Source",
    "authorise",
    "before_wave",
    "changed",
    "foresee",
    "is_openpgp",
    "is_service",
    "judge",
    "may",
    "needed",
    "outcome",
    "principal",
    "signing_key",
    "verify",
    "verify_bytes",
]
