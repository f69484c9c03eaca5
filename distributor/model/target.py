"""Targets: one instance on one cluster, and why others were left out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from distributor.model.fleet import Cluster, Installation


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One instance on one cluster."""

    installation: Installation
    cluster: Cluster

    @property
    def name(self) -> str:
        """The cluster's name: unique among an instance's targets."""
        return self.cluster.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Where an instance goes: targets by cluster name order, and a reason for every cluster left out."""

    targets: tuple[Target, ...] = ()
    left_out: Mapping[str, str] = field(default_factory=dict)
