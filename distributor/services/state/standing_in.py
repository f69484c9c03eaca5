"""Standing in: the values that a standby has of another environment, pinned beside what was accepted.

They are pinned as they were taken, so that what runs needs nothing of that environment later.
"""

from __future__ import annotations

from dataclasses import replace

import orjson

from distributor.catalog.digests import find
from distributor.errors.git import LedgerBroken
from distributor.model.manifest import canonical
from distributor.model.parity import StandIn, Taken
from distributor.model.promotion import Verdict
from distributor.model.refs import ObjectId
from distributor.ports import TreeChange
from distributor.render.parity import Parts, taken_over
from distributor.services.rendering.renderer import Subject
from distributor.services.world import World

FILE = "stands-in.json"
"""Where a pinned tree has what a standby took over."""


def activated(subject: Subject, stand_in: StandIn | None) -> Subject:
    """The subject as it is rendered while its environment stands in for another one."""
    if stand_in is None:
        return subject
    own = Parts(
        package=subject.package,
        installation=subject.installation,
        environment=subject.files.environment,
    )
    parts = taken_over(own, stand_in.values)
    files = replace(subject.files, environment=parts.environment)
    return replace(subject, package=parts.package, installation=parts.installation, files=files)


def pinned_stand_in(world: World, stand_in: StandIn | None) -> dict[str, TreeChange]:
    """The file that a pinned tree has for it; nothing for an environment that stands in for none."""
    if stand_in is None:
        return {}
    values = [
        {"path": list(each.path), **({"value": each.value} if each.set else {})}
        for each in stand_in.values
    ]
    data = {"environment": stand_in.environment, "values": values}
    return {FILE: ("blob", world.objects.write_blob(canonical(data) + b"\n"))}


def stand_in_of(world: World, pin: ObjectId, verdict: Verdict) -> StandIn | None:
    """What a verdict pinned of it; raises ``LedgerBroken`` where it should have, and has not."""
    if not verdict.stands_in:
        return None
    entry = find(world.objects, pin, FILE)
    if entry is None:
        raise LedgerBroken(f"(sequence {verdict.sequence} pins no {FILE})")
    try:
        data = orjson.loads(world.objects.blob(entry.id))
        values = tuple(
            Taken(path=tuple(each["path"]), set="value" in each, value=each.get("value"))
            for each in data["values"]
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise LedgerBroken(f"(sequence {verdict.sequence}: {FILE} cannot be read)") from error
    return StandIn(environment=verdict.stands_in, values=values)
