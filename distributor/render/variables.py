"""Variables: what late binding substitutes on one cluster, and where each value comes from."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping

from distributor.errors import Where
from distributor.errors.render import BadVariable
from distributor.model.fleet import Cluster, Environment, Installation
from distributor.model.package import BindVariable, Package
from distributor.render.values import instance_values, values_file

Bound = str | int | float | bool
"""The value of a variable, in its declared type."""

LABEL_PREFIX = "cluster_label_"
FACTS = frozenset(
    {"cluster_name", "cluster_tier", "cluster_env", "cluster_region", "cluster_domain"}
)
"""The fixed facts of a cluster; with the labels they are bound in every package."""

_NOT_A_NAME = re.compile(r"[^A-Za-z0-9_]")
_INTEGER = re.compile(r"[+-]?\d{1,18}")
_NUMBER = re.compile(r"[+-]?\d{1,18}(\.\d{1,18})?([eE][+-]?\d{1,2})?")


def is_fact(name: str) -> bool:
    """Whether a name is one of the fixed cluster facts, labels included."""
    return name in FACTS or name.startswith(LABEL_PREFIX)


def facts(cluster: Cluster) -> dict[str, str]:
    """The fixed facts of a cluster; those its file leaves out are not there.

    A label's key becomes a name by writing ``_`` for every other character. Two keys that become the
    same name give none: guessing which was meant would be worse.
    """
    found = {
        "cluster_name": cluster.name,
        "cluster_tier": cluster.tier,
        "cluster_env": cluster.environment,
        "cluster_region": cluster.region,
        "cluster_domain": cluster.domain,
    }
    result = {name: value for name, value in found.items() if value}
    names = {key: LABEL_PREFIX + _NOT_A_NAME.sub("_", key) for key in cluster.labels}
    uses = Counter(names.values())
    for key, name in names.items():
        if uses[name] == 1:
            result[name] = cluster.labels[key]
    return result


def typed(value: object, kind: str) -> Bound | None:
    """A value in a declared type, or ``None`` where it does not fit.

    Text is read as a number or a boolean where one is declared: a cluster's properties are text when
    they come from a ClusterProfile.
    """
    match kind:
        case "integer":
            return _integer(value)
        case "number":
            return _number(value)
        case "boolean":
            return value if isinstance(value, bool) else _BOOLEANS.get(str(value))
        case _:
            return value if isinstance(value, str) else None


_BOOLEANS = {"true": True, "false": False}


def _integer(value: object) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value if -(2**63) <= value < 2**63 else None
    if isinstance(value, str) and _INTEGER.fullmatch(value):
        return int(value)
    return None


def _number(value: object) -> int | float | None:
    whole = _integer(value)
    if whole is not None:
        return whole
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        return float(value)
    return None


class Variables:
    """The variables of one instance; asks the values once, and each cluster only for its own."""

    def __init__(
        self, package: Package, installation: Installation, environment: Environment
    ) -> None:
        self._declared = package.values.bind
        self._file = values_file(installation)
        values = instance_values(package, installation, environment)
        self._shared: dict[str, Bound] = {}
        bad: list[str] = []
        for variable in self._declared:
            value = values.get(variable.name)
            source = variable.default if value is None else value
            if source is not None:
                _take(self._shared, variable, source, bad)
        if bad:
            raise BadVariable("; ".join(bad), where=Where(file=self._file, field="spec.values"))

    def of(self, cluster: Cluster) -> Mapping[str, Bound]:
        """The variables on one cluster; raises ``BadVariable`` naming every value that does not fit.

        Order: fixed facts, the cluster's properties (only those that the package binds), then the
        merged values' top level, then the default of ``values.bind``.
        """
        result: dict[str, Bound] = dict(self._shared)
        bad: list[str] = []
        for variable in self._declared:
            value = cluster.properties.get(variable.name)
            if value is not None:
                _take(result, variable, value, bad)
        if bad:
            file = f"environments/{cluster.environment}/clusters/{cluster.name}.yaml"
            raise BadVariable("; ".join(bad), where=Where(file=file, field="spec.properties"))
        result.update(facts(cluster))
        return result


def variables(
    package: Package, installation: Installation, environment: Environment, cluster: Cluster
) -> Mapping[str, Bound]:
    """The late-bound variables of an instance on one cluster; for many clusters, use ``Variables``."""
    return Variables(package, installation, environment).of(cluster)


def _take(result: dict[str, Bound], variable: BindVariable, value: object, bad: list[str]) -> None:
    fitting = typed(value, variable.type)
    if fitting is None:
        bad.append(f"{variable.name} is {value!r}, declared as {variable.type}")
    else:
        result[variable.name] = fitting
