"""Each gate as a table: one fact changed, the codes that come out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from distributor.errors import Where
from distributor.errors.policy import SchemaGate, UnknownKind
from distributor.errors.render import EngineProtocol, TemplateFailed
from distributor.model.findings import Finding, Severity
from distributor.model.fleet import StandbyMode
from distributor.model.parity import Difference
from distributor.model.promotion import GateResult
from distributor.model.refs import ObjectRef
from distributor.model.tags import Trailers, Verb
from distributor.policy import EnvironmentFact, PolicyView, Reach
from tests.unit.policy.facts import (
    ACCEPTED,
    GOOD,
    MAIN,
    PREV,
    REVISION,
    answer,
    bound,
    codes,
    digest,
    facts_of,
    with_verify,
)

# 5 predecessors

UNVERIFIED = EnvironmentFact(targets=2)
NO_TARGET = EnvironmentFact(targets=0)


def _elsewhere(**changes: EnvironmentFact) -> dict[str, EnvironmentFact]:
    return {**GOOD.elsewhere, **changes}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"environment": "sit", "elsewhere": {}}, []),
        ({"elsewhere": _elsewhere(sit=UNVERIFIED)}, ["DST217"]),
        ({"elsewhere": _elsewhere(prd=UNVERIFIED)}, []),
        ({"elsewhere": _elsewhere(sit=NO_TARGET)}, ["DST217"]),
        ({"elsewhere": _elsewhere(sit=EnvironmentFact(targets=0, verified=True))}, []),
        (
            {"elsewhere": _elsewhere(sit=EnvironmentFact(targets=1, verified=True, tiers=("edge",)))},
            ["DST217"],
        ),
        ({"elsewhere": {}}, ["DST226"]),
        ({"policies": (replace(MAIN, pipeline=None), ACCEPTED)}, ["DST226"]),
    ],
)  # fmt: skip
def test_predecessors(change: dict[str, Any], expected: list[str]) -> None:
    assert codes(5, facts_of(**change)) == expected


def test_not_applicable_must_be_accepted_by_that_environment_in_both_policies() -> None:
    facts = facts_of(elsewhere=_elsewhere(sit=NO_TARGET))
    main, accepted = (with_verify(v, "sit", "not-applicable") for v in (MAIN, ACCEPTED))
    assert codes(5, replace(facts, policies=(main, accepted))) == []
    assert codes(5, replace(facts, policies=(main, ACCEPTED))) == ["DST217"]


def _accepting(*environments: str) -> tuple[PolicyView, ...]:
    """Both policies, with environments that accept to have no target."""
    views: list[PolicyView] = []
    for view in (MAIN, ACCEPTED):
        for name in environments:
            view = with_verify(view, name, "not-applicable")  # noqa: PLW2901 - one change on another
        views.append(view)
    return tuple(views)


VERIFIED = EnvironmentFact(targets=1, verified=True)


@pytest.mark.parametrize(
    ("accepting", "elsewhere", "expected"),
    [
        # what is asked about prd: pre comes before it, then uat, then sit
        ("pre", {"pre": NO_TARGET, "uat": VERIFIED, "sit": UNVERIFIED},
         "not-applicable in pre; verified in uat"),
        ("pre", {"pre": NO_TARGET, "uat": UNVERIFIED, "sit": VERIFIED},
         "DST217 (uat: not verified)"),
        ("pre uat", {"pre": NO_TARGET, "uat": NO_TARGET, "sit": VERIFIED},
         "not-applicable in pre; not-applicable in uat; verified in sit"),
        ("pre uat", {"pre": NO_TARGET, "uat": NO_TARGET, "sit": UNVERIFIED},
         "DST217 (sit: not verified)"),
        ("pre", {"pre": NO_TARGET, "uat": NO_TARGET, "sit": VERIFIED},
         "DST217 (uat: it has no target there, which is not accepted)"),
        ("pre uat sit", {"pre": NO_TARGET, "uat": NO_TARGET, "sit": NO_TARGET},
         "not-applicable in pre; not-applicable in uat; not-applicable in sit"),
        ("pre", {"pre": VERIFIED, "uat": UNVERIFIED, "sit": UNVERIFIED}, "verified in pre"),
    ],
)  # fmt: skip
def test_who_has_no_target_hands_the_question_on(
    accepting: str, elsewhere: dict[str, EnvironmentFact], expected: str
) -> None:
    given = answer(
        5,
        facts_of(
            environment="prd",
            policies=_accepting(*accepting.split()),
            elsewhere=_elsewhere(**elsewhere),
        ),
    )
    if expected.startswith("DST"):
        code, _, text = expected.partition(" ")
        assert [(f.code, text in f.message) for f in given.findings] == [(code, True)]
    else:
        assert (given.result, given.message) == (GateResult.PASS, expected)


def test_handing_on_asks_as_many_as_that_step_wants() -> None:
    """Two steps stand before pre; it is content with one of them."""
    assert MAIN.pipeline is not None
    steps = tuple(
        replace(s, after=("sit", "uat"), require_all=False) if s.name == "pre" else s
        for s in MAIN.pipeline.steps
    )
    views = tuple(
        replace(v, pipeline=replace(MAIN.pipeline, steps=steps)) for v in _accepting("pre")
    )
    some = _elsewhere(pre=NO_TARGET, sit=UNVERIFIED, uat=VERIFIED)
    none = _elsewhere(pre=NO_TARGET, sit=UNVERIFIED, uat=UNVERIFIED)
    assert codes(5, facts_of(environment="prd", policies=views, elsewhere=some)) == []
    found = codes(5, facts_of(environment="prd", policies=views, elsewhere=none))
    assert found == ["DST217", "DST217"]


@pytest.mark.parametrize(
    ("steps_all", "param", "expected"),
    [(True, None, ["DST217"]), (False, None, []), (True, "any", []), (False, "all", ["DST217"])],
)
def test_all_or_any(steps_all: bool, param: str | None, expected: list[str]) -> None:
    assert MAIN.pipeline is not None
    steps = tuple(
        replace(s, after=("sit", "uat"), require_all=steps_all) if s.name == "pre" else s
        for s in MAIN.pipeline.steps
    )
    views = tuple(
        replace(v, pipeline=replace(MAIN.pipeline, steps=steps)) for v in (MAIN, ACCEPTED)
    )
    if param is not None:
        views = bound("predecessors", *views, params={"require": param})
    facts = facts_of(environment="pre", elsewhere=_elsewhere(sit=UNVERIFIED), policies=views)
    assert codes(5, facts) == expected


def test_an_environment_younger_than_the_accepted_pipeline_is_ordered_by_main() -> None:
    older = replace(ACCEPTED, environments={}, pipeline=None)
    assert codes(5, replace(GOOD, policies=(MAIN, older))) == []
    facts = facts_of(elsewhere=_elsewhere(sit=UNVERIFIED), policies=(MAIN, older))
    assert codes(5, facts) == ["DST217"]


def _standby(view: PolicyView, mode: StandbyMode) -> PolicyView:
    """pre stands by for uat."""
    changed = replace(view.environments["pre"], standby_for="uat", standby_mode=mode)
    return replace(view, environments={**view.environments, "pre": changed})


@pytest.mark.parametrize(
    ("mode", "environment", "change", "expected"),
    [
        (StandbyMode.AFTER, "pre", {"uat": EnvironmentFact(targets=1, verified=True)}, ["DST217"]),
        (StandbyMode.AFTER, "pre", {}, []),
        (StandbyMode.AFTER, "uat", {"pre": UNVERIFIED}, []),
        (StandbyMode.BEFORE, "uat", {"pre": UNVERIFIED}, ["DST217"]),
        (StandbyMode.BEFORE, "uat", {"pre": NO_TARGET}, []),
        (StandbyMode.BEFORE, "uat", {}, []),
        (StandbyMode.WITH, "uat", {"pre": UNVERIFIED}, []),
        (StandbyMode.WITH, "pre", {"uat": EnvironmentFact(targets=1, verified=True)}, ["DST217"]),
        (StandbyMode.WITH, "pre", {}, []),
    ],
)
def test_parity(
    mode: StandbyMode,
    environment: str,
    change: dict[str, EnvironmentFact],
    expected: list[str],
) -> None:
    views = (_standby(MAIN, mode), _standby(ACCEPTED, mode))
    facts = facts_of(environment=environment, elsewhere=_elsewhere(**change), policies=views)
    assert codes(5, facts) == expected
    lax = bound("predecessors", *views, params={"parity": False})
    assert codes(5, replace(facts, policies=lax)) == []


REPLICAS = Difference(
    path="shop.replicas", environment="pre", value="0", file="pre.yaml",
    other="uat", other_value="3", other_file="uat.yaml",
)  # fmt: skip
SIZE = replace(REPLICAS, path="shop.size")


@pytest.mark.parametrize(
    ("mode", "environment", "other", "expected"),
    [
        (StandbyMode.AFTER, "pre", "uat", True),
        (StandbyMode.WITH, "pre", "uat", True),
        (StandbyMode.BEFORE, "pre", "uat", True),
        (StandbyMode.BEFORE, "uat", "pre", True),
        (StandbyMode.AFTER, "uat", "pre", False),
        (StandbyMode.WITH, "uat", "pre", False),
    ],
)
def test_parity_of_values(mode, environment, other, expected) -> None:
    views = (_standby(MAIN, mode), _standby(ACCEPTED, mode))
    differs = replace(GOOD.elsewhere[other], differs=(REPLICAS, SIZE))
    facts = facts_of(
        environment=environment, elsewhere=_elsewhere(**{other: differs}), policies=views
    )
    found = answer(5, facts)
    assert codes(5, facts) == (["DST278", "DST278"] if expected else [])
    if expected:
        assert "shop.replicas is 0 in pre (pre.yaml), and 3 in uat (uat.yaml)" in found.message
        assert {f.where.file for f in found.findings} == {"pre.yaml"}
    nowhere = replace(differs, targets=0)
    facts_nowhere = replace(facts, elsewhere=_elsewhere(**{other: nowhere}))
    assert "DST278" not in codes(5, facts_nowhere)


def test_values_may_differ_where_both_policies_except_them() -> None:
    differs = replace(GOOD.elsewhere["uat"], differs=(REPLICAS, SIZE))

    def excepting(view, *paths):
        pre = replace(view.environments["pre"], parity_except=paths)
        return replace(view, environments={**view.environments, "pre": pre})

    main, accepted = _standby(MAIN, StandbyMode.AFTER), _standby(ACCEPTED, StandbyMode.AFTER)
    facts = facts_of(environment="pre", elsewhere=_elsewhere(uat=differs))
    both = (
        excepting(main, "shop.replicas", "*.size"),
        excepting(accepted, "shop.replicas", "*.size"),
    )
    assert codes(5, replace(facts, policies=both)) == []
    one = (excepting(main, "shop.replicas", "*.size"), excepting(accepted, "shop.size"))
    found = answer(5, replace(facts, policies=one))
    assert "shop.replicas" in found.message
    assert "shop.size" not in found.message
    assert "the accepted one" in found.message


@pytest.mark.parametrize(
    ("here", "expected"), [(True, []), (False, ["DST221"]), (None, ["DST226"])]
)
def test_a_rollback_goes_back_to_what_was_verified_here(
    here: bool | None,
    expected: list[str],
) -> None:
    facts = facts_of(Verb.ROLLBACK, verified_here=here, elsewhere={})
    assert codes(5, facts) == expected


# 8 renders and 9 schemas

BROKEN = Finding.of(TemplateFailed, "(web.yaml)")
PASSING = Finding.of(EngineProtocol, "(half an answer)")
WARNED = Finding.of(UnknownKind, "(x)", severity=Severity.WARNING)


@pytest.mark.parametrize(
    ("change", "result", "expected"),
    [
        ({"renders": {"a": (), "b": ()}}, GateResult.PASS, []),
        ({"renders": {"a": (), "b": (BROKEN,)}}, GateResult.FAIL, ["DST306"]),
        ({"renders": {"a": (PASSING,)}}, GateResult.ERROR, ["DST318"]),
        ({"renders": {"a": (PASSING,), "b": (BROKEN,)}}, GateResult.FAIL, ["DST306"]),
        ({"renders": {"a": (WARNED,)}}, GateResult.WARN, []),
        ({"targets": ()}, GateResult.FAIL, ["DST223"]),
    ],
)
def test_renders(change: dict[str, Any], result: GateResult, expected: list[str]) -> None:
    facts = replace(GOOD, **change)
    assert answer(8, facts).result is result
    assert codes(8, facts) == expected


@pytest.mark.parametrize(("letter", "expected"), [("f", []), ("e", ["DST232"])])
def test_rendered_is_recomputed(letter: str, expected: list[str]) -> None:
    trailers = Trailers(digest=REVISION.digest, prev=PREV, rendered=digest(letter))
    assert codes(8, facts_of(trailers=trailers)) == expected


@pytest.mark.parametrize(
    ("found", "result"),
    [
        ((), GateResult.PASS),
        ((WARNED,), GateResult.WARN),
        ((WARNED, Finding.of(SchemaGate, "(y)")), GateResult.FAIL),
    ],
)
def test_schemas(found: tuple[Finding, ...], result: GateResult) -> None:
    assert answer(9, replace(GOOD, schemas=found)).result is result


# 13 blast radius

CONFIG = ObjectRef("", "ConfigMap", "shop", "a")
CLAIM = ObjectRef("", "PersistentVolumeClaim", "shop", "data")
TWO = {"c1": (CONFIG, replace(CONFIG, name="b")), "c2": (CONFIG,)}


@pytest.mark.parametrize(
    ("verb", "reach", "params", "reasons"),
    [
        (Verb.PROMOTE, Reach(pruned=TWO), {}, 0),
        (Verb.PROMOTE, Reach(pruned=TWO), {"maxPrunedObjects": 2}, 0),
        (Verb.PROMOTE, Reach(pruned=TWO), {"maxPrunedObjects": 1}, 1),
        (Verb.PROMOTE, Reach(pruned=TWO), {"maxPrunedObjects": 0}, 1),
        (Verb.ROLLBACK, Reach(pruned=TWO), {"maxPrunedObjects": 0}, 1),
        (Verb.REMOVE, Reach(pruned=TWO), {"maxPrunedObjects": 0}, 0),
        (Verb.PROMOTE, Reach(pruned={"c1": (CLAIM,)}), {}, 1),
        (Verb.PROMOTE, Reach(pruned={"c1": (CLAIM,)}), {"protectedKinds": []}, 0),
        (Verb.ROLLBACK, Reach(pruned={"c1": (CLAIM,)}), {}, 0),
        (Verb.REMOVE, Reach(pruned={"c1": (CLAIM,)}), {}, 0),
        (Verb.REMOVE, Reach(pruned={"c1": (CLAIM,)}), {"protectedKinds": [CLAIM.kind]}, 0),
        (Verb.PROMOTE, Reach(pruned=TWO), {"protectedKinds": ["ConfigMap"]}, 2),
        (Verb.PROMOTE, Reach(emptied=frozenset({"c1"})), {}, 1),
        (Verb.REMOVE, Reach(emptied=frozenset({"c1"})), {}, 0),
        (Verb.PROMOTE, Reach(changed=frozenset("abc"), clusters=6), {"maxChangedClustersPercent": 50}, 0),
        (Verb.PROMOTE, Reach(changed=frozenset("abc"), clusters=5), {"maxChangedClustersPercent": 50}, 1),
        (Verb.PROMOTE, Reach(changed=frozenset("abc"), clusters=0), {"maxChangedClustersPercent": 100}, 1),
        (Verb.PROMOTE, Reach(), {"maxChangedClustersPercent": 1, "maxPrunedObjects": 0}, 0),
    ],
)  # fmt: skip
def test_blast_radius(verb: Verb, reach: Reach, params: dict[str, Any], reasons: int) -> None:
    views = bound("blast-radius", MAIN, ACCEPTED, params=params)
    facts = facts_of(verb, reach=reach, policies=views)
    assert codes(13, facts) == ["DST218"] * reasons


def test_the_stricter_of_two_limits_counts() -> None:
    strict = bound("blast-radius", ACCEPTED, params={"maxPrunedObjects": 0})
    facts = facts_of(reach=Reach(pruned=TWO), policies=(MAIN, *strict))
    assert codes(13, facts) == ["DST218"]


def test_a_message_that_names_its_cluster_is_said_once_too() -> None:
    renders = {
        name: (
            Finding.of(TemplateFailed, f"({name}: Secret/x)", Where(file="a.yaml")),
            Finding.of(TemplateFailed, f"on {name}-2."),
        )
        for name in ("edge-1", "edge-10", "b")
    }
    given = answer(8, replace(GOOD, renders=renders))
    assert [f.message.partition(". ")[2] for f in given.findings] == [
        "(b: Secret/x) (on b, edge-1, edge-10)",
        "on b-2. (on b)",
        "on edge-1-2. (on edge-1)",
        "on edge-10-2. (on edge-10)",
    ]
    assert given.message.startswith("a.yaml: ")


@pytest.mark.parametrize(
    ("clusters", "named"),
    [("a", "a"), ("a b c", "a, b, c"), ("d a b c e", "a, b, c and 2 more")],
)
def test_one_message_names_the_clusters_that_do_not_render(clusters: str, named: str) -> None:
    bad = Finding.of(TemplateFailed, "No value.")
    own = Finding.of(TemplateFailed, "Another.")
    renders = dict.fromkeys(clusters.split(), (bad,)) | {"z": (own,)}
    given = answer(8, replace(GOOD, renders=renders))
    assert given.result is GateResult.FAIL
    assert [f.message for f in given.findings] == [
        f"{bad.message} (on {named})",
        f"{own.message} (on z)",
    ]
