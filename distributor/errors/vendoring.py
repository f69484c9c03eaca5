"""Errors of vendoring, DST345 to DST354: what is brought into a package from a registry."""

from __future__ import annotations

from distributor.errors.tree import Retryable, Setup, Terminal


class BadReference(Setup):
    """The reference names no artifact in a registry."""

    code = "DST345"
    remedy = "Write oci://HOST/REPOSITORY:TAG, or @sha256:... in place of the tag."


class RegistryUnreachable(Retryable):
    """The registry cannot be reached, or gives no usable answer."""

    code = "DST346"
    remedy = "Try again later; look at the network, the proxy and the host's name if it stays."


class RegistryRefused(Terminal):
    """The registry refused the request."""

    code = "DST347"
    remedy = "Log in with `podman login`, `docker login` or `helm registry login`: their credentials are used."


class ArtifactMissing(Terminal):
    """The registry has no such artifact."""

    code = "DST348"
    remedy = "Check repository and tag; a registry may also hide what you may not read."


class ArtifactMismatch(Terminal):
    """What the registry sent is not what its digest says."""

    code = "DST349"
    remedy = "Nothing was kept; find out whether the registry, a proxy or the reference is wrong."


class UnsupportedArtifact(Terminal):
    """The artifact is none that can be vendored."""

    code = "DST350"
    remedy = "It needs exactly one layer that is a Helm chart or a gzipped tar of files."


class ArtifactTooLarge(Terminal):
    """The artifact is larger than it may be."""

    code = "DST351"
    remedy = "Leave out what rendering does not need; a package has bounds for a reason."


class HostileArchive(Terminal):
    """The archive holds what may not be unpacked."""

    code = "DST352"
    remedy = "Nothing was unpacked; have its publisher build it of plain files with plain names."


class VendoredDiffers(Terminal):
    """What lies in the package is not what its lock says."""

    code = "DST353"
    remedy = "`distributor vendor --replace` writes it anew; or undo the change by hand."


class BadLock(Terminal):
    """The lock of what was vendored cannot be used."""

    code = "DST354"
    remedy = "Restore vendor.lock.yaml from Git, or vendor the references again."
