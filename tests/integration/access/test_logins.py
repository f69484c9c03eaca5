"""Every way of a kubeconfig to say who one is and where to, against a real API server."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from distributor.adapters.kube import KubeSettings, Limits
from distributor.adapters.kube.messages import Request
from distributor.adapters.kube.transport import Transport
from distributor.errors import DistributorError
from distributor.errors.cluster import ClusterUnreachable, LoginFailed, UnknownConnection
from tests.controlplane import ControlPlane
from tests.integration.access.conftest import write_config

pytestmark = [pytest.mark.controlplane, pytest.mark.timeout(120)]

WHOAMI = Request(
    method="POST",
    path="/apis/authentication.k8s.io/v1/selfsubjectreviews",
    body=json.dumps(
        {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    ).encode(),
)
HIDDEN = "hunter2-hunter2"
V1 = "client.authentication.k8s.io/v1"


@pytest.fixture
def plane(control_planes) -> ControlPlane:
    (found,) = control_planes(1)
    return found


async def who(settings: KubeSettings, **limits: Any) -> dict[str, Any]:
    """Whom the API server takes us for."""
    transport = Transport(settings, Limits(**limits))
    try:
        answer = await transport.send(WHOAMI)
        return answer.object("Who am I")["status"]["userInfo"]
    finally:
        await transport.aclose()


async def refused(settings: KubeSettings, **limits: Any) -> DistributorError:
    with pytest.raises(DistributorError) as caught:
        await who(settings, **limits)
    told = f"{caught.value} {caught.value.hint} {caught.value.__cause__} {caught.value.__context__}"
    assert HIDDEN not in told
    return caught.value


def pem(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()


def plugin(folder: Path, body: str) -> str:
    """A script that is an exec plugin."""
    path = folder / "plugin"
    path.write_text(f"#!{sys.executable}\nimport json, os, sys, time\n{body}\n")
    path.chmod(0o700)
    return str(path)


def answers(version: str = V1, **status: str) -> str:
    given = {"apiVersion": version, "kind": "ExecCredential", "status": status}
    return f"print({json.dumps(json.dumps(given))})"


async def test_certificates_as_files_and_as_data(plane: ControlPlane, tmp_path: Path) -> None:
    cert, key = plane.certs.user("carol", ["crew"])
    files = {"client-certificate": str(cert), "client-key": str(key)}
    data = {"client-certificate-data": pem(cert), "client-key-data": pem(key)}
    authority = {"certificate-authority": None, "certificate-authority-data": pem(plane.ca)}
    for user, cluster in ((files, {}), (data, {}), (data, authority)):
        config = write_config(tmp_path / "config", plane, user, **cluster)
        seen = await who(KubeSettings(kubeconfig=config))
        assert (seen["username"], "crew" in seen["groups"]) == ("carol", True)


async def test_files_beside_the_kubeconfig(
    plane: ControlPlane, tmp_path: Path, monkeypatch
) -> None:
    (tmp_path / "token").write_text(f"{plane.admin_token}\n")
    (tmp_path / "ca.crt").write_bytes(plane.ca.read_bytes())
    way = {"certificate-authority": "ca.crt"}
    config = write_config(tmp_path / "config", plane, {"tokenFile": "token"}, **way)
    monkeypatch.chdir("/")
    assert (await who(KubeSettings(kubeconfig=config)))["username"] == "admin"


async def test_no_key_stays_on_disk(plane: ControlPlane, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temp"))
    (tmp_path / "temp").mkdir()
    cert, key = plane.certs.user("carol")
    data = {"client-certificate-data": pem(cert), "client-key-data": pem(key)}
    config = write_config(tmp_path / "config", plane, data)
    assert (await who(KubeSettings(kubeconfig=config)))["username"] == "carol"
    assert list((tmp_path / "temp").iterdir()) == []


@pytest.mark.parametrize("version", [V1, f"{V1}beta1"])
async def test_a_plugin_gives_a_token(version: str, plane: ControlPlane, tmp_path: Path) -> None:
    """With arguments and variables of the kubeconfig, and told what it is asked for."""
    body = (
        "info = json.loads(os.environ['KUBERNETES_EXEC_INFO'])\n"
        f"assert info['apiVersion'] == {version!r} and not info['spec']['interactive']\n"
        "assert info['spec']['cluster']['server'].startswith('https')\n"
        "assert sys.argv[1:] == ['--as', 'a b'] and not sys.stdin.read()\n"
        "print(json.dumps({'apiVersion': info['apiVersion'], 'kind': 'ExecCredential',"
        " 'status': {'token': os.environ['HANDED']}}))"
    )
    how = {
        "apiVersion": version,
        "command": plugin(tmp_path, body),
        "args": ["--as", "a b"],
        "env": [{"name": "HANDED", "value": plane.admin_token}],
        "interactiveMode": "IfAvailable",
        "provideClusterInfo": True,
    }
    config = write_config(tmp_path / "config", plane, {"exec": how})
    assert (await who(KubeSettings(kubeconfig=config)))["username"] == "admin"


async def test_a_plugin_beside_the_kubeconfig_gives_a_certificate(plane, tmp_path: Path) -> None:
    cert, key = plane.certs.user("dave")
    pair = {"clientCertificateData": cert.read_text(), "clientKeyData": key.read_text()}
    plugin(tmp_path, answers(**pair))
    config = write_config(
        tmp_path / "config", plane, {"exec": {"apiVersion": V1, "command": "./plugin"}}
    )
    assert (await who(KubeSettings(kubeconfig=config)))["username"] == "dave"


BROKEN = {
    "fails": f"print({HIDDEN!r}); print({HIDDEN!r}, file=sys.stderr); sys.exit(3)",
    "prints nothing": "",
    "prints rubbish": f"print({HIDDEN!r})",
    "prints a list": f"print('[\"{HIDDEN}\"]')",
    "prints no credentials": answers(note=HIDDEN),
    "prints half a pair": answers(clientCertificateData=HIDDEN),
    "prints an empty token": answers(token=""),
    "another version": answers(f"{V1}beta1", token=HIDDEN),
    "prints without end": f"[print({HIDDEN!r} * 1000) for _ in range(10**6)]",
    "hangs": f"print({HIDDEN!r}, flush=True); time.sleep(600)",
    "leaves a child that holds on": (
        f"print({HIDDEN!r}, flush=True)\nif os.fork() == 0: time.sleep(600)"
    ),
}


@pytest.mark.parametrize("name", BROKEN)
async def test_a_plugin_that_gives_nothing_is_told_and_tried_again(
    name: str, plane: ControlPlane, tmp_path: Path
) -> None:
    how = {"apiVersion": V1, "command": plugin(tmp_path, BROKEN[name])}
    config = write_config(tmp_path / "config", plane, {"exec": how})
    error = await refused(KubeSettings(kubeconfig=config), login=5.0)
    assert type(error) is LoginFailed
    assert error.retryable
    assert "plugin" in str(error)


async def test_all_who_wait_for_a_plugin_share_its_end(plane, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    body = f"open({str(runs)!r}, 'a').write('x'); time.sleep(600)"
    how = {"apiVersion": V1, "command": plugin(tmp_path, body)}
    config = write_config(tmp_path / "config", plane, {"exec": how})
    transport = Transport(KubeSettings(kubeconfig=config), Limits(login=2.0))
    asked = [transport.send(WHOAMI) for _ in range(8)]
    found = await asyncio.gather(*asked, return_exceptions=True)
    assert {type(error) for error in found} == {LoginFailed}
    assert len({id(error) for error in found}) == len(found), "each may note where it came up"
    assert runs.read_text() == "x"
    await transport.aclose()


async def test_nobody_waits_for_a_plugin_at_the_end(plane, tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    body = f"open({str(pid)!r}, 'w').write(str(os.getpid())); time.sleep(600)"
    how = {"apiVersion": V1, "command": plugin(tmp_path, body)}
    config = write_config(tmp_path / "config", plane, {"exec": how})
    transport = Transport(KubeSettings(kubeconfig=config), Limits(login=300.0))
    asking = asyncio.create_task(transport.send(WHOAMI))
    async with asyncio.timeout(60):
        while not (pid.exists() and pid.read_text()):
            await asyncio.sleep(0.05)
    asking.cancel()
    await transport.aclose()
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)


@pytest.mark.parametrize(
    "how",
    [
        {"apiVersion": V1},
        {"apiVersion": f"{V1}alpha1", "command": "x"},
        {"apiVersion": V1, "command": "x", "interactiveMode": "Always"},
        {"apiVersion": V1, "command": "x", "env": [HIDDEN]},
        {"apiVersion": V1, "command": "x", "args": 3},
    ],
)
async def test_a_plugin_that_can_never_be_run_is_a_setting(how: dict, plane, tmp_path) -> None:
    config = write_config(tmp_path / "config", plane, {"exec": how})
    assert type(await refused(KubeSettings(kubeconfig=config))) is UnknownConnection


async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    while piece := await source.read(65536):
        sink.write(piece)
        await sink.drain()
    sink.close()


@asynccontextmanager
async def elsewhere(plane: ControlPlane) -> AsyncIterator[str]:
    """The API server under an address that its certificate does not hold."""
    host, _, port = plane.url.removeprefix("https://").rpartition(":")

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(host, int(port))
        await asyncio.gather(pump(reader, back), pump(there, writer), return_exceptions=True)

    server = await asyncio.start_server(serve, "127.0.0.2", 0)
    try:
        yield f"https://127.0.0.2:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


async def test_servers_that_are_called_otherwise(plane: ControlPlane, tmp_path: Path) -> None:
    token = {"token": plane.admin_token}
    other = tmp_path / "other.crt"
    other.write_bytes(plane.certs.user("nobody")[0].read_bytes())

    async def seen(**way: Any) -> str:
        config = write_config(tmp_path / "config", plane, token, **way)
        return (await who(KubeSettings(kubeconfig=config)))["username"]

    async with elsewhere(plane) as there:
        with pytest.raises(ClusterUnreachable):
            await seen(server=there)
        assert await seen(server=there, **{"tls-server-name": "kubernetes.default.svc"}) == "admin"
        no_authority = {"certificate-authority": None, "insecure-skip-tls-verify": True}
        assert await seen(server=there, **no_authority) == "admin"
    with pytest.raises(ClusterUnreachable):
        await seen(**{"certificate-authority": str(other)})


@asynccontextmanager
async def tunnel() -> AsyncIterator[tuple[int, list[bytes]]]:
    """A proxy on this machine that connects to whatever it is asked for (RFC 9110, CONNECT)."""
    asked: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        asked.append(head)
        host, _, port = head.split()[1].decode().rpartition(":")
        there, back = await asyncio.open_connection(host, int(port))
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        await asyncio.gather(pump(reader, back), pump(there, writer), return_exceptions=True)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], asked
    finally:
        server.close()


async def test_a_proxy_of_the_kubeconfig_is_used(plane: ControlPlane, tmp_path: Path) -> None:
    token = {"token": plane.admin_token}
    async with tunnel() as (port, asked):
        way = {"proxy-url": f"http://me:{HIDDEN}@127.0.0.1:{port}"}
        config = write_config(tmp_path / "config", plane, token, **way)
        assert (await who(KubeSettings(kubeconfig=config)))["username"] == "admin"
    (head,) = asked
    assert head.startswith(b"CONNECT 127.0.0.1:")
    assert base64.b64encode(f"me:{HIDDEN}".encode()) in head
    assert plane.admin_token.encode() not in head
    assert type(await refused(KubeSettings(kubeconfig=config))) is ClusterUnreachable


@pytest.mark.parametrize("scheme", ["socks5", "socks5h", "ftp"])
async def test_a_proxy_of_another_kind_is_refused(scheme: str, plane, tmp_path: Path) -> None:
    way = {"proxy-url": f"{scheme}://me:{HIDDEN}@127.0.0.1:1080"}
    config = write_config(tmp_path / "config", plane, {"token": plane.admin_token}, **way)
    error = await refused(KubeSettings(kubeconfig=config))
    assert type(error) is UnknownConnection
    assert scheme in str(error)


async def test_a_user_that_acts_as_another(plane: ControlPlane, tmp_path: Path) -> None:
    user = {
        "token": plane.admin_token,
        "as": "erin",
        "as-groups": ["one", "two"],
        "as-user-extra": {"why/ever": ["x"]},
    }
    config = write_config(tmp_path / "config", plane, user)
    settings = KubeSettings(kubeconfig=config)
    seen = await who(settings)
    assert seen["username"] == "erin"
    assert {"one", "two"} <= set(seen["groups"])
    assert seen["extra"] == {"why/ever": ["x"]}
    transport = Transport(settings, Limits())
    with pytest.raises(UnknownConnection, match="acts as another"):
        await transport.send(WHOAMI, headers={"Impersonate-User": "system:serviceaccount:a:b"})
    await transport.aclose()


async def test_in_the_cluster_the_account_of_the_pod_is_used(
    plane: ControlPlane, tmp_path: Path, monkeypatch
) -> None:
    host, _, port = plane.url.removeprefix("https://").rpartition(":")
    settings = KubeSettings(in_cluster=True, mount=tmp_path)
    assert type(await refused(settings)) is UnknownConnection
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", host)
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", port)
    assert type(await refused(settings)) is UnknownConnection
    (tmp_path / "ca.crt").write_bytes(plane.ca.read_bytes())
    (tmp_path / "token").write_text(f"{plane.admin_token}\n")
    assert (await who(settings))["username"] == "admin"
