"""Every error is a problem document (RFC 9457), and none tells of the inside."""

from __future__ import annotations

import pytest
from fastapi import APIRouter

from distributor.api.application import create_app
from distributor.api.problems import MEDIA_TYPE, problem, status_of
from distributor.errors import Where, registry
from distributor.errors.catalog import UnknownField
from distributor.errors.git import LedgerRewound, RemoteUnreachable
from distributor.errors.service import DatabaseFailed
from distributor.settings import Settings
from tests.integration.api.conftest import blank, client_of

KEYS = {"type", "title", "status", "detail", "instance", "code", "remedy", "retryable", "fields"}


def check(answer, status, code):
    assert answer.headers["content-type"] == MEDIA_TYPE
    found = answer.json()
    assert set(found) == KEYS
    assert (answer.status_code, found["status"], found["code"]) == (status, status, code)
    assert found["type"] == f"/api/v1/explain/{code}"
    assert found["title"]
    assert found["remedy"]
    return found


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/nowhere", 404, "DST707"),
        ("/docs/assets/nothing.js", 404, "DST707"),
        ("/docs/assets/..%2f..%2fcore.py", 404, "DST707"),
        ("/api/v1/apps/nothing", 404, "DST707"),
        ("/api/v1/packages/shop/9.9.9", 404, "DST707"),
        ("/api/v1/environments/nowhere", 404, "DST707"),
        ("/api/v1/clusters/sit/nothing", 404, "DST707"),
        ("/api/v1/clusters/nowhere/nothing", 404, "DST707"),
        ("/api/v1/installations/sit/nothing", 404, "DST707"),
        ("/api/v1/promotions/promote/sit/nothing/1.0.0", 404, "DST707"),
        ("/api/v1/why/sit/nothing", 404, "DST707"),
        ("/api/v1/explain/DST999", 404, "DST711"),
        ("/api/v1/targets?limit=0", 422, "DST708"),
        ("/api/v1/targets?limit=many", 422, "DST708"),
        ("/api/v1/targets?limit=100000", 422, "DST708"),
        ("/api/v1/targets?cursor=nonsense", 422, "DST708"),
        ("/api/v1/targets?health=sick", 422, "DST708"),
        ("/api/v1/events?after=-1", 422, "DST708"),
        ("/api/v1/apps?q=" + "x" * 300, 422, "DST708"),
    ],
)
async def test_what_cannot_be_answered_is_a_problem_document(api, path, status, code):
    found = check(await api.get(path), status, code)
    assert found["instance"] == path.partition("?")[0].replace("%2f", "/")


async def test_all_wrong_parameters_are_told_at_once(api):
    found = check(await api.get("/api/v1/targets?limit=0&health=sick"), 422, "DST708")
    assert [f["field"] for f in found["fields"]] == ["query.limit", "query.health"]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
async def test_nothing_can_be_changed_here(api, method):
    answer = await api.request(method, "/api/v1/promotions")
    check(answer, 405, "DST724")
    assert answer.headers["allow"] == "GET"


async def test_an_event_number_that_is_none(api):
    answer = await api.get("/api/v1/events", headers={"last-event-id": "x1"})
    check(answer, 422, "DST708")


async def test_a_crash_tells_nothing_of_the_inside(tmp_path, capsys):
    router = APIRouter()

    @router.get("/crash")
    async def crash() -> None:
        raise RuntimeError("the secret of /etc/shadow")

    @router.get("/database")
    async def database() -> None:
        raise DatabaseFailed("(disk I/O error)")

    async with blank(tmp_path) as (service, _):
        app = create_app(service, Settings())
        app.include_router(router)
        async with client_of(app) as api:
            crashed = await api.get("/crash")
            check(crashed, 500, "DST725")
            assert "shadow" not in crashed.text
            assert "Traceback" not in crashed.text
            failed = await api.get("/database")
            check(failed, 503, "DST710")
            assert failed.headers["retry-after"] == "5"
    capsys.readouterr()


@pytest.mark.parametrize("code", registry())
def test_every_error_has_a_status_and_a_document(code):
    error = registry()[code]([]) if code == "DST100" else registry()[code]("(here)")
    found = problem(error, "/x")
    assert 400 <= found.status == status_of(error) < 600
    assert found.code == code
    if error.retryable and found.status >= 500:
        assert found.status == 503


@pytest.mark.parametrize(
    ("error", "status", "detail"),
    [
        (RemoteUnreachable("(timed out)"), 503, "timed out"),
        (LedgerRewound("(head a, last seen b)"), 503, "head a, last seen b"),
        (UnknownField("", where=Where(file="a.yaml", line=3)), 500, "a.yaml:3: "),
        (DatabaseFailed("it (the disk) is full"), 503, "it (the disk) is full"),
        (DatabaseFailed(), 503, "The database failed."),
    ],
)
def test_the_detail_is_what_happened_this_time(error, status, detail):
    found = problem(error, "/x")
    assert (found.status, found.detail) == (status, detail)
