"""Failures: what did not render is not rendered again for the same content, for as long as that is sure."""

from __future__ import annotations

from collections import OrderedDict
from datetime import datetime, timedelta

from distributor.errors import DistributorError, registry
from distributor.errors.render import (
    EndlessRecursion,
    EngineMissing,
    OutOfMemory,
    RenderTimeout,
    WorkerDied,
)
from distributor.model.findings import Finding

SHORT = timedelta(seconds=60)
"""How long a failure counts that another machine, or a calmer minute, might not have given."""
MOST = 1024
"""Failures that are remembered."""

_OF_THE_MOMENT = (RenderTimeout, OutOfMemory, WorkerDied, EndlessRecursion)
_OF_THE_MACHINE = (EngineMissing,)


def costly(error: BaseException) -> DistributorError | None:
    """What other cells of a package end with, untried, when one of them cost all that a render may."""
    if not isinstance(error, _OF_THE_MOMENT):
        return None
    return type(error)(
        f"{error.detail} So it was with another cell of the package; not tried here."
    )


def passes_by(finding: Finding, now: datetime) -> datetime | None:
    """When a render that ended so is worth another try for the same content; ``None`` for never."""
    kind = registry().get(finding.code)
    if kind is None or issubclass(kind, _OF_THE_MACHINE):
        return None
    if issubclass(kind, _OF_THE_MOMENT):
        return now + SHORT
    return now if kind.retryable else None


class Failures:
    """Remembers the errors of renders by cache key, in memory alone: a new process tries everything again.

    What the content decides is kept until there is no room for it; what time and memory decide, for
    ``SHORT``; what may pass by itself, not at all.
    """

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._errors: OrderedDict[str, tuple[DistributorError, datetime | None]] = OrderedDict()

    def put(self, key: str, error: DistributorError, now: datetime) -> None:
        """Remember a failure."""
        if error.retryable or isinstance(error, _OF_THE_MACHINE):
            return
        end = now + SHORT if isinstance(error, _OF_THE_MOMENT) else None
        self._errors[key] = (error, end)
        self._errors.move_to_end(key)
        while len(self._errors) > self._most:
            self._errors.popitem(last=False)

    def get(self, key: str, now: datetime) -> DistributorError | None:
        """The failure that still counts for the key; to be raised anew."""
        error, end = self._errors.get(key, (None, None))
        if error is None:
            return None
        if end is not None and now >= end:
            del self._errors[key]
            return None
        self._errors.move_to_end(key)
        return error.with_traceback(None)
