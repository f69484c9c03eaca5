"""The command ``drift``, and what it shares with ``diff``: rows, rules that silence them, rules from files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from distributor.cli.context import run, settings
from distributor.cli.output import DONE, FINDINGS, REACH, Form, Output, emit, say, table

if TYPE_CHECKING:
    from distributor.model.fleet import Cluster
    from distributor.model.promotion import Verdict
    from distributor.model.refs import ObjectRef
    from distributor.plan import Comparison, FieldDrift, Ignoring
    from distributor.services.asking.drifting import DriftedTarget

_WHOLE: Mapping[str, Any] = {"field": "", "desired": None, "live": None, "owner": "", "pointer": ""}


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""
    app.command()(drift)


def drift(
    environment: Annotated[str, typer.Argument(help="Environment; all if empty.")] = "",
    instance: Annotated[str, typer.Argument(help="Instance; all if empty.")] = "",
    cluster: Annotated[str, typer.Argument(help="Cluster; all if empty.")] = "",
    output: Output = Form.TABLE,
) -> None:
    """Where clusters are not what was accepted, field by field, read now; nothing is changed."""
    from distributor.app import open_service
    from distributor.services.asking.drifting import drifts
    from distributor.services.asking.views import check_names

    found = settings()

    def only(verdict: Verdict, target: Cluster) -> bool:
        names = (verdict.environment, verdict.instance, target.name)
        wanted = (environment, instance, cluster)
        return all(want in ("", name) for want, name in zip(wanted, names, strict=True))

    async def work() -> int:
        async with open_service(found, writing=False) as service:
            check_names(await service.look(), environment, instance, cluster)
            targets = await drifts(service, only)
        rows = [row for target in targets for row in _target_rows(target)]
        show(rows, output)
        for target in targets:
            if target.error:
                place = f"{target.environment}/{target.instance}/{target.cluster}"
                say(f"{place}: {target.error}")
        show_rules({ref: d for target in targets for ref, d in target.found.changed.items()})
        if any(target.error for target in targets):
            return REACH
        return FINDINGS if rows else DONE

    raise typer.Exit(run(work))


def _target_rows(target: DriftedTarget) -> list[dict[str, Any]]:
    place = {
        "environment": target.environment,
        "instance": target.instance,
        "cluster": target.cluster,
        "mode": target.mode.value,
    }
    extra = [{"object": str(ref), "drift": "extra", **_WHOLE} for ref in target.found.extra]
    return [place | row for row in [*rows_of(target.found), *extra]]


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


def rules_at(path: Path) -> Ignoring:
    """The ignore rules of the package in a file or folder; raises ``Invalid`` with all findings."""
    from distributor.adapters.cel import CelExpressions
    from distributor.adapters.workspace import read_bytes
    from distributor.catalog.documents import Document, read
    from distributor.catalog.packages import ignore_rules
    from distributor.catalog.schema import check
    from distributor.errors import Where
    from distributor.errors.cluster import ExpressionFailed
    from distributor.errors.service import NotFound
    from distributor.model.findings import Finding, Invalid
    from distributor.plan import Ignoring

    file = path / "package.yaml" if path.is_dir() else path
    if not file.is_file():
        raise NotFound(where=Where(file=str(file)))
    document = read(read_bytes(file), str(file))
    if not isinstance(document, Document):
        raise Invalid(document)
    if findings := check(document, "Package"):
        raise Invalid(findings)
    rules = ignore_rules(document.spec.get("delivery", {}).get("ignore", ()))
    cel = CelExpressions()
    place = Where(file=str(file), field="spec.delivery.ignore")
    bad = [
        Finding.of(ExpressionFailed, f"{rule.kind}: {problem}", place)
        for rule in rules
        if rule.when and (problem := cel.problem(rule.when))
    ]
    if bad:
        raise Invalid(bad)
    return Ignoring(rules=rules, holds=cel.holds)


def _short(value: object) -> str:
    if isinstance(value, str):
        return value
    import orjson

    return "" if value is None else orjson.dumps(value).decode()
