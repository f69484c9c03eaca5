"""Ledger: what was decided and what happened, as lines, and the state that they add up to.

What lives here: the written form of every record, the fold of records into states, and questions asked
of a state. What never does: reading or writing Git, decisions, clocks, I/O. Called by: services.
"""

from distributor.ledger.fold import fold, fold_stream
from distributor.ledger.lists import (
    dump_question,
    list_digest,
    list_files,
    list_folder,
    load_question,
    read_shard,
)
from distributor.ledger.queries import (
    BRANCH,
    agreed,
    approvals,
    failed_by_itself,
    left_behind,
    newest_verified,
    policy_commit,
    policy_commits,
    prev_before,
    prev_of,
    refused_ack,
    released,
    rollback_candidates,
    rollout_stands,
    running_claim,
    running_verified,
    soak,
    soaked,
    standing_holds,
    standing_veto,
    stopped,
    switches,
    verified_here,
    verified_in,
)
from distributor.ledger.records import decode, decode_genesis, encode, encode_genesis
from distributor.ledger.renewal import kept_policies, kept_records, kept_verdicts
from distributor.ledger.sets import parts_of_set, reached

__all__ = [
    "BRANCH",
    "agreed",
    "approvals",
    "decode",
    "decode_genesis",
    "dump_question",
    "encode",
    "encode_genesis",
    "failed_by_itself",
    "fold",
    "fold_stream",
    "kept_policies",
    "kept_records",
    "kept_verdicts",
    "left_behind",
    "list_digest",
    "list_files",
    "list_folder",
    "load_question",
    "newest_verified",
    "parts_of_set",
    "policy_commit",
    "policy_commits",
    "prev_before",
    "prev_of",
    "reached",
    "read_shard",
    "refused_ack",
    "released",
    "rollback_candidates",
    "rollout_stands",
    "running_claim",
    "running_verified",
    "soak",
    "soaked",
    "standing_holds",
    "standing_veto",
    "stopped",
    "switches",
    "verified_here",
    "verified_in",
]
