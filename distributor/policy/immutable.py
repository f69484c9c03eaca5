"""Immutable versions: what was accepted once under a version is what the version stays."""

from __future__ import annotations

from distributor.errors import Where
from distributor.errors.catalog import PackageChanged
from distributor.model.findings import Finding
from distributor.model.promotion import Verdict
from distributor.model.refs import Digest


def changed(
    app: str, version: str, digest: Digest, released: Verdict | None
) -> tuple[Finding, ...]:
    """A finding where a version's digest is not the one by which ``released`` first let it in."""
    before = released.revision if released is not None else None
    if released is None or before is None or before.digest == digest:
        return ()
    text = f"({app} {version} is {digest}; {released.environment} accepted it as {before.digest})"
    return (Finding.of(PackageChanged, text, Where(file=f"catalog/{app}/{version}")),)
