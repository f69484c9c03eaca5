"""The description: valid, complete, and a page that needs no other server."""

from __future__ import annotations

import re

import jsonschema
import pytest

from distributor.api.application import create_app
from distributor.settings import Settings

METHODS = {"get", "post", "put", "delete", "patch"}


@pytest.fixture(scope="module")
def document():
    return create_app(None, Settings()).openapi()


def operations(document):
    return {
        f"{method} {path}": operation
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if method in METHODS
    }


def refs(node):
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for value in node.values():
            yield from refs(value)
    elif isinstance(node, list):
        for value in node:
            yield from refs(value)


def test_every_topic_is_there(document):
    topics = "apps packages environments clusters installations promotions rollouts targets events history"
    for topic in topics.split():
        assert f"/api/v1/{topic}" in document["paths"]
    for path in ("/healthz", "/readyz", "/metrics", "/webhooks/git/{sender}"):
        assert path in document["paths"]


def test_every_operation_is_documented(document):
    tags = {tag["name"] for tag in document["tags"]}
    found = operations(document)
    for name, operation in found.items():
        assert operation["summary"], name
        assert len(operation["description"]) > 15, name
        assert set(operation["tags"]) <= tags, name
        assert all(p.get("description") for p in operation.get("parameters", ())), name
        assert "application/problem+json" in operation["responses"]["default"]["content"], name
        assert "422" not in operation["responses"], name
    ids = [operation["operationId"] for operation in found.values()]
    assert len(set(ids)) == len(ids)


def test_every_field_of_every_answer_is_described(document):
    for name, schema in document["components"]["schemas"].items():
        assert schema.get("description"), name
        for field, shape in schema.get("properties", {}).items():
            assert shape.get("description"), f"{name}.{field}"


def test_every_reference_leads_somewhere(document):
    for ref in set(refs(document)):
        assert re.fullmatch(r"#/components/schemas/\w+", ref)
        assert ref.rpartition("/")[2] in document["components"]["schemas"], ref


def test_the_schemas_are_json_schemas(document):
    for schema in document["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)
    assert document["openapi"].startswith("3.1")


@pytest.mark.parametrize(
    "path",
    [
        "apps",
        "packages/iis-site/1.0.0",
        "environments/sit",
        "clusters",
        "installations",
        "targets",
        "promotions",
        "promotions/promote/sit/iis-site/1.0.0",
        "history",
        "why/sit/iis-site",
    ],
)
async def test_answers_are_as_described(api, document, path):
    template = {
        "packages/iis-site/1.0.0": "packages/{app}/{version}",
        "environments/sit": "environments/{environment}",
        "promotions/promote/sit/iis-site/1.0.0": "promotions/{ref}",
        "why/sit/iis-site": "why/{environment}/{instance}",
    }.get(path, path)
    operation = document["paths"][f"/api/v1/{template}"]["get"]
    schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
    answer = (await api.get(f"/api/v1/{path}")).json()
    whole = {**schema, "components": document["components"]}
    jsonschema.Draft202012Validator(whole).validate(answer)


async def test_a_problem_is_as_described(api, document):
    answer = (await api.get("/api/v1/targets?limit=0")).json()
    whole = {"$ref": "#/components/schemas/Problem", "components": document["components"]}
    jsonschema.Draft202012Validator(whole).validate(answer)


async def test_the_page_runs_only_scripts_of_this_server(api):
    page = await api.get("/docs")
    assert page.status_code == 200
    policy = page.headers["content-security-policy"]
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy
    named = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    local = [address for address in named if not address.startswith("data:")]
    assert len(local) >= 4
    for address in local:
        assert address.startswith("/")
        answer = await api.get(address)
        assert answer.status_code == 200, address
    assert not re.search(r"<script>|\son\w+=|style=", page.text), "nothing inline: it would not run"
    assert (await api.get("/openapi.json")).json()["info"]["title"] == "Distributor"


async def test_the_scripts_are_swagger_ui(api):
    script = await api.get("/docs/assets/swagger-ui-bundle.js")
    assert script.headers["content-type"].startswith("text/javascript")
    assert "SwaggerUIBundle" in script.text[:2000]
    style = await api.get("/docs/assets/swagger-ui.css")
    assert style.headers["content-type"].startswith("text/css")
    assert "http:" not in re.sub(r"url\([^)]*\)", "", style.text)


async def test_the_top_leads_to_the_page(api):
    answer = await api.get("/")
    assert (answer.status_code, answer.headers["location"]) == (307, "/docs")
