"""Placeholders: what stands for an encrypted value in everything that is rendered, compared and shown.

A placeholder names the file in the render, the key in it and the Git blob, so a file that was encrypted
again gives other objects, and nobody needs a key to render. It reads
``distributor-sops(package/base/db.sops.yaml#data/password@<blob>)``; without a key it stands for the
whole file.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any
from urllib.parse import quote, unquote

from distributor.errors import Where
from distributor.errors.secrets import (
    BrokenCiphertext,
    PlaceholderForged,
    SecretMisplaced,
    SecretNotBase64,
)
from distributor.model.manifest import Manifest, canonical
from distributor.model.refs import ObjectId
from distributor.render.ciphertexts import ENCRYPTED, Budget, Form, Leaf, Part, SopsFile, read
from distributor.render.secrets import SECRET, encoded, has_plain_text

MARK = "distributor-sops("
_TOKEN = re.compile(
    r"distributor-sops\(([\w.~%/-]+)#([\w.~%/:-]*)@([0-9a-f]{64}|[0-9a-f]{40})\)", re.ASCII
)
_DATA = ("data", "stringData")
_NO_FILES: Mapping[bytes, bytes] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Placeholder:
    """An encrypted value: the file's path in the render, its blob, and the key (empty: the whole file)."""

    path: str
    key: str
    blob: ObjectId

    def __str__(self) -> str:
        return f"{MARK}{quote(self.path)}#{self.key}@{self.blob})"


def key_of(part: int, leaf: Leaf) -> str:
    """A value's key: its place, and before it the number of its document from the second one on."""
    steps = "/".join(quote(str(step), safe="") for step in leaf.path)
    return f"{part}:{steps}" if part else steps


def found(text: str) -> Iterator[Placeholder]:
    """The placeholders in a text, in order."""
    for match in _TOKEN.finditer(text):
        path, key, blob = match.groups()
        yield Placeholder(path=unquote(path), key=key, blob=ObjectId(blob))


def filled(text: str, values: Mapping[Placeholder, bytes]) -> bytes:
    """The text with each placeholder replaced, in one pass: what was filled in is not looked at again."""
    pieces: list[bytes] = []
    start = 0
    for match, placeholder in zip(_TOKEN.finditer(text), found(text), strict=True):
        pieces += (_bytes(text[start : match.start()]), values[placeholder])
        start = match.end()
    return b"".join((*pieces, _bytes(text[start:])))


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def hidden(
    data: bytes, path: str, blob: ObjectId, shown: str = "", budget: Budget | None = None
) -> tuple[bytes, frozenset[Placeholder]] | None:
    """A SOPS file with placeholders for its encrypted values; ``None`` for any other file.

    ``path`` is where it lies in the render, ``shown`` in the repository, for messages; files of one
    render share a budget.
    Objects and dotenv files keep their form; of every other file one placeholder stays. A custom
    resource stays as it is: a controller in the cluster opens it. Raises ``BrokenCiphertext``, and
    ``SecretMisplaced`` for an object that has more encrypted than the data of a Secret.
    """
    file = read(data, shown or path, budget)
    if file is None or all(map(_is_custom, file.parts)):
        return None
    whole = Placeholder(path=path, key="", blob=blob)
    if file.form is Form.BINARY or not _keeps_form(file):
        return str(whole).encode(), frozenset({whole})
    made: set[Placeholder] = set()
    edits: list[tuple[int, int, str]] = []
    for number, part in enumerate(file.parts):
        edits += ((begin, end, "") for begin, end in part.cuts)
        for leaf in part.leaves:
            if leaf.encrypted:
                one = Placeholder(path=path, key=key_of(number, leaf), blob=blob)
                made.add(one)
                edits.append(
                    (leaf.start, leaf.end, str(one) if file.form is Form.DOTENV else f'"{one}"')
                )
    return edited(file.text, edits).encode(), frozenset(made)


def edited(text: str, edits: Iterable[tuple[int, int, str]]) -> str:
    """A text with spans replaced; they must not overlap."""
    pieces: list[str] = []
    start = 0
    for begin, end, new in sorted(edits):
        pieces += (text[start:begin], new)
        start = end
    return "".join((*pieces, text[start:]))


def _keeps_form(file: SopsFile) -> bool:
    if file.form is Form.DOTENV:
        return True
    objects = [part for part in file.parts if part.is_object]
    if not objects:
        return False
    if len(objects) != len(file.parts):
        raise BrokenCiphertext(
            "(some of its documents are objects, others not)", where=file.where()
        )
    for part in objects:
        _check_object(file, part)
    return True


