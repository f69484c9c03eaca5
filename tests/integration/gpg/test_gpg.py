"""OpenPGP signatures by the real gpg, and git as the oracle for whole tags."""

from __future__ import annotations

import os
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from distributor.adapters.gpg import GpgProgram
from distributor.catalog.pgp_keys import parse_key_file
from distributor.catalog.tags import parse_tag_object
from distributor.model.findings import Finding
from distributor.model.openpgp import PgpKey, PgpSeal
from distributor.model.policy import PolicySet
from distributor.model.refs import ObjectId
from distributor.policy.openpgp import owner

pytestmark = pytest.mark.skipif(shutil.which("gpg") is None, reason="GnuPG is not installed")

DATA = b"what is signed\n"
NOW = datetime.now(UTC)
YEAR = timedelta(days=365)
ADA, BOB = "ada@example.org", "bob@example.org"


class Gpg:
    """A person's gpg, with a home of its own."""

    def __init__(self, home: Path) -> None:
        self.home = home

    def __call__(self, *arguments: str, data: bytes = b"", at: datetime | None = None) -> bytes:
        time = ("--faked-system-time", f"{at.timestamp():.0f}!") if at else ()
        done = subprocess.run(
            ["gpg", "--homedir", str(self.home), "--batch", "--quiet", *time, *arguments],
            input=data, capture_output=True, check=False, timeout=120,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    def make(self, who: str, *more: str, at: datetime | None = None) -> None:
        self(
            "--passphrase",
            "",
            "--quick-generate-key",
            f"Some One <{who}>",
            "ed25519",
            "sign",
            *more,
            at=at,
        )

    def sign(self, who: str, *more: str, data: bytes = DATA, at: datetime | None = None) -> bytes:
        return self(*more, "--local-user", who, "--armor", "--detach-sign", data=data, at=at)

    def key(self, who: str, principal: str = "") -> PgpKey:
        block = self("--armor", "--export", who)
        found = parse_key_file(block, f"{principal or who}.asc", "f")
        assert isinstance(found, PgpKey), found
        return found

    def fingerprint(self, who: str) -> str:
        listing = self("--with-colons", "--list-keys", who).decode()
        return next(line.split(":")[9] for line in listing.splitlines() if line.startswith("fpr"))


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    home = tmp_path_factory.mktemp("g")
    home.chmod(0o700)
    gpg = Gpg(home)
    gpg.make(ADA)
    gpg.make(BOB)
    gpg.make("old@example.org", "1y", at=NOW - 2 * YEAR)
    gpg.make("gone@example.org")
    yield gpg
    subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "all"], check=True, timeout=60)


async def check(signature, *keys, data=DATA):
    return await GpgProgram().check(data, signature, keys)


def said(found, *keys, at=NOW, revoked=(), claimed=""):
    if isinstance(found, Finding):
        return found.code
    whose = owner(found, PolicySet(pgp=keys, revoked=frozenset(revoked)), at=at, claimed=claimed)
    return whose.code if isinstance(whose, Finding) else whose


async def test_a_good_signature_is_its_owners(people):
    keys = (people.key(BOB), people.key(ADA))
    seal = await check(people.sign(ADA), *keys)
    assert isinstance(seal, PgpSeal)
    assert seal.primary == seal.fingerprint == people.fingerprint(ADA)
    assert said(seal, *keys) == ADA
    assert said(seal, people.key(BOB)) == "DST208"
    assert said(seal, *keys, revoked=[seal.primary]) == "DST209"
    assert (
        said(seal, people.key(ADA, "z@example.org"), *keys, claimed="z@example.org")
        == "z@example.org"
    )
    assert said(seal, people.key(ADA, "z@example.org"), *keys, claimed=BOB) == ADA
    assert said(seal, people.key(ADA, "anonymous"), claimed="anonymous") == "DST208"


async def test_what_is_no_good_signature(people):
    good, keys = people.sign(ADA), (people.key(ADA), people.key(BOB))
    wrong = {
        "other content": (people.sign(ADA, data=b"other\n"), "DST207"),
        "an unknown key": (people.sign("gone@example.org"), "DST208"),
        "two signatures": (people.sign(ADA, "--local-user", BOB), "DST207"),
        "SHA-1": (people.sign(ADA, "--digest-algo", "SHA1"), "DST207"),
        "of text": (people.sign(ADA, "--textmode"), "DST207"),
        "cut": (good[:-60] + b"\n-----END PGP SIGNATURE-----\n", "DST207"),
        "no armour": (
            b"-----BEGIN PGP SIGNATURE-----\n\n!!!!\n-----END PGP SIGNATURE-----\n",
            "DST207",
        ),
        "a message": (people("--armor", "--local-user", ADA, "--sign", data=DATA), "DST207"),
        "compressed": (
            people("--armor", "--store", data=DATA).replace(b"MESSAGE", b"SIGNATURE"),
            "DST207",
        ),
        "a key": (
            people("--armor", "--export", ADA).replace(b"PUBLIC KEY BLOCK", b"SIGNATURE"),
            "DST207",
        ),
        "twice": (good + good, "DST207"),
        "empty": (b"", "DST207"),
    }
    found = {
        name: said(await check(signature, *keys), *keys) for name, (signature, _) in wrong.items()
    }
    assert found == {name: code for name, (_, code) in wrong.items()}


async def test_no_keys_are_no_signer(people):
    assert said(await check(people.sign(ADA))) == "DST208"


