"""The key file and its signatures: OpenSSH's own tool and two other verifiers agree with us."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
import sshsig
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from distributor.adapters.keys import SshKey, generate, load
from distributor.errors.git import BadKey
from distributor.policy import signing_key
from distributor.ports import Signer

SSH_KEYGEN = shutil.which("ssh-keygen")
needs_openssh = pytest.mark.skipif(
    SSH_KEYGEN is None, reason="ssh-keygen is not on this machine, so OpenSSH cannot be asked"
)
WHO = "ada@example.org"
DATA = b"object 1\ntag promote/sit/shop/1.0.0\n\n\xff text\n"
SIZES = [b"", b"x", DATA, bytes(range(256)) * 1000]


@pytest.fixture
def key(tmp_path: Path) -> SshKey:
    return generate(tmp_path / "key", f"{WHO} laptop")


def _openssh(*arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    assert SSH_KEYGEN is not None
    return subprocess.run(
        [SSH_KEYGEN, *arguments], input=stdin, capture_output=True, check=False, timeout=30
    )


@pytest.mark.parametrize("data", SIZES, ids=len)
def test_both_verifiers_accept(key: SshKey, data: bytes) -> None:
    signer: Signer = key
    armour = signer.sign(data, "git")
    assert sshsig.check_signature(data, armour, "git").openssh_str() == key.public_key
    assert signing_key(data, armour, "git") == key.public_key


@needs_openssh
@pytest.mark.parametrize("namespace", ["git", "distributor-ledger"])
def test_openssh_accepts(key: SshKey, tmp_path: Path, namespace: str) -> None:
    (tmp_path / "allowed").write_text(f"{WHO} {key.public_key}\n")
    (tmp_path / "sig").write_bytes(key.sign(DATA, namespace))
    arguments = ["-Y", "verify", "-f", str(tmp_path / "allowed"), "-I", WHO]
    arguments += ["-n", namespace, "-s", str(tmp_path / "sig")]
    good = _openssh(*arguments, stdin=DATA)
    assert good.returncode == 0, good.stderr
    assert _openssh(*arguments, stdin=DATA + b"x").returncode != 0


@needs_openssh
@pytest.mark.parametrize("kind", [["ed25519"], ["rsa", "-b", "2048"], ["ecdsa", "-b", "256"], ["ecdsa", "-b", "521"]], ids=" ".join)  # fmt: skip
def test_what_openssh_signs_is_accepted(tmp_path: Path, kind: list[str]) -> None:
    path = tmp_path / "theirs"
    made = _openssh("-q", "-N", "", "-t", *kind, "-f", str(path), "-C", WHO)
    assert made.returncode == 0, made.stderr
    signed = _openssh("-Y", "sign", "-n", "git", "-f", str(path), "-", stdin=DATA)
    public = " ".join((tmp_path / "theirs.pub").read_text().split()[:2])
    assert signing_key(DATA, signed.stdout, "git") == public
    assert signing_key(DATA + b"x", signed.stdout, "git") != public
    assert signing_key(DATA, signed.stdout, "file") != public


@needs_openssh
def test_openssh_reads_our_file_and_we_read_theirs(tmp_path: Path) -> None:
    ours = generate(tmp_path / "ours", WHO)
    printed = _openssh("-y", "-f", str(tmp_path / "ours"))
    assert printed.stdout.decode().split()[:2] == ours.public_key.split()
    _openssh("-q", "-N", "", "-t", "ed25519", "-f", str(tmp_path / "theirs"), "-C", WHO)
    theirs = load(tmp_path / "theirs")
    assert (tmp_path / "theirs.pub").read_text().startswith(theirs.public_key)


def test_a_key_is_made_once_and_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "key"
    made = generate(path, f"{WHO}\nsecond line")
    assert path.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "key.pub").read_text() == f"{made.public_key} {WHO} second line\n"
    before = path.read_bytes()
    with pytest.raises(BadKey, match="exists"):
        generate(path, WHO)
    assert path.read_bytes() == before
    assert load(path).public_key == made.public_key


def test_a_public_half_that_exists_is_kept_and_nothing_is_left(tmp_path: Path) -> None:
    (tmp_path / "key.pub").write_text("precious")
    with pytest.raises(BadKey, match="exists"):
        generate(tmp_path / "key", WHO)
    assert (tmp_path / "key.pub").read_text() == "precious"
    assert not (tmp_path / "key").exists()


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadKey, match="No such file"):
        generate(tmp_path / "no" / "key", WHO)


def _ecdsa() -> bytes:
    private = ec.generate_private_key(ec.SECP256R1())
    return private.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "no OpenSSH private key"),
        (b"\x00\xff" * 100, "no OpenSSH private key"),
        (b"ssh-ed25519 AAAA ada\n", "no OpenSSH private key"),
        (b"-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl\n-----END OPENSSH PRIVATE KEY-----\n", "no OpenSSH private key"),
        (b"x" * 100_000, "too large"),
        (_ecdsa(), "another type"),
    ],
    ids=["empty", "binary", "public", "cut", "large", "ecdsa"],
)  # fmt: skip
def test_files_that_are_no_such_key(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "key"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(BadKey, match=says) as caught:
        load(path)
    assert caught.value.where.file == str(path)


@needs_openssh
def test_an_encrypted_key_is_called_so(tmp_path: Path) -> None:
    path = tmp_path / "key"
    _openssh("-q", "-N", "secret", "-t", "ed25519", "-f", str(path), "-C", WHO)
    with pytest.raises(BadKey, match="encrypted"):
        load(path)


def test_missing_and_shared_files_are_refused(tmp_path: Path, key: SshKey) -> None:
    with pytest.raises(BadKey, match="cannot be read"):
        load(tmp_path / "none")
    with pytest.raises(BadKey, match="cannot be read"):
        load(tmp_path)
    (tmp_path / "key").chmod(0o644)
    with pytest.raises(BadKey, match="Others may read it"):
        load(tmp_path / "key")
    assert "PRIVATE" not in repr(key)


def test_a_signature_needs_a_namespace(key: SshKey) -> None:
    with pytest.raises(BadKey):
        key.sign(DATA, "")


def test_the_same_bytes_give_the_same_signature(key: SshKey) -> None:
    assert key.sign(DATA, "git") == key.sign(DATA, "git")
