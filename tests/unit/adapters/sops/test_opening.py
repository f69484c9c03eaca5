from __future__ import annotations

import re
from pathlib import Path
from random import Random

import pytest

from distributor.adapters.sops import SopsOpener
from distributor.adapters.sops.values import in_mac
from distributor.errors import DistributorError
from distributor.errors.secrets import (
    BadSecretsKey,
    BrokenCiphertext,
    SecretsKeyMissing,
    SecretTampered,
    SecretUndecryptable,
    UnsupportedCiphertext,
    WrongSecretsKey,
)

FILES = Path(__file__).parent / "files"
SECRET = {
    "stringData/password": "marker-${x}-pässword".encode(),
    "stringData/port": b"5432",
    "stringData/ratio": b"0.5",
    "stringData/on": b"true",
    "stringData/when": b"2020-01-02T03:04:05Z",
    "stringData/multi": b"line one\nline: two # no comment\n",
    "data/blob": b"bWFya2VyLWJpbmFyeQ==",
}


@pytest.fixture
def opener(tmp_path):
    key = tmp_path / "key.txt"
    key.write_bytes((FILES / "test-only-key.txt").read_bytes())
    key.chmod(0o600)
    return SopsOpener(key)


def _named(values):
    return {key: value for key, value in values.items() if key}


def _opened(opener, name):
    return opener.open((FILES / name).read_bytes(), name, "sit")


@pytest.mark.parametrize("name", ["secret.sops.yaml", "onlymac.sops.yaml"])
def test_a_secret_whose_data_is_encrypted(opener, name):
    assert _named(_opened(opener, name)) == SECRET


def test_a_file_with_every_kind_of_scalar_encrypted(opener):
    values = _opened(opener, "all.sops.yaml")
    assert SECRET.items() <= values.items()
    assert values["metadata/annotations/f"] == b"1000"
    assert values["metadata/labels/t"] == b"2020-01-02T03:04:05.1Z"


@pytest.mark.parametrize("name", ["config.sops.yaml", "suffix.sops.yaml"])
def test_lists_nothings_and_a_second_document(opener, name):
    values = _opened(opener, name)
    assert values["db/hosts/1"] == b"b"
    assert values["flag"] == b"false"
    assert values["1:second"] == b"doc"
    assert ("db/user" in values) is (name == "config.sops.yaml")


def test_the_whole_file_has_its_form_again_without_metadata(opener):
    text = _opened(opener, "config.sops.yaml")[""].decode()
    assert 'pass: "quoted \\" text"' in text
    assert "sops" not in text
    assert text.endswith('---\nsecond: "doc"\n')


def test_json(opener):
    import json

    values = _opened(opener, "config.sops.json")
    assert values["a"] == b"x<y"
    assert json.loads(values[""]) == {
        "a": "x<y",
        "n": 5,
        "big": 123456789012,
        "f": 1.5,
        "l": [True, None, "z"],
        "o": {"k": "v"},
    }


def test_dotenv(opener):
    values = _opened(opener, "app.sops.env")
    assert _named(values) == {"USER": b"admin", "PASS": b"a=b#c d", "MULTI": b"one\ntwo"}
    assert values[""].decode().endswith("\nUSER=admin\nPASS=a=b#c d\nEMPTY=\nMULTI=one\\ntwo\n")


def test_any_bytes(opener):
    assert len(_opened(opener, "bin.sops")[""]) == 300


def test_a_second_recipient(opener):
    assert _opened(opener, "two.sops.yaml")["password"] == b"s3cret"


def _replaced(old, new):
    def change(text):
        assert re.search(old, text)
        return re.sub(old, new, text, count=1)

    return change


def _swapped(text):
    found = re.findall(r"ENC\[[^]]*type:str\]", text)
    one, other = found[0], found[1]
    return text.replace(one, "@").replace(other, one).replace("@", other)


