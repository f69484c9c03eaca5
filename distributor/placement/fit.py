"""Fit: whether a package can run on a cluster with these facts."""

from __future__ import annotations

from collections.abc import Sequence

from distributor.model.fleet import Cluster, NodeGroup
from distributor.model.package import Fits
from distributor.model.versions import Version

_UNDECLARED = (NodeGroup(role="worker", count=1),)
"""What a cluster that lists no nodes is taken for: Linux on amd64."""


def misfit(fits: Fits, cluster: Cluster) -> str:
    """Why a package does not fit a cluster, in a few words; empty if it does."""
    if fits.tiers and cluster.tier not in fits.tiers:
        return f"tier {cluster.tier}: the package fits {_any_of(fits.tiers)}"
    return (
        _kubernetes(fits, cluster)
        or _nodes(fits, cluster)
        or _capabilities(fits, cluster)
        or _apis(fits, cluster)
    )


def _kubernetes(fits: Fits, cluster: Cluster) -> str:
    if not fits.kubernetes.terms:
        return ""
    if not cluster.kubernetes:
        return f"no Kubernetes version declared: the package fits {fits.kubernetes.text}"
    version = declared_version(cluster.kubernetes)
    if version is None:
        return f"Kubernetes {cluster.kubernetes!r} is not a version such as 1.33"
    if not fits.kubernetes.holds(version):
        return f"Kubernetes {cluster.kubernetes}: the package fits {fits.kubernetes.text}"
    return ""


def declared_version(text: str) -> Version | None:
    """A declared minor such as ``1.33`` as a version, 1.33.0; ``None`` for anything else."""
    try:
        return Version.parse(f"{text}.0" if text.count(".") == 1 else text)
    except ValueError:
        return None


def _nodes(fits: Fits, cluster: Cluster) -> str:
    systems = fits.os or ("linux",)
    groups = [g for g in cluster.nodes if g.count > 0] if cluster.nodes else _UNDECLARED
    running = [g for g in groups if g.os in systems]
    if not running:
        return f"no {_any_of(systems)} nodes"
    if fits.arch and not any(g.arch in fits.arch for g in running):
        return f"no {_any_of(systems)} nodes of {_any_of(fits.arch)}"
    return ""


def _capabilities(fits: Fits, cluster: Cluster) -> str:
    missing = [c for c in fits.capabilities if c not in cluster.capabilities]
    return f"lacks {', '.join(missing)}" if missing else ""


def _apis(fits: Fits, cluster: Cluster) -> str:
    missing = [str(a) for a in fits.requires_apis if a not in cluster.apis]
    return f"does not serve {', '.join(missing)}" if missing else ""


def _any_of(names: Sequence[str]) -> str:
    return " or ".join(names)
