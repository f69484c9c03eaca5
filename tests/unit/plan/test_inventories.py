from __future__ import annotations

import pytest

from distributor.errors.cluster import ApiRefused, Fenced
from distributor.model.changes import Action, Inventory, Outcome
from distributor.model.findings import Finding
from distributor.model.refs import Digest, ObjectRef
from distributor.plan import confirmed, narrowed, seen_uids, widened
from tests.unit.plan.objects import entry, inventory, manifest, manifests

CART = manifest("Service/shop/cart")
WEB = ObjectRef.parse("Service/shop/web")


def test_widening_keeps_the_old_adds_the_new_and_clears_applied():
    old = inventory(entry("Service/shop/web", "w"), sequence=3)
    wide = widened(old, manifests(CART), sequence=4, ledger_commit="c", revision="r")
    assert wide.entries.keys() == {WEB, CART.ref}
    assert (wide.sequence, wide.ledger_commit, wide.revision, wide.applied) == (4, "c", "r", "")
    assert wide.entries[WEB].uid == "w"


def test_a_uid_stays_only_with_its_digest():
    same = inventory(entry("Service/shop/cart", "u", CART.digest))
    other = inventory(entry("Service/shop/cart", "u", "sha256:old"))

    def uid(old: Inventory) -> str:
        wide = widened(old, manifests(CART), sequence=1, ledger_commit="", revision="")
        return wide.entries[CART.ref].uid

    assert (uid(same), uid(other)) == ("u", "")


def test_an_older_sequence_number_is_fenced_off():
    with pytest.raises(Fenced):
        widened(inventory(sequence=5), manifests(), sequence=4, ledger_commit="", revision="")


def test_narrowing_removes_what_is_confirmed_and_writes_uids():
    refused = Finding.of(ApiRefused)
    outcomes = (
        Outcome(ref=WEB, action=Action.PRUNED, error=refused),
        Outcome(ref=ObjectRef.parse("Service/shop/old"), action=Action.PRUNED, uid="o"),
        Outcome(ref=CART.ref, action=Action.CREATED, uid="c"),
    )
    wide = inventory(
        entry("Service/shop/web"), entry("Service/shop/old"), entry("Service/shop/cart")
    )
    done = narrowed(wide, confirmed(outcomes), Digest("sha256:all"), seen_uids(outcomes))
    assert done.entries.keys() == {WEB, CART.ref}
    assert done.entries[CART.ref].uid == "c"
    assert done.applied == "sha256:all"
