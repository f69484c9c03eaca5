"""Git's rules for ref names (git-check-ref-format(1)), and the room that file systems leave."""

from __future__ import annotations

LONGEST_COMPONENT = 240
LONGEST_NAME = 800
_FORBIDDEN = frozenset(" ~^:?*[\\\x7f") | frozenset(map(chr, range(0x20)))


def check_ref(short: str) -> str:
    """Why Git, or a file system that holds loose refs, cannot carry a tag name; empty if it can."""
    if not short or len(short.encode("utf-8", "surrogateescape")) > LONGEST_NAME:
        return f"a name has 1 to {LONGEST_NAME} bytes"
    if not _FORBIDDEN.isdisjoint(short) or not short.isprintable():
        return "it has a character that Git refuses in a ref"
    if ".." in short or "@{" in short or short.endswith(".") or short == "@":
        return "'..', '@{', a lone '@' and a dot at the end are Git's own"
    for component in short.split("/"):
        if not component:
            return "a part of it is empty"
        if component.startswith(".") or component.endswith(".lock"):
            return "no part may begin with a dot or end with .lock"
        if len(component.encode()) > LONGEST_COMPONENT:
            return f"a part of it has more than {LONGEST_COMPONENT} bytes"
    return ""
