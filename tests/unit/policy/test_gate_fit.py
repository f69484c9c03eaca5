"""Gate 12 as a table: what a package asks for, what the clusters have, and what the gate says."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from distributor.model.capacity import Resources
from distributor.model.package import Fits, Requirement
from distributor.model.promotion import GateAnswer, GateResult
from distributor.model.tags import Verb
from distributor.model.versions import VersionRange
from distributor.policy import ClusterFact, Neighbour, judge
from tests.unit.policy.facts import ACCEPTED, GOOD, MAIN, NOW, answer, bound, facts_of


def needs(*requires: str, conflicts: tuple[str, ...] = (), optional: bool = False) -> Fits:
    def read(text: str) -> Requirement:
        app, _, wanted = text.partition(" ")
        return Requirement(app=app, range=VersionRange.parse(wanted), optional=optional)

    return Fits(requires=tuple(map(read, requires)), conflicts=tuple(map(read, conflicts)))


def there(*texts: str) -> ClusterFact:
    """A cluster with these apps; one that ends in ``?`` is still being rolled out."""
    found = [(text.rstrip("?").split(" "), not text.endswith("?")) for text in texts]
    neighbours = (Neighbour(app=a, version=v, verified=done) for (a, v), done in found)
    return ClusterFact(neighbours=tuple(neighbours))


def sized(need: str, taken: str, supply: str) -> ClusterFact:
    """Cores and GiB, such as ``2/4``; ``-`` where it is not known."""

    def read(text: str) -> Resources:
        cpu, memory = (None if part == "-" else Decimal(part) for part in text.split("/"))
        return Resources(cpu=cpu, memory=None if memory is None else memory * 1024**3)

    return ClusterFact(need=read(need), taken=read(taken), supply=read(supply))


def asked(
    fits: Fits, params: dict[str, Any] | None = None, /, **clusters: ClusterFact
) -> GateAnswer:
    views = bound("fit", MAIN, ACCEPTED, params=params or {})
    return answer(12, facts_of(policies=views, fits=fits, clusters=clusters))


@pytest.mark.parametrize(
    ("fits", "cluster", "code", "said"),
    [
        (needs(), there(), "", ""),
        (needs("mesh"), there("mesh 1.0.0"), "", ""),
        (needs("mesh"), there("mesh 1.0.0?"), "DST264", "mesh is being rolled out; on c1"),
        (needs("mesh"), there(), "DST263", "mesh is needed; on c1"),
        (needs("mesh >=2 <3"), there("mesh 2.4.0"), "", ""),
        (needs("mesh >=2 <3"), there("mesh 1.9.0"), "DST263", "mesh >=2 <3 is needed, mesh 1.9.0 is there"),
        (needs("mesh >=2"), there("mesh 1.9.0", "mesh 2.0.0"), "", ""),
        (needs("mesh >=2"), there("mesh 1.9.0", "mesh 2.0.0?"), "DST264", "rolled out"),
        (needs("mesh >=2"), there("mesh junk"), "DST263", "is needed"),
        (needs("mesh >=2", optional=True), there(), "", ""),
        (needs("mesh >=2", optional=True), there("mesh 1.0.0"), "DST263", "is needed"),
        (needs("mesh", "dns"), there("mesh 1.0.0?"), "DST263", "dns is needed"),
        (needs(conflicts=("old",)), there("mesh 1.0.0"), "", ""),
        (needs(conflicts=("old",)), there("old 1.0.0?"), "DST263", "old 1.0.0 is there, which it conflicts with"),
        (needs(conflicts=("old <2",)), there("old 2.0.0"), "", ""),
    ],
)  # fmt: skip
def test_dependencies(fits: Fits, cluster: ClusterFact, code: str, said: str) -> None:
    given = asked(fits, c1=cluster)
    results = {"": GateResult.PASS, "DST264": GateResult.PENDING}
    assert given.result is results.get(code, GateResult.FAIL)
    assert (code in {f.code for f in given.findings}) is bool(code)
    assert said in given.message


@pytest.mark.parametrize(
    ("cluster", "said"),
    [
        (sized("2/4", "0/0", "8/32"), ""),
        (sized("8/32", "0/0", "8/32"), ""),
        (sized("9/4", "0/0", "8/32"), "9 cores are asked for, 8 may be taken"),
        (sized("2/4", "6.5/0", "8/32"), "2 cores are asked for beside the 6.5 of others, 8 may"),
        (sized("2/40", "0/0", "8/32"), "40 GiB of memory are asked for, 32 may be taken"),
        (sized("99/99", "0/0", "-/-"), ""),
        (sized("99/4", "0/0", "-/2"), "GiB of memory"),
        (sized("0/0", "99/99", "8/32"), ""),  # who asks for nothing is not kept out by others
    ],
)
def test_capacity(cluster: ClusterFact, said: str) -> None:
    given = asked(Fits(), c1=cluster)
    assert given.result is (GateResult.FAIL if said else GateResult.PASS)
    assert said in given.message
    assert {f.code for f in given.findings} == ({"DST265"} if said else set())


@pytest.mark.parametrize(("percent", "result"), [(100, "pass"), (80, "fail"), (200, "pass")])
def test_a_share_may_be_kept_free(percent: int, result: str) -> None:
    given = asked(Fits(), {"maxUsePercent": percent}, c1=sized("7/7", "0/0", "8/8"))
    assert given.result.value == result


def test_each_reason_is_said_once_with_its_clusters() -> None:
    clusters = {f"c{n}": there() for n in range(1, 6)}
    given = asked(needs("mesh"), None, **clusters)
    assert given.message.count("mesh is needed") == 1
    assert "on c1, c2, c3 and 2 more" in given.message


def test_the_evidence_is_the_most_that_one_cluster_is_asked_for() -> None:
    given = asked(Fits(), c1=sized("2/1", "0/0", "8/8"), c2=sized("1/3", "0/0", "8/8"))
    assert given.evidence == {"cpu": "2", "memory": str(3 * 1024**3)}


def test_clusters_that_are_left_behind_are_told() -> None:
    given = answer(12, facts_of(unfit={"c9": "no linux nodes", "c8": "no linux nodes"}))
    assert given.result is GateResult.WARN
    assert [f.code for f in given.findings] == ["DST266"]
    assert "no linux nodes; on c8, c9" in given.findings[0].message


def test_a_rollback_and_a_removal_are_not_asked() -> None:
    for verb in (Verb.ROLLBACK, Verb.REMOVE):
        assert 12 not in {a.number for a in judge(facts_of(verb), NOW)}
    assert answer(12, GOOD).result is GateResult.PASS