TAMPERED = {
    "clear text changed": (_replaced("name: db", "name: da"), SecretTampered),
    "clear text added": (_replaced("type: Opaque", "type: Opaque\nmore: x"), SecretTampered),
    "a number changed": (_replaced("f: 1000", "f: 1001"), SecretTampered),
    "a value taken out": (_replaced(r"    port: ENC.*\n", ""), SecretTampered),
    "a value made plain": (_replaced(r"port: ENC.*", "port: 5433"), SecretTampered),
    "values swapped": (_swapped, SecretUndecryptable),
    "a key renamed": (_replaced("    port: ENC", "    part: ENC"), SecretUndecryptable),
    "a type changed to one that fails": (
        _replaced(r"(password: ENC.*)type:str", r"\1type:int"),
        SecretUndecryptable,
    ),
    "a type changed to a comment": (
        _replaced(r"(password: ENC.*)type:str", r"\1type:comment"),
        SecretTampered,
    ),
    "an unknown type": (_replaced(r"(port: ENC.*)type:int", r"\1type:x"), SecretUndecryptable),
    "a short tag": (_replaced(r"(port: ENC.*)tag:....", r"\1tag:"), SecretUndecryptable),
    "no base64": (_replaced(r"(port: ENC.*)iv:.", r"\1iv:"), SecretUndecryptable),
    "cut short": (_replaced(r"(port: ENC.*),tag:.*", r"\1"), SecretUndecryptable),
    "no MAC": (_replaced(r"    mac: ENC.*\n", ""), SecretTampered),
    "an older MAC's time": (
        _replaced("lastmodified: .2026", 'lastmodified: "2025'),
        SecretTampered,
    ),
    "no time": (_replaced("lastmodified: .*", "lastmodified: soon"), BrokenCiphertext),
    "no recipients": (_replaced("    age:", "    pgp:"), UnsupportedCiphertext),
    "an age stanza cut": (_replaced("-----END AGE", "-----AND AGE"), WrongSecretsKey),
    "an alias": (_replaced("type: Opaque", "type: &a Opaque\nb: *a"), BrokenCiphertext),
    "a tag": (_replaced("type: Opaque", "type: !!binary Opaq"), BrokenCiphertext),
    "a key twice": (_replaced("type: Opaque", "type: Opaque\ntype: x"), BrokenCiphertext),
    "a key that is a list": (_replaced("type: Opaque", "[a]: Opaque"), BrokenCiphertext),
    "broken YAML": (_replaced("type: Opaque", "type: 'Opaque"), BrokenCiphertext),
    "a NUL byte": (_replaced("type: Opaque", "type: \0"), BrokenCiphertext),
    "deep nesting": (_replaced("type: Opaque", "type: " + "[" * 300 + "]" * 300), BrokenCiphertext),
    "endless nesting": (_replaced("type: Opaque", "type: " + "[" * 200_000), BrokenCiphertext),
    "too many values": (
        _replaced("type: Opaque", "type: [" + "1," * 100_001 + "]"),
        BrokenCiphertext,
    ),
    "too large": (_replaced("type: Opaque", "type: " + "x" * (4 << 20)), BrokenCiphertext),
}


@pytest.mark.parametrize("case", TAMPERED)
def test_every_change_is_noticed(opener, case):
    change, expected = TAMPERED[case]
    text = change((FILES / "secret.sops.yaml").read_text())
    with pytest.raises(expected) as raised:
        opener.open(text.encode(), "package/db.sops.yaml", "sit")
    shown = f"{raised.value} {raised.value.hint}"
    assert raised.value.where.file == "package/db.sops.yaml"
    assert "marker" not in shown
    assert "ENC[" not in shown


@pytest.mark.parametrize(
    "name", ["demo.sops.yaml", "config.sops.json", "app.sops.env", "bin.sops", "all.sops.yaml"]
)
def test_bytes_changed_at_random_give_the_same_values_or_an_error(opener, name):
    """Never another value, never another exception."""
    right, data = _opened(opener, name), (FILES / name).read_bytes()
    random, noticed = Random(7), 0
    for _ in range(150):
        changed = bytearray(data)
        place = random.randrange(len(changed))
        match random.randrange(3):
            case 0:
                changed[place] = random.randrange(256)
            case 1:
                del changed[place : place + random.randrange(1, 40)]
            case _:
                other = random.randrange(len(changed))
                changed[place:place] = changed[other : other + 30]
        try:
            values = opener.open(bytes(changed), name, "sit")
        except DistributorError:
            noticed += 1
        else:
            assert _named(values) == _named(right)
    assert noticed > 100


