"""Writes ``docs/reference`` from the program itself; with ``--check`` says what is out of date.

Run as ``python -m docs.generate`` at the top of the repository. Same program, same pages: nothing here
reads a clock, the environment or the network.
"""

from __future__ import annotations

import argparse
import ast
import dataclasses
import importlib
import importlib.util
import inspect
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from distributor import errors, metrics
from distributor.catalog import schema as descriptor_schemas
from distributor.model.tags import Verb
from distributor.policy.registry import GATES, Gate
from distributor.settings import PREFIX, Settings

REFERENCE = Path(__file__).resolve().parent / "reference"
PROGRAM = Path(errors.__file__).resolve().parent.parent
NOTE = "<!-- Written by `make docs` from the program. Change the program, not this page. -->\n"
RANGES = {
    "1": "Catalog",
    "2": "Policy, tags and gates",
    "3": "Render",
    "4": "Clusters and targets",
    "5": "Rollout",
    "6": "Git, forge and ledger",
    "7": "Service",
}
Node = Mapping[str, Any]


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the pages, or compare them; 1 if one is out of date."""
    parser = argparse.ArgumentParser(prog="docs.generate", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, name stale pages")
    check = parser.parse_args(arguments).check
    wanted = {REFERENCE / name: NOTE + "\n" + text for name, text in pages()}
    stale = [path for path, text in wanted.items() if _read(path) != text]
    stale += [path for path in REFERENCE.rglob("*.md") if path not in wanted]
    if check:
        for path in stale:
            print(f"docs/reference/{path.relative_to(REFERENCE)} is stale: run `make docs`")
        return 1 if stale else 0
    for path in stale:
        _write(path, wanted.get(path))
    return 0


def pages() -> Iterator[tuple[str, str]]:
    """Every page: its file under ``docs/reference`` and its text."""
    yield "index.md", index()
    yield "errors.md", error_codes()
    yield "settings.md", settings()
    yield "gates.md", gates()
    yield "metrics.md", measures()
    yield "rooms.md", rooms()
    for kind in descriptor_schemas.KINDS:
        yield f"schemas/{kind}.md", descriptor(kind)
    if importlib.util.find_spec("distributor.cli.main") is not None:
        yield "cli.md", commands()


def index() -> str:
    """The list of all pages."""
    kinds = ", ".join(f"[{kind}](schemas/{kind}.md)" for kind in descriptor_schemas.KINDS)
    return f"""# Reference

- [Commands](cli.md)
- [Settings](settings.md)
- [Error codes](errors.md)
- [Gates](gates.md)
- [Metrics](metrics.md)
- [Rooms and files](rooms.md) of the program
- Descriptors: {kinds}
"""


def error_codes() -> str:
    """Every code, by range."""
    text = "# Error codes\n\nEvery error carries a stable code. `distributor explain CODE` prints what stands here.\n"
    found = errors.registry()
    for digit, title in RANGES.items():
        text += f"\n## DST{digit}xx: {title}\n"
        for code, cls in found.items():
            if code[3] == digit:
                again = (
                    "It may pass by itself, and is retried."
                    if cls.retryable
                    else "It stays until something changes."
                )
                message = inspect.cleandoc(cls.__doc__ or "")
                text += f"\n### {code} {cls.__name__}\n\n{message}\n{again} Exit code {cls.exit_code}.\n\nRemedy: {cls.remedy}\n"
    return text


def settings() -> str:
    """Every setting of ``Settings``."""
    rows = [
        (f"`{f.name}`", f"`{PREFIX}{f.name.upper()}`", _default(f), f.metadata["doc"])
        for f in dataclasses.fields(Settings)
    ]
    return f"""# Settings

Flags win over variables, variables over `distributor.toml`, that over the defaults. The file is looked for in the folder you
stand in and those above it, or where `{PREFIX}CONFIG` says; relative paths in it start at its own folder. `distributor
settings` prints every value with its origin, secrets hidden. An unknown setting in the file is an error. An unknown
`{PREFIX}*` variable is a warning: it may be another program's.

{_table(("setting", "variable", "default", "what it is"), rows)}
`connections` is a table of tables, one for each reference that a push or branch cluster names:

