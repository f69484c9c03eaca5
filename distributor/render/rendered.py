"""``Rendered``: the hash that approvals bind to."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

from distributor.model.refs import Digest, ObjectRef


def rendered_digest(lines: Mapping[str, Digest], vanished: Iterable[ObjectRef]) -> Digest:
    """The SHA-256 over what every cluster would get, and over the objects that would vanish.

    ``lines`` maps each cluster to the digest of its bound objects. The order of either argument does
    not matter, nor does naming a vanished object twice.
    """
    text = "".join(f"cluster {name} {digest}\n" for name, digest in sorted(lines.items()))
    text += "".join(f"vanished {ref}\n" for ref in sorted(set(vanished)))
    return Digest("sha256:" + hashlib.sha256(text.encode()).hexdigest())
