"""Preparing: a request whose render takes long is rendered behind the decisions, and holds up no other one."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from distributor.model.ledger import Key
from distributor.model.refs import ObjectId
from distributor.services.promotion.case import Case
from distributor.services.promotion.gathering import Gatherer
from distributor.services.rendering.behind import PATIENCE, Behind

_Tag = tuple[str, ObjectId]


class Preparing:
    """Adds to a request's facts those that need a render, as soon as there are any.

    ``ready`` is called when a render ended that a pass did not wait for: its tag is to be decided again.
    """

    def __init__(
        self, gatherer: Gatherer, ready: Callable[[], None], patience: float = PATIENCE
    ) -> None:
        self._gatherer = gatherer
        self._renders: Behind[_Tag, Case] = Behind(ready, patience)
        self._begun: dict[_Tag, Key | None] = {}

    def begin_pass(self, open_tags: Iterable[_Tag]) -> None:
        """A pass over the open tags begins; what is rendered for any other one is given up."""
        wanted = set(open_tags)
        self._renders.begin_pass(wanted)
        self._begun = {tag: begun for tag, begun in self._begun.items() if tag in wanted}

    def waits(self, tag: _Tag, behind: Key | None) -> bool:
        """Whether a tag has to wait: for its own render, or for an earlier promotion of its instance.

        ``behind`` is the instance of a promotion. Of two the earlier is decided first, as if both had
        rendered at once; a hold, a rollback or a removal never waits for what it may be meant to stop.
        """
        if tag in self._begun:
            return self._renders.running(tag)
        return behind is not None and behind in self._begun.values()

    @property
    def busy(self) -> bool:
        """Whether any tag is left to be decided when its render is done."""
        return bool(self._begun)

    async def rendered(self, tag: _Tag, behind: Key | None, case: Case) -> Case | None:
        """The case with the facts of its render; ``None`` where these take longer than this pass waits."""
        while True:
            self._begun.pop(tag, None)
            self._renders.begin(tag, lambda: self._gatherer.rendered(case))
            results = await self._renders.take(tag)
            if not results:
                self._begun[tag] = behind
                return None
            if _same(results[0], case):
                return self._gatherer.beside(_with_render(case, results[0]))
            # it was begun for what was asked before the ledger moved: once more, for this

    async def stop(self) -> None:
        """End what is under way."""
        self._begun.clear()
        await self._renders.stop()


def _same(begun: Case, now: Case) -> bool:
    """Whether a render that began earlier is the one that a request asks for now."""
    return (
        begun.root == now.root
        and begun.clusters == now.clusters
        and begun.verdict_before == now.verdict_before
        and begun.stand_in == now.stand_in
        and len(begun.members) == len(now.members)
        and all(map(_same, begun.members, now.members))
        and len(begun.followers) == len(now.followers)
        and all(map(_same, begun.followers, now.followers))
    )


def _with_render(case: Case, done: Case) -> Case:
    """A case as the ledger stands now, with what the render of the same found."""
    facts = done.facts
    return replace(
        case,
        manifests=done.manifests,
        members=tuple(map(_with_render, case.members, done.members)),
        followers=tuple(map(_with_render, case.followers, done.followers)),
        facts=replace(
            case.facts,
            targets=facts.targets,
            renders=facts.renders,
            rendered=facts.rendered,
            schemas=facts.schemas,
            reach=facts.reach,
        ),
    )
