"""Commands that need no server: render, digest, schema, explain, settings, health, diff."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from distributor.cli.context import loaded, run
from distributor.cli.output import DONE, FINDINGS, Form, Output, emit, say, table
from distributor.cli.rendering import render

if TYPE_CHECKING:
    from distributor.model.refs import ObjectRef


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""
    for command in (render, digest, schema, explain, settings, health, diff):
        app.command()(command)


def digest(
    path: Annotated[Path, typer.Argument(help="Folder of a package.")] = Path(),
    output: Output = Form.TABLE,
) -> None:
    """The package digest: of what is committed, where the folder lies in a work tree."""
    from distributor.cli.digests import digest_at, findings_at

    found = digest_at(path)
    for finding in findings_at(path):
        say(f"note: this is not a package yet: {finding}")
    if found.note:
        say(f"note: {found.note}")
    if output is Form.TABLE:
        typer.echo(found.digest)
    else:
        emit(found, output)


def schema(
    kind: Annotated[str, typer.Argument(help="Kind, such as Package; lists them if empty.")] = "",
    output: Output = Form.TABLE,
) -> None:
    """The JSON Schema of a kind of descriptor, for editors and checks."""
    from distributor.catalog.schema import KINDS
    from distributor.catalog.schema import schema as schema_of
    from distributor.errors.service import NotFound

    if not kind:
        rows = [(name, str(schema_of(name).get("description", ""))) for name in KINDS]
        _rows(("kind", "description"), rows, output)
        return
    name = next((k for k in KINDS if k.lower() == kind.lower()), "")
    if not name:
        raise NotFound(f"(kind {kind!r}; there are: {', '.join(KINDS)})")
    emit(schema_of(name), Form.YAML if output is Form.YAML else Form.JSON)


def explain(
    code: Annotated[str, typer.Argument(help="Code, such as DST301; lists them if empty.")] = "",
    output: Output = Form.TABLE,
) -> None:
    """What an error code means, and what to do."""
    from distributor.errors import describe, registry
    from distributor.errors.service import UnknownCode

    if not code:
        found = registry().items()
        _rows(("code", "means", "remedy"), [(k, e.title(), e.remedy) for k, e in found], output)
        return
    text, kind = describe(code), registry().get(code.upper())
    if text is None or kind is None:
        raise UnknownCode(f"({code!r})")
    if output is Form.TABLE:
        typer.echo(text, nl=False)
        return
    told = {"code": kind.code, "means": kind.title(), "remedy": kind.remedy}
    emit(told | {"retryable": kind.retryable, "exitCode": kind.exit_code}, output)


def settings(output: Output = Form.TABLE) -> None:
    """Every setting with its value and where it comes from; secrets are hidden."""
    import dataclasses

    from distributor.cli.output import plain
    from distributor.settings import Settings

    found = loaded()
    rows: list[dict[str, Any]] = []
    for spec in dataclasses.fields(Settings):
        value = getattr(found.settings, spec.name)
        shown = "(hidden)" if spec.metadata["secret"] and value else plain(value)
        origin = found.origins[spec.name]
        about = spec.metadata["doc"]
        rows.append({"name": spec.name, "value": shown, "origin": origin, "about": about})
    if output is not Form.TABLE:
        emit(rows, output)
        return
    table(
        ("setting", "value", "origin", "about"), [tuple(str(v) for v in r.values()) for r in rows]
    )


def health(
    paths: Annotated[
        list[Path], typer.Argument(help="Files or folders of live objects, as YAML or JSON.")
    ],
    package: Annotated[
        Path | None, typer.Option(help="Package (its folder) whose health rules count.")
    ] = None,
    at: Annotated[
        str, typer.Option(help="When the objects were read (ISO 8601); now if empty.")
    ] = "",
    output: Output = Form.TABLE,
) -> None:
    """Whether live objects have converged, one by one, in the words of kstatus."""
    from distributor.adapters.workspace import read_objects
    from distributor.cli.healthy import moment_of, rulebook_at
    from distributor.health import health as health_of
    from distributor.health import plain_kinds

    now, rulebook = moment_of(at), rulebook_at(package)
    objects = [obj for path in paths for obj in read_objects(path)]
    plain = plain_kinds(o for o in objects if o.get("kind") == "CustomResourceDefinition")
    found = [health_of(obj, now, plain=plain, rulebook=rulebook) for obj in objects]
    rows = [
        _identity(h.ref, h.api_version)
        | {"status": h.status.value, "message": h.message, "observedAt": now.isoformat()}
        for h in found
    ]
    names = ("apiVersion", "kind", "namespace", "name", "status", "message")
    if output is Form.TABLE:
        table(names, [tuple(row[n] for n in names) for row in rows])
    else:
        emit(rows, output)


def _identity(ref: ObjectRef, api_version: str) -> dict[str, str]:
    return {
        "apiVersion": api_version,
        "kind": ref.kind,
        "namespace": ref.namespace,
        "name": ref.name,
    }


def diff(
    desired: Annotated[
        Path, typer.Option(help="What should be: manifests, a kustomization or a chart.")
    ],
    live: Annotated[Path, typer.Option(help="What is: objects as the cluster shows them.")],
    ignore: Annotated[
        Path | None, typer.Option(help="A package whose ignore rules hold: its file or folder.")
    ] = None,
    output: Output = Form.TABLE,
) -> None:
    """Where live objects are not what is desired, field by field; nothing means in sync."""
    from distributor.adapters.workspace import read_objects
    from distributor.cli.desired import desired_at
    from distributor.cli.drifting import rows_of, rules_at, show, show_rules
    from distributor.errors.service import NotFound
    from distributor.errors.tree import Where
    from distributor.model.manifest import Manifest
    from distributor.plan import NOTHING_IGNORED, compare

    for path in (desired, live):
        if not path.exists():
            raise NotFound(where=Where(file=str(path)))
    rules = rules_at(ignore) if ignore is not None else NOTHING_IGNORED
    wanted = run(lambda: desired_at(loaded().settings, desired))
    found = compare((Manifest.of(obj) for obj in wanted), read_objects(live), ignore=rules)
    show(rows_of(found), output)
    show_rules(found.changed)
    raise typer.Exit(DONE if found.in_sync else FINDINGS)


def _rows(columns: tuple[str, ...], rows: Sequence[tuple[str, ...]], output: Form) -> None:
    if output is Form.TABLE:
        table(columns, rows)
    else:
        emit([dict(zip(columns, row, strict=True)) for row in rows], output)
