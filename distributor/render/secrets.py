"""Secrets: ``stringData`` becomes ``data``, and which clusters take values at all.

Applied server-side, a key taken out of ``stringData`` would stay in ``data`` for ever, because the API
server copies one into the other and nobody owns the copy.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping

from distributor.errors.cluster import PlaintextSecret
from distributor.errors.render import BadManifest
from distributor.errors.secrets import SecretNotExternal
from distributor.model.fleet import Cluster, Mode
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


def holds_values(manifest: Manifest) -> bool:
    """Whether an object is a Secret with values, encrypted or not."""
    if manifest.ref.group_kind != SECRET:
        return False
    content = manifest.data()
    return bool(content.get("data") or content.get("stringData"))


def require_taken(cluster: Cluster, manifests: Iterable[Manifest]) -> None:
    """Refuse Secrets with values for a cluster whose delivery lets others read them.

    A branch takes none; a folder only where the cluster says ``plaintextSecrets: allowed``. Raises
    ``SecretNotExternal`` or ``PlaintextSecret``, naming every such Secret.
    """
    folder = cluster.mode is Mode.DIRECTORY and not cluster.plaintext_secrets
    if not folder and cluster.mode is not Mode.BRANCH:
        return
    held = [str(m.ref) for m in manifests if holds_values(m)]
    if held:
        kind = PlaintextSecret if folder else SecretNotExternal
        raise kind(f"({', '.join(held)})")