```toml
[connections.prd-hamburg]
kubeconfig = "secrets/prd-hamburg.kubeconfig"
context = "admin"

[connections.fleet]
repository = "https://git.example.com/fleet.git"
branch = "rendered/{{environment}}/{{cluster}}"
```
"""


def _default(field: dataclasses.Field[Any]) -> str:
    if field.default is dataclasses.MISSING:
        return "none"
    return f"`{field.default}`" if field.default != "" else "empty"


def gates() -> str:
    """Every gate of the registry."""
    text = """# Gates

A request meets the gates in the order of their numbers. The early ones end the evaluation when they fail, so that nothing of
an unauthorised request is rendered; all others are always evaluated, so that one look shows everything. A file in
`policies/gates/` parametrises a gate, binds it to environments and apps, and gives it a severity; gates that are always on
have none. A file that names a gate the program does not know fails closed.

"""
    rows = [
        (
            str(g.number),
            f"[{g.name}](#{g.number}-{g.name})",
            _judged(g),
            *map(_yes, (g.always, g.early, g.per_view)),
        )
        for g in GATES
    ]
    text += f"{_NO_GATE}\n"
    text += _table(("", "gate", "judges", "always on", "early", "under each policy"), rows)
    for gate in GATES:
        law = inspect.getdoc(sys.modules[gate.evaluate.__module__]) or ""
        answer = inspect.getdoc(gate.evaluate) or ""
        text += f"\n## {gate.number} {gate.name}\n\n{law}\n\n{answer}\n"
    return text


_NO_GATE = """Answers with the number 0 come from no gate. *0 policy* fails where no policy can judge: there is none, it cannot be read, or it
binds a gate that the program does not know; it waits (`pending`) while decisions are stopped until somebody acknowledges.
*0 support* fails for requests that this program does not carry out, *0 override* where a hotfix names gates that it may not lift. A request must be allowed by two policies: that of main's
head and the accepted one, which the environment's last accepted verdict was judged by; a refusal says whose it is.
"""


def _judged(gate: Gate) -> str:
    if gate.verbs is None:
        return "every request"
    return ", ".join(verb.value for verb in Verb if verb in gate.verbs)


def _yes(fact: bool) -> str:  # noqa: FBT001 - maps a column of facts to words
    return "yes" if fact else ""


def measures() -> str:
    """Every metric of the registry."""
    rows = [
        (
            f"`{family.name}{'_total' * (family.type == 'counter')}`",
            family.type,
            family.documentation,
        )
        for family in sorted(metrics.REGISTRY.collect(), key=lambda found: found.name)
    ]
    return f"# Metrics\n\nServed at `/metrics` in Prometheus' form.\n\n{_table(('name', 'type', 'what it counts'), rows)}"


def descriptor(kind: str) -> str:
    """Every field of a kind's JSON Schema."""
    root = descriptor_schemas.schema(kind)
    rows = [
        (f"`{path}`", type_, need, about) for path, type_, need, about in _fields(root, root, "")
    ]
    return f"""# {kind}

{root.get("description", "")} `distributor schema {kind}` prints the JSON Schema that this page is made from.

{_table(("field", "type", "", "what it is"), rows)}"""


def _fields(root: Node, node: Node, prefix: str) -> Iterator[tuple[str, str, str, str]]:
    needed = node.get("required", ())
    for name, given in node.get("properties", {}).items():
        field = _resolved(root, given)
        need = "required" if name in needed else ""
        yield f"{prefix}{name}", _type(root, field), need, _about(field)
        yield from _below(root, field, f"{prefix}{name}")
    free = node.get("additionalProperties")
    if isinstance(free, Mapping):
        yield from _below(root, _resolved(root, free), f"{prefix}<name>")


def _about(field: Node) -> str:
    return str(field.get("description") or ("Always this." if "const" in field else ""))


def _below(root: Node, field: Node, path: str) -> Iterator[tuple[str, str, str, str]]:
    if isinstance(field.get("items"), Mapping):
        yield from _below(root, _resolved(root, field["items"]), f"{path}[]")
    yield from _fields(root, field, f"{path}.")


