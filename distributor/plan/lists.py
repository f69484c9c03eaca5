"""How the entries of a list are matched: by merge key where the API has one, else by place.

The keys are those of the ``patchMergeKey`` and ``x-kubernetes-list-map-keys`` markers in Kubernetes' API.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

Key = tuple[tuple[str, Any], ...]
_DEFAULTS: Mapping[str, str] = MappingProxyType({"protocol": "TCP"})
OF_A_SET = ("",)
"""In the place of merge keys: entries are told apart by their value."""
_KEYS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "conditions": ("type",),
        "containers": ("name",),
        "env": ("name",),
        "ephemeralContainers": ("name",),
        "hostAliases": ("ip",),
        "imagePullSecrets": ("name",),
        "initContainers": ("name",),
        "ownerReferences": ("uid",),
        "secrets": ("name",),
        "topologySpreadConstraints": ("topologyKey", "whenUnsatisfiable"),
        "volumeDevices": ("devicePath",),
        "volumeMounts": ("mountPath",),
        "volumes": ("name",),
        "webhooks": ("name",),
    }
)


def keys_of(path: tuple[str, ...], kind: str) -> tuple[str, ...]:
    """The merge keys of the list at a path (map keys only); empty where entries go by place."""
    if path[-1:] == ("ports",):
        if kind == "Service":
            return ("port", "protocol")
        return ("containerPort", "protocol") if _in_container(path) else ()
    if kind == "CustomResourceDefinition" and path[-1:] == ("versions",):
        return ("name",)
    return _KEYS.get(path[-1], ()) if path else ()


def _in_container(path: tuple[str, ...]) -> bool:
    return len(path) > 1 and path[-2].lower().endswith("containers")


def key_of(item: object, keys: tuple[str, ...]) -> Key | None:
    """The key of one entry, with the API's defaults; ``None`` where it has none."""
    if not isinstance(item, Mapping):
        return None
    found = tuple((k, item.get(k, _DEFAULTS.get(k))) for k in keys)
    return None if any(isinstance(v, dict | list) or v is None for _, v in found) else found


def keyed(items: Sequence[Any], keys: tuple[str, ...]) -> dict[Key, Any] | None:
    """Entries by key; ``None`` where some have no key, or share one."""
    if not keys:
        return None
    found: dict[Key, Any] = {}
    for item in items:
        key = _value_key(item) if keys == OF_A_SET else key_of(item, keys)
        if key is None or key in found:
            return None
        found[key] = item
    return found


def _value_key(item: object) -> Key | None:
    return (("", item),) if isinstance(item, str | int) else None


def key_text(key: Key) -> str:
    """A key as it is written in a path: ``[name=web]``, defaults left out."""
    told = [(k, v) for k, v in key if v != _DEFAULTS.get(k)]
    return "[" + ",".join(f"{k}={v}" for k, v in told) + "]"


def names_entry(key: Key, item: object) -> bool:
    """Whether a key of managed fields names this list entry; a bare value has the empty key name."""
    if key and key[0][0] == "":
        return bool(item == key[0][1])
    return isinstance(item, Mapping) and all(
        item.get(name, _DEFAULTS.get(name)) == value for name, value in key
    )
