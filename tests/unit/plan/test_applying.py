from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distributor.errors.rollout import DependencyCycle
from distributor.model.changes import ApplyPlan
from distributor.model.findings import Invalid
from distributor.model.manifest import ManifestSet
from distributor.model.refs import ObjectRef
from distributor.plan import GROUND, apply_plan, changes, dependents, ordered
from distributor.plan.order import rank
from tests.unit.plan.objects import OWNER, by_ref, crd, entry, inventory, live, manifest, manifests

DEPENDS = "config.kubernetes.io/depends-on"
PHASE = "distributor.dev/phase"
WAVE = "argocd.argoproj.io/sync-wave"


def planned(
    desired: ManifestSet, depends_on: Mapping[str, tuple[str, ...]] | None = None
) -> ApplyPlan:
    return apply_plan(
        changes(desired, None, {}, owner=OWNER, prune={}), desired, depends_on=depends_on or {}
    )


def shape(plan: ApplyPlan) -> list[tuple[str, list[list[str]]]]:
    return [(p.name, [[str(m.ref) for m in g.manifests] for g in p.groups]) for p in plan.phases]


def noted(ref: str, **annotations: str):
    return manifest(ref, annotations=annotations)


def test_the_order_of_kinds():
    refs = [
        "Namespace//shop",
        "scheduling.k8s.io/PriorityClass//a",
        "networking.k8s.io/NetworkPolicy/shop/a",
        "ServiceAccount/shop/a",
        "Secret/shop/a",
        "ConfigMap/shop/a",
        "PersistentVolumeClaim/shop/a",
        "apiextensions.k8s.io/CustomResourceDefinition//a",
        "rbac.authorization.k8s.io/ClusterRole//a",
        "Service/shop/a",
        "apps/DaemonSet/shop/a",
        "apps/Deployment/shop/a",
        "autoscaling/HorizontalPodAutoscaler/shop/a",
        "apps/StatefulSet/shop/a",
        "batch/Job/shop/a",
        "networking.k8s.io/Ingress/shop/a",
        "apiregistration.k8s.io/APIService//a",
        "serving.knative.dev/Service/shop/a",
        "admissionregistration.k8s.io/ValidatingWebhookConfiguration//a",
        "admissionregistration.k8s.io/MutatingWebhookConfiguration//a",
    ]
    assert [str(m.ref) for m in ordered(manifests(*refs))] == refs


def test_namespace_then_crd_then_their_objects():
    plan = planned(
        manifests("x.example/Thing/shop/a", "Namespace//shop", crd("x.example", "Thing"))
    )
    assert shape(plan) == [
        (
            "0",
            [
                ["Namespace//shop"],
                ["apiextensions.k8s.io/CustomResourceDefinition//things.x.example"],
                ["x.example/Thing/shop/a"],
            ],
        )
    ]


def test_depends_on_overrides_the_order_of_kinds():
    first = noted("apps/Deployment/shop/web", **{DEPENDS: "batch/namespaces/shop/Job/migrate"})
    assert shape(planned(manifests(first, "batch/Job/shop/migrate", "Service/shop/web"))) == [
        ("0", [["Service/shop/web"], ["batch/Job/shop/migrate"], ["apps/Deployment/shop/web"]])
    ]


def test_a_package_may_declare_dependencies():
    desired = manifests("Service/shop/web", "batch/Job/shop/migrate")
    plan = planned(
        desired,
        depends_on={
            "Service/shop/web": ("batch/Job/shop/migrate", "Service/shop/left-out"),
            "Service/shop/left-out": ("Service/shop/web",),
        },
    )
    assert shape(plan) == [("0", [["batch/Job/shop/migrate"], ["Service/shop/web"]])]


def test_phases_in_order_of_their_numbers_and_the_namespace_before_the_first():
    desired = manifests(
        "Namespace//shop",
        noted("ConfigMap/shop/late", **{PHASE: "10"}),
        noted("ConfigMap/shop/early", **{WAVE: "-5"}),
        noted("ConfigMap/shop/both", **{PHASE: "2", WAVE: "7"}),
    )
    assert shape(planned(desired)) == [
        ("-5", [["Namespace//shop"], ["ConfigMap/shop/early"]]),
        ("2", [["ConfigMap/shop/both"]]),
        ("10", [["ConfigMap/shop/late"]]),
    ]


def test_prune_goes_in_reverse_and_the_namespace_last():
    refs = ["Namespace//shop", "Service/shop/a", "apps/Deployment/shop/a", "ConfigMap/shop/a"]
    held = inventory(*(entry(ref, "u") for ref in refs))
    there = by_ref(live(ref) for ref in refs)
    found = changes(manifests(), held, there, owner=OWNER, prune={})
    plan = apply_plan(found, manifests())
    assert [[str(e.ref) for e in group] for group in plan.prune] == [
        ["apps/Deployment/shop/a"],
        ["Service/shop/a"],
        ["ConfigMap/shop/a"],
        ["Namespace//shop"],
    ]


