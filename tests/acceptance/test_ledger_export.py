"""Verdicts exported as in-toto verification summaries, verified by a program that knows nothing of ours."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys

import pytest

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


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is the other program")
def test_openssl_verifies_every_summary(decided, tmp_path):
    play = decided
    (tmp_path / "key.pem").write_text(run(play, "ledger", "key"))
    lines = [json.loads(line) for line in run(play, "ledger", "export").splitlines()]
    results = []
    for line in lines:
        payload = base64.b64decode(line["payload"])
        kind = line["payloadType"].encode()
        signed = b" ".join([b"DSSEv1", b"%d" % len(kind), kind, b"%d" % len(payload), payload])
        for name, data in (
            ("signed", signed),
            ("sig", base64.b64decode(line["signatures"][0]["sig"])),
        ):
            (tmp_path / name).write_bytes(data)
        check = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", "key.pem", "-rawin"]
        told = subprocess.run(
            [*check, "-in", "signed", "-sigfile", "sig"],
            cwd=tmp_path,
            capture_output=True,
            check=False,
        )
        assert told.returncode == 0, told
        (tmp_path / "signed").write_bytes(signed[:-1] + b"!")
        told = subprocess.run(
            [*check, "-in", "signed", "-sigfile", "sig"],
            cwd=tmp_path,
            capture_output=True,
            check=False,
        )
        assert told.returncode != 0, "a changed payload must not verify"
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
