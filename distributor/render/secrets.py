"""Secrets: ``stringData`` becomes ``data``.

Applied server-side, a key taken out of ``stringData`` would stay in ``data`` for ever, because the API
server copies one into the other and nobody owns the copy.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping

from distributor.errors.render import BadManifest
from distributor.model.manifest import Manifest
from distributor.model.refs import GroupKind

SECRET = GroupKind("", "Secret")


def has_plain_text(manifest: Manifest) -> bool:
    """Whether an object is a Secret with ``stringData``."""
    return manifest.ref.group_kind == SECRET and b'"stringData":' in manifest.body


def encoded(manifest: Manifest) -> Manifest:
    """A Secret with ``stringData`` merged into ``data``, over keys of the same name as Kubernetes does."""
    content = manifest.data()
    plain, data = content.pop("stringData", None) or {}, content.get("data") or {}
    if not isinstance(plain, Mapping) or not isinstance(data, Mapping):
        raise BadManifest(f"({manifest.ref}: data and stringData must be mappings)")
    wrong = [key for key, value in plain.items() if not isinstance(value, str)]
    if wrong:
        raise BadManifest(f"({manifest.ref}: stringData.{wrong[0]} is no text)")
    added = {key: base64.b64encode(value.encode()).decode() for key, value in plain.items()}
    content["data"] = {**data, **added}
    return Manifest.of(content)