def test_a_circle_is_named():
    a = noted("ConfigMap/shop/a", **{DEPENDS: "/namespaces/shop/ConfigMap/b"})
    b = noted("ConfigMap/shop/b", **{DEPENDS: "/namespaces/shop/ConfigMap/a"})
    with pytest.raises(DependencyCycle, match="shop/a -> ConfigMap/shop/b -> ConfigMap/shop/a"):
        planned(manifests(a, b))


def test_a_phase_that_waits_for_a_later_one_is_refused():
    late = noted("ConfigMap/shop/late", **{PHASE: "1"})
    early = noted("ConfigMap/shop/early", **{DEPENDS: "/namespaces/shop/ConfigMap/late"})
    with pytest.raises(DependencyCycle, match="phase 0 needs ConfigMap/shop/late of phase 1"):
        planned(manifests(late, early))


def test_all_bad_annotations_are_told_at_once():
    bad = noted("ConfigMap/shop/a", **{DEPENDS: "nonsense, /ConfigMap/x", PHASE: "soon"})
    with pytest.raises(Invalid) as caught:
        planned(manifests(bad), depends_on={"nonsense": ()})
    fields = [f.where.field for f in caught.value.findings]
    assert fields == [DEPENDS, DEPENDS, "delivery.dependsOn", PHASE]
    assert all(f.remedy for f in caught.value.findings)


def test_dependents_at_any_remove():
    desired = manifests(
        "Namespace//shop", crd("x.example", "Thing"), "x.example/Thing/shop/a", "ConfigMap/b/a"
    )
    plan = planned(desired)
    failed = frozenset({ObjectRef.parse("Namespace//shop")})
    assert dependents(plan, failed) == {ObjectRef.parse("x.example/Thing/shop/a")}
    assert dependents(plan, frozenset()) == frozenset()


def test_an_unchanged_object_is_not_in_a_phase():
    plan = planned(manifests())
    assert (plan.phases, plan.prune, plan.unchanged) == ((), (), ())


_KINDS = ("ConfigMap", "Service", "apps/Deployment", "batch/Job", "x.example/Thing")


@given(data=st.data())
def test_law_order_breaks_no_edge_and_keeps_kinds_where_nothing_forces_them(data):
    names = [f"n{i}" for i in range(data.draw(st.integers(1, 7)))]
    kinds = {n: data.draw(st.sampled_from(_KINDS)) for n in names}
    edges = {
        n: data.draw(st.sets(st.sampled_from(names[:i]))) if i else set()
        for i, n in enumerate(names)
    }
    phases = dict(zip(names, sorted(data.draw(st.integers(0, 2)) for _ in names), strict=True))
    refs = {n: ObjectRef.parse(f"{kinds[n]}/shop/{n}") for n in names}

    def written(n: str) -> str:
        r = refs[n]
        return f"{r.group}/namespaces/{r.namespace}/{r.kind}/{r.name}"

    desired = manifests(
        "Namespace//shop",
        *(
            noted(
                str(refs[n]),
                **{DEPENDS: ",".join(written(m) for m in sorted(edges[n])), PHASE: str(phases[n])},
            )
            for n in names
        ),
    )
    plan = planned(desired)
    groups = [g for p in plan.phases for g in p.groups]
    place = {m.ref: i for i, g in enumerate(groups) for m in g.manifests}
    assert place.keys() == desired.refs()
    for n in names:
        assert all(place[refs[m]] < place[refs[n]] for m in edges[n])
        assert place[ObjectRef.parse("Namespace//shop")] < place[refs[n]]
    assert all(int(a.name) < int(b.name) for a, b in pairwise(plan.phases))
    if not any(edges.values()) and len(plan.phases) == 1:
        ranks = [rank(g.manifests[0].ref) for g in groups]
        assert ranks == sorted(ranks)


def test_hooks_stand_on_namespaces_and_definitions_that_need_nothing_else():
    early = manifest("Namespace//early", annotations={"distributor.dev/phase": "-1"})
    wanted = manifests(
        "Namespace//shop", "ConfigMap/shop/a", early, crd("x.example", "Thing"),
        manifest("Namespace//late", annotations={"config.kubernetes.io/depends-on": "/namespaces/shop/ConfigMap/a"}),
    )  # fmt: skip
    found = changes(wanted, None, {}, owner=OWNER, prune={})
    plan = apply_plan(found, wanted, hooked=True)
    names = [[m.ref.name for g in p.groups for m in g.manifests] for p in plan.phases]
    assert plan.phases[0].name == GROUND
    assert names == [["early", "shop", "things.x.example"], ["a", "late"]]
    whole = apply_plan(found, wanted)
    assert [p.name for p in whole.phases] == ["-1", "0"]


def test_the_ground_is_there_even_where_nothing_of_it_changes():
    wanted = manifests("ConfigMap/shop/a")
    plan = apply_plan(changes(wanted, None, {}, owner=OWNER, prune={}), wanted, hooked=True)
    assert [(p.name, len(p.groups)) for p in plan.phases] == [(GROUND, 0), ("0", 1)]
