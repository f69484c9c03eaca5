"""Paging by cursor: a page ends with the key of its last item, and the next one begins after it.

Nothing is counted and nothing is kept between requests, so a list may change under its reader: what was
there all along is seen exactly once.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import aclosing
from typing import Annotated, Generic, TypeVar

import orjson
from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field

from distributor.errors.service import BadRequest

MOST = 1000
_USUAL = 100

Key = tuple[str, ...]
_Item = TypeVar("_Item")
_Shown = TypeVar("_Shown", bound=BaseModel)

Limit = Annotated[int, Query(ge=1, le=MOST, description="The most items that the page may have.")]
Cursor = Annotated[
    str, Query(max_length=1000, description="`next` of the page before; empty for the first page.")
]


class Page(BaseModel, Generic[_Shown]):
    """A page of a list."""

    model_config = ConfigDict(json_schema_extra={"description": "A page of a list."})

    items: list[_Shown] = Field(description="The items, in the list's order.")
    next: str | None = Field(
        default=None, description="The `cursor` of the next page; absent on the last page."
    )


class Cut(BaseModel):
    """Which part of a list is asked for: at most ``limit`` items whose key comes after ``after``."""

    limit: int = _USUAL
    after: Key | None = None


async def cut(limit: Limit = _USUAL, cursor: Cursor = "") -> Cut:
    """The part that a request asks for; raises ``BadRequest`` for a cursor that is none of ours."""
    return Cut(limit=limit, after=decode(cursor) if cursor else None)


def encode(key: Key) -> str:
    """The cursor of a key: opaque, fit for an address."""
    return base64.urlsafe_b64encode(orjson.dumps(key)).decode().rstrip("=")


def decode(cursor: str) -> Key:
    """The key of a cursor; raises ``BadRequest`` for anything that ``encode`` did not make."""
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        parts = orjson.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (UnicodeEncodeError, binascii.Error, orjson.JSONDecodeError) as error:
        raise BadRequest("(the cursor is not one that this service gave)") from error
    if not isinstance(parts, list) or not all(isinstance(part, str) for part in parts):
        raise BadRequest("(the cursor is not one that this service gave)")
    return tuple(parts)


def page(
    items: Iterable[_Item],
    wanted: Cut,
    *,
    key: Callable[[_Item], Key],
    show: Callable[[_Item], _Shown],
    newest_first: bool = False,
) -> Page[_Shown]:
    """The wanted part of items, sorted by key; only that part is turned into what is shown."""
    after = wanted.after
    rest = sorted(
        (
            i
            for i in items
            if after is None or comes_after(key(i), after, newest_first=newest_first)
        ),
        key=key,
        reverse=newest_first,
    )
    found = rest[: wanted.limit]
    more = encode(key(found[-1])) if len(rest) > len(found) else None
    return Page(items=[show(item) for item in found], next=more)


async def gather(
    items: AsyncGenerator[_Shown, None], wanted: Cut, *, key: Callable[[_Shown], Key]
) -> Page[_Shown]:
    """A page of items that come in order and after the cursor; no more is read than it needs."""
    found: list[_Shown] = []
    async with aclosing(items):
        async for item in items:
            if len(found) == wanted.limit:
                return Page(items=found, next=encode(key(found[-1])))
            found.append(item)
    return Page(items=found)


def comes_after(key: Key, after: Key, *, newest_first: bool) -> bool:
    """Whether a key comes after another in a list."""
    return key < after if newest_first else key > after
