"""Rollout errors, DST5xx."""

from __future__ import annotations

from distributor.errors.tree import Retryable, Terminal


class RolloutHalted(Terminal):
    """The rollout stopped because too many targets failed."""

    code = "DST501"
    remedy = "Promote a fix, roll back, or try what failed again with `distributor retry`."


class TargetDeadline(Terminal):
    """A target did not become current before its deadline."""

    code = "DST502"
    remedy = "Look at the objects named; the deadline is in environment.yaml."


class ClaimHeld(Retryable):
    """Another service executes this instance."""

    code = "DST503"
    remedy = "Nothing to do: it goes on when the claim ends."


class DependencySkipped(Terminal):
    """An object was skipped because one that it needs failed."""

    code = "DST507"
    remedy = "Mend the one it needs."


class DependencyCycle(Terminal):
    """Objects depend on each other in a circle."""

    code = "DST508"
    remedy = "Remove one depends-on."


class StateBroken(Terminal):
    """The saved state of a rollout cannot be read."""

    code = "DST509"
    remedy = "`distributor rebuild` makes it anew from the ledger and the clusters."
