"""Random kustomizations: a base, sometimes one between, components, and an overlay that asks for anything.

Names come from few words, so that patches, replacements and references meet their objects more often
than not; what does not build must not build here either.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from hypothesis import strategies as st

WORDS = st.sampled_from(["web", "db", "job", "cfg"])
KEYS = st.sampled_from(["team", "tier", "demo.example/part"])
VALUES = st.sampled_from(["blue", "1", "yes", "null", "a.b", ""])
TEXTS = st.sampled_from(
    ["plain", "1", "true", "2020-01-01", "a: b", "q'\"", "ü", "two\nlines", " ", "0x1F", "~"]
)
IMAGES = ("registry.example/web:1.0", "busybox", "tool@sha256:" + "ab" * 32)
CONTROLLERS = ("Deployment", "StatefulSet", "DaemonSet")
COMPONENT = {"apiVersion": "kustomize.config.k8s.io/v1alpha1", "kind": "Component"}

Files = dict[str, str]
Named = tuple[str, str]


def labels() -> st.SearchStrategy[dict[str, str]]:
    return st.dictionaries(KEYS, VALUES, min_size=1, max_size=2)


@st.composite
def controllers(draw: st.DrawFn) -> dict[str, Any]:
    """An object with pods."""
    name = draw(WORDS)
    containers = [
        {
            "name": f"c{number}",
            "image": image,
            "env": [{"name": "A", "value": draw(TEXTS)}],
            "ports": [{"containerPort": 80 + number}],
        }
        for number, image in enumerate(
            draw(st.lists(st.sampled_from(IMAGES), min_size=1, max_size=2))
        )
    ]
    spec: dict[str, Any] = {"containers": containers}
    if draw(st.booleans()):
        spec["volumes"] = [{"name": "v", "configMap": {"name": draw(WORDS)}}]
    if draw(st.booleans()):
        containers[0]["envFrom"] = [{"secretRef": {"name": draw(WORDS)}}]
    body = {
        "selector": {"matchLabels": {"app": name}},
        "template": {"metadata": {"labels": {"app": name}}, "spec": spec},
    }
    kind = draw(st.sampled_from(CONTROLLERS))
    if draw(st.booleans()) and kind != "DaemonSet":
        body["replicas"] = draw(st.integers(0, 3))
    return _object("apps/v1", kind, name, spec=body)


@st.composite
def others(draw: st.DrawFn) -> dict[str, Any]:
    """An object without pods."""
    name = draw(WORDS)
    match draw(
        st.sampled_from(["Service", "ConfigMap", "Secret", "ServiceAccount", "Namespace", "Thing"])
    ):
        case "Service":
            return _object(
                "v1", "Service", name, spec={"selector": {"app": name}, "ports": [{"port": 80}]}
            )
        case "ConfigMap":
            data = draw(st.dictionaries(WORDS, TEXTS, max_size=2))
            return _object("v1", "ConfigMap", name, data=data)
        case "Thing":
            spec = {"list": [1, "1", True, None, 1.5], "text": draw(TEXTS), "secretName": name}
            return _object("demo.example/v1", "Thing", name, spec=spec)
        case kind:
            return _object("v1", kind, name)


def _object(version: str, kind: str, name: str, **more: object) -> dict[str, Any]:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name}, **more}


@st.composite
def patches(draw: st.DrawFn) -> dict[str, Any]:
    kind = draw(st.sampled_from([*CONTROLLERS, "Service", "ConfigMap"]))
    target = {"kind": draw(st.sampled_from([kind, ".*"]))}
    match draw(st.integers(0, 3)):
        case 0:
            operation = {"op": "add", "path": "/metadata/annotations", "value": draw(labels())}
            return {"target": target, "patch": json.dumps([operation])}
        case 1:
            operation = {"op": "replace", "path": "/metadata/labels", "value": draw(labels())}
            return {"target": target, "patch": json.dumps([operation])}
        case 2:
            merge = _object("apps/v1", "Any", "any")
            merge["metadata"]["annotations"] = draw(labels())
            return {"target": target, "patch": json.dumps(merge)}
        case _:
            container = {
                "name": "c0",
                "env": [{"name": draw(st.sampled_from("AB")), "value": draw(TEXTS)}],
            }
            spec = {"template": {"spec": {"containers": [container]}}}
            merge = _object("apps/v1", "Any", "any", spec=spec)
            return {"target": {"kind": "Deployment"}, "patch": json.dumps(merge)}


@st.composite
def replacements(draw: st.DrawFn, known: Sequence[Named]) -> dict[str, Any]:
    kind, name = draw(st.sampled_from([*known, ("Service", "web")]))
    source = {"kind": kind, "name": name, "fieldPath": "metadata.name"}
    target, field = draw(
        st.sampled_from(
            [
                ("Thing", "metadata.annotations.copied"),
                ("Service", "metadata.labels.copied"),
                ("Deployment", "spec.template.spec.containers.0.env.0.value"),
            ]
        )
    )
    wanted = {"select": {"kind": target}, "fieldPaths": [field], "options": {"create": True}}
    return {"source": source, "targets": [wanted]}


@st.composite
def generators(draw: st.DrawFn, level: str) -> dict[str, Any]:
    """A name of its own, so that it is new, or a word that a base may have generated too."""
    given = draw(st.dictionaries(WORDS, TEXTS, min_size=1, max_size=2))
    made: dict[str, Any] = {"name": f"{level}-{draw(WORDS)}"}
    made["literals"] = [f"{key}={value}" for key, value in given.items()]
    if level == "base":
        made["name"] = draw(WORDS)
    elif draw(st.integers(0, 3)) == 0:
        made["name"] = draw(WORDS)
        made["behavior"] = draw(st.sampled_from(["merge", "replace"]))
    if draw(st.integers(0, 3)) == 0:
        made["options"] = {"disableNameSuffixHash": True, "labels": draw(labels())}
    return made


IMAGE_CHANGES = ({"newTag": "2"}, {"newName": "mirror/x"}, {"digest": "sha256:" + "cd" * 32})
PLAIN: Mapping[str, st.SearchStrategy[Any]] = {
    "namePrefix": st.sampled_from(["p-", "x.y-"]),
    "nameSuffix": st.sampled_from(["-s", "-2"]),
    "namespace": st.sampled_from(["shop", "other"]),
    "commonLabels": labels(),
    "commonAnnotations": labels(),
    "labels": labels().map(lambda pairs: [{"pairs": pairs, "includeTemplates": True}]),
    "images": st.tuples(
        st.sampled_from(["registry.example/web", "busybox", "tool"]), st.sampled_from(IMAGE_CHANGES)
    ).map(lambda image: [{"name": image[0], **image[1]}]),
    "generatorOptions": labels().map(lambda pairs: {"annotations": pairs}),
    "patches": st.lists(patches(), min_size=1, max_size=2),
}


@st.composite
def fields(draw: st.DrawFn, level: str, known: Sequence[Named]) -> dict[str, Any]:
    """What a kustomization asks for; all but the base may also change what lies below them."""
    one = {"min_size": 1, "max_size": 2, "unique_by": lambda made: made["name"]}
    choices = {
        **PLAIN,
        "configMapGenerator": st.lists(generators(level), **one),
        "secretGenerator": st.lists(generators(level), **one),
    }
    scaled = [name for kind, name in known if kind in CONTROLLERS[:2]]
    if level != "base":
        choices["replacements"] = st.lists(replacements(known), min_size=1, max_size=1)
    if level != "base" and scaled:
        counts = st.tuples(st.sampled_from(scaled), st.integers(0, 5))
        choices["replicas"] = counts.map(lambda pair: [{"name": pair[0], "count": pair[1]}])
    if level == "top":
        choices["sortOptions"] = st.sampled_from([{"order": "fifo"}, {"order": "legacy"}])
    least = 1 if level.startswith("part") else 0
    names = draw(
        st.lists(st.sampled_from(sorted(choices)), unique=True, min_size=least, max_size=4)
    )
    return {name: draw(choices[name]) for name in names}


@st.composite
def compositions(draw: st.DrawFn) -> Files:
    """Files by path; the overlay to build is in `top`."""
    found = draw(st.lists(st.one_of(controllers(), others()), min_size=1, max_size=5))
    objects = {(o["kind"], o["metadata"]["name"]): o for o in found}
    known = list(objects)
    files = {"base/all.yaml": "\n---\n".join(map(json.dumps, objects.values()))}
    kustomizations: dict[str, dict[str, Any]] = {
        "base": {"resources": ["all.yaml"], **draw(fields("base", known))},
        "top": {"resources": ["../base"], **draw(fields("top", known))},
    }
    if draw(st.booleans()):
        kustomizations["between"] = {"resources": ["../base"], **draw(fields("between", known))}
        kustomizations["top"]["resources"] = ["../between"]
    for number in range(draw(st.integers(0, 2))):
        kustomizations[f"part{number}"] = COMPONENT | draw(fields(f"part{number}", known))
        kustomizations["top"].setdefault("components", []).append(f"../part{number}")
    return files | {f"{d}/kustomization.yaml": json.dumps(k) for d, k in kustomizations.items()}
