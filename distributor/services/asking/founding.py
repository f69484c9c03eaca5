"""Founding: the genesis record of a ledger."""

from __future__ import annotations

from datetime import datetime

from distributor.errors.git import BadKey, LedgerExists, LedgerRewound, MainMissing
from distributor.ledger.records import encode_genesis
from distributor.model.ledger import Genesis
from distributor.model.policy import PolicySet
from distributor.model.refs import ObjectId
from distributor.model.trees import NewCommit
from distributor.policy.roles import is_service
from distributor.policy.signatures import verify_bytes
from distributor.ports import Signer
from distributor.services.ledger.book import HEAD
from distributor.services.state.desired import policy_pin
from distributor.services.state.looking import TAGS
from distributor.services.world import World


async def found_ledger(world: World) -> ObjectId:
    """Write and push the signed genesis record; its commit.

    Raises ``LedgerExists`` where there is one, ``MainMissing``, and ``BadKey`` where main's policies do
    not grant the service's key the right to decide.
    """
    await world.remote.fetch()
    main = main_of(world)
    if world.objects.resolve(world.ledger_ref) is not None:
        raise LedgerExists(f"({world.ledger})")
    if last := await world.store.get(HEAD):
        raise LedgerRewound(f"(the branch {world.ledger} is gone; its last head was {last})")
    if world.signer is None:
        raise BadKey("(the genesis record must be signed; name a key with --sign)")
    policies = world.loader.policies(world.objects.tree_of(main))
    check_key(policies, world.signer, world.clock.now())
    genesis = genesis_of(world, main, world.signer)
    blob = world.objects.write_blob(encode_genesis(genesis))
    kept = policy_pin(world, main)
    tree = world.objects.write_tree(None, {"genesis.json": ("blob", blob), **kept})
    commit = NewCommit(tree=tree, parents=(), message="genesis", at=genesis.at)
    head = world.objects.write_commit(commit, world.signer)
    branch = f"refs/heads/{world.ledger}"
    await world.remote.push({branch: head}, expect={branch: None})
    world.objects.set_ref(world.ledger_ref, head, None)
    await world.store.set(HEAD, head)
    return head


def main_of(world: World) -> ObjectId:
    """Main's head as it was fetched; raises ``MainMissing``."""
    main = world.objects.resolve(world.main_ref)
    if main is None:
        raise MainMissing(f"({world.main})")
    return main


def genesis_of(world: World, main: ObjectId, signer: Signer) -> Genesis:
    """A genesis record of now: every tag that there is counts as history."""
    tags = {ref.removeprefix(TAGS): oid for ref, oid in world.objects.refs(TAGS).items()}
    return Genesis(
        at=world.clock.now(),
        main=main,
        key=signer.public_key,
        tags=tags,
        repository=world.catalog_at if world.ledger_at else "",
        local=world.local_ledger,
    )


def check_key(policies: PolicySet, signer: Signer, now: datetime) -> None:
    """Raise ``BadKey`` unless it is a listed signer's whose role grants ``decide``: by a trial signature."""
    trial = b"distributor"
    who = verify_bytes(trial, signer.sign(trial, "git"), policies.signers, policies.revoked, at=now)
    if not isinstance(who, str) or not is_service(policies.roles, who):
        raise BadKey(
            f"(main's policies grant {signer.public_key[:40]}... no right to decide)",
            remedy="Add the key to policies/signers/allowed_signers and its principal, with the verb "
            "`decide`, to policies/roles.yaml; `distributor init` does both.",
        )
