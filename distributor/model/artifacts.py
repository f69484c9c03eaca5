"""Artifacts of OCI registries: how they are named, what they are, and what a package's lock says of them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from distributor.model.refs import Digest, is_digest

SCHEME = "oci://"
_HOST = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9.]*[A-Za-z0-9])?|\[[0-9a-fA-F:]+\])(:[0-9]{1,5})?")
_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REPOSITORY = re.compile(rf"{_PART}(?:/{_PART})*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_LONGEST = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """One artifact in a registry, by tag, by digest, or by both: then the digest counts.

    The grammar is that of the OCI distribution specification 1.1, "Pulling manifests".
    """

    host: str
    repository: str
    tag: str = ""
    digest: Digest = Digest("")

    @property
    def location(self) -> str:
        """Where it is, without saying which: ``oci://host/repository``."""
        return f"{SCHEME}{self.host}/{self.repository}"

    @property
    def name(self) -> str:
        """The last part of the repository."""
        return self.repository.rpartition("/")[2]

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        digest = f"@{self.digest}" if self.digest else ""
        return f"{self.location}{tag}{digest}"

    @classmethod
    def parse(cls, text: str) -> Reference:
        """Read ``[oci://]HOST/REPOSITORY[:TAG][@sha256:...]``; raises ``ValueError`` that says why not.

        A ``+`` in a tag becomes ``_``, as Helm writes versions with build metadata.
        """
        rest, _, digest = text.removeprefix(SCHEME).partition("@")
        host, slash, path = rest.partition("/")
        repository, _, tag = path.partition(":")
        tag = tag.replace("+", "_")
        if "://" in rest or not slash or not _HOST.fullmatch(host) or not _is_host(host):
            reason = "it does not begin with a registry's host"
        elif not _REPOSITORY.fullmatch(repository) or len(repository) > _LONGEST:
            reason = f"{repository[:80]!r} is no repository"
        elif (tag or ":" in path) and not _TAG.fullmatch(tag):
            reason = f"{tag[:80]!r} is no tag"
        elif (digest or "@" in text) and not is_digest(digest):
            reason = "only sha256 digests are known"
        elif not (tag or digest):
            reason = "it has neither tag nor digest"
        else:
            return cls(host=host, repository=repository, tag=tag, digest=Digest(digest))
        raise ValueError(reason)


def _is_host(text: str) -> bool:
    """Whether a first part is a host: without a dot, a port or the name localhost it is a repository's."""
    return "." in text or ":" in text or text == "localhost"


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """What a reference stood for when it was looked up: its manifest's digest, and the one layer with content."""

    reference: Reference
    digest: Digest
    layer: Digest
    media_type: str
    size: int  # bytes of the layer


@dataclass(frozen=True, slots=True, kw_only=True)
class Vendored:
    """One entry of a package's lock.

    ``path`` is the folder in the package, ``location`` and ``tag`` what was asked for, ``digest`` the
    manifest's, ``layer`` and ``size`` those of the bytes that were unpacked. ``files`` is the digest of the
    folder, built like a package digest.
    """

    path: str
    location: str
    tag: str
    digest: Digest
    layer: Digest
    media_type: str
    size: int
    files: Digest

    @property
    def reference(self) -> Reference:
        """What gives the same bytes again; raises ``ValueError`` for a location that is none."""
        return Reference.parse(f"{self.location}@{self.digest}")
