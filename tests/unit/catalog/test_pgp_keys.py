"""OpenPGP key files: whose they are, and that whatever else lies there is a finding and never a crash."""

from __future__ import annotations

import base64
import contextlib
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distributor.catalog.loading import Loader
from distributor.catalog.pgp_keys import parse_key_file
from distributor.catalog.signers import parse_revoked
from distributor.model.findings import Finding
from distributor.model.openpgp import NotOpenPgp, PgpKey, dearmour, packets
from distributor.testing.trees import MemoryTrees

BODY = b"\x04\x00\x00\x00\x01\x16" + b"k" * 20
PRINT = (
    hashlib.sha1(b"\x99" + len(BODY).to_bytes(2) + BODY, usedforsecurity=False).hexdigest().upper()
)


def packet(tag, body=BODY):
    return bytes([0x80 | tag << 2, len(body)]) + body


def armour(data, what="PUBLIC KEY BLOCK", head="Comment: x\n"):
    text = base64.encodebytes(data).decode()
    return f"-----BEGIN PGP {what}-----\n{head}\n{text}=abcd\n-----END PGP {what}-----\n".encode()


KEY = packet(6) + packet(13, b"Ada <eve@example.org>")


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("ada@x.org.gpg", KEY), ("ada@x.org.asc", armour(KEY)), ("ada@x.org.asc", armour(KEY, head="")),
        ("ada@x.org.asc", armour(KEY).replace(b"\n", b"\r\n")),
        ("ada@x.org.gpg", bytes([0xC6, len(BODY)]) + BODY),
        ("ada@x.org.gpg", bytes([0x99]) + len(BODY).to_bytes(2) + BODY),
        ("ada@x.org.gpg", bytes([0xC6, 255]) + len(BODY).to_bytes(4) + BODY),
    ],
)  # fmt: skip
def test_a_key_is_whose_the_file_says(name, data):
    found = parse_key_file(data, name, "f")
    assert isinstance(found, PgpKey)
    assert (found.principal, found.fingerprints) == ("ada@x.org", frozenset({PRINT}))


def test_long_packets_have_two_bytes_of_length():
    body = BODY + b"x" * 300
    rest = len(body) - 192
    assert list(packets(bytes([0xC6, 192 + (rest >> 8), rest & 255]) + body)) == [(6, body)]


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("ada.asc", b""), ("ada.asc", b"text"), ("ada.asc", armour(KEY)[:-40]), ("ada.asc", armour(KEY) * 2),
        ("ada.asc", armour(KEY, "PRIVATE KEY BLOCK")), ("ada.gpg", packet(5)), ("ada.gpg", KEY + packet(7)),
        ("ada.gpg", packet(2)), ("ada.gpg", KEY[:-1]), ("ada.gpg", packet(6, b"\x03" + BODY[1:])),
        ("ada.gpg", bytes([0x83]) + BODY), ("ada.gpg", bytes([0xC6, 230]) + BODY), ("ada.gpg", bytes([0xC6])),
        ("*.asc", armour(KEY)), (".asc", armour(KEY)), ("a,b.asc", armour(KEY)), ("a/b.asc", armour(KEY)),
        ("ada.asc", armour(KEY).replace(b"\n\n", b"\n\n!", 1)),
    ],
)  # fmt: skip
def test_what_is_no_key_is_a_finding(name, data):
    found = parse_key_file(data, name, "policies/signers/x")
    assert isinstance(found, Finding)
    assert (found.code, found.where.file) == ("DST220", "policies/signers/x")


@given(st.binary(max_size=120))
def test_any_bytes_are_packets_or_refused(data):
    for read in (lambda: list(packets(data)), lambda: dearmour(data, "SIGNATURE")):
        with contextlib.suppress(NotOpenPgp):
            read()
    assert isinstance(parse_key_file(data, "ada.gpg", "f"), PgpKey | Finding)


def test_policies_hold_the_keys_beside_the_signers(files):
    trees = MemoryTrees()
    files["policies/signers/ada@x.org.asc"] = armour(KEY)
    files["policies/signers/revoked_keys"] = f"openpgp4fpr:{PRINT.lower()} lost\n".encode()
    found = Loader(trees).policies(trees.add(files))
    assert found.findings == ()
    assert [key.principal for key in found.pgp] == ["ada@x.org"]
    assert found.revoked == {PRINT}
    files["policies/signers/bob.gpg"] = b"nothing"
    assert [f.code for f in Loader(trees).policies(trees.add(files)).findings] == ["DST220"]


def test_a_fingerprint_that_is_none_revokes_nothing():
    keys, findings = parse_revoked(f"openpgp4fpr:{PRINT[1:]}\n", "f")
    assert keys == frozenset()
    assert [f.code for f in findings] == ["DST220"]
