"""What a dying runtime says is kept, whatever else was said; never more than a little."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distributor.adapters.engine.complaints import Complaints

FAULT = b"fatal error: runtime: out of memory\n"


def fed(*chunks: bytes) -> str:
    complaints = Complaints()
    for chunk in chunks:
        complaints.feed(chunk)
    return complaints.text()


@pytest.mark.parametrize(
    ("stream", "text"),
    [
        (b"", ""),
        (b"# Warning: 'commonLabels' is deprecated.\n", ""),
        (FAULT, "fatal error: runtime: out of memory"),
        (b"warning\n" + FAULT + b"\ngoroutine 1 [running]:\nmain.main()\n", "fatal error: runtime: out of memory"),
        (b"runtime: goroutine stack exceeds 1-byte limit\nfatal error: stack overflow\n",
         "runtime: goroutine stack exceeds 1-byte limit\nfatal error: stack overflow"),
        (b"a fatal error: no, a warning that says so\n", ""),
        (b"panic: \xff\n", "panic: \ufffd"),
    ],
)  # fmt: skip
def test_faults_are_kept(stream, text):
    assert fed(stream) == text


@given(st.lists(st.integers(1, 200)))
def test_chunks_do_not_matter(cuts):
    stream = b"warning: x\n" + FAULT + b"more\n"
    chunks, rest = [], stream
    for cut in cuts:
        chunks.append(rest[:cut])
        rest = rest[cut:]
    assert fed(*chunks, rest) == "fatal error: runtime: out of memory"


def test_little_is_kept_of_much():
    complaints = Complaints()
    for _ in range(1000):
        complaints.feed(b"panic: " + b"x" * 10_000)
        complaints.feed(b"\n")
    assert len(complaints.text()) < 3000
    complaints.clear()
    assert complaints.text() == ""
