"""The server itself, on real loopback ports: addresses, streams, hints, the end."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from contextlib import asynccontextmanager
from dataclasses import replace

import httpx
import pytest

from distributor.adapters.holder import Holder
from distributor.api.listening import listen
from distributor.api.server import run, serve
from distributor.app import open_service
from distributor.errors.service import AddressInUse, BadSetting, NeedsAuthentication
from distributor.settings import Settings
from tests.integration.api.conftest import ask


@asynccontextmanager
async def served(work, service, settings):
    """A client of a server on a free port, stopped by its event at the end."""
    address = asyncio.get_running_loop().create_future()
    stop = asyncio.Event()
    running = asyncio.create_task(work(service, settings, ready=address.set_result, stop=stop))
    try:
        await asyncio.wait({running, address}, return_when=asyncio.FIRST_COMPLETED, timeout=30)
        if running.done():
            running.result()
        async with httpx.AsyncClient(base_url=await address, timeout=30) as client:
            yield client, stop
    finally:
        stop.set()
        await asyncio.wait_for(running, 30)


@pytest.mark.parametrize(
    "address",
    ["0.0.0.0", "", "::", "192.0.2.1", "10.1.2.3"],  # noqa: S104 - it must be refused
)
def test_beyond_loopback_it_refuses_to_start(address):
    with pytest.raises(NeedsAuthentication):
        listen(Settings(listen=address, port=0))


@pytest.mark.parametrize("address", ["127.0.0.1", "localhost", "127.0.0.2"])
def test_on_loopback_port_0_takes_a_free_one(address):
    with listen(Settings(listen=address, port=0)) as bound:
        assert bound.getsockname()[1] > 0


@pytest.mark.parametrize(
    ("address", "port"), [("127.0.0.1", 70_000), ("no such name", 0), ("127.0.0.1.5.6", 0)]
)
def test_what_is_no_address_is_a_bad_setting(address, port):
    with pytest.raises(BadSetting):
        listen(Settings(listen=address, port=port))


async def test_a_taken_port_is_told(service):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings = Settings(port=taken.getsockname()[1])
        with pytest.raises(AddressInUse):
            await serve(service, settings)


async def test_it_answers_until_it_is_stopped(service, settings):
    async with served(serve, service, settings) as (client, stop):
        assert (await client.get("/healthz")).status_code == 200
        assert (await client.get("/readyz")).status_code == 200
        refused = await client.get("/healthz", headers={"host": "evil.example"})
        assert refused.status_code == 421
        stop.set()
        await asyncio.sleep(0.5)
        with pytest.raises(httpx.ConnectError):
            await client.get("/healthz")


async def test_the_handlers_of_signals_are_put_back(service, settings):
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    async with served(serve, service, settings):
        assert signal.getsignal(signal.SIGTERM) != before[0]
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)] == before


async def test_a_stream_of_events_ends_with_the_server_and_resumes(service, settings):
    async with served(serve, service, settings) as (client, stop):
        headers = {"last-event-id": "1"}
        async with client.stream("GET", "/api/v1/events", headers=headers) as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            lines = answer.aiter_lines()
            first = [line async for line in _until(lines, "id: ")]
            assert first[-1] == "id: 2"
            stop.set()
            async with asyncio.timeout(60):
                assert [line async for line in lines]


async def test_a_reader_that_disconnects_is_let_go(service, settings):
    async with served(serve, service, settings) as (client, _):
        async with client.stream("GET", "/api/v1/events") as answer:
            assert await anext(answer.aiter_lines()) == "retry: 2000"
            assert _followers() == 1
        async with asyncio.timeout(60):
            while _followers():
                await asyncio.sleep(0.02)


def _followers() -> int:
    return sum("_next" in repr(task.get_coro()) for task in asyncio.all_tasks())


async def _until(lines, start):
    async for line in lines:
        yield line
        if line.startswith(start):
            return


async def test_a_hint_makes_it_decide_what_was_pushed(place, settings):
    """The poll is an hour away: only the hint can have made it look."""
    async with open_service(settings, writing=True) as service:
        async with served(run, service, settings) as (client, _):
            await _wait(client, "/readyz", lambda answer: answer.status_code == 200)
            async with open_service(
                replace(settings, state_dir=str(place.root / "person")), writing=False
            ) as person:
                ref = await ask(person, "uat", "iis-site", "1.0.0")
            assert (await client.get(f"/api/v1/promotions/{ref}")).status_code == 404
            hinted = await client.post("/webhooks/git/generic", content=b"{}")
            assert hinted.status_code == 202
            found = await _wait(
                client, f"/api/v1/promotions/{ref}", lambda answer: answer.status_code == 200
            )
            assert found.json()["outcome"] == "refused"
        assert service._stopping


async def _wait(client, path, good):
    async with asyncio.timeout(30):
        while not good(answer := await client.get(path)):
            await asyncio.sleep(0.05)
    return answer


async def test_what_ends_the_reconciler_ends_the_server(service, settings, monkeypatch):
    async def broken(**_):
        raise RuntimeError("no more")

    monkeypatch.setattr(service, "run", broken)
    with pytest.raises(RuntimeError, match="no more"):
        await asyncio.wait_for(run(service, settings), 30)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_command_serves_and_stops_cleanly(place, number):
    command = [sys.executable, "-m", "distributor", "serve"]
    process = subprocess.Popen(
        [*command, "--port", "0", "--log-format", "json"],
        cwd=place.root,
        env={**os.environ, "PYTHONWARNINGS": "default"},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        heard = []
        for line in process.stderr:
            heard.append(line)
            if line.startswith("serving http://127.0.0.1:"):
                break
        url = heard[-1].split()[1].removesuffix("/docs")
        assert httpx.get(f"{url}/healthz").json() == {"status": "alive"}
        process.send_signal(number)
        _, rest = process.communicate(timeout=60)
        assert process.returncode == 0, "".join(heard) + rest
        assert "Traceback" not in rest
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--listen", "192.0.2.1"], "DST706"),
        (["--port", "-1"], "DST701"),
        (["--port", "99999"], "DST701"),
    ],
)
def test_the_command_refuses_with_a_code_before_it_takes_the_state_folder(
    place, settings, request, arguments, code
):
    holder = Holder(settings.state_path() / "holder")
    holder.take()
    request.addfinalizer(holder.release)
    command = [sys.executable, "-m", "distributor", "serve"]
    done = subprocess.run(
        [*command, *arguments],
        cwd=place.root,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, code in done.stderr) == (2, True), done.stderr
    assert "Traceback" not in done.stderr
