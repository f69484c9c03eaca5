"""The wire format: laws over generated frames, and every way an answer can be wrong."""

from __future__ import annotations

import struct

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distributor.adapters.engine import frames
from distributor.errors.render import EngineProtocol, RenderFailed, RenderTooLarge
from distributor.model.package import Renderer
from distributor.model.rendering import ChartOptions, RenderJob

PATHS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
LIMIT = 1 << 20


def split(frame: bytes) -> tuple[dict[str, object], bytes]:
    total, header = struct.unpack(">II", frame[:8])
    assert total + 4 == len(frame)
    return orjson.loads(frame[8 : 8 + header]), frame[8 + header :]


def answer_frame(header: dict[str, object], *objects: bytes) -> bytes:
    encoded = orjson.dumps({**header, "objects": [len(item) for item in objects]})
    blob = b"".join(objects)
    return struct.pack(">II", 4 + len(encoded) + len(blob), len(encoded)) + encoded + blob


def job(**fields: object) -> RenderJob:
    defaults: dict[str, object] = {"renderer": Renderer.KUSTOMIZE, "files": {}, "path": "base"}
    return RenderJob(**{**defaults, **fields})


@given(
    files=st.dictionaries(PATHS, st.binary(max_size=50), max_size=6), number=st.integers(0, 2**40)
)
def test_a_request_carries_every_file_whole_and_in_order(files, number):
    header, blob = split(frames.encode_render(number, job(files=files)))
    assert header["id"] == number
    heads = header["files"]
    assert [head["path"] for head in heads] == list(files)
    cut = []
    for head in heads:
        cut.append(blob[: head["size"]])
        blob = blob[head["size"] :]
    assert (cut, blob) == (list(files.values()), b"")


@given(objects=st.lists(st.binary(max_size=50), max_size=6), number=st.integers(0, 2**40))
def test_an_answer_gives_back_its_objects(objects, number):
    frame = answer_frame({"id": number, "ok": True}, *objects)
    header, blob = frames.lengths(frame[:8], limit=LIMIT)
    assert 8 + header + blob == len(frame)
    answer = frames.decode(frame[8 : 8 + header], frame[8 + header :])
    assert (answer.id, answer.refusal, answer.objects) == (number, None, tuple(objects))


@given(st.binary(max_size=200), st.binary(max_size=50))
def test_noise_is_refused_and_never_crashes(header, blob):
    try:
        answer = frames.decode(header, blob)
    except EngineProtocol:
        return
    assert b"".join(answer.objects) == blob


@given(st.binary(min_size=8, max_size=8))
def test_lengths_stay_within_the_limit(prefix):
    try:
        header, blob = frames.lengths(prefix, limit=LIMIT)
    except EngineProtocol:
        return
    assert header >= 0
    assert blob >= 0
    assert header + blob <= LIMIT


def test_values_and_patches_travel_byte_for_byte():
    chart = ChartOptions(
        release_name="web", namespace="shop", values=b'{"big":123456789012345678901}'
    )
    frame = frames.encode_render(
        1, job(renderer=Renderer.HELM, chart=chart, patches=b'[{"patch":"x"}]')
    )
    assert b'"values":{"big":123456789012345678901}' in frame
    assert b'"patches":[{"patch":"x"}]' in frame


@pytest.mark.parametrize(
    ("values", "patches"),
    [
        (b"{", b"[]"),
        (b"[]", b"[]"),
        (b"{}", b"{}"),
        (b'{}, "op": "version"', b"[]"),
        (b"{}", b"[],"),
        (b"\xff", b"[]"),
    ],
)
def test_values_and_patches_must_be_json_of_their_kind(values, patches):
    chart = ChartOptions(release_name="web", namespace="shop", values=values)
    with pytest.raises(RenderFailed):
        frames.encode_render(1, job(renderer=Renderer.HELM, chart=chart, patches=patches))


def test_a_file_name_that_is_no_text_is_refused():
    with pytest.raises(RenderFailed, match="cannot be sent"):
        frames.encode_render(1, job(files={"\udc80.yaml": b""}))


@pytest.mark.parametrize(
    ("header", "blob"),
    [
        (b"[]", b""),
        (b"{}", b""),
        (b'{"id":1,"objects":[3]}', b"ab"),
        (b'{"id":1,"objects":[-1,3]}', b"ab"),
        (b'{"id":1,"objects":["a"]}', b"a"),
        (b'{"id":1,"error":{"code":"x"}}', b""),
        (b'{"id":1,"error":"x"}', b""),
    ],
)
def test_answers_that_make_no_sense(header, blob):
    with pytest.raises(EngineProtocol):
        frames.decode(header, blob)


def test_a_header_that_the_engine_would_not_read_is_not_sent():
    options = ChartOptions(
        release_name="r", namespace="n", values=b'{"a":"' + b"x" * frames.MAX_HEADER + b'"}'
    )
    job = RenderJob(renderer=Renderer.HELM, files={}, path="c", chart=options)
    with pytest.raises(RenderTooLarge, match=f"the limit is {frames.MAX_HEADER}"):
        frames.encode_render(1, job)