def _is_custom(part: Part) -> bool:
    group, slash, _ = (part.at("apiVersion") or "").partition("/")
    return part.is_object and bool(slash) and "." in group and not group.endswith(".k8s.io")


def _check_object(file: SopsFile, part: Part) -> None:
    secret = (part.at("apiVersion"), part.at("kind")) == ("v1", "Secret")
    for leaf in part.leaves:
        if leaf.encrypted and not (secret and leaf.path[0] in _DATA):
            raise SecretMisplaced(where=file.where(leaf.path))


def check(manifests: Iterable[Manifest], known: frozenset[str]) -> None:
    """Let placeholders stand only where they can be filled in, and only those that were made.

    A package could otherwise name a file of somebody else and get its values, or have them put where
    they show. Raises ``SecretMisplaced`` and ``PlaceholderForged``, naming object and field.
    """
    for manifest in manifests:
        if manifest.ref.group_kind != SECRET:
            if MARK.encode() in manifest.body:
                raise SecretMisplaced(where=Where(file=str(manifest.ref)))
            continue
        placed = set(map(str, in_secret(manifest.data(), manifest)))
        if not placed <= known:
            name = min(placed - known)
            raise PlaceholderForged(f"({name})", where=Where(file=str(manifest.ref)))


def in_secret(data: Mapping[str, Any], manifest: Manifest) -> Iterator[Placeholder]:
    """The placeholders of a Secret's data; raises for a part of one, and for one anywhere else."""
    marks = manifest.body.count(MARK.encode())
    for name in _DATA:
        held = data.get(name)
        for key, value in held.items() if isinstance(held, Mapping) else ():
            if not isinstance(value, str):
                continue
            marks -= value.count(MARK)
            where = Where(file=str(manifest.ref), field=f"{name}.{key}")
            text = value if name == "stringData" or MARK in value else decoded(value)
            ones = list(found(text))
            mixed = name == "data" and MARK in value and [str(one) for one in ones] != [value]
            if mixed or len(ones) != text.count(MARK):
                raise PlaceholderForged("(a part of one)", where=where)
            if text.startswith(ENCRYPTED):
                raise BrokenCiphertext("(a value without the file's metadata)", where=where)
            yield from ones
    if marks:
        raise SecretMisplaced(where=Where(file=str(manifest.ref)))


def in_data(held: object) -> list[Placeholder]:
    """The placeholders in the data of a Secret that was checked before."""
    values = held.values() if isinstance(held, Mapping) else ()
    texts = (v if MARK in v else decoded(v) for v in values if isinstance(v, str))
    return [one for text in texts for one in found(text)]


def decoded(value: str) -> str:
    """A data value's text; bytes that are no UTF-8 survive. kustomize breaks base64 into lines."""
    try:
        return base64.b64decode("".join(value.split()), validate=True).decode(
            "utf-8", "surrogateescape"
        )
    except (binascii.Error, ValueError):
        return value


def spliced(
    manifest: Manifest,
    values: Mapping[Placeholder, bytes],
    files: Mapping[bytes, bytes] = _NO_FILES,
) -> Manifest:
    """A Secret with its values, under the digest of the manifest as it was rendered.

    ``files`` maps what ``hidden`` made of a file to the decrypted file: a value that is exactly the one
    becomes the other, with quotes and line ends as the file's form wants them. What replaces a placeholder written as data must be base64 itself; within data that was encoded after
    rendering it is encoded with the text around it. Raises ``SecretNotBase64``.
    """
    content = (encoded(manifest) if has_plain_text(manifest) else manifest).data()
    content["data"] = {
        key: _filled_in(value, values, files, Where(file=str(manifest.ref), field=f"data.{key}"))
        for key, value in content["data"].items()
    }
    return Manifest(
        ref=manifest.ref,
        api_version=manifest.api_version,
        body=canonical(content),
        digest=manifest.digest,
    )


def _filled_in(
    value: str,
    values: Mapping[Placeholder, bytes],
    files: Mapping[bytes, bytes],
    where: Where,
) -> str:
    if MARK not in value:
        text = decoded(value)
        if MARK not in text:
            return value
        whole = files.get(_bytes(text))
        return base64.b64encode(filled(text, values) if whole is None else whole).decode()
    try:
        plain = base64.b64decode(b"".join(filled(value, values).split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise SecretNotBase64(where=where) from error
    return base64.b64encode(plain).decode()