def _resolved(root: Node, node: Node) -> Node:
    """The node with what it refers to put in; what stands in the node itself wins."""
    merged: dict[str, Any] = {}
    parts = list(node.get("allOf", ()))
    if "$ref" in node:
        found: Any = root
        for step in str(node["$ref"]).removeprefix("#/").split("/"):
            found = found[step]
        parts.append(found)
    for part in parts:
        merged |= _resolved(root, part)
    own = {key: value for key, value in node.items() if key not in {"allOf", "$ref"}}
    nested = {**merged.get("properties", {}), **own.get("properties", {})}
    return merged | own | ({"properties": nested} if nested else {})


def _type(root: Node, field: Node) -> str:
    if "const" in field:
        return f"`{field['const']}`"
    if "enum" in field:
        return ", ".join(f"`{value}`" for value in field["enum"])
    for word in ("oneOf", "anyOf"):
        if word in field and "type" not in field:
            return " or ".join(dict.fromkeys(_type(root, _resolved(root, o)) for o in field[word]))
    kind = field.get("type", "anything")
    if kind == "array" and isinstance(field.get("items"), Mapping):
        return f"list of {_type(root, _resolved(root, field['items']))}"
    return " or ".join(kind) if isinstance(kind, list) else str(kind)


def commands() -> str:
    """Every command of the program, with its options."""
    program: Any = importlib.import_module("typer").main.get_command(
        importlib.import_module("distributor.cli.main").app
    )
    text = "# Commands\n\n"
    text += f"Data goes to stdout, talk to stderr. {program.epilog}\n"
    return text + "".join(_command(program, ("distributor",)))


def _command(command: Any, path: tuple[str, ...]) -> Iterator[str]:  # noqa: ANN401 - the command line library ships no public type for it
    if command.hidden:
        return
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    words = [_word(argument) for argument in arguments]
    yield f"\n## {' '.join((*path, *words))}\n\n{inspect.cleandoc(command.help or '').strip()}\n"
    rows = [(f"`{p.name.upper()}`", p.help or "") for p in arguments if p.help]
    rows += [
        (f"`{', '.join((*p.opts, *p.secondary_opts))}`", p.help or "")
        for p in command.params
        if p.param_type_name == "option" and not p.hidden and p.name != "help"
    ]
    if rows:
        yield "\n" + _table(("", "what it is"), rows)
    nested: Mapping[str, Any] = getattr(command, "commands", {})
    for name in sorted(nested):
        yield from _command(nested[name], (*path, name))


def _word(argument: Any) -> str:  # noqa: ANN401 - the command line library ships no public type for it
    word = argument.name.upper() + ("..." if argument.nargs == -1 else "")
    return word if argument.required else f"[{word}]"


def rooms() -> str:
    """Every file of the program by its room, with the first sentence that it says of itself."""
    text = "# Rooms and files\n\nWhere to look for what, in the files' own words. [The architecture](../explanation/architecture.md) says how the rooms stand to each other.\n"
    for room in sorted({path.parent for path in PROGRAM.rglob("*.py")}):
        name = "/".join((PROGRAM.name, *room.relative_to(PROGRAM).parts))
        files = sorted(path for path in room.glob("*.py") if path.name != "__init__.py")
        rows = [(f"`{path.name}`", _says(path)) for path in files]
        text += f"\n## {name}\n\n{_says(room / '__init__.py')}\n"
        text += "\n" + _table(("file", "what it is"), rows) if rows else ""
    return text


def _says(path: Path) -> str:
    """The first paragraph of a module's docstring, in a line; nothing where there is none."""
    said = ast.get_docstring(ast.parse(path.read_bytes())) if path.is_file() else ""
    return " ".join((said or "").partition("\n\n")[0].split())


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    columns = list(head)
    lines = [columns, ["---"] * len(columns), *([_cell(text) for text in row] for row in rows)]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _read(path: Path) -> str | None:
    return path.read_text("utf-8") if path.is_file() else None


def _write(path: Path, text: str | None) -> None:
    if text is None:
        path.unlink()
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")


if __name__ == "__main__":
    sys.exit(main())
