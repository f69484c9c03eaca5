"""Signatures: whose key, valid when, and that hostile armour is only ever refused."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils
from hypothesis import given
from hypothesis import strategies as st

from distributor.model.findings import Finding
from distributor.model.policy import SignerEntry
from distributor.model.tags import Verb
from distributor.policy import security_keys, signing_key, verify, verify_bytes
from distributor.policy.armour import SignatureParts, preimage, read, wire_string, write
from tests.unit.policy.facts import ADA, BOB, KEYS, NOW, STRANGER, signer, tag

DATA = b"the content"
DAY = timedelta(days=1)
KIND, BLOB = KEYS[ADA].public_key.split()


def code(result: str | Finding) -> str:
    return result.code if isinstance(result, Finding) else result


def entry(**changes: object) -> SignerEntry:
    return replace(signer(ADA), **changes)


@pytest.mark.parametrize(
    ("signers", "revoked", "expected"),
    [
        ((entry(),), (), ADA),
        ((entry(key=f"{KIND} {BLOB}"),), (), ADA),
        ((signer(BOB), entry()), (), ADA),
        ((), (), "DST208"),
        ((signer(BOB),), (), "DST208"),
        ((entry(),), (BLOB,), "DST209"),
        ((entry(),), (f"{KIND} {BLOB}",), "DST209"),
        ((entry(),), (KEYS[BOB].public_key,), ADA),
        ((entry(cert_authority=True),), (), "DST208"),
        ((entry(namespaces=("git",)),), (), ADA),
        ((entry(namespaces=("git", "file")),), (), ADA),
        ((entry(namespaces=("file",)),), (), "DST208"),
        ((entry(valid_after=NOW - DAY, valid_before=NOW + DAY),), (), ADA),
        ((entry(valid_after=NOW),), (), ADA),
        ((entry(valid_after=NOW + DAY),), (), "DST209"),
        (
            (entry(valid_before=NOW),),
            (),
            ADA,
        ),  # ssh-keygen(1): "at or before the specified timestamp"
        ((entry(valid_before=NOW - timedelta(seconds=1)),), (), "DST209"),
        ((entry(namespaces=("",)),), (), "DST208"),
        ((entry(namespaces=("g?t", "x*")),), (), ADA),
        ((entry(namespaces=("*", "!git")),), (), "DST208"),
        ((entry(namespaces=("[g]it",)),), (), "DST208"),
        ((entry(valid_before=NOW), entry(valid_after=NOW)), (), ADA),
        ((entry(principals=(BOB, ADA)),), (), ADA),
        ((entry(principals=(BOB, "carol")),), (), BOB),
        ((entry(principals=("*",)),), (), ADA),
        ((entry(principals=("*@example.org",)),), (), ADA),
        ((entry(principals=("*@example.org", f"!{ADA}")),), (), "DST208"),
        ((entry(principals=("*@example.org", f"!{ADA}", BOB)),), (), BOB),
        ((entry(principals=(f"!{BOB}",)),), (), "DST208"),
        ((entry(principals=(BOB, f"!{BOB}")),), (), "DST208"),
        ((entry(principals=("*@example.net", BOB)),), (), BOB),
        ((entry(principals=("anonymous",)),), (), "DST208"),
        ((entry(principals=()),), (), "DST208"),
    ],
)
def test_whose_key(
    signers: tuple[SignerEntry, ...], revoked: tuple[str, ...], expected: str
) -> None:
    assert code(verify(tag(Verb.PROMOTE), signers, revoked, at=NOW)) == expected


def test_the_time_of_observation_decides_not_the_time_that_the_tag_claims() -> None:
    asked = replace(tag(Verb.PROMOTE), tagged_at=NOW - 400 * DAY)
    ended = (entry(valid_before=NOW - 100 * DAY),)
    assert code(verify(asked, ended, (), at=NOW)) == "DST209"


def test_an_unsigned_tag_has_no_signer() -> None:
    assert code(verify(tag(Verb.PROMOTE, signed=False), (entry(),), (), at=NOW)) == "DST206"


@pytest.mark.parametrize(
    "signature",
    [
        b"",
        b"text",
        b"-----BEGIN SSH SIGNATURE-----\n-----END SSH SIGNATURE-----",
        b"-----BEGIN SSH SIGNATURE-----\n!!!!\n-----END SSH SIGNATURE-----",
        b"-----BEGIN SSH SIGNATURE-----\nU1NIU0lH\n-----END SSH SIGNATURE-----",
        KEYS[ADA].sign(DATA, "git")[:-40],
        KEYS[ADA].sign(DATA, "git") + KEYS[BOB].sign(DATA, "git"),
        KEYS[ADA].sign(DATA, "git") * 100,
        KEYS[ADA].sign(DATA + b"\n", "git"),
        KEYS[ADA].sign(DATA, "distributor-ledger"),
    ],
    ids=["empty", "text", "hollow", "no base64", "cut", "no end", "two", "long", "other", "space"],
)
def test_wrong_signatures_are_refused(signature: bytes) -> None:
    assert code(signing_key(DATA, signature)) == "DST207"


def test_openpgp_is_told_apart() -> None:
    armour = b"-----BEGIN PGP SIGNATURE-----\n\niQ==\n-----END PGP SIGNATURE-----\n"
    assert code(signing_key(DATA, armour)) == "DST208"


def test_a_signature_for_one_purpose_counts_for_no_other() -> None:
    ledger = KEYS[ADA].sign(DATA, "distributor-ledger")
    found = verify_bytes(DATA, ledger, (entry(),), (), at=NOW, namespace="distributor-ledger")
    assert found == ADA
    assert code(verify_bytes(DATA, ledger, (entry(),), (), at=NOW)) == "DST207"


def _armour(key: bytes, algorithm: bytes, raw: bytes, hashed: bytes = b"sha512") -> bytes:
    inner = wire_string(algorithm) + wire_string(raw)
    parts = (key, b"git", b"", hashed, inner)
    blob = b"SSHSIG" + (1).to_bytes(4) + b"".join(wire_string(part) for part in parts)
    body = base64.b64encode(blob)
    return b"-----BEGIN SSH SIGNATURE-----\n" + body + b"\n-----END SSH SIGNATURE-----\n"


def _text(private: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> str:
    form = serialization.PublicFormat.OpenSSH
    return private.public_key().public_bytes(serialization.Encoding.OpenSSH, form).decode()


RSA = rsa.generate_private_key(65537, 2048)
RSA_BLOB = base64.b64decode(_text(RSA).split()[1])


@pytest.mark.parametrize(
    ("algorithm", "hashed", "good"),
    [
        (b"rsa-sha2-512", hashes.SHA512(), True),
        (b"rsa-sha2-256", hashes.SHA256(), True),
        (b"rsa-sha2-256", hashes.SHA512(), False),
        (b"ssh-rsa", hashes.SHA512(), False),
        (b"ssh-ed25519", hashes.SHA512(), False),
    ],
)
def test_rsa(algorithm: bytes, hashed: hashes.HashAlgorithm, *, good: bool) -> None:
    raw = RSA.sign(preimage(DATA, b"git", "sha512"), padding.PKCS1v15(), hashed)
    found = signing_key(DATA, _armour(RSA_BLOB, algorithm, raw))
    assert code(found) == (_text(RSA) if good else "DST207")


def test_short_rsa_keys_are_refused() -> None:
    short = rsa.generate_private_key(65537, 1024)  # noqa: S505 - a weak key is what is tested
    blob = base64.b64decode(_text(short).split()[1])
    raw = short.sign(preimage(DATA, b"git", "sha512"), padding.PKCS1v15(), hashes.SHA512())
    found = signing_key(DATA, _armour(blob, b"rsa-sha2-512", raw))
    assert isinstance(found, Finding)
    assert "1024 bits" in found.message


def _mpint(number: int) -> bytes:
    return wire_string(number.to_bytes(number.bit_length() // 8 + 1))


@pytest.mark.parametrize(
    ("curve", "hashed"),
    [
        (ec.SECP256R1(), hashes.SHA256()),
        (ec.SECP384R1(), hashes.SHA384()),
        (ec.SECP521R1(), hashes.SHA512()),
    ],
)
def test_ecdsa(curve: ec.EllipticCurve, hashed: hashes.HashAlgorithm) -> None:
    private = ec.generate_private_key(curve)
    kind, blob = _text(private).split()
    signed = private.sign(preimage(DATA, b"git", "sha512"), ec.ECDSA(hashed))
    r, s = utils.decode_dss_signature(signed)
    key = base64.b64decode(blob)
    good = _armour(key, kind.encode(), _mpint(r) + _mpint(s))
    assert signing_key(DATA, good) == _text(private)
    for raw in (_mpint(r) + _mpint(s + 1), _mpint(0) + _mpint(s), _mpint(r), signed):
        assert code(signing_key(DATA, _armour(key, kind.encode(), raw))) == "DST207"


@pytest.mark.parametrize("hashed", [b"md5", b"sha1", b"sha384", b"", b"SHA512", b"\xff"])
def test_weak_and_unknown_hashes_are_refused(hashed: bytes) -> None:
    key = base64.b64decode(BLOB)
    assert code(signing_key(DATA, _armour(key, b"ssh-ed25519", b"x" * 64, hashed))) == "DST207"


@pytest.mark.parametrize("hash_name", ["sha256", "sha512"])
@given(*[st.binary(max_size=400)] * 4)
def test_what_is_written_is_read(
    hash_name: str, key: bytes, namespace: bytes, algorithm: bytes, signature: bytes
) -> None:
    parts = SignatureParts(
        key=key,
        namespace=namespace,
        hash_name=hash_name,
        algorithm=algorithm,
        signature=signature,
        extra=b"12345" if algorithm in security_keys.KINDS else b"",
    )
    for written in (parts, replace(parts, algorithm=security_keys.ED25519, extra=b"12345")):
        assert read(write(written)) == written


def test_nobody_is_anonymous_by_a_pattern() -> None:
    asked = replace(tag(Verb.PROMOTE), tagger="Any One <anonymous>")
    assert code(verify(asked, (entry(principals=("*",)),), (), at=NOW)) == "DST208"


def test_a_certificate_is_refused_as_one() -> None:
    blob = wire_string(b"ssh-ed25519-cert-v01@openssh.com") + wire_string(b"x" * 32)
    assert code(signing_key(DATA, _armour(blob, b"ssh-ed25519", b"x" * 64))) == "DST270"


def test_an_agent_may_leave_the_zeros_of_an_rsa_signature_out() -> None:
    for number in range(4096):
        data = b"%d" % number
        signed = preimage(data, b"git", "sha512")
        raw = RSA.sign(signed, padding.PKCS1v15(), hashes.SHA512())
        if raw.startswith(b"\0"):
            armour = _armour(RSA_BLOB, b"rsa-sha2-512", raw.lstrip(b"\0"))
            assert code(signing_key(data, armour)) == _text(RSA)
            return
    pytest.fail("no signature began with a zero")


GOOD = KEYS[ADA].sign(DATA, "git")
RAW = base64.b64decode(b"".join(GOOD.split(b"\n")[1:-2]))


@given(st.integers(0, len(RAW) - 1), st.integers(1, 255))
def test_no_changed_bit_is_ever_accepted_as_the_owner(place: int, change: int) -> None:
    forged = bytearray(RAW)
    forged[place] ^= change
    body = base64.b64encode(bytes(forged))
    armour = b"-----BEGIN SSH SIGNATURE-----\n" + body + b"\n-----END SSH SIGNATURE-----\n"
    found = signing_key(DATA, armour)
    # The reserved field is no part of what is signed, but it is empty: its length cannot change alone.
    assert isinstance(found, Finding)


@given(st.binary(max_size=300))
def test_any_blob_is_refused_with_a_code(blob: bytes) -> None:
    body = base64.b64encode(b"SSHSIG" + (1).to_bytes(4) + blob)
    armour = b"-----BEGIN SSH SIGNATURE-----\n" + body + b"\n-----END SSH SIGNATURE-----\n"
    assert isinstance(signing_key(DATA, armour), Finding)


@given(st.binary(max_size=200))
def test_a_good_signature_never_fits_other_content(content: bytes) -> None:
    if content != DATA:
        assert isinstance(signing_key(content, GOOD), Finding)


def test_a_stranger_is_told_which_key_it_was() -> None:
    found = verify_bytes(DATA, STRANGER.sign(DATA, "git"), (entry(),), (), at=NOW)
    assert isinstance(found, Finding)
    assert STRANGER.public_key[:40] in found.message
