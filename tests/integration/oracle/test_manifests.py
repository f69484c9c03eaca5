"""Plain manifests: every value is what Kubernetes reads, by the reader that Helm confirms."""

from __future__ import annotations

import json

import pytest

from distributor.model.package import Renderer
from distributor.model.rendering import RenderJob
from tests.integration.oracle.test_reading import SCALARS
from tests.oracle import difference
from tests.oracle.comparing import rendered
from tests.oracle.reading import objects

BEYOND = frozenset(("18446744073709551616", "-9223372036854775809"))
"""Integers that no 64 bits hold: Kubernetes would round them, here they are exact or refused."""
HEAD = "apiVersion: demo.example/v1\nkind: Odd\nmetadata: {name: a}\n"


@pytest.fixture
def same(ours):
    """Hold the engine to the reader on one file."""

    async def check(text: str) -> None:
        files = {"all/a.yaml": text.encode()}
        found = await ours(RenderJob(renderer=Renderer.RAW, files=files, path="all"))
        assert found.objects, found.error
        assert difference(found.objects, rendered(objects(text.encode()))) == ""

    return check


@pytest.mark.parametrize("scalar", [s for s in SCALARS if s not in BEYOND])
async def test_a_scalar(same, scalar):
    await same(f"{HEAD}spec:\n  value: {scalar}\n  list: [{scalar}]\n")


@pytest.mark.parametrize(
    "text",
    [
        "spec: {yes: 1, 12: 2, 'on': 3, 0x10: 4, ~x: 5}",
        "base: &b {x: 1, y: 2}\nmerged: {<<: *b, z: 3}\nlist: {<<: [{x: 5}, *b]}\nsame: *b",
        "a: |\n  one\n    two\nb: >-\n  one\n  two\nc: \"\\u00fc \\t\"\nd: 'it''s'\ne:\nf: []\ng: {}",
        "---\n# nothing\n---\n" + HEAD.replace("{name: a}", "{name: b}") + "---\n",
    ],
    ids=["keys", "merges", "blocks", "documents"],
)
async def test_a_document(same, text):
    await same(HEAD + text + "\n")


async def test_json_is_yaml_too(same):
    body = {"a": [1, 1.5, True, None, "yes", "ü", "\u2028"], "b": {"": "empty", "x": {}}}
    head = {"apiVersion": "demo.example/v1", "kind": "Odd", "metadata": {"name": "a"}}
    await same(json.dumps({**head, **body}, indent=1))
