"""Credentials for registries, as podman, docker and Helm keep them: ``config.json`` and credential helpers."""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import os
import re
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from distributor.errors import Where
from distributor.errors.service import NotReadable
from distributor.errors.vendoring import RegistryRefused

_HELPER = re.compile(r"[A-Za-z0-9_.-]+")
_ABSENT = b"credentials not found"
"""What a helper prints for a registry that it does not know (docker/docker-credential-helpers)."""
_NO_USER = "<token>"
"""The user name by which a helper says that the secret is an identity token (same source)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """A user and password, or a token to exchange for others; never shown."""

    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    identity_token: str = field(default="", repr=False)

    def basic(self) -> str:
        """The header of basic authentication (RFC 7617)."""
        return "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode()


class DockerCredentials:
    """Looks credentials up, when a registry asks for some, in one file after another.

    ``helper_seconds`` bounds a credential helper. Raises ``NotReadable`` and ``RegistryRefused``; no
    message quotes what a file or helper says.
    """

    def __init__(self, files: tuple[Path, ...], *, helper_seconds: float = 30.0) -> None:
        self._files = files
        self._seconds = helper_seconds

    @classmethod
    def of_user(cls, environment: Mapping[str, str], home: Path) -> DockerCredentials:
        """The places that podman, docker and Helm look in, in this order."""
        places = []
        if environment.get("REGISTRY_AUTH_FILE"):
            places.append(Path(environment["REGISTRY_AUTH_FILE"]))
        if environment.get("XDG_RUNTIME_DIR"):
            places.append(Path(environment["XDG_RUNTIME_DIR"]) / "containers" / "auth.json")
        docker = environment.get("DOCKER_CONFIG")
        places.append((Path(docker) if docker else home / ".docker") / "config.json")
        helm = environment.get("HELM_REGISTRY_CONFIG")
        config = Path(environment.get("XDG_CONFIG_HOME") or home / ".config")
        places.append(Path(helm) if helm else config / "helm" / "registry" / "config.json")
        return cls(tuple(places))

    async def find(self, host: str, repository: str) -> Credential | None:
        """What is known for a registry; the longest name that fits wins, as podman has it."""
        for file in self._files:
            config = await asyncio.to_thread(_read, file)
            found = await self._find(config, host, repository)
            if found is not None:
                return found
        return None

    async def _find(
        self, config: Mapping[str, Any], host: str, repository: str
    ) -> Credential | None:
        helpers = _mapping(config.get("credHelpers"))
        auths = {_normal(key): value for key, value in _mapping(config.get("auths")).items()}
        helper = helpers.get(host)
        if isinstance(helper, str):
            return await self._ask(helper, host)
        parts = [host, *repository.split("/")]
        for length in range(len(parts), 0, -1):
            entry = _mapping(auths.get("/".join(parts[:length])))
            found = _credential(entry)
            if found is not None:
                return found
        store = config.get("credsStore")
        return await self._ask(store, _asked(host)) if isinstance(store, str) and store else None

    async def _ask(self, helper: str, host: str) -> Credential | None:
        """Run ``docker-credential-<helper> get``, which reads the host and answers in JSON."""
        if not _HELPER.fullmatch(helper):
            raise RegistryRefused("(the name of the credential helper is none)")
        name = f"docker-credential-{helper}"
        try:
            process = await asyncio.create_subprocess_exec(
                name, "get",
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            raise RegistryRefused(f"({name} cannot be run: {error.strerror})") from error
        try:
            out, _ = await asyncio.wait_for(process.communicate(host.encode()), self._seconds)
        except TimeoutError:
            raise RegistryRefused(f"({name} did not answer in {self._seconds:g} s)") from None
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                await process.wait()
        if process.returncode:
            if _ABSENT in out:
                return None
            raise RegistryRefused(f"({name} failed with {process.returncode})")
        return _answered(out, name)


def _read(file: Path) -> Mapping[str, Any]:
    try:
        document = orjson.loads(file.read_bytes())
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise NotReadable(f"({error.strerror})", where=Where(file=str(file))) from error
    except orjson.JSONDecodeError:
        # Without the cause: its text quotes the file.
        raise NotReadable("(it is no JSON)", where=Where(file=str(file))) from None
    return _mapping(document)


def _credential(entry: Mapping[str, Any]) -> Credential | None:
    """An entry of ``auths``: ``auth`` is user and password in base64."""
    token = entry.get("identitytoken")
    if isinstance(token, str) and token:
        return Credential(identity_token=token)
    auth = entry.get("auth")
    if isinstance(auth, str) and auth:
        try:
            user, _, password = base64.b64decode(auth, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            raise RegistryRefused("(the stored credentials are broken)") from None
        return Credential(user=user, password=password.rstrip("\0"))
    name, secret = entry.get("username"), entry.get("password")
    if isinstance(name, str) and isinstance(secret, str) and name:
        return Credential(user=name, password=secret)
    return None


def _answered(out: bytes, name: str) -> Credential:
    try:
        answer = _mapping(orjson.loads(out))
    except orjson.JSONDecodeError:
        answer = {}
    user, secret = answer.get("Username"), answer.get("Secret")
    if not isinstance(user, str) or not isinstance(secret, str):
        raise RegistryRefused(f"({name} gave no usable answer)")
    if user == _NO_USER:
        return Credential(identity_token=secret)
    return Credential(user=user, password=secret)


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


_HUB = "index.docker.io"


def _normal(key: str) -> str:
    """A key of ``auths`` as a host: docker writes URLs, and its own hub as ``https://index.docker.io/v1/``."""
    text = key.removeprefix("https://").removeprefix("http://").rstrip("/")
    host, slash, rest = text.partition("/")
    if host == _HUB:
        return "docker.io"
    return host if rest in {"v1", "v2"} else host + slash + rest


def _asked(host: str) -> str:
    return f"https://{_HUB}/v1/" if host == "docker.io" else host