async def test_a_key_counts_until_it_expires_whatever_the_time_is_now(people):
    key = people.key("old@example.org")
    seal = await check(people.sign("old@example.org", at=NOW - 2 * YEAR + timedelta(days=9)), key)
    assert isinstance(seal, PgpSeal)
    assert seal.key_expires is not None
    assert abs(seal.key_expires - (NOW - YEAR)) < timedelta(days=3)
    assert said(seal, key, at=NOW - YEAR - timedelta(days=9)) == "old@example.org"
    assert said(seal, key, at=seal.key_expires) == "DST209"
    assert said(seal, key, at=NOW) == "DST209"


async def test_a_signature_may_expire_too(people):
    key, made = people.key(ADA), people.sign(ADA, "--default-sig-expire", "1d")
    seal = await check(made, key)
    assert isinstance(seal, PgpSeal)
    assert seal.expires is not None
    assert said(seal, key, at=NOW) == ADA
    assert said(seal, key, at=NOW + timedelta(days=2)) == "DST209"


async def test_a_clock_that_was_ahead_forges_nothing(people):
    key = people.key(ADA)
    assert said(await check(people.sign(ADA, at=NOW + timedelta(hours=3)), key), key) == ADA


async def test_a_revoked_key_signs_nothing_whenever_that_was(people):
    who = "gone@example.org"
    signature, before = people.sign(who), people.key(who)
    assert said(await check(signature, before), before) == who
    name = people.fingerprint(who)
    revocation = (people.home / "openpgp-revocs.d" / f"{name}.rev").read_bytes()
    people("--import", data=revocation.replace(b":-----BEGIN", b"-----BEGIN"))
    after = people.key(who)
    seal = await check(signature, after)
    assert isinstance(seal, PgpSeal)
    assert seal.revoked
    assert said(seal, after, at=NOW - YEAR) == "DST209"


async def test_a_key_below_another_signs_for_it(people):
    people("--passphrase", "", "--quick-add-key", people.fingerprint(BOB), "ed25519", "sign", "1y")
    key = people.key(BOB)
    seal = await check(people.sign(BOB), key)
    assert isinstance(seal, PgpSeal)
    assert seal.primary == people.fingerprint(BOB) != seal.fingerprint
    assert said(seal, key) == BOB
    assert said(seal, key, revoked=[seal.fingerprint]) == "DST209"


async def test_nothing_of_the_machine_has_a_say(people, monkeypatch, tmp_path):
    """The keys and the configuration of whoever runs this are never looked at, and nothing is left."""
    signature, temporary = people.sign(ADA), tmp_path / "t"
    temporary.mkdir()
    for name in ("GNUPGHOME", "HOME"):
        monkeypatch.setenv(name, str(people.home))
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    before = sorted((f.name, f.stat().st_mtime_ns) for f in people.home.iterdir() if f.is_file())
    assert said(await check(signature, people.key(BOB))) == "DST208"
    assert (
        sorted((f.name, f.stat().st_mtime_ns) for f in people.home.iterdir() if f.is_file())
        == before
    )
    assert not list(temporary.iterdir())


async def test_without_gpg_nothing_is_told(people, tmp_path):
    signature, key = people.sign(ADA), people.key(ADA)
    for program in (str(tmp_path / "none"), str(tmp_path / "slow"), shutil.which("true")):
        slow = tmp_path / "slow"
        slow.write_text("#!/bin/sh\nexec sleep 600\n")
        slow.chmod(0o755)
        found = await GpgProgram(program=program, timeout=0.5).check(DATA, signature, [key])
        assert isinstance(found, Finding)
        assert found.code == "DST271"


async def test_whole_tags_as_git_has_them(people, tmp_path):
    """A tag that git signs, and what it becomes when it is changed: never do we take more than git."""
    folder = tmp_path / "repository"
    folder.mkdir()
    env = os.environ | {"GNUPGHOME": str(people.home), "GIT_CONFIG_GLOBAL": os.devnull}
    env |= {f"GIT_{r}_{p}": "ada" for r in ("AUTHOR", "COMMITTER") for p in ("NAME", "EMAIL")}

    def git(*arguments, data=b""):
        return subprocess.run(
            ["git", *arguments],
            cwd=folder,
            env=env,
            input=data,
            capture_output=True,
            check=False,
            timeout=60,
        )

    git("init", "--quiet", "--initial-branch=main", ".")
    git("commit", "--quiet", "--allow-empty", "--message", "one")
    made = git(
        "tag", "--sign", "--local-user", ADA, "--message", "a request\n\nPromotion-Prev: none", "v1"
    )
    assert made.returncode == 0, made.stderr
    raw, key = git("cat-file", "tag", "v1").stdout, people.key(ADA)
    changes = (
        raw,
        raw.replace(b"a request", b"b request"),
        raw.replace(b"tag v1", b"tag v2"),
        raw + b"more\n",
        raw + raw[raw.index(b"-----BEGIN") :],
        raw.replace(b"-----END PGP SIGNATURE-----", b""),
    )
    taken = []
    for changed in changes:
        oid = (
            git("hash-object", "-t", "tag", "-w", "--stdin", "--literally", data=changed)
            .stdout.decode()
            .strip()
        )
        tag = parse_tag_object(ObjectId(oid), changed)
        found = (
            tag if isinstance(tag, Finding) else await check(tag.signature, key, data=tag.signed)
        )
        taken.append(isinstance(found, PgpSeal))
        assert taken[-1] <= (git("verify-tag", oid).returncode == 0), changed
    assert taken == [True] + [False] * 5
