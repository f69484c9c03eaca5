"""Shared Components: a patch that finds nothing in any app is told, and only where that is certain."""

from __future__ import annotations

import json
from textwrap import indent

import pytest

from distributor.model.findings import Severity
from distributor.model.package import Renderer
from distributor.model.refs import Digest
from distributor.model.rendering import Layer, RenderInput, RenderJob
from distributor.render import Unmatched

EDGE = "environments/tiers/edge"
OVERLAY = "environments/prd/overlay"
LAYERS = (
    Layer(label="catalog/shop/1.0.0/base", tree="1", folder="package/base"),
    Layer(label=EDGE, tree="2", folder="tiers/edge"),
    Layer(label=OVERLAY, tree="3", folder="overlay"),
    Layer(label="environments/prd/apps/shop.yaml", tree="4", folder=""),
)
SET = "- {op: add, path: /spec/replicas, value: 2}"


def cell(*layers: Layer) -> RenderInput:
    names = dict.fromkeys(
        ("app", "version", "environment", "tier", "instance", "namespace", "kubernetes"), "x"
    )
    return RenderInput(digest=Digest("sha256:0"), layers=layers, values=b"{}", **names)


def component(*targets: str, patch: str = SET) -> str:
    entries = "".join(
        f"  - target: {target}\n    patch: |\n{indent(patch, '      ')}\n" for target in targets
    )
    return f"# What it is for.\nkind: Component\npatches:\n{entries}"


def job(edge: str, overlay: str = "kind: Component\n", patches: str = "[]", base: str = ""):
    files = {
        "package/base/kustomization.yaml": base,
        "tiers/edge/kustomization.yaml": edge,
        "overlay/kustomization.yaml": overlay,
    }
    return RenderJob(
        renderer=Renderer.KUSTOMIZE,
        files={path: text.encode() for path, text in files.items()},
        path="package/base",
        layers=("tiers/edge", "overlay"),
        patches=patches.encode(),
    )


def thing(kind="Deployment", api="apps/v1", name="shop-web-h7m2t4", **metadata) -> bytes:
    return json.dumps(
        {"apiVersion": api, "kind": kind, "metadata": {"name": name, **metadata}}
    ).encode()


THING = thing(labels={"app": "web", "size": "big"}, annotations={"team": "red"})


def told(asked: RenderJob, *objects: bytes, layers=LAYERS) -> list[str]:
    watch = Unmatched()
    watch.saw(cell(*layers), asked, objects or (THING,))
    return [str(finding.where) for finding in watch.findings()]


MISSES = [
    "{kind: StatefulSet}",
    "{kind: Deploy}",
    "{kind: StatefulSet|DaemonSet}",
    "{kind: Dep.*x}",
    "{group: batch}",
    "{group: apps, version: v1beta1, kind: Deployment}",
    "{kind: Deployment, name: api}",
    "{name: api|db}",
    "{name: web.*shop}",
    "{labelSelector: app=db}",
    "{labelSelector: app!=web}",
    "{labelSelector: '!app'}",
    "{labelSelector: zone}",
    "{labelSelector: 'app in (db, api)'}",
    "{labelSelector: 'app=web,size notin (big)'}",
    "{annotationSelector: team=blue}",
]
HITS = [
    "{kind: Deployment}",
    "{kind: StatefulSet|Deployment}",
    "{kind: Dep.*}",
    "{kind: .*}",
    "{group: apps, version: v1}",
    "{name: web}",  # its name before a prefix and a hash
    "{name: shop.*web}",
    "{name: .*}",
    "{labelSelector: app=web}",
    "{labelSelector: 'app==web, size'}",
    "{labelSelector: 'app in (db, web),size!=small'}",
    "{labelSelector: 'zone notin (a),!zone'}",
    "{annotationSelector: team=red}",
    "{kind: Deployment, namespace: elsewhere}",  # it may have been there at first
    "{}",
]
UNCERTAIN = [
    "{kind: '(Stateful|Daemon)Set'}",
    "{kind: 'a.*b.*c.*d'}",
    "{name: '^api$'}",
    "{name: '[a-c]pi'}",
    "{labelSelector: 'size>4'}",
    "{labelSelector: ['app']}",
    "{kind: [StatefulSet]}",
    "{kind: StatefulSet, others: x}",
    "StatefulSet",
]


@pytest.mark.parametrize("target", MISSES)
def test_a_target_that_nothing_meets_is_told(target):
    assert told(job(component(target))) == [f"{EDGE}/kustomization.yaml:3 (patches)"]


