"""Replicas that an autoscaler owns: which refusals say so, and what is sent then."""

from __future__ import annotations

import orjson
import pytest

from distributor.adapters.kube.bodies import apply_body
from distributor.adapters.kube.messages import Answer, autoscaled, holders
from distributor.model.manifest import Manifest

SCALER = 'conflict with "kube-controller-manager" with subresource "scale" using apps/v1'


def refusal(*causes: tuple[str, str], status: int = 409) -> Answer:
    found = [{"reason": "FieldManagerConflict", "message": m, "field": f} for f, m in causes]
    body = {"kind": "Status", "details": {"causes": found}}
    return Answer(status=status, body=orjson.dumps(body))


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (refusal((".spec.replicas", SCALER)), True),
        (refusal((".spec.replicas", SCALER), (".spec.paused", SCALER)), True),
        (refusal((".spec.paused", 'conflict with "op"'), (".spec.replicas", SCALER)), True),
        (refusal((".spec.replicas", 'conflict with "kubectl" with subresource "scale"')), False),
        (refusal((".spec.replicas", 'conflict with "kube-controller-manager"')), False),
        (refusal((".spec.paused", SCALER)), False),
        (refusal((".spec.replicas", SCALER), status=422), False),
        (refusal(), False),
        (Answer(status=409, body=b"not json"), False),
        (Answer(status=200, body=b"{}"), False),
    ],
)
def test_only_an_autoscalers_number_counts(answer, expected):
    assert autoscaled(answer) is expected


def test_the_number_alone_is_left_out():
    manifest = Manifest.of(
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "web", "namespace": "shop"},
            "spec": {"replicas": 3, "paused": False},
        }
    )
    whole, rest = (orjson.loads(apply_body(manifest, autoscaled=a)) for a in (False, True))
    assert whole["spec"].pop("replicas") == 3
    assert rest == whole


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (refusal((".data.a", 'conflict with "op" using v1')), {"op"}),
        (refusal((".data.a", 'conflict with "op"'), (".data.b", 'conflict with "b c"')), {"op", "b c"}),
        (refusal((".data.a", 'conflict with "op"'), (".data.b", "another wording")), set()),
        (refusal((".data.a", 'conflict with "op"'), status=422), set()),
        (refusal(), set()),
        (Answer(status=409, body=b"not json"), set()),
    ],
)  # fmt: skip
def test_who_holds_what_an_apply_conflicts_with(answer, expected):
    assert holders(answer) == expected
