"""Kubeconfigs: one context of a file, with its paths made whole and its plugin's answer in the plugin's place."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import yaml

from distributor.adapters.kube.plugins import credentials
from distributor.errors.cluster import UnknownConnection

_FILES = ("certificate-authority", "client-certificate", "client-key", "tokenFile")
_DATA = ("certificate-authority", "client-certificate", "client-key")
_PROXIES = frozenset({"http", "https"})
_NAME = "it"


def read(path: Path, context: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The cluster and the user of a context; raises what YAML and mappings of a wrong shape raise."""
    document = yaml.safe_load(path.read_text("utf-8"))
    wanted = context or document["current-context"]
    chosen = _named(document["contexts"], wanted)["context"]
    cluster = _named(document["clusters"], chosen["cluster"])["cluster"]
    users = [u for u in document.get("users") or () if u["name"] == chosen.get("user")]
    user = (users[0].get("user") or {}) if users else {}
    proxy = urlsplit(str(cluster.get("proxy-url") or ""))
    if proxy.scheme not in _PROXIES | {""}:
        raise UnknownConnection(
            f"{path}: its proxy-url is of scheme {proxy.scheme}; there are http and https."
        )
    return _whole(cluster, path.parent), _whole(user, path.parent)


def _named(entries: list[Mapping[str, Any]], name: str) -> Mapping[str, Any]:
    (found,) = (entry for entry in entries if entry["name"] == name)
    return found


def _whole(entry: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Files of a kubeconfig lie beside it, unless they say otherwise."""
    beside = {k: str(folder / entry[k]) for k in _FILES if entry.get(k)}
    return {k: v for k, v in {**entry, **beside}.items() if v not in (None, "")}


async def authenticated(
    cluster: Mapping[str, Any], user: Mapping[str, Any], folder: Path, deadline: float
) -> dict[str, Any]:
    """The user with what its plugin gave, if it has one."""
    if "exec" not in user:
        return dict(user)
    given = await credentials(user["exec"], cluster, folder, deadline)
    return {k: v for k, v in user.items() if k != "exec"} | given


def document(cluster: Mapping[str, Any], user: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """A kubeconfig of nothing else. Keys and certificates become files in ``folder``, which may go soon."""
    return {
        "clusters": [{"name": _NAME, "cluster": _filed(cluster, folder)}],
        "users": [{"name": _NAME, "user": _filed(user, folder)}],
        "contexts": [{"name": _NAME, "context": {"cluster": _NAME, "user": _NAME}}],
        "current-context": _NAME,
    }


def _filed(entry: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    found = dict(entry)
    for name in _DATA:
        data = found.pop(f"{name}-data", None)
        if data is not None:
            file = folder / name
            file.touch(mode=0o600)
            file.write_bytes(base64.b64decode("".join(str(data).split()), validate=True))
            found[name] = str(file)
    return found


def impersonated(user: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The headers of a user that acts as another (``as`` and its companions)."""
    if not user.get("as"):
        return []
    headers = [("Impersonate-User", str(user["as"]))]
    headers += [("Impersonate-Group", str(group)) for group in user.get("as-groups") or ()]
    headers += [("Impersonate-Uid", str(user["as-uid"]))] if user.get("as-uid") else []
    for key, values in (user.get("as-user-extra") or {}).items():
        headers += [(f"Impersonate-Extra-{quote(key, safe='')}", str(v)) for v in values]
    return headers
