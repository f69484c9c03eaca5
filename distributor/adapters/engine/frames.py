"""The engine's wire format, without I/O.

A frame is a big-endian uint32 with the length of the rest, another with the length of the JSON header, the
header, then blob bytes: the contents of the files in a request, of the objects in an answer, end to end.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass

import orjson

from distributor.errors.render import EngineProtocol, RenderFailed, RenderTooLarge
from distributor.model.rendering import ChartOptions, RenderJob

PREFIX_SIZE = 8
"""Bytes to read before the two lengths of a frame are known."""
_LENGTHS = struct.Struct(">II")
_INNER_LENGTH = 4
MAX_HEADER = 16 << 20
"""Bytes of a request's header, values and patches included; maxHeader of the engine's frame.go."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why the engine did not render: its code, a message, and the file to blame, or ``""``."""

    code: str
    message: str
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the engine said to one request; ``begun`` alone says that the answer is still to come."""

    id: int
    begun: bool
    refusal: Refusal | None
    objects: tuple[bytes, ...]
    version: Mapping[str, str]


def encode_render(request_id: int, job: RenderJob) -> bytes:
    """The request frame of a render.

    Raises ``RenderFailed`` where values or patches are no JSON, ``RenderTooLarge`` where they are too long.
    """
    header: dict[str, object] = {
        "id": request_id,
        "op": "render",
        "renderer": job.renderer.value,
        "path": job.path,
        "layers": list(job.layers),
        "patches": _embedded(job.patches, "patches", list),
        "files": [{"path": path, "size": len(data)} for path, data in job.files.items()],
    }
    if job.chart is not None:
        header["chart"] = _chart(job.chart)
    try:
        encoded = orjson.dumps(header)
    except orjson.JSONEncodeError as error:  # a lone surrogate in a file name, for one
        raise RenderFailed(f"a name cannot be sent to the engine: {error}") from error
    if len(encoded) > MAX_HEADER:
        raise RenderTooLarge(
            f"Its values, patches and file names hold {len(encoded)} bytes, the limit is {MAX_HEADER}."
        )
    return _frame(encoded, *job.files.values())


def encode_version(request_id: int) -> bytes:
    """The request frame that asks which engine this is."""
    return _frame(orjson.dumps({"id": request_id, "op": "version"}))


def lengths(prefix: bytes, *, limit: int) -> tuple[int, int]:
    """Header and blob length behind the first bytes of an answer; raises ``EngineProtocol``."""
    total, header = _LENGTHS.unpack(prefix)
    blob = total - _INNER_LENGTH - header
    if blob < 0 or total > limit:
        raise EngineProtocol(f"a frame of {total} bytes with a header of {header}")
    return header, blob


def decode(header: bytes, blob: bytes) -> Answer:
    """The answer in a frame; raises ``EngineProtocol`` where it cannot be read."""
    try:
        fields = orjson.loads(header)
        error = fields.get("error")
        refusal = None
        if error is not None:
            refusal = Refusal(code=error["code"], message=error["message"], path=error["path"])
        return Answer(
            id=fields["id"],
            begun=bool(fields.get("begun")),
            refusal=refusal,
            objects=_cut(blob, fields.get("objects") or []),
            version=fields.get("version") or {},
        )
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError) as problem:
        raise EngineProtocol(f"a header that cannot be read: {problem}") from problem


def _cut(blob: bytes, sizes: list[int]) -> tuple[bytes, ...]:
    if sum(sizes) != len(blob) or min(sizes, default=0) < 0:
        raise EngineProtocol(f"objects of {sum(sizes)} bytes in a blob of {len(blob)}")
    objects = []
    start = 0
    for size in sizes:
        objects.append(blob[start : start + size])
        start += size
    return tuple(objects)


def _frame(header: bytes, *parts: bytes) -> bytes:
    blob = sum(map(len, parts))
    prefix = _LENGTHS.pack(_INNER_LENGTH + len(header) + blob, len(header))
    return b"".join((prefix, header, *parts))


def _chart(chart: ChartOptions) -> dict[str, object]:
    return {
        "releaseName": chart.release_name,
        "namespace": chart.namespace,
        "kubeVersion": chart.kube_version,
        "apiVersions": list(chart.api_versions),
        "values": _embedded(chart.values, "values", dict),
        "whole": chart.whole,
        "includeCrds": chart.include_crds,
        "isUpgrade": chart.is_upgrade,
    }


def _embedded(data: bytes, what: str, expected: type) -> orjson.Fragment:
    """JSON that goes into the header byte for byte, so that numbers stay exact."""
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise RenderFailed(f"the {what} are not JSON: {error}") from error
    if not isinstance(value, expected):
        raise RenderFailed(f"the {what} are not a JSON {expected.__name__}")
    return orjson.Fragment(data)
