"""A tag as the remote shows it -> Request: name, object and trailers are each right and belong together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from distributor.catalog.tag_names import concerns, format_name, parse_name
from distributor.catalog.tag_objects import parse_tag_object
from distributor.catalog.trailers import format_message, parse_trailers
from distributor.errors import DistributorError, Where
from distributor.errors.policy import (
    BadTrailers,
    LightweightTag,
    NestedTag,
    TagReplayed,
)
from distributor.model.findings import Finding
from distributor.model.tags import (
    ObservedTag,
    Request,
    RequestClass,
    TagName,
    TagObject,
    Trailers,
    Verb,
)

__all__ = [
    "concerns", "format_message", "format_name", "parse", "parse_name", "parse_tag_object",
    "parse_trailers",
]  # fmt: skip

PREFIX = "refs/tags/"
_CHAINED = frozenset({Verb.PROMOTE, Verb.ROLLBACK, Verb.REMOVE})
_ITEM_NEEDS = ("instance", "app", "version", "digest", "prev")


def parse(observed: ObservedTag) -> Request | Finding:
    """Everything that can be said about a tag by itself (gate 1); signatures are another room's."""
    short = observed.ref.removeprefix(PREFIX)
    name = parse_name(short)
    if isinstance(name, Finding):
        return name
    tag = _object(observed, name, short)
    if isinstance(tag, Finding):
        return replace(tag, where=Where(file=short))
    trailers = parse_trailers(tag.message)
    if isinstance(trailers, Finding):
        return replace(trailers, where=Where(file=short))
    wrong = "; ".join(contradictions(name, trailers))
    if wrong:
        return _wrong(BadTrailers, f"{wrong}.", short)
    if name.verb is Verb.ROLLBACK:
        trailers = replace(trailers, request_class=RequestClass.ROLLBACK)
    return Request(ref=observed.ref, name=name, trailers=trailers, tag=tag)


def _object(observed: ObservedTag, name: TagName, short: str) -> TagObject | Finding:
    if observed.type != "tag":
        return _wrong(LightweightTag, f"It points straight at a {observed.type}.", short)
    tag = parse_tag_object(observed.id, observed.raw)
    if isinstance(tag, Finding):
        return tag
    if tag.name != short:
        return _wrong(TagReplayed, f"Its own name is {tag.name[:200]!r}.", short)
    wanted = "tag" if name.verb is Verb.APPROVE else "commit"
    if tag.target_type != wanted:
        return _wrong(NestedTag, f"It points at a {tag.target_type}, not a {wanted}.", short)
    return tag


def _wrong(kind: type[DistributorError], message: str, short: str) -> Finding:
    return Finding.of(kind, message, Where(file=short))


def contradictions(name: TagName, trailers: Trailers) -> Iterator[str]:
    """What is missing, forbidden, or says something else than the name."""
    if trailers.environment and trailers.environment != name.environment:
        yield f"Promotion-Env is {trailers.environment}, the name says {name.environment}"
    if trailers.version and trailers.version != name.version:
        yield f"Promotion-Version is {trailers.version}, the name says {name.version or 'none'}"
    if name.verb in {Verb.REJECT, Verb.UNREJECT} and trailers.app not in {"", name.instance}:
        yield f"Promotion-App is {trailers.app}, the name says {name.instance}"
    if name.set_id and name.verb is Verb.PROMOTE:
        yield from _set_contradictions(trailers)
    else:
        yield from _chain_contradictions(name, trailers)
    if name.verb is Verb.APPROVE and not trailers.rendered:
        yield "Promotion-Rendered is missing"
    yield from _class_contradictions(name, trailers)


def _chain_contradictions(name: TagName, trailers: Trailers) -> Iterator[str]:
    if name.verb in _CHAINED and not trailers.prev:
        yield "Promotion-Prev is missing"
    if name.verb not in _CHAINED and trailers.prev:
        yield "Promotion-Prev belongs to promote, rollback and remove alone"
    if trailers.items:
        yield "Promotion-Item belongs to sets alone"


def _set_contradictions(trailers: Trailers) -> Iterator[str]:
    if not trailers.items:
        yield "a set needs a Promotion-Item for each instance"
    alone = (trailers.app, trailers.digest, trailers.config, trailers.prev, trailers.rendered)
    if any(alone):
        yield "App, Digest, Config, Rendered and Prev stand in the items of a set"
    names = [item.get("instance", "") for item in trailers.items]
    if len(set(names)) != len(names):
        yield "an instance stands twice in the set"
    for item in trailers.items:
        absent = [key for key in _ITEM_NEEDS if key not in item]
        if absent:
            yield f"a Promotion-Item lacks {', '.join(absent)}"


def _class_contradictions(name: TagName, trailers: Trailers) -> Iterator[str]:
    if trailers.override and name.verb is not Verb.PROMOTE:
        yield "Promotion-Override belongs to promote alone"
    match trailers.request_class:
        case RequestClass.NORMAL:
            return
        case RequestClass.HOTFIX if name.verb in {Verb.PROMOTE, Verb.APPROVE}:
            return
        case RequestClass.ROLLBACK if name.verb is Verb.ROLLBACK:
            return
        case _:
            yield f"Promotion-Class {trailers.request_class} does not go with {name.verb}"
