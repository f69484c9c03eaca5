"""Requests that are signed with OpenPGP, by people whose keys lie in policies/signers."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from distributor.model.promotion import VerdictOutcome
from tests.acceptance.forging import Draft, codes, forger, verdict_on

pytestmark = pytest.mark.skipif(shutil.which("gpg") is None, reason="GnuPG is not installed")

UAT = Draft(environment="uat", version="1.4.1")
MANAGER = "release-manager@distributor.example"


@pytest.fixture
def gpg(tmp_path):
    home = tmp_path / "g"
    home.mkdir(mode=0o700)

    def run(*arguments, data=b""):
        command = ["gpg", "--homedir", str(home), "--batch", "--quiet", *arguments]
        done = subprocess.run(command, input=data, capture_output=True, check=False, timeout=120)
        assert done.returncode == 0, done.stderr
        return done.stdout

    for who in (MANAGER, "stranger@elsewhere.example"):
        run("--passphrase", "", "--quick-generate-key", who, "ed25519", "sign")
    yield run
    subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "all"], check=True, timeout=60)


async def test_a_person_with_a_key_in_the_policy_promotes_and_nobody_else(play, gpg):
    evil, signers = forger(play), play.place.catalog / "policies" / "signers"

    def put(draft, number, who, edit=lambda raw: raw):
        name = f"{UAT.name}_{number}"
        raw = evil.raw(draft, name=name)
        evil.put(name, edit(raw + gpg("--local-user", who, "--armor", "--detach-sign", data=raw)))
        return name

    (signers / f"{MANAGER}.asc").write_bytes(gpg("--armor", "--export", MANAGER))
    async with play.service() as service:
        play.place.commit("Add an OpenPGP key", datetime.now(UTC))
        await play.promote(service, "1.4.1", "sit")
        before = put(UAT, 2, MANAGER)
        await service.sync()
        assert codes(verdict_on(service, before)) == {"DST208"}  # not by the accepted policy yet
        await play.promote(service, "1.4.1", "uat")
        prev = evil.git("rev-parse", f"refs/tags/{UAT.name}")
        later = replace(UAT, prev=prev)
        stranger = put(later, 3, "stranger@elsewhere.example")
        changed = put(
            later, 4, MANAGER, lambda raw: raw.replace(b"tagger Release", b"tagger Relaese")
        )
        await service.sync()
        assert codes(verdict_on(service, stranger)) == {"DST208"}
        assert codes(verdict_on(service, changed)) == {"DST207"}
        good = put(later, 5, MANAGER)
        await service.sync()
        assert verdict_on(service, good).accepted
        assert verdict_on(service, good).principal == MANAGER


async def test_without_gpg_a_request_waits_until_there_is_one(play, gpg, monkeypatch):
    evil = forger(play)
    raw = evil.raw(UAT)
    evil.put(UAT.name, raw + gpg("--local-user", MANAGER, "--armor", "--detach-sign", data=raw))
    async with play.service() as service:
        with monkeypatch.context() as patch:
            patch.setattr("distributor.adapters.gpg.program.shutil.which", lambda _: None)
            await service.sync()
            assert codes(verdict_on(service, UAT.name)) == {"DST271"}
            assert verdict_on(service, UAT.name).outcome is VerdictOutcome.PENDING
        await service.sync()
        assert codes(verdict_on(service, UAT.name)) == {"DST208"}
