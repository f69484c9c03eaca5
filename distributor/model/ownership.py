"""Who may set which field of one object: what is done about it before the object is applied."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from distributor.model.refs import ObjectRef

FieldPath = tuple[str, ...]
"""Map keys from the top of an object, such as ``("spec", "replicas")``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What becomes of the ownership of one object's fields when it is applied.

    ``takes`` are managers whose fields become ours first, all of them: what they set and we do not then
    goes. ``hands_over`` are fields that we own alone and ask for no more, to be kept until somebody else
    owns them. ``migrates`` says that the managed fields speak of another apiVersion. ``over`` are the
    managers that a conflict may be forced over, in the fields that we set and no others. ``seen`` is the
    version that the object must still have, empty where nothing must be there yet; ``None`` where it is
    ours, and may have any.
    """

    takes: frozenset[str] = frozenset()
    hands_over: tuple[FieldPath, ...] = ()
    migrates: bool = False
    over: frozenset[str] = frozenset()
    seen: str | None = None

    @property
    def prepares(self) -> bool:
        """Whether anything is to be done before the object itself is applied."""
        return bool(self.takes or self.hands_over or self.migrates)

    def __str__(self) -> str:
        told = []
        if self.takes:
            told.append(f"takes over what {', '.join(sorted(self.takes))} set")
        if self.hands_over:
            told.append(f"hands over {', '.join('.'.join(path) for path in self.hands_over)}")
        if self.migrates:
            told.append("moves its managed fields to this apiVersion")
        return "; ".join(told)


ABSENT = Claim(seen="")
"""To be made: what another made since it was looked for is not applied over."""
Claims = Mapping[ObjectRef, Claim]
NO_CLAIMS: Claims = MappingProxyType({})
