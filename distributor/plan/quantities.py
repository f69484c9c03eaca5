"""Values that are equal though written differently: quantities, addresses, nothing at all."""

from __future__ import annotations

import ipaddress
import re
from decimal import Decimal, InvalidOperation, localcontext
from types import MappingProxyType

from distributor.model.manifest import canonical

_QUANTITY = re.compile(
    r"([+-]?(?:\d{1,40}(?:\.\d{0,40})?|\.\d{1,40}))(Ki|Mi|Gi|Ti|Pi|Ei|[numkMGTPE]|[eE][+-]?\d{1,2})?"
)
_SUFFIXES = MappingProxyType(
    {
        "": Decimal(1),
        **{s: Decimal(1000) ** power for power, s in enumerate(("k", "M", "G", "T", "P", "E"), 1)},
        **{s: Decimal(1024) ** n for n, s in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi", "Ei"), 1)},
        "m": Decimal("1e-3"),
        "u": Decimal("1e-6"),
        "n": Decimal("1e-9"),
    }
)
_QUANTITY_MAPS = frozenset(
    {"allocatable", "capacity", "hard", "limits", "overhead", "podFixed", "requests"}
)
_QUANTITY_FIELDS = frozenset({"averageValue", "divisor", "sizeLimit", "storage"})
_WIDTH = 80
_LIMIT_RANGE = frozenset({"default", "defaultRequest", "max", "maxLimitRequestRatio", "min"})
_ADDRESS_FIELDS = frozenset(
    {"clusterIP", "clusterIPs", "externalIPs", "hostIP", "ip", "loadBalancerIP", "podIP"}
)
_BYTES = frozenset({"binaryData", "data", "stringData"})


def quantity(value: object) -> Decimal | None:
    """The number that a Kubernetes quantity stands for (``500m``, ``1Gi``, ``2``), or ``None``."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    match = _QUANTITY.fullmatch(str(value))
    if match is None:
        return None
    amount, suffix = match.group(1), match.group(2) or ""
    try:
        with localcontext(prec=120):
            if suffix in _SUFFIXES:
                return Decimal(amount) * _SUFFIXES[suffix]
            return Decimal(amount + suffix)
    except InvalidOperation:
        return None


def is_nothing(value: object) -> bool:
    """Null, and maps and lists with nothing in them: the API server drops these."""
    return value is None or (isinstance(value, dict | list) and not value)


def is_zero(value: object) -> bool:
    """What Kubernetes' own types leave out when they are written: nothing, false, 0 and ""."""
    return is_nothing(value) or value is False or value == "" or _is_nought(value)


def _is_nought(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value == 0


def same_scalar(path: tuple[str, ...], kind: str, desired: object, live: object) -> bool:
    """Whether two scalars at a path (map keys only) mean the same."""
    if type(desired) is type(live) and desired == live:
        return True
    if isinstance(desired, bool) or isinstance(live, bool):
        return False
    if isinstance(desired, int | float) and isinstance(live, int | float):
        return desired == live
    if path and path[0] in _BYTES:
        return False
    if _holds_quantity(path, kind):
        first, second = quantity(desired), quantity(live)
        return first is not None and first == second
    if path and path[-1] in _ADDRESS_FIELDS:
        return _same_address(desired, live)
    return False


def _holds_quantity(path: tuple[str, ...], kind: str) -> bool:
    parents = set(path[:-1])
    if parents & _QUANTITY_MAPS or (path and path[-1] in _QUANTITY_FIELDS):
        return True
    if kind == "LimitRange":
        return bool(parents & _LIMIT_RANGE)
    return kind == "HorizontalPodAutoscaler" and path[-1:] == ("value",)


def _same_address(desired: object, live: object) -> bool:
    try:
        return ipaddress.ip_address(str(desired)) == ipaddress.ip_address(str(live))
    except ValueError:
        return False


def shown(value: object) -> str:
    """A value as short JSON, for people."""
    written = canonical(value).decode()
    return written if len(written) <= _WIDTH else written[: _WIDTH - 3] + "..."
