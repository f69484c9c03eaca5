"""A ledger of 100,000 records: read cold, after one more commit, and after a restart; and 10,000 signed tags.

Aims: fold under 1.5 s cold; under 50 ms for what changed; 10,000 tags verified in under 2 s.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from distributor.adapters.git import PygitObjects
from distributor.adapters.keys import generate
from distributor.catalog.tag_objects import parse_tag_object
from distributor.model.policy import SignerEntry
from distributor.policy.signatures import verify
from distributor.services.ledger.checking import Known, verify_history
from distributor.services.ledger.files import LedgerFiles
from tests.benchmarks import ledgers
from tests.benchmarks.results import Result

pytestmark = pytest.mark.benchmark
SIZE = ledgers.Size()
COMMITS = 2_000
TAGS = 10_000


def test_a_ledger_of_100_000_records(tmp_path):
    signer = generate(tmp_path / "key", "bench")
    written = PygitObjects.create(tmp_path / "ledger.git")
    head = ledgers.write(written, SIZE, signer, COMMITS)
    result = Result(name="ledger")
    objects = PygitObjects(tmp_path / "ledger.git")
    files = LedgerFiles(objects)
    began, worked = time.perf_counter(), time.process_time()
    states = files.folds(head)
    result.figures["cold_s"] = time.perf_counter() - began
    result.figures["cold_cpu_s"] = time.process_time() - worked
    began = time.perf_counter()
    verify_history(objects, objects.history(head, None), Known(key=signer.public_key))
    took = time.perf_counter() - began
    result.figures["commits"] = COMMITS
    result.figures["commit_check_ms"] = took / COMMITS * 1000
    key = ledgers.keys(SIZE)[0]
    lines = ledgers.read(written, head, [key])
    newer = ledgers.append(written, head, key, lines, signer)
    began, worked = time.perf_counter(), time.process_time()
    files.folds(newer)
    verify_history(objects, objects.history(newer, head), Known(key=signer.public_key))
    result.figures["one_more_commit_ms"] = (time.perf_counter() - began) * 1000
    result.figures["one_more_commit_cpu_ms"] = (time.process_time() - worked) * 1000
    result.figures["records"] = sum(s.records for s in states.values())
    result.aim("cold_s", 1.5, "s", cause="decoding and folding lines one by one")
    result.aim("one_more_commit_ms", 50, "ms", cause="the file that changed is folded anew")
    result.write()


def test_10_000_signed_tags(tmp_path):
    signer = generate(tmp_path / "key", "bench")
    objects = PygitObjects.create(tmp_path / "tags.git")
    target = objects.write_blob(b"x")
    at, who = datetime(2026, 1, 1, tzinfo=UTC), "ada@example.org"
    kind, key = signer.public_key.split()[:2]
    entry = SignerEntry(principals=(who,), key_type=kind, key=key, namespaces=("git",))
    oids = [
        objects.write_tag(
            f"promote/sit/shop/1.0.{n}", target, message=f"promote {n}", at=at,
            tagger=f"Ada <{who}>", signer=signer,
        )
        for n in range(TAGS)
    ]  # fmt: skip
    raws = [(oid, objects.raw(oid)) for oid in oids]
    result = Result(name="tags")
    began, worked = time.perf_counter(), time.process_time()
    found = {verify(parse_tag_object(oid, raw), (entry,), (), at=at) for oid, raw in raws}
    result.figures["verify_10000_s"] = time.perf_counter() - began
    result.figures["verify_10000_cpu_s"] = time.process_time() - worked
    assert found == {who}
    result.figures |= floor()
    cause = "bare checks of as many ed25519 signatures are the floor"
    result.aim("verify_10000_s", 2.0, "s", cause=cause)
    result.write()


def floor() -> dict[str, float]:
    """The library's own check of as many signatures over as many bytes, and nothing around it."""
    private = Ed25519PrivateKey.generate()
    public, data = private.public_key(), b"x" * 128
    signature = private.sign(data)
    began, worked = time.perf_counter(), time.process_time()
    for _ in range(TAGS):
        public.verify(signature, data)
    return {
        "floor_10000_s": time.perf_counter() - began,
        "floor_10000_cpu_s": time.process_time() - worked,
    }
