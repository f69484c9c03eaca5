"""Who signed, by ``allowed_signers``: our answer beside that of ssh-keygen and of git, over tables and at random."""

from __future__ import annotations

import base64
import hashlib
import os
import random
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, utils

from distributor.catalog.signers import parse_revoked, parse_signers
from distributor.catalog.tags import parse_tag_object
from distributor.model.findings import Finding, errors
from distributor.model.refs import ObjectId
from distributor.policy import security_keys, verify, verify_bytes
from distributor.policy.armour import SignatureParts, preimage, wire_string, write

NOW = datetime(2026, 6, 1, 12, 0, 0, tzinfo=UTC)
DATA = b"what is signed\n"
ADA, BOB, EVE = "ada@example.org", "bob@example.org", "eve@elsewhere.example"
KINDS = ("ed25519", "rsa", "ecdsa")


def run(*command: str, data: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(command, input=data, capture_output=True, check=False, timeout=60)


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    """Keys of ssh-keygen, with the public half and a signature of each."""
    folder = tmp_path_factory.mktemp("keys")
    found = {}
    for kind in KINDS:
        file = folder / kind
        made = run("ssh-keygen", "-q", "-t", kind, "-N", "", "-C", "", "-f", str(file))
        assert made.returncode == 0, made.stderr
        signed = run("ssh-keygen", "-Y", "sign", "-n", "git", "-f", str(file), data=DATA)
        public = " ".join(Path(f"{file}.pub").read_text().split()[:2])
        found[kind] = (file, public, signed.stdout)
    return found


def oracle(folder, lines, signature, who, *, at=NOW, revoked="", namespace="git"):
    """Whether ``ssh-keygen -Y verify`` takes it for that principal's."""
    for name, content in (
        ("allowed", lines.encode()),
        ("sig", signature),
        ("revoked", revoked.encode()),
    ):
        (folder / name).write_bytes(content)
    more = ("-r", str(folder / "revoked")) if revoked else ()
    done = run(
        "ssh-keygen", "-Y", "verify", "-f", str(folder / "allowed"), "-I", who, "-n", namespace,
        "-s", str(folder / "sig"), "-O", f"verify-time={at:%Y%m%d%H%M%S}Z", *more, data=DATA,
    )  # fmt: skip
    return done.returncode == 0


def ours(lines, signature, who, *, at=NOW, revoked="", namespace="git"):
    """The principal whom we take it for, a finding, or the findings of the file."""
    signers, wrong = parse_signers(lines, "allowed_signers")
    gone, also = parse_revoked(revoked, "revoked_keys")
    if errors([*wrong, *also]):
        return errors([*wrong, *also])
    return verify_bytes(DATA, signature, signers, gone, at=at, namespace=namespace, claimed=who)


LINES = [
    f"{ADA} KEY",
    f"{ADA} KEY a comment",
    f'"{ADA},{BOB}" KEY',
    f"{BOB},{ADA} KEY",
    "*@example.org KEY",
    "*@example.??? KEY",
    "*@EXAMPLE.ORG KEY",
    f"*@example.org,!{ADA} KEY",
    f"!{BOB},* KEY",
    f"!{BOB} KEY",
    f"{BOB} KEY",
    "a* KEY",
    f'{ADA} namespaces="git" KEY',
    f'{ADA} namespaces="file" KEY',
    f'{ADA} namespaces="file,git" KEY',
    f'{ADA} namespaces="file, git" KEY',
    f'{ADA} namespaces="g*" KEY',
    f'{ADA} namespaces="*,!git" KEY',
    f'{ADA} namespaces="" KEY',
    f'{ADA} NameSpaces="git" KEY',
    f'{ADA} valid-after="20260601120000Z" KEY',
    f'{ADA} valid-after="20260601120001Z" KEY',
    f'{ADA} valid-before="20260601120000Z" KEY',
    f'{ADA} valid-before="20260601115959Z" KEY',
    f'{ADA} valid-before="20260601UTC" KEY',
    f'{ADA} valid-after="202606011159z",valid-before="202606011201Z" KEY',
    f'{ADA} valid-after="20260602Z",valid-before="20260601Z" KEY',
    f'{ADA} namespaces="git",valid-before="20270101Z" KEY',
    f'{ADA} namespaces="git" namespaces="git" KEY',
    f'{ADA} namespaces="git",namespaces="git" KEY',
    f"{ADA} namespaces=git KEY",
    f"{ADA} cert-authority KEY",
    f"{ADA} no-such-option KEY",
    f'{ADA} namespaces="git", KEY',
    f"# {ADA} KEY",
    f"  {ADA}   KEY",
    f"{ADA}\tKEY",
    "KEY",
    "",
    f'{ADA} valid-before="20260101Z" KEY\n{ADA} KEY',
    f"{BOB} KEY\n{ADA} KEY",
    f"{ADA} cert-authority KEY\n{ADA} KEY",
]


@pytest.mark.parametrize("lines", LINES)
def test_each_form_of_a_line(keys, tmp_path, lines):
    _, public, signature = keys["ed25519"]
    text = lines.replace("KEY", public) + "\n"
    found = ours(text, signature, ADA)
    assert (found == ADA) is oracle(tmp_path, text, signature, ADA)
    if isinstance(found, str):
        assert oracle(tmp_path, text, signature, found)


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_key(keys, tmp_path, kind):
    _, public, signature = keys[kind]
    text = f"{ADA} {public}\n"
    cut = signature.replace(b"\nU1NIU0lH", b"\nU1NIU0lI")
    for armour in (signature, cut, keys["rsa" if kind != "rsa" else "ecdsa"][2]):
        assert (ours(text, armour, ADA) == ADA) is oracle(tmp_path, text, armour, ADA)
    assert ours(text, signature, ADA) == ADA
    for revoked in (f"{public}\n", f"# lost\n{public} lost\n", f"{keys['rsa'][1]}\n"):
        found = ours(text, signature, ADA, revoked=revoked)
        assert (found == ADA) is oracle(tmp_path, text, signature, ADA, revoked=revoked)
    assert ours(text, signature, ADA, namespace="file") != ADA
    assert not oracle(tmp_path, text, signature, ADA, namespace="file")


def line(dice, keys):
    """A line of ``allowed_signers`` that both programs can read."""
    names = (
        ADA,
        BOB,
        EVE,
        "*@example.org",
        "*",
        "?da@*",
        f"!{ADA}",
        f"!{BOB}",
        "!*@elsewhere.example",
    )
    who = ",".join(dice.sample(names, dice.randint(1, 3)))
    options = []
    if dice.random() < 0.4:
        spaces = dice.sample(("git", "file", "g*", "!git", "*"), dice.randint(1, 2))
        options.append(f'namespaces="{",".join(spaces)}"')
    if dice.random() < 0.4:
        after = NOW + timedelta(seconds=dice.choice((-90000, -1, 0, 1, 90000)))
        options.append(f'valid-after="{after:%Y%m%d%H%M%S}Z"')
    elif dice.random() < 0.5:
        before = NOW + timedelta(seconds=dice.choice((-90000, -1, 0, 1, 90000)))
        options.append(f'valid-before="{before:%Y%m%d%H%M%S}Z"')
    if dice.random() < 0.1:
        options.append("cert-authority")
    dice.shuffle(options)
    written = ",".join(options)
    return " ".join(part for part in (who, written, keys[dice.choice(KINDS)][1]) if part)


def test_random_files(keys, tmp_path):
    seed = int(os.environ.get("DISTRIBUTOR_TEST_SEED") or random.randrange(1 << 32))
    print(f"DISTRIBUTOR_TEST_SEED={seed}")
    dice, taken = random.Random(seed), 0
    for _ in range(150):
        text = "\n".join(line(dice, keys) for _ in range(dice.randint(1, 5))) + "\n"
        signature, who = keys[dice.choice(KINDS)][2], dice.choice((ADA, BOB, EVE))
        revoked = f"{keys[dice.choice(KINDS)][1]}\n" if dice.random() < 0.2 else ""
        found = ours(text, signature, who, revoked=revoked)
        expected = oracle(tmp_path, text, signature, who, revoked=revoked)
        assert (found == who) is expected, (text, who)
        if isinstance(found, str):  # nobody is named whom ssh-keygen would not take it for
            assert oracle(tmp_path, text, signature, found, revoked=revoked), (text, found)
        taken += expected
    assert 0 < taken < 150


def device(kind):
    """A security key in software: its public text, and how it signs."""
    application = b"ssh:"
    if kind == "ed25519":
        private = ed25519.Ed25519PrivateKey.generate()
        raw = private.public_key().public_bytes_raw()
        blob = wire_string(security_keys.ED25519) + wire_string(raw) + wire_string(application)
        return security_keys.ED25519, blob, private.sign
    secret = ec.generate_private_key(ec.SECP256R1())
    form = serialization.PublicFormat.UncompressedPoint
    point = secret.public_key().public_bytes(serialization.Encoding.X962, form)
    strings = (security_keys.ECDSA, b"nistp256", point, application)

    def sign(data):
        numbers = utils.decode_dss_signature(secret.sign(data, ec.ECDSA(hashes.SHA256())))
        return b"".join(wire_string(n.to_bytes(n.bit_length() // 8 + 1)) for n in numbers)

    return security_keys.ECDSA, b"".join(map(wire_string, strings)), sign


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa"])
@pytest.mark.parametrize("flags", [0, 1, 5])
def test_security_keys(tmp_path, kind, flags):
    name, blob, sign = device(kind)
    extra = bytes([flags]) + (7).to_bytes(4)
    asked = hashlib.sha256(preimage(DATA, b"git", "sha512")).digest()
    raw = sign(hashlib.sha256(b"ssh:").digest() + extra + asked)
    good = SignatureParts(
        key=blob, namespace=b"git", hash_name="sha512", algorithm=name, signature=raw, extra=extra
    )
    text = f"{ADA} {name.decode()} {base64.b64encode(blob).decode()}\n"
    assert ours(text, write(good), ADA) == ADA
    assert oracle(tmp_path, text, write(good), ADA)
    for changed in (bytes([flags ^ 1]) + extra[1:], extra[:-1] + b"\x08"):
        bad = write(SignatureParts(**{**fields(good), "extra": changed}))
        assert isinstance(ours(text, bad, ADA), Finding)
        assert not oracle(tmp_path, text, bad, ADA)


def fields(parts):
    return {name: getattr(parts, name) for name in SignatureParts.__slots__}


def test_whole_tags(keys, tmp_path, shared):
    """Tags that git signs and tags that were changed after it: never do we take more than git does."""
    me = "ada@distributor.example"
    text = f"{me} {keys['ed25519'][1]}\n*@distributor.example,!{me} {keys['rsa'][1]}\n"
    (tmp_path / "allowed").write_text(text)
    signers, _ = parse_signers(text, "f")
    shared("config", "gpg.format", "ssh")
    shared("config", "gpg.ssh.allowedSignersFile", str(tmp_path / "allowed"))
    accepted = []
    for kind in KINDS:
        shared("config", "user.signingKey", str(keys[kind][0]))
        shared("tag", "-s", "-m", "a request\n\nPromotion-Prev: none", f"by-{kind}", "main")
        raw = run("git", "-C", str(shared.folder), "cat-file", "tag", f"by-{kind}").stdout
        for change in CHANGES:
            changed = change(raw)
            oid = shared("hash-object", "-t", "tag", "-w", "--stdin", "--literally", stdin=changed)
            takes = run("git", "-C", str(shared.folder), "verify-tag", oid).returncode == 0
            tag = parse_tag_object(ObjectId(oid), changed)
            found = tag if isinstance(tag, Finding) else verify(tag, signers, (), at=NOW)
            assert isinstance(found, str) <= takes, changed
            if change is same:
                accepted.append((found if isinstance(found, str) else found.code, takes))
    # Git takes the second key for whomever its patterns may name; we ask who the tagger says to be.
    assert accepted == [(me, True), ("DST208", True), ("DST208", False)]


def same(raw):
    return raw


CHANGES = (
    same,
    lambda raw: raw.replace(b"a request", b"b request"),
    lambda raw: raw.replace(b"tag by-", b"tag my-"),
    lambda raw: raw.replace(b"tagger Ada", b"tagger Eve"),
    lambda raw: raw + b"something more\n",
    lambda raw: raw.replace(b"-----BEGIN", b"\n-----BEGIN", 1),
    lambda raw: raw.replace(b"-----END SSH SIGNATURE-----", b""),
    lambda raw: raw + raw[raw.index(b"-----BEGIN") :],
)
