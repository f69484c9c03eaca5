"""Alive, ready, and the figures."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from distributor.errors.git import LedgerRewound, NoLedger, RemoteUnreachable
from distributor.services.state.looking import Snapshot
from tests.integration.api.conftest import app_over, blank, client_of


async def test_before_the_first_look_it_lives_but_is_not_ready(tmp_path):
    async with blank(tmp_path) as (_, app), client_of(app) as api:
        assert (await api.get("/healthz")).json() == {"status": "alive"}
        answer = await api.get("/readyz")
        assert (answer.status_code, answer.json()["code"]) == (503, "DST720")
        listed = await api.get("/api/v1/targets")
        assert (listed.status_code, listed.json()["code"]) == (503, "DST720")
        assert (await api.get("/api/v1/explain/DST720")).status_code == 200


@pytest.mark.parametrize("trouble", [NoLedger(), LedgerRewound("(head a)")])
async def test_what_stops_decisions_is_the_reason(tmp_path, trouble):
    async with blank(tmp_path) as (service, app), client_of(app) as api:
        service.trouble = trouble
        for path in ("/readyz", "/api/v1/installations"):
            answer = await api.get(path)
            assert (answer.status_code, answer.json()["code"]) == (503, trouble.code)
        assert (await api.get("/healthz")).status_code == 200


async def test_stopped_decisions_leave_what_was_seen_readable(api, service):
    service.trouble = LedgerRewound()
    assert (await api.get("/readyz")).status_code == 503
    assert (await api.get("/api/v1/targets")).json()["items"]


async def test_ready_names_the_heads_and_an_unreachable_remote(api, service):
    snapshot: Snapshot = service.snapshot
    ready = (await api.get("/readyz")).json()
    assert ready == {
        "status": "ready",
        "main": snapshot.main,
        "ledger": snapshot.ledger.head,
        "offline": "",
        "local_ledger": False,
    }
    service.offline = RemoteUnreachable("(timed out)")
    assert "timed out" in (await api.get("/readyz")).json()["offline"]


async def test_metrics_count_this_process_and_its_workers(service, settings):
    object.__setattr__(
        service.world,
        "engine",
        SimpleNamespace(
            workers=lambda: (SimpleNamespace(resident=4096), SimpleNamespace(resident=8192)),
            aclose=service.world.engine.aclose,
        ),
    )
    async with client_of(app_over(service, settings)) as api:
        answer = await api.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    lines = dict(line.rsplit(" ", 1) for line in answer.text.splitlines() if line[0] != "#")
    assert float(lines["process_resident_memory_bytes"]) > 1 << 20
    assert lines['distributor_engine_resident_bytes{worker="0"}'] == "4096.0"
    assert lines['distributor_engine_resident_bytes{worker="1"}'] == "8192.0"
    assert "distributor_decisions_stopped" in lines


async def test_workers_that_ended_disappear_from_the_metrics(api):
    assert "distributor_engine_resident_bytes{" not in (await api.get("/metrics")).text
