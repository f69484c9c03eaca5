"""Values keep their type on the whole way: a file in Git, the merge, the schema, a template or a variable."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest
import pytest_asyncio
import yaml

from distributor.catalog.loading import Loader
from distributor.cli.choosing import Wanted, choose
from distributor.cli.local import Local, LocalRenderer, engine
from distributor.errors import DistributorError
from distributor.settings import Settings
from distributor.testing.trees import MemoryTrees
from tests.integration.render.test_explain import app, doc, package

pytestmark = pytest.mark.asyncio(loop_scope="module")  # one engine for all

MAP = """
apiVersion: v1
kind: ConfigMap
metadata: {name: seen}
data:
  json: {{ .Values.v | toJson | quote }}
  kind: {{ kindOf .Values.v }}
"""
FILES = {
    "catalog/site/app.yaml": app("site"),
    "catalog/site/1.0.0/package.yaml": package(
        "site", renderer="helm", path="chart", values={
            "schema": {"type": "object", "properties": {"typed": {"type": "integer"}, "on": {"type": "boolean"}}},
            "defaults": {"typed": 1, "on": True},
        }),
    "catalog/site/1.0.0/chart/Chart.yaml": {"apiVersion": "v2", "name": "site", "version": "1.0.0"},
    "catalog/site/1.0.0/chart/templates/map.yaml": MAP,
    "environments/tiers/slim/tier.yaml": doc("Tier", "slim", {"displayName": "Slim"}),
    "environments/pipeline.yaml": doc("Pipeline", "pipeline", {"environments": [{"name": "sit"}]}),
    "environments/sit/clusters/c1.yaml": doc("Cluster", "c1", {
        "tier": "slim", "kubernetes": "1.33", "delivery": {"mode": "directory", "connection": "c1"}}),
}  # fmt: skip


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pool():
    async with engine(Settings()) as made:
        yield made


async def seen(pool, of_app: str, of_environment: str = ""):
    """What a template sees of `values.v`: the JSON of it, and the kind."""
    texts = {k: v if isinstance(v, str) else yaml.safe_dump(v) for k, v in FILES.items()}
    head = "apiVersion: distributor.dev/v1alpha1\n"
    texts["environments/sit/apps/site.yaml"] = (
        f"{head}kind: Installation\nmetadata: {{name: site}}\nspec:\n  app: site\n  values:\n{of_app}"
    )
    texts["environments/sit/environment.yaml"] = (
        f"{head}kind: Environment\nmetadata: {{name: sit}}\nspec:\n  install: explicit\n"
        f"  signatures: optional\n  defaults:\n    values:\n      site:\n        x: 1\n{of_environment}"
    )
    trees = MemoryTrees()
    catalog = Loader(trees).load(trees.add({k: v.encode() for k, v in texts.items()}))
    local = Local(root=Path(), reader=trees, catalog=catalog)
    choice = choose(local, catalog.package("site", "1.0.0"), Wanted(environment="sit"))
    bound = await LocalRenderer(local, pool).bound(choice)
    data = next(m.data() for m in bound if m.ref.name == "seen")["data"]
    return orjson.loads(data["json"]), data["kind"]


@pytest.mark.parametrize(
    ("text", "value", "kind"),
    [
        ("5", 5, "float64"),  # Helm knows no other number
        ("-7", -7, "float64"),
        ("9007199254740992", 2**53, "float64"),
        ("1.10", 1.1, "float64"),
        ('"1.10"', "1.10", "string"),
        ("0.1", 0.1, "float64"),
        ("1e3", 1000, "float64"),
        ("0x1F", 31, "float64"),
        ("true", True, "bool"),
        ("false", False, "bool"),
        ('"true"', "true", "string"),
        ('"on"', "on", "string"),
        ("y", "y", "string"),
        ("2026-01-01", "2026-01-01", "string"),
        ("2026-01-01T10:00:00Z", "2026-01-01T10:00:00Z", "string"),
        ("12:30:45", "12:30:45", "string"),
        ("1_000", "1_000", "string"),
        ('"007"', "007", "string"),
        ('""', "", "string"),
        ("~", None, "invalid"),
        ("[1, 1.5, true, a]", [1, 1.5, True, "a"], "slice"),
        ("{a: 1, b: {c: false}}", {"a": 1, "b": {"c": False}}, "map"),
    ],
)
async def test_what_a_template_sees(pool, text, value, kind):
    found = await seen(pool, f"    v: {text}\n")
    assert found == (value, kind)
    assert type(found[0]) is type(value)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("on", "DST101"), ("off", "DST101"), ("yes", "DST101"), ("no", "DST101"),  # a boolean to some parsers
        ("017", "DST101"), ("1e400", "DST101"), (".inf", "DST101"), (".nan", "DST101"),
        ("100000000000000000000", "DST101"), ("9007199254740993", "DST114"),
    ],
)  # fmt: skip
async def test_what_would_change_on_the_way_is_refused(pool, text, code):
    with pytest.raises(DistributorError) as caught:
        await seen(pool, f"    v: {text}\n")
    assert code in str(caught.value)
    assert "environments/sit/apps/site.yaml" in str(caught.value)


async def test_the_last_layer_wins_key_by_key(pool):
    below = "        v: {a: 1, b: {c: true, d: '4'}, e: [1, 2]}\n"
    found = await seen(pool, "    v: {b: {c: false}, e: [3], f: ~}\n", below)
    assert found[0] == {"a": 1, "b": {"c": False, "d": "4"}, "e": [3], "f": None}


@pytest.mark.parametrize(
    ("of_app", "of_environment", "field"),
    [
        ("    typed: '2'\n", "", "spec.values.typed"),
        ("    v: 1\n", "        typed: 2.5\n", "spec.values.typed"),
        ("    on: 'true'\n", "", "spec.values.on"),
        ("    on: 1\n", "", "spec.values.on"),
    ],
)
async def test_the_schema_judges_what_was_merged(pool, of_app, of_environment, field):
    with pytest.raises(DistributorError) as caught:
        await seen(pool, of_app, of_environment)
    assert "DST114" in str(caught.value)
    assert field in str(caught.value)
