"""A tag taken apart: what ``tags.parse`` asks for, one check after the other, also behind one that fails."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from distributor.catalog.tag_names import parse_name
from distributor.catalog.tag_objects import parse_tag_object
from distributor.catalog.tags import PREFIX, contradictions
from distributor.catalog.trailers import parse_trailers
from distributor.errors.policy import BadTrailers, LightweightTag, NestedTag, TagReplayed
from distributor.model.checks import TagCheck
from distributor.model.findings import Finding
from distributor.model.tags import ObservedTag, TagName, TagObject, Trailers, Verb


@dataclass(frozen=True, slots=True, kw_only=True)
class Apart:
    """A tag's parts, each ``None`` where it cannot be read, and the checks of its form (gate 1)."""

    name: TagName | None
    tag: TagObject | None
    checks: tuple[TagCheck, ...]


def take_apart(observed: ObservedTag) -> Apart:
    """Everything that a tag says about itself; the checks hold exactly where ``tags.parse`` gives a request."""
    short = observed.ref.removeprefix(PREFIX)
    named = parse_name(short)
    name = None if isinstance(named, Finding) else named
    read: TagObject | Finding | None = None
    if observed.type == "tag":
        read = parse_tag_object(observed.id, observed.raw)
    tag = read if isinstance(read, TagObject) else None
    found = [
        TagCheck.failed("name", named)
        if isinstance(named, Finding)
        else TagCheck.ok("name", f"it asks to {named.verb.value} in {named.environment}"),
        _kind(observed, read),
    ]
    if tag is not None:
        found += [_own_name(tag, short), *_target(tag, name), *_trailers(tag, name)]
    return Apart(name=name, tag=tag, checks=tuple(found))


def _kind(observed: ObservedTag, read: TagObject | Finding | None) -> TagCheck:
    if read is None:
        text = f"It points straight at a {observed.type}."
        return TagCheck.refused("kind", LightweightTag, text)
    if isinstance(read, Finding):
        return TagCheck.failed("kind", read)
    return TagCheck.ok("kind", f"an annotated tag by {read.tagger}, {read.tagged_at.isoformat()}")


def _own_name(tag: TagObject, short: str) -> TagCheck:
    if tag.name != short:
        return TagCheck.refused("own name", TagReplayed, f"Its own name is {tag.name[:200]!r}.")
    return TagCheck.ok("own name", "the name inside the object is the ref's")


def _target(tag: TagObject, name: TagName | None) -> Iterator[TagCheck]:
    if name is None:
        return
    wanted = "tag" if name.verb is Verb.APPROVE else "commit"
    if tag.target_type != wanted:
        text = f"It points at a {tag.target_type}, not a {wanted}."
        yield TagCheck.refused("target", NestedTag, text)
    else:
        yield TagCheck.ok("target", f"{tag.target_type} {tag.target}")


def _trailers(tag: TagObject, name: TagName | None) -> Iterator[TagCheck]:
    found = parse_trailers(tag.message)
    if isinstance(found, Finding):
        yield TagCheck.failed("trailers", found)
    elif name is not None:
        yield _agreeing(name, found)


def _agreeing(name: TagName, trailers: Trailers) -> TagCheck:
    if wrong := "; ".join(contradictions(name, trailers)):
        return TagCheck.refused("trailers", BadTrailers, f"{wrong}.")
    return TagCheck.ok("trailers", "they are all known, and say what the name says")
