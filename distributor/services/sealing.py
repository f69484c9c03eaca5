"""Sealing: digests of Secrets that tell nothing of what they are of.

A digest of a Secret stands in an inventory and on the object itself, where people may read it who may not
read Git. As a plain hash it would let them try values, and see where the same secret is used. So it is an
HMAC, by a key that only the service's own key gives, and another one for each cluster.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import replace

from distributor.model.fleet import Cluster
from distributor.model.manifest import Manifest, ManifestSet
from distributor.model.refs import Digest, ObjectRef
from distributor.ports import Signer
from distributor.render.secrets import SECRET

_NAMESPACE = "distributor-digests"
_NO_KEY = hashlib.sha256(b"a service without a key").digest()


class Seal:
    """Makes such digests. Without a key they still differ from cluster to cluster, but can be tried."""

    __slots__ = ("_key",)

    def __init__(self, key: bytes = _NO_KEY) -> None:
        self._key = key

    def __repr__(self) -> str:
        return "Seal(...)"

    @classmethod
    def of(cls, signer: Signer | None) -> Seal:
        """The seal of a service: ed25519 signatures are always the same (RFC 8032), so one is a key."""
        if signer is None:
            return cls()
        return cls(hashlib.sha256(signer.sign(b"seal", _NAMESPACE)).digest())

    def digest(self, cluster: Cluster, digest: Digest) -> Digest:
        """The digest of a Secret as a cluster may show it."""
        return Digest(f"sha256:{self._mac('object', *_place(cluster), digest)}")

    def value(self, cluster: Cluster, ref: ObjectRef, key: str, value: str) -> str:
        """What tells whether one value of a Secret is still the one that was applied."""
        return self._mac("value", *_place(cluster), str(ref), key, value)

    def manifest(self, cluster: Cluster, manifest: Manifest) -> Manifest:
        """A manifest under the digest that the cluster may show: a Secret's is sealed."""
        if manifest.ref.group_kind != SECRET:
            return manifest
        return replace(manifest, digest=self.digest(cluster, manifest.digest))

    def manifests(self, cluster: Cluster, manifests: ManifestSet) -> ManifestSet:
        """The objects of one cluster under such digests; the same set where there is no Secret."""
        if all(m.ref.group_kind != SECRET for m in manifests):
            return manifests
        return ManifestSet.of(self.manifest(cluster, m) for m in manifests)

    def _mac(self, *parts: str) -> str:
        text = "".join(f"{len(part)}:{part}" for part in parts)
        return hmac.new(self._key, text.encode(), hashlib.sha256).hexdigest()


def _place(cluster: Cluster) -> tuple[str, str]:
    """Two environments may each have a cluster of the same name."""
    return cluster.environment, cluster.name
