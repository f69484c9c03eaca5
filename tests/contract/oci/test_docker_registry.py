"""A registry that is not ours: the Debian package ``docker-registry``, where the machine has it."""

from __future__ import annotations

import asyncio
import base64
import json
import shutil
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest

from distributor.adapters.clock import SystemClock
from distributor.adapters.oci import DockerCredentials, OciRegistry, Transport
from distributor.errors.vendoring import ArtifactMissing, RegistryRefused
from distributor.model.artifacts import Reference
from tests.contract.oci.fake_registry import CHART, MANIFEST, descriptor, digest, manifest
from tests.contract.oci.tars import CHART as FILES
from tests.contract.oci.tars import packed

PROGRAM = shutil.which("docker-registry")
pytestmark = pytest.mark.skipif(
    PROGRAM is None, reason="the Debian package docker-registry is not on this machine"
)
LAYER = packed(FILES)
# ann:hunter2, as bcrypt
PASSWORDS = "ann:$2b$05$Gey/q3QzjZSjI0y5C5FS1.e45BaqhG1I.2HYwMuiBE1lalZlNZp8.\n"
CONFIG = """version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage: {{filesystem: {{rootdirectory: {folder}/store}}}}
http: {{addr: "127.0.0.1:{port}"}}
auth: {{htpasswd: {{realm: test, path: {folder}/htpasswd}}}}
"""


@dataclass(frozen=True)
class Running:
    host: str
    folder: Path

    def client(self, auth: str = "ann:hunter2") -> OciRegistry:
        entry = {"auth": base64.b64encode(auth.encode()).decode()}
        (self.folder / "config.json").write_text(json.dumps({"auths": {self.host: entry}}))
        credentials = DockerCredentials((self.folder / "config.json",))
        return OciRegistry(Transport(credentials, SystemClock()))

    def reference(self, tag: str) -> Reference:
        return Reference.parse(f"oci://{self.host}/charts/podinfo{tag}")


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Running]:
    assert PROGRAM
    port = free_port()
    (tmp_path / "htpasswd").write_text(PASSWORDS)
    (tmp_path / "registry.yml").write_text(CONFIG.format(folder=tmp_path, port=port))
    process = await asyncio.create_subprocess_exec(
        PROGRAM, "serve", str(tmp_path / "registry.yml"), stderr=asyncio.subprocess.DEVNULL
    )
    try:
        async with asyncio.timeout(30):
            while not await answers(port):
                await asyncio.sleep(0.05)
        await push(f"http://127.0.0.1:{port}/v2/charts/podinfo")
        yield Running(f"127.0.0.1:{port}", tmp_path)
    finally:
        process.kill()
        await process.wait()


async def answers(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    await writer.wait_closed()
    return True


async def push(url: str) -> None:
    """Upload one chart in the way of the distribution specification."""
    user = {"Authorization": "Basic " + base64.b64encode(b"ann:hunter2").decode()}
    async with aiohttp.ClientSession(headers=user) as session:
        for blob in (LAYER, b"{}"):
            async with session.post(f"{url}/blobs/uploads/") as begun:
                where = begun.headers["Location"]
            mark = "&" if "?" in where else "?"
            async with session.put(f"{where}{mark}digest={digest(blob)}", data=blob) as done:
                assert done.status == 201, await done.text()
        body = manifest(descriptor(LAYER, CHART))
        headers = {"Content-Type": MANIFEST}
        async with session.put(f"{url}/manifests/6.7.1", data=body, headers=headers) as done:
            assert done.status == 201, await done.text()


async def test_by_tag_and_by_digest(running: Running) -> None:
    client = running.client()
    artifact = await client.resolve(running.reference(":6.7.1"))
    assert artifact.digest == digest(manifest(descriptor(LAYER, CHART)))
    assert await client.fetch(artifact) == LAYER
    again = await client.resolve(running.reference(f"@{artifact.digest}"))
    assert (again.digest, again.layer) == (artifact.digest, artifact.layer)
    with pytest.raises(ArtifactMissing):
        await client.resolve(running.reference(":9.9.9"))
    await client.aclose()


async def test_with_the_wrong_password(running: Running) -> None:
    client = running.client("ann:wrong")
    with pytest.raises(RegistryRefused) as caught:
        await client.resolve(running.reference(":6.7.1"))
    assert "wrong" not in str(caught.value)
    await client.aclose()
