"""Objects on stdout: in apply order, as YAML that every parser reads alike, or as JSON."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import yaml

from distributor.cli.output import Form, emit, table
from distributor.model.refs import ObjectRef
from distributor.plan.order import rank

_DOUBTFUL = re.compile(r"[-+.0-9].*|[yYnN]|~|=|<<", re.DOTALL)
"""Texts that some YAML parser takes for something else than text; these are quoted."""


class _Dumper(yaml.CSafeDumper):
    """Without aliases, texts of several lines as blocks."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 - the dumper's own signature
        """Write everything out."""
        return True


def _text(dumper: yaml.CSafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else "'" if _DOUBTFUL.fullmatch(text) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


def as_yaml(objects: Iterable[Mapping[str, Any]]) -> str:
    """The objects as one YAML stream."""
    return yaml.dump_all(
        objects, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=4096,
        explicit_start=True,
    )  # fmt: skip


def ref_of(obj: Mapping[str, Any]) -> ObjectRef:
    """The identity of an object as far as it has one."""
    metadata = obj.get("metadata")
    fields = metadata if isinstance(metadata, Mapping) else {}
    group, slash, _ = str(obj.get("apiVersion", "")).rpartition("/")
    name = fields.get("name") or fields.get("generateName") or ""
    return ObjectRef(
        group if slash else "",
        str(obj.get("kind", "")),
        str(fields.get("namespace") or ""),
        str(name),
    )


def in_order(objects: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The objects in apply order; equal input prints equally."""
    return sorted(objects, key=lambda o: (rank(ref_of(o)), ref_of(o)))


def show(objects: Sequence[Mapping[str, Any]], form: Form) -> None:
    """Print objects: a YAML stream, a JSON list, or a table of what there is."""
    match form:
        case Form.YAML:
            sys.stdout.write(as_yaml(objects))
        case Form.JSON:
            emit(list(objects), form)
        case Form.TABLE:
            refs = [(o, ref_of(o)) for o in objects]
            rows = [(str(o.get("apiVersion", "")), r.kind, r.namespace, r.name) for o, r in refs]
            table(("apiVersion", "kind", "namespace", "name"), rows)
