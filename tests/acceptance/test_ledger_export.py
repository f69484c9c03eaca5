"""Verdicts exported as in-toto verification summaries, verified by what knows nothing of ours."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from distributor.adapters.keys import generate
from distributor.errors.git import BadKey, NotTheLedgersKey
from distributor.model.tags import Verb
from distributor.services.asking.exporting import export
from tests.acceptance.forging import Draft, forger


@pytest.fixture
async def decided(play):
    """A playground with an acceptance, a refusal, and a hold."""
    async with play.service() as service:
        await play.promote(service, "1.4.1", "sit")
        forger(play).tag(Draft(version="1.4.2", prev="none"))
        await play.ask(service, Verb.HOLD, "sit", "website")
        await service.sync()
    return play


def run(play, *arguments: str, code: int = 0) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "distributor", *arguments],
        cwd=play.place.root, capture_output=True, text=True, check=False, timeout=120,
        env=os.environ | {"CI": "1"},
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    return done.stdout


def test_a_library_that_knows_nothing_of_ours_verifies_every_summary(decided):
    play = decided
    key = load_pem_public_key(run(play, "ledger", "key").encode())
    lines = [json.loads(line) for line in run(play, "ledger", "export").splitlines()]
    results = []
    for line in lines:
        payload = base64.b64decode(line["payload"])
        kind = line["payloadType"].encode()
        signed = b" ".join([b"DSSEv1", b"%d" % len(kind), kind, b"%d" % len(payload), payload])
        signature = base64.b64decode(line["signatures"][0]["sig"])
        key.verify(signature, signed)
        with pytest.raises(InvalidSignature):
            key.verify(signature, signed[:-1] + b"!")
        said = json.loads(payload)
        results.append((said["subject"][0]["name"], said["predicate"]["verificationResult"]))
    assert results == [("shop@1.4.1", "PASSED"), ("shop@1.4.2", "FAILED")]
    one = run(play, "ledger", "export", "sit", "shop", "--sequence", "1").splitlines()
    assert [json.loads(line) for line in one] == lines[:1]
    assert run(play, "ledger", "export", "uat", code=1) == ""


async def test_only_the_ledgers_own_key_vouches_for_it(decided):
    play = decided
    async with play.service() as service:
        with pytest.raises(BadKey):
            await export(service, None)
        with pytest.raises(NotTheLedgersKey):
            await export(service, generate(play.place.root / "keys" / "other", "x"))
