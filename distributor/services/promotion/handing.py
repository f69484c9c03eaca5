"""Handing over: a failover or failback for a service that cannot reach the shared repository.

The command line leaves the signed tag in the local mirror, under a ref of its own. The service that has this
mirror decides it by the Git state that was fetched last, and pushes it when the repository is back.
"""

from __future__ import annotations

from collections.abc import Mapping

from distributor.errors.git import TagRefused
from distributor.model.promotion import VerdictOutcome
from distributor.model.refs import ObjectId
from distributor.model.tags import ACTIVATIONS
from distributor.ports import Signer
from distributor.services.ledger.book import LedgerBook
from distributor.services.promotion.deciding import Decider
from distributor.services.promotion.opening import key_of, verb_of
from distributor.services.promotion.preparing import Preparing
from distributor.services.promotion.requesting import Ask, Asked, make_tag, push_tag
from distributor.services.state.journal import Journal
from distributor.services.state.looking import TAGS, Snapshot
from distributor.services.world import World

HANDED = "refs/distributor/handed/"
"""Where tags lie that the shared repository has not seen yet."""
MARK = "refs/distributor/handing"
"""There from the first hand-over on: a mirror may have very many refs, and is searched only where this one is."""
_FINAL = frozenset({VerdictOutcome.ACCEPTED, VerdictOutcome.REFUSED})


def handed_over(world: World) -> Mapping[str, ObjectId]:
    """The failovers and failbacks that the shared repository does not have, by name; nothing else counts."""
    if world.objects.resolve(MARK) is None:
        return {}
    found = sorted(world.objects.refs(HANDED).items())
    named = ((ref.removeprefix(HANDED), oid) for ref, oid in found)
    return {name: oid for name, oid in named if verb_of(name) in ACTIVATIONS}


async def hand_over(
    world: World, snapshot: Snapshot, ask: Ask, *, tagger: str, signer: Signer | None
) -> Asked:
    """Make the tag of a request, and leave it where the service of this mirror finds it."""
    taken = handed_over(world)
    asked = make_tag(world, snapshot, ask, tagger=tagger, signer=signer, taken=taken)
    world.objects.set_ref(MARK, asked.tag, world.objects.resolve(MARK))
    if not world.objects.set_ref(HANDED + asked.ref, asked.tag, None):
        raise TagRefused(f"({asked.ref} was handed over by somebody else just now)")
    return asked


class Handing:
    """What was handed over: decided while the shared repository is out of reach, and brought there after."""

    def __init__(
        self,
        world: World,
        book: LedgerBook,
        decider: Decider,
        preparing: Preparing,
        journal: Journal,
    ) -> None:
        self._world = world
        self._book = book
        self._decider = decider
        self._preparing = preparing
        self._journal = journal
        self._told: set[str] = set()

    async def decide(self, snapshot: Snapshot) -> None:
        """Decide what was handed over, by what was fetched last; what takes long to render, in a later pass."""
        if self._world.signer is None:
            return
        tags = [item for item in handed_over(self._world).items() if not self._decided(*item)]
        self._preparing.begin_pass(tags)
        for name, oid in tags:
            if not self._preparing.waits((name, oid), None):
                await self._decider.decide(snapshot, name, oid)

    def _decided(self, name: str, oid: ObjectId) -> bool:
        return self._book.state.instance(*key_of(name)).outcomes.get(oid) in _FINAL

    async def bring(self) -> None:
        """Bring tags, then records, to the shared repository, which was fetched just now.

        Raises ``RemoteUnreachable`` and ``PushRejected``: what did not arrive is brought the next time.
        """
        if self._world.signer is None:
            return
        arrived = [item for item in handed_over(self._world).items() if await self._bring(*item)]
        if await self._book.rejoin():
            await self._journal.tell(
                "ledger", "what was recorded apart is in the shared ledger now"
            )
        for name, oid in arrived:
            self._world.objects.set_ref(HANDED + name, None, oid)

    async def _bring(self, name: str, oid: ObjectId) -> bool:
        """Whether a tag needs to be handed over no longer: it is there, or another one of its name is."""
        objects, seen = self._world.objects, self._world.objects.resolve(TAGS + name)
        if seen is None:
            try:
                await push_tag(self._world, name, oid)
            except TagRefused as error:
                await self._tell(name, str(error))
                return False
            objects.set_ref(TAGS + name, oid, None)
        elif seen != oid:
            await self._tell(name, f"{name} is another tag in the shared repository: {seen}")
        return True

    async def _tell(self, name: str, text: str) -> None:
        if name not in self._told:
            self._told.add(name)
            environment, instance = key_of(name)
            await self._journal.tell("alarm", text, environment=environment, instance=instance)
