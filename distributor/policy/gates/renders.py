"""Gate 8: the package renders for every target, to what the tag says it does."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from functools import cache
from typing import Any

from distributor.errors import registry
from distributor.errors.policy import NoTargets, RenderedDiffers
from distributor.model.findings import Finding, errors
from distributor.model.promotion import GateAnswer
from distributor.policy.facts import GateFacts, PolicyView
from distributor.policy.gates.answers import Speaker, placed, said

_SAY = Speaker(8, "renders")
_SHOWN = 3
"""As many clusters are named with one finding."""


def evaluate(
    facts: GateFacts, _view: PolicyView, _params: Mapping[str, Any], _now: datetime
) -> GateAnswer:
    """Fails where a cell does not render; where the engine itself failed, it is asked again."""
    if facts.targets is None or facts.renders is None:
        return _SAY.lacks("targets or renders")
    if not facts.targets:
        return _SAY.refuses(NoTargets)
    found = _once(facts.renders)
    bad = errors(found)
    lasting = [finding for finding in bad if not _passing(finding)]
    if lasting:
        return _SAY.fails(lasting, said(map(placed, lasting)))
    if bad:
        return _SAY.errors(bad)
    asked = facts.asked.trailers.rendered
    if asked and asked != facts.rendered:
        text = f"It renders to {facts.rendered or 'nothing'}, the tag says {asked}."
        return _SAY.refuses(RenderedDiffers, text)
    return _SAY.passes(
        f"{len(facts.renders)} cells render for {len(facts.targets)} targets",
        evidence={"cells": str(len(facts.renders)), "targets": str(len(facts.targets))},
        warnings=found,
    )


def _once(renders: Mapping[str, tuple[Finding, ...]]) -> list[Finding]:
    """Each thing said once, with the clusters that it is said of, also where it names the cluster itself."""
    said: dict[tuple[str, str], list[str]] = {}
    first: dict[tuple[str, str], Finding] = {}
    for cluster in sorted(renders):
        for finding in renders[cluster]:
            named = re.compile(rf"(?<![\w.-]){re.escape(cluster)}(?![\w-])")
            key = (finding.code, named.sub("", finding.message))
            said.setdefault(key, []).append(cluster)
            first.setdefault(key, finding)
    return [
        replace(finding, message=f"{finding.message} (on {_named(said[key])})")
        for key, finding in first.items()
    ]


def _named(clusters: list[str]) -> str:
    """The first clusters, and how many more there are."""
    more = len(clusters) - _SHOWN
    return ", ".join(clusters[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _passing(finding: Finding) -> bool:
    """Whether the trouble may pass by itself, as the class of its code says."""
    return finding.code in _retryable_codes()


@cache
def _retryable_codes() -> frozenset[str]:
    return frozenset(code for code, kind in registry().items() if kind.retryable)
