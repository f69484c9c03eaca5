"""Requesting sets: several promotions in one tag."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from distributor.catalog.tags import format_name
from distributor.catalog.trailers import format_message
from distributor.errors.git import TagRefused
from distributor.model.refs import Digest
from distributor.model.tags import TagName, Trailers, Verb, ledger_name
from distributor.ports import Signer
from distributor.services.promotion.requesting import Ask, Asked, push_tag, trailers_of, write_tag
from distributor.services.state.looking import Snapshot
from distributor.services.world import World

_KEYS = ("app", "version", "digest", "prev")
_MOST = 100_000


async def make_set(
    world: World,
    snapshot: Snapshot,
    ask: Ask,
    versions: Mapping[str, str],
    *,
    tagger: str,
    signer: Signer | None,
) -> Asked:
    """Make the tag that asks for versions of several instances at once, and push it.

    ``ask.instance`` is the name of the set; its requests are numbered. Raises as ``make_request`` does.
    """
    commit = ask.commit or snapshot.main
    items: list[Mapping[str, str]] = []
    common = Trailers()
    for instance, version in versions.items():
        one = replace(ask, instance=instance, version=version)
        _, found = trailers_of(world, snapshot, one, commit)
        items.append({"instance": instance, **{key: getattr(found, key) for key in _KEYS}})
        common = replace(found, app="", version="", digest=Digest(""), prev="")
    written = _free(snapshot, ask)
    subject = f"promote the set {ask.instance} in {ask.environment}"
    message = format_message(subject, replace(common, items=tuple(items)))
    tag = write_tag(world, written, commit, message=message, tagger=tagger, signer=signer)
    await push_tag(world, written, tag)
    return Asked(ref=written, tag=tag)


def _free(snapshot: Snapshot, ask: Ask) -> str:
    """The first number of a set that nobody used."""
    for number in range(1, _MOST):
        name = TagName(
            verb=Verb.PROMOTE, environment=ask.environment, set_id=f"{ask.instance}/{number}"
        )
        written = format_name(name)
        known = snapshot.ledger.instance(ask.environment, ledger_name(name)).observed
        if written not in snapshot.tags and written not in known:
            return written
    raise TagRefused("(all numbers are taken)")
