"""Rekeying: the service's key is exchanged for another one, by a record that the old one signs."""

from __future__ import annotations

from dataclasses import replace

from distributor.errors.git import NothingToDo
from distributor.model.ledger import KEYS, KeyChanged
from distributor.model.refs import ObjectId
from distributor.ports import Signer
from distributor.services.asking.founding import check_key
from distributor.services.ledger.book import Entry, LedgerBook
from distributor.services.ledger.checking import same_key
from distributor.services.service import Service


async def change_key(service: Service, new: Signer, reason: str) -> ObjectId:
    """Let the ledger be signed with a new key from now on; the commit that is the first signed with it.

    What the old key signed stays as it is; what it signs after this is forged. Raises ``BadKey`` where
    main's policies do not let the new key decide, ``NothingToDo`` where it is the key already, and
    ``PushRejected`` where the ledger moved meanwhile.
    """
    snapshot, book = await service.look(), service.book
    check_key(snapshot.policies, new, service.now())
    if same_key(book.key, new.public_key):
        raise NothingToDo(f"(the ledger is signed with {new.public_key} already)")
    record = KeyChanged(at=book.now(), key=new.public_key, reason=reason)
    await book.append(
        Entry(records=[(KEYS, record)], message=f"the service's key changes: {reason}"),
        epoch=book.epoch,
    )
    # Only a commit that the new key signed shows that somebody has it.
    taken = LedgerBook(replace(service.world, signer=new))
    await taken.read()
    state = await taken.append(Entry(records=[], message="signed with the service's new key"))
    return state.head
