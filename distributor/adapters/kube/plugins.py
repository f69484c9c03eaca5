"""Exec plugins: the command of a kubeconfig that prints credentials (client.authentication.k8s.io)."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from distributor.errors.cluster import LoginFailed, UnknownConnection

_GROUP = "client.authentication.k8s.io"
_VERSIONS = (f"{_GROUP}/v1", f"{_GROUP}/v1beta1")
_LARGEST = 1024 * 1024


async def credentials(
    spec: Mapping[str, Any], cluster: Mapping[str, Any], folder: Path, deadline: float
) -> dict[str, str]:
    """Run a plugin; what it gave, as the fields of a kubeconfig's user.

    Raises ``LoginFailed``, or ``UnknownConnection`` where the plugin can never be run here. No message
    repeats what the plugin said: it may be a secret.
    """
    version, command = spec.get("apiVersion"), spec.get("command")
    if version not in _VERSIONS:
        raise UnknownConnection(
            f"The exec plugin's apiVersion is not one of {', '.join(_VERSIONS)}."
        )
    if not isinstance(command, str) or not command:
        raise UnknownConnection("The exec plugin has no command.")
    if spec.get("interactiveMode") == "Always":
        raise UnknownConnection(f"The exec plugin {command} asks a person; nobody is there.")
    argv = [_program(command, folder), *(str(each) for each in spec.get("args") or ())]
    added = {str(each["name"]): str(each["value"]) for each in spec.get("env") or ()}
    asked: dict[str, Any] = {"interactive": False}
    if spec.get("provideClusterInfo"):
        asked["cluster"] = _told(cluster)
    info = {"apiVersion": version, "kind": "ExecCredential", "spec": asked}
    env = {**os.environ, **added, "KUBERNETES_EXEC_INFO": orjson.dumps(info).decode()}
    answer = await _output(argv, env, command, deadline)
    return _read(answer, version, command)


def _program(command: str, folder: Path) -> str:
    """A bare name is looked up; a path with a folder in it starts at the kubeconfig's."""
    return str(folder / command) if "/" in command else command


def _told(cluster: Mapping[str, Any]) -> dict[str, Any]:
    """The cluster as plugins are told of it, without the kubeconfig's own files."""
    names = {"server", "tls-server-name", "insecure-skip-tls-verify", "proxy-url"}
    told = {name: value for name, value in cluster.items() if name in names}
    if "certificate-authority-data" in cluster:
        told["certificate-authority-data"] = cluster["certificate-authority-data"]
    elif "certificate-authority" in cluster:
        authority = Path(str(cluster["certificate-authority"])).read_bytes()
        told["certificate-authority-data"] = base64.b64encode(authority).decode()
    for extension in cluster.get("extensions") or ():
        if extension.get("name") == f"{_GROUP}/exec":
            told["config"] = extension.get("extension")
    return told


async def _output(argv: list[str], env: Mapping[str, str], command: str, deadline: float) -> bytes:
    """What a command prints; it and all that it started are gone afterwards."""
    try:
        process = await asyncio.create_subprocess_exec(
            *argv,
            env=env,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError as error:
        raise LoginFailed(f"The exec plugin {command}: {error.strerror}.") from None
    try:
        async with asyncio.timeout(deadline):
            answer = await _bounded(process.stdout, command) if process.stdout else b""
            code = await process.wait()
    except TimeoutError:
        raise LoginFailed(f"The exec plugin {command} gave nothing in {deadline:g} s.") from None
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
    if code:
        raise LoginFailed(f"The exec plugin {command} ended with {code}.")
    return answer


async def _bounded(stream: asyncio.StreamReader, command: str) -> bytes:
    answer = bytearray()
    while piece := await stream.read(65536):
        answer += piece
        if len(answer) > _LARGEST:
            raise LoginFailed(f"The exec plugin {command} prints more than {_LARGEST} bytes.")
    return bytes(answer)


def _read(answer: bytes, version: str, command: str) -> dict[str, str]:
    """The credentials of an ``ExecCredential``; raises ``LoginFailed`` for anything else."""
    wrong = LoginFailed(f"The exec plugin {command} printed no ExecCredential of {version}.")
    try:
        given = orjson.loads(answer)
    except orjson.JSONDecodeError:
        raise wrong from None
    if not isinstance(given, dict) or (given.get("kind"), given.get("apiVersion")) != (
        "ExecCredential",
        version,
    ):
        raise wrong
    status = given.get("status")
    status = status if isinstance(status, dict) else {}
    token = status.get("token")
    certificate, key = status.get("clientCertificateData"), status.get("clientKeyData")
    found: dict[str, str] = {}
    if isinstance(token, str) and token:
        found["token"] = token
    if isinstance(certificate, str) and isinstance(key, str) and certificate and key:
        found["client-certificate-data"] = base64.b64encode(certificate.encode()).decode()
        found["client-key-data"] = base64.b64encode(key.encode()).decode()
    if not found:
        raise LoginFailed(f"The exec plugin {command} gave neither a token nor a certificate.")
    return found
