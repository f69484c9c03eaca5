"""A package whose health rules cannot be read is stopped before anything of it is delivered."""

from __future__ import annotations

from dataclasses import replace

import pytest

from distributor.errors.cluster import ExpressionFailed
from distributor.model.findings import Invalid
from distributor.model.health import HealthRule, HealthStatus
from distributor.model.package import Delivery, IgnoreRule, NamespaceSpec, Package, Renderer
from distributor.model.refs import Digest, GroupKind, ObjectId
from distributor.model.versions import Version
from distributor.services.rendering.ruling import require_rules


class OnlyWords:
    """Expressions that are single words."""

    def problem(self, expression: str) -> str:
        return "" if expression.isalpha() else "(not a word)"

    def holds(self, expression: str, obj: object) -> bool:
        raise ExpressionFailed(f"({expression} of {obj})")


def package(*expressions: str) -> Package:
    rules = tuple(HealthRule(status=HealthStatus.CURRENT, when=text) for text in expressions)
    made = Package(
        app="shop",
        version=Version.parse("1.0.0"),
        digest=Digest("sha256:0"),
        tree=ObjectId("a" * 40),
        folder="catalog/shop/1.0.0",
        renderer=Renderer.RAW,
        path="manifests",
        namespace=NamespaceSpec(name="shop"),
    )
    return replace(made, delivery=Delivery(health={GroupKind("x.example", "Thing"): rules}))


def test_every_bad_rule_is_told():
    with pytest.raises(Invalid) as caught:
        require_rules(package("good", "a b", "c d"), OnlyWords())
    told = str(caught.value)
    assert told.count("DST450") == 2
    assert "x.example/Thing: 'a b' (not a word)" in told
    assert "catalog/shop/1.0.0/package.yaml" in told


def test_good_rules_are_let_through():
    require_rules(package("good", "words"), OnlyWords())
    require_rules(package(), OnlyWords())


def test_expressions_of_ignore_rules_are_checked_too():
    rules = tuple(
        IgnoreRule(kind=GroupKind("", "ConfigMap"), fields=("/data",), when=when)
        for when in ("", "good", "a b")
    )
    with pytest.raises(Invalid) as caught:
        require_rules(replace(package(), delivery=Delivery(ignore=rules)), OnlyWords())
    told = str(caught.value)
    assert told.count("DST450") == 1
    assert "ConfigMap: 'a b' (not a word)" in told