@pytest.mark.parametrize("target", [*HITS, *UNCERTAIN])
def test_a_target_that_something_meets_or_may_have_met_is_not_told(target):
    assert told(job(component(target))) == []


def test_the_finding_is_a_warning_with_a_remedy():
    watch = Unmatched()
    watch.saw(cell(*LAYERS), job(component(MISSES[0])), [THING])
    (finding,) = watch.findings()
    assert (finding.code, finding.severity) == ("DST124", Severity.WARNING)
    assert finding.remedy == "Remove the Component or mend its targets."


def test_one_patch_that_finds_something_is_enough():
    assert told(job(component(MISSES[0], HITS[0], MISSES[1]))) == []
    assert len(told(job(component(*MISSES)))) == 1


@pytest.mark.parametrize(
    "more",
    [
        "resources: [a.yaml]\n",
        "namePrefix: x-\n",
        "transformers: [t.yaml]\n",
        "images: [{name: a, newTag: b}]\n",
        "patchesStrategicMerge: [a.yaml]\n",
        "unheardOf: true\n",
    ],
)
def test_a_component_that_does_more_than_patch_is_not_told(more):
    assert told(job(component(MISSES[0]) + more)) == []


@pytest.mark.parametrize(
    "edge",
    [
        "kind: Component\n",
        "kind: Component\npatches: []\n",
        "kind: Component\npatches: [{path: a.yaml}]\n",
        "kind: Component\npatches: {a: b}\n",
        "kind: Component\npatches: [a]\n",
        "kind: [\n",
        "a: b\n",
    ],
)
def test_a_component_that_says_nothing_of_targets_is_not_told(edge):
    assert told(job(edge)) == []


def test_patches_of_the_older_form_have_targets_too():
    text = "kind: Component\npatchesJson6902:\n  - {target: {kind: TARGET}, path: a.yaml}\n"
    assert told(job(text.replace("TARGET", "Service"))) == [
        f"{EDGE}/kustomization.yaml:2 (patches)"
    ]
    assert told(job(text.replace("TARGET", "Deployment"))) == []


GONE = component("{kind: StatefulSet}", patch="$patch: delete")
MARKS = component("{labelSelector: app=db}")
RELABELS = "kind: Component\npatches: [{path: a.yaml, patch: 'metadata: {labels: {app: x}}'}]\n"


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        (job(GONE), []),  # its own patch took away what it found
        (job(component("{kind: StatefulSet}"), GONE), []),  # one above it did
        (job(component("{kind: StatefulSet}"), patches='[{"patch": "$patch: delete"}]'), []),
        (job(MARKS, RELABELS), []),  # what it found may have got another label since
        (job(MARKS, patches='[{"patch": "/metadata/labels/app"}]'), []),
        (job(MARKS, base="$patch: delete # labels"), [EDGE]),  # below it: before it was asked
        (job(component("{name: api}"), base="options: {allowNameChange: true}"), []),
        (job(component("{name: api}"), base="replacements: []"), []),
        (job(component("{kind: Job}"), base="options: {allowNameChange: true}"), [EDGE]),
        (job(component("{kind: Job}"), component("{kind: Job}")), [OVERLAY, EDGE]),
        (job(component("{kind: Job}"), component("{kind: Deployment}")), [EDGE]),
    ],
)
def test_other_layers_count_where_they_may_hide_what_was_found(asked, found):
    assert [place.partition("/kustomization")[0] for place in told(asked)] == found


def test_a_list_may_hold_anything():
    assert told(job(component("{kind: StatefulSet}")), thing("List", "v1")) == []


def test_a_component_is_used_where_any_app_has_what_it_asks_for():
    watch, asked = Unmatched(), job(component("{kind: Deployment}"))
    watch.saw(cell(*LAYERS), asked, [thing("Service", "v1")])
    assert len(watch.findings()) == 1
    watch.saw(cell(*LAYERS), asked, [THING])
    watch.saw(cell(*LAYERS), asked, [thing("Service", "v1")])
    assert watch.findings() == ()


def test_what_no_app_is_rendered_with_is_not_told():
    assert told(job(component("{kind: Job}")), layers=LAYERS[:1]) == []
    assert Unmatched().findings() == ()


def test_a_hostile_pattern_takes_no_time():
    slow = "a.*" * 40 + "b"
    target = f"{{kind: '{slow}', name: '{slow}'}}"
    assert told(job(component(target)), thing("a" * 250, name="a" * 250)) == [
        f"{EDGE}/kustomization.yaml:3 (patches)"
    ]
