"""Hooks: objects that run around an apply, and what an inventory remembers of their runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from distributor.model.manifest import Manifest
from distributor.model.refs import ObjectRef


class Moment(StrEnum):
    """When a hook runs: before or after the instance's own objects, or when something failed."""

    PRE = "pre"
    POST = "post"
    FAILURE = "failure"


class Occasion(StrEnum):
    """What happens to an instance on a target when a revision begins there."""

    INSTALL = "install"
    UPGRADE = "upgrade"
    ROLLBACK = "rollback"


class DeletePolicy(StrEnum):
    """When a hook's object is deleted (``helm.sh/hook-delete-policy``)."""

    BEFORE_CREATION = "before-hook-creation"
    SUCCEEDED = "hook-succeeded"
    FAILED = "hook-failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredHook:
    """What a package says of one of its objects: a hook at a moment of every occasion.

    ``timeout`` is in seconds, from the creation of the object; ``None`` leaves it to the rollout's deadline.
    """

    ref: ObjectRef
    moment: Moment
    timeout: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Hook:
    """One object that is a hook. Lower weights run first."""

    manifest: Manifest
    events: frozenset[tuple[Moment, Occasion]]
    weight: int = 0
    timeout: float | None = None
    policies: frozenset[DeletePolicy] = frozenset({DeletePolicy.BEFORE_CREATION})

    @property
    def ref(self) -> ObjectRef:
        """The object's identity."""
        return self.manifest.ref


@dataclass(frozen=True, slots=True, kw_only=True)
class HookStep:
    """One hook at one moment of one occasion."""

    moment: Moment
    occasion: Occasion
    hook: Hook

    @property
    def name(self) -> str:
        """The key of its run in an inventory: a hook for both moments runs at each."""
        return run_name(self.moment, self.hook.ref)

    def __str__(self) -> str:
        return f"{self.moment}-{self.occasion} {self.hook.ref} (weight {self.hook.weight})"


class HookResult(StrEnum):
    """How a run ended. ``PAST`` is one of an earlier revision, kept because its object may be there."""

    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    PAST = "past"


@dataclass(frozen=True, slots=True, kw_only=True)
class HookRun:
    """One run of a hook, as an inventory keeps it.

    ``run`` is what its object is marked with, ``uid`` the object's own once the target gave it; it is
    empty again when a delete policy took the object away.
    """

    moment: Moment
    ref: ObjectRef
    api_version: str
    run: str
    result: HookResult = HookResult.PENDING
    uid: str = ""
    message: str = ""

    @property
    def name(self) -> str:
        """Its key."""
        return run_name(self.moment, self.ref)


@dataclass(frozen=True, slots=True, kw_only=True)
class HookLog:
    """The hooks' section of an inventory.

    ``change`` identifies the revision that the runs belong to; ``occasion`` is what it does here, and
    ``None`` once it was carried out in full. ``begun`` is true when the instance's own objects were begun.
    """

    change: str = ""
    occasion: Occasion | None = None
    begun: bool = False
    runs: Mapping[str, HookRun] = field(default_factory=dict)


def run_name(moment: Moment, ref: ObjectRef) -> str:
    """The name of a run: one moment of one hook."""
    return f"{moment} {ref}"
