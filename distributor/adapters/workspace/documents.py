"""YAML and JSON files as people have them: many documents, values of charts, objects of a cluster.

The rules are those of the YAML that Kubernetes' own tools read: YAML 1.1 booleans and octal numbers, but
neither dates nor numbers to the base of sixty (sigs.k8s.io/yaml). Descriptors are read more strictly, by
the catalog.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import yaml

from distributor.adapters.workspace.reading import MAX_FILES, read_bytes
from distributor.errors import Where
from distributor.errors.catalog import BadEncoding, BrokenYaml, DuplicateKey, YamlBomb
from distributor.errors.render import BadManifest
from distributor.errors.service import NotFound

MAX_JSON = 256 << 20
MAX_YAML = 32 << 20
MAX_DEPTH = 100
MAX_ALIASED = 100_000
SUFFIXES = (".yaml", ".yml", ".json")


class _Loader(yaml.CSafeLoader):
    """The safe loader with the scalars of Kubernetes, and without duplicate keys."""

    def construct_mapping(
        self,
        node: yaml.MappingNode,
        deep: bool = False,  # noqa: FBT001, FBT002 - the loader's own signature
    ) -> dict[Any, Any]:
        """Refuse a key that stands twice: parsers disagree on which wins."""
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
                if key.value in seen:
                    raise _Twice(None, None, f"`{key.value}` stands here again", key.start_mark)
                seen.add(key.value)
        found = super().construct_mapping(node, deep=deep)
        return {_key(k): v for k, v in found.items()}


class _Twice(yaml.constructor.ConstructorError):
    """A key stands twice."""


_INTEGER = re.compile(r"[-+]?(?:0b[01_]+|0o?[0-7_]+|0x[0-9a-fA-F_]+|0|[1-9][0-9_]*)\Z")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z")
_REPLACED = {"tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:int", "tag:yaml.org,2002:float"}
_Loader.yaml_implicit_resolvers = {
    first: [(tag, form) for tag, form in forms if tag not in _REPLACED]
    for first, forms in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:int", _INTEGER, list("-+0123456789"))
_Loader.add_implicit_resolver("tag:yaml.org,2002:float", _FLOAT, list("-+.0123456789"))
_Loader.add_constructor(
    "tag:yaml.org,2002:int", lambda _, node: _integer(node.value.replace("_", ""))
)
_Loader.add_constructor("tag:yaml.org,2002:float", lambda _, node: float(node.value))


def _integer(text: str) -> int:
    digits = text.lstrip("-+")
    octal = digits.startswith("0") and digits != "0" and digits[1] in "01234567"
    value = int(digits, 8) if octal else int(digits, 0)
    return -value if text.startswith("-") else value


def _key(key: object) -> str:
    """A key as JSON has it."""
    if isinstance(key, str):
        return key
    return orjson.dumps(key).decode() if isinstance(key, int | float | None) else str(key)


def read_values(path: Path) -> dict[str, Any]:
    """A file of values: one mapping, or nothing."""
    documents = [value for value in read_documents(path) if value is not None]
    if not documents:
        return {}
    if len(documents) > 1 or not isinstance(documents[0], dict):
        raise BrokenYaml("One mapping is needed.", where=Where(file=str(path)))
    return documents[0]


def read_objects(path: Path) -> list[dict[str, Any]]:
    """The objects in a file, or in all YAML and JSON files below a folder; Lists are expanded.

    Raises ``NotFound``, ``BrokenYaml``, ``BadManifest`` and others with the file.
    """
    return [obj for file in _files(path) for obj in _objects(file)]


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    found = [p for p in path.rglob("*") if p.suffix in SUFFIXES and p.is_file()]
    if not found:
        raise NotFound("(no YAML or JSON file)", where=Where(file=str(path)))
    if len(found) > MAX_FILES:
        raise BadManifest(f"(more than {MAX_FILES} files)", where=Where(file=str(path)))
    return sorted(found)


def _objects(file: Path) -> Iterator[dict[str, Any]]:
    for value in read_documents(file):
        yield from _expanded(value, file)


def _expanded(value: object, file: Path) -> Iterator[dict[str, Any]]:
    if value is None:
        return
    if not isinstance(value, dict):
        raise BadManifest(f"({type(value).__name__}, not a mapping)", where=Where(file=str(file)))
    items, metadata = value.get("items"), value.get("metadata")
    named = isinstance(metadata, dict) and "name" in metadata
    if isinstance(items, list) and str(value.get("kind", "")).endswith("List") and not named:
        for item in items:
            yield from _expanded(_as_item(item, value), file)
        return
    yield value


def _as_item(item: object, parent: dict[str, Any]) -> object:
    """An item of a typed List, which need not repeat what kind it is (an API server leaves it out)."""
    kind = str(parent["kind"]).removesuffix("List")
    if not isinstance(item, dict) or not kind:
        return item
    return {"apiVersion": parent.get("apiVersion"), "kind": kind} | item


def read_documents(path: Path) -> list[Any]:
    """All documents of a YAML or JSON file as plain values."""
    if path.suffix == ".json":
        return [_json(read_bytes(path, MAX_JSON), path)]
    data = read_bytes(path, MAX_YAML)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise BadEncoding(where=Where(file=str(path), line=line)) from error
    if text.lstrip()[:1] in ("{", "["):
        return _json_or_yaml(data, text, path)
    return _yaml(text, path)


def _json_or_yaml(data: bytes, text: str, path: Path) -> list[Any]:
    try:
        return [orjson.loads(data)]
    except orjson.JSONDecodeError:  # a flow mapping, or several documents
        return _yaml(text, path)


def _json(data: bytes, path: Path) -> object:
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as error:
        where = Where(file=str(path), line=error.lineno, column=error.colno)
        raise BrokenYaml(f"({error.msg})", where=where) from error


def _yaml(text: str, path: Path) -> list[Any]:
    try:
        _measure(text, path)
        return list(yaml.load_all(text, Loader=_Loader))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = Where(file=str(path), line=mark.line + 1 if mark else 0)
        kind = DuplicateKey if isinstance(error, _Twice) else BrokenYaml
        raise kind(f"({error.problem or error.context})", where=where) from error
    except (yaml.YAMLError, ValueError) as error:
        raise BrokenYaml(f"({str(error).splitlines()[0]})", where=Where(file=str(path))) from error


def _measure(text: str, path: Path) -> None:
    """Refuse what is nested too deeply (the composer would crash) or grows by aliases."""
    open_at: list[tuple[str, int]] = []
    sizes: dict[str, int] = {}
    nodes = aliased = 0
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        if isinstance(event, yaml.CollectionEndEvent):
            anchor, before = open_at.pop()
            if anchor:
                sizes[anchor] = nodes - before
            continue
        nodes += isinstance(event, yaml.NodeEvent)
        if isinstance(event, yaml.AliasEvent):
            size = sizes.get(event.anchor or "", 1)
            nodes, aliased = nodes + size, aliased + size
        elif isinstance(event, yaml.CollectionStartEvent):
            open_at.append((event.anchor or "", nodes))
        if len(open_at) > MAX_DEPTH or aliased > MAX_ALIASED:
            where = Where(file=str(path), line=event.start_mark.line + 1 if event.start_mark else 0)
            raise YamlBomb(
                f"(at most {MAX_DEPTH} levels, {MAX_ALIASED} aliased values)", where=where
            )
