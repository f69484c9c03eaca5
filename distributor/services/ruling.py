"""Ruling: the health rules of a package, checked before anything of it is delivered."""

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
    where = Where(file=f"{package.folder}/package.yaml", field="spec.delivery.health")
    found = [
        Finding.of(ExpressionFailed, f"{kind}: {rule.when[:80]!r} {problem}", where)
        for kind, rules in sorted(package.delivery.health.items())
        for rule in rules
        if (problem := expressions.problem(rule.when))
    ]
    if found:
        raise Invalid(found)
