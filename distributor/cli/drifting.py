"""What the commands about drift share: rows, the rules that would silence them, and rules from files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distributor.cli.output import Form, emit, say, table

if TYPE_CHECKING:
    from distributor.model.package import IgnoreRule
    from distributor.model.refs import ObjectRef
    from distributor.plan import Comparison, FieldDrift

_WHOLE: Mapping[str, Any] = {"field": "", "desired": None, "live": None, "owner": "", "pointer": ""}


def rows_of(found: Comparison) -> list[dict[str, Any]]:
    """A row for each object that is missing, and for each field that is not as desired."""
    rows = [{"object": str(ref), "drift": "missing", **_WHOLE} for ref in found.missing]
    for ref, fields in found.changed.items():
        rows += field_rows(ref, fields)
    return rows


def field_rows(ref: ObjectRef, fields: Iterable[FieldDrift]) -> list[dict[str, Any]]:
    """A row a field."""
    return [
        {
            "object": str(ref),
            "drift": one.drifted.value,
            "field": one.path,
            "desired": one.desired,
            "live": one.live,
            "owner": one.manager,
            "pointer": one.pointer,
        }
        for one in fields
    ]


def show(rows: list[dict[str, Any]], output: Form) -> None:
    """The rows; a table leaves the pointers to JSON and YAML."""
    if output is not Form.TABLE:
        emit(rows, output)
    elif rows:
        columns = tuple(name for name in rows[0] if name != "pointer")
        table(columns, [tuple(_short(row[name]) for name in columns) for row in rows])


def show_rules(changed: Mapping[ObjectRef, Iterable[FieldDrift]]) -> None:
    """Say, apart from the data, which rules would make all of this no drift."""
    from distributor.cli.manifests import as_yaml
    from distributor.plan import spec_of, suggested

    rules = [
        spec_of(rule)
        for ref, fields in changed.items()
        for rule in suggested(ref, [(one.steps, one.manager) for one in fields])
    ]
    if rules:
        say("To leave these fields to others, put into the package:")
        say(as_yaml([{"delivery": {"ignore": rules}}]).removeprefix("---").strip())


def rules_at(path: Path) -> tuple[IgnoreRule, ...]:
    """The ignore rules of the package in a file or folder; raises ``Invalid`` with all findings."""
    from distributor.adapters.workspace import read_bytes
    from distributor.catalog.documents import Document, read
    from distributor.catalog.packages import ignore_rules
    from distributor.catalog.schema import check
    from distributor.errors import Where
    from distributor.errors.service import NotFound
    from distributor.model.findings import Invalid

    file = path / "package.yaml" if path.is_dir() else path
    if not file.is_file():
        raise NotFound(where=Where(file=str(file)))
    document = read(read_bytes(file), str(file))
    if not isinstance(document, Document):
        raise Invalid(document)
    if findings := check(document, "Package"):
        raise Invalid(findings)
    return ignore_rules(document.spec.get("delivery", {}).get("ignore", ()))


def _short(value: object) -> str:
    if isinstance(value, str):
        return value
    import orjson

    return "" if value is None else orjson.dumps(value).decode()
