"""Ruling: the health and ignore rules of a package, checked before anything of it is delivered."""

from __future__ import annotations

from distributor.errors import Where
from distributor.errors.cluster import ExpressionFailed
from distributor.model.findings import Finding, Invalid
from distributor.model.package import Package
from distributor.ports import Expressions


def require_rules(package: Package, expressions: Expressions | None) -> None:
    """Raise ``Invalid`` with every expression of a package that cannot be read."""
    if expressions is None:
        return
    file, delivery = f"{package.folder}/package.yaml", package.delivery
    written = [
        ("spec.delivery.health", kind, rule.when)
        for kind, rules in sorted(delivery.health.items())
        for rule in rules
    ]
    written += [("spec.delivery.ignore", r.kind, r.when) for r in delivery.ignore if r.when]
    found = [
        Finding.of(
            ExpressionFailed, f"{kind}: {when[:80]!r} {problem}", Where(file=file, field=field)
        )
        for field, kind, when in written
        if (problem := expressions.problem(when))
    ]
    if found:
        raise Invalid(found)