def test_bytes_that_are_not_utf_8(opener):
    data = (FILES / "secret.sops.yaml").read_bytes().replace(b"Opaque", b"\xff")
    with pytest.raises(BrokenCiphertext):
        opener.open(data, "db.sops.yaml", "sit")


def test_another_key(opener):
    with pytest.raises(WrongSecretsKey, match="1 recipient"):
        _opened(opener, "other.sops.yaml")


def test_shares_of_a_key_are_refused(opener):
    with pytest.raises(UnsupportedCiphertext, match="Shamir"):
        _opened(opener, "shares.sops.yaml")


@pytest.mark.parametrize(
    ("text", "mode", "expected"),
    [
        (None, 0o600, SecretsKeyMissing),
        ("# nothing\n", 0o600, BadSecretsKey),
        ("AGE-SECRET-KEY-1QQQ\n", 0o600, BadSecretsKey),
        ("\xff\n", 0o600, BadSecretsKey),
        ("x" * 70_000, 0o600, BadSecretsKey),
        ("AGE-SECRET-KEY-1QQQ\n", 0o644, BadSecretsKey),
    ],
)
def test_key_files_that_cannot_be_used(tmp_path, text, mode, expected):
    path = tmp_path / "key.txt"
    if text is not None:
        path.write_text(text)
        path.chmod(mode)
    with pytest.raises(expected) as raised:
        _opened(SopsOpener(path), "secret.sops.yaml")
    assert "QQQ" not in str(raised.value)


def test_a_folder_holds_a_key_for_each_environment(tmp_path):
    """What is encrypted for prd does not open for sit, wherever somebody copies it to."""
    path = tmp_path / "prd.txt"
    path.write_bytes((FILES / "test-only-key.txt").read_bytes())
    path.chmod(0o600)
    opener = SopsOpener(tmp_path)
    data = (FILES / "two.sops.yaml").read_bytes()
    assert opener.open(data, "two.sops.yaml", "prd")["password"] == b"s3cret"
    with pytest.raises(SecretsKeyMissing) as raised:
        opener.open(data, "two.sops.yaml", "sit")
    assert raised.value.where.file == str(tmp_path / "sit.txt")


def test_without_a_key(opener):
    with pytest.raises(SecretsKeyMissing) as raised:
        _opened(SopsOpener(None), "secret.sops.yaml")
    assert "secrets_key" in raised.value.hint
    assert issubclass(type(raised.value), DistributorError)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("null", b""),
        ("~", b""),
        ("yes", b"yes"),
        ("TRUE", b"True"),
        ("false", b"False"),
        ("0x1F", b"31"),
        ("-0x10", b"-16"),
        ("0b11", b"3"),
        ("0o17", b"15"),
        ("017", b"15"),
        ("089", b"89"),
        ("1_000", b"1000"),
        ("+5", b"5"),
        ("1e3", b"1000"),
        ("1.50", b"1.5"),
        (".5", b"0.5"),
        ("1e21", b"1000000000000000000000"),
        ("1e-7", b"0.0000001"),
        ("1.10.1", b"1.10.1"),
        ("2020-01-02", b"2020-01-02T00:00:00Z"),
        ("2020-1-2T3:4:5.100Z", b"2020-01-02T03:04:05.1Z"),
        ("2020-01-02T03:04:05+02:00", b"2020-01-02T03:04:05+02:00"),
        ("2020-01-02 03:04:05", b"2020-01-02T03:04:05Z"),
        ("2020-13-02", b"2020-13-02"),
        ("abc", b"abc"),
        ("1-2", b"1-2"),
    ],
)
def test_clear_scalars_go_into_the_mac_as_go_reads_them(text, expected):
    assert in_mac(text, plain=True, json=False) == expected
    assert in_mac(text, plain=False, json=False) == text.encode()
