from __future__ import annotations

import base64
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from distributor.errors.secrets import (
    BrokenCiphertext,
    PlaceholderForged,
    SecretMisplaced,
    SecretNotBase64,
)
from distributor.model.refs import ObjectId
from distributor.render.placeholders import Placeholder, check, filled, found, hidden, spliced

FILES = Path(__file__).parents[1] / "adapters" / "sops" / "files"
BLOB = ObjectId("a" * 40)
ONE = Placeholder(path="package/base/db.sops.yaml", key="data/password", blob=BLOB)
OTHER = Placeholder(path="overlay/other file.env", key="", blob=ObjectId("b" * 64))


def _hidden(name):
    made = hidden((FILES / name).read_bytes(), f"package/{name}", BLOB)
    assert made is not None
    text = made[0].decode()
    return text, made[1]


def coded(text):
    return base64.b64encode(text.encode() if isinstance(text, str) else text).decode()


def lines(text):
    """As kustomize writes long values."""
    return "\n".join(text[start : start + 70] for start in range(0, len(text), 70))


def secret(make, **data):
    return make.manifest("Secret", "db", **data)


@given(
    st.text(min_size=1).filter(lambda t: max(t) < "\ud800"),
    st.sampled_from(["", "a/b", "1:x"]),
    st.sampled_from([40, 64]),
)
def test_a_placeholder_is_read_as_it_was_written(path, key, digits):
    one = Placeholder(path=path, key=key, blob=ObjectId("0" * digits))
    assert list(found(f"{{{one}}}{one}")) == [one, one]


def test_an_object_keeps_its_form():
    text, made = _hidden("secret.sops.yaml")
    document = yaml.safe_load(text)
    assert "sops" not in document
    assert document["metadata"]["annotations"]["f"] == 1000
    assert document["stringData"]["empty"] == ""
    assert {one.key for one in made} == {
        "stringData/password",
        "stringData/port",
        "stringData/ratio",
        "stringData/on",
        "stringData/when",
        "stringData/multi",
        "data/blob",
    }
    assert {str(one) for one in made} <= set(
        map(str, [*document["stringData"].values(), *document["data"].values()])
    )


def test_dotenv_keeps_its_form():
    text, made = _hidden("app.sops.env")
    assert "sops_" not in text
    assert [line.partition("=")[0] for line in text.splitlines()[1:]] == [
        "USER",
        "PASS",
        "EMPTY",
        "MULTI",
    ]
    assert {one.key for one in made} == {"USER", "PASS", "MULTI"}


@pytest.mark.parametrize(
    "name", ["config.sops.yaml", "config.sops.json", "bin.sops", "two.sops.yaml"]
)
def test_of_any_other_file_one_placeholder_stays(name):
    text, made = _hidden(name)
    assert made == {Placeholder(path=f"package/{name}", key="", blob=BLOB)}
    assert [text] == [str(one) for one in made]


ENC = "ENC[AES256_GCM,data:AA==,iv:AA==,tag:AA==,type:str]"
META = f"sops:\n  mac: {ENC}\n"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.yaml", "kind: Secret\n"),
        ("a.yaml", f"key: {ENC}\n"),
        ("README.md", f"# sops\n\n    sops:\n  {ENC}: [\n"),
        ("a.txt", f"sops: {ENC}\n  x: [\n"),
        ("crd.yaml", f"apiVersion: isindir.github.com/v1\nkind: SopsSecret\nspec: {ENC}\n{META}"),
        ("list.yaml", f"- sops: {ENC}\n"),
    ],
)
def test_files_that_are_left_alone(name, text):
    assert hidden(text.encode(), name, BLOB) is None


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        (
            "a.yaml",
            f"apiVersion: v1\nkind: ConfigMap\ndata: {{a: '{ENC}'}}\n{META}",
            SecretMisplaced,
        ),
        ("a.yaml", f"apiVersion: v1\nkind: {ENC}\n{META}", SecretMisplaced),
        (
            "a.yaml",
            f"apiVersion: v1\nkind: Secret\nmetadata: {{name: '{ENC}'}}\n{META}",
            SecretMisplaced,
        ),
        (
            "a.yaml",
            f"apiVersion: v1\nkind: Secret\ndata: {{a: '{ENC}'}}\n{META}---\na: {ENC}\n{META}",
            BrokenCiphertext,
        ),
        ("x.sops", f"sops: {ENC}\nx: [\n", BrokenCiphertext),
        ("a.env", f"A={ENC}\nB\nsops_mac=x\n", BrokenCiphertext),
        ("a.env", f"A={ENC}\nA=b\nsops_mac=x\n", BrokenCiphertext),
    ],
)
def test_files_that_are_refused(name, text, expected):
    with pytest.raises(expected) as raised:
        hidden(text.encode(), name, BLOB)
    assert raised.value.where.file == name
    assert "ENC" not in str(raised.value)


KNOWN = frozenset({str(ONE)})


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"data": {"a": str(ONE)}}, None),
        ({"data": {"a": coded(str(ONE))}}, None),
        ({"data": {"a": coded(f"user:{ONE}@host {ONE}")}}, None),
        ({"data": {"a": lines(coded(f"user:{ONE}"))}}, None),
        ({"data": {"a": lines(coded(str(OTHER)))}}, PlaceholderForged),
        ({"data": {"a": coded(b"\xff\xfe")}, "stringData": {"b": f"x{ONE}"}}, None),
        ({"data": {"a": str(OTHER)}}, PlaceholderForged),
        ({"data": {"a": coded(str(OTHER))}}, PlaceholderForged),
        ({"stringData": {"a": str(OTHER)}}, PlaceholderForged),
        ({"data": {"a": f"{ONE}x"}}, PlaceholderForged),
        ({"data": {"a": f"{ONE}{ONE}"}}, PlaceholderForged),
        ({"data": {"a": str(ONE)[:-3]}}, PlaceholderForged),
        ({"data": {"a": coded(str(ONE)[:-1])}}, PlaceholderForged),
        ({"stringData": {"a": str(ONE).replace("data", "date")}}, PlaceholderForged),
        ({"data": {str(ONE): "YQ=="}}, SecretMisplaced),
        ({"metadata": {"labels": {"a": str(ONE)}}}, SecretMisplaced),
        ({"data": {"a": [str(ONE)]}}, SecretMisplaced),
        ({"data": {"a": ENC}}, BrokenCiphertext),
        ({"data": {"a": coded(ENC)}}, BrokenCiphertext),
    ],
)
def test_placeholders_stand_where_they_can_be_filled_in(make, data, expected):
    manifest = secret(make, **data)
    if expected is None:
        check([manifest], KNOWN)
    else:
        with pytest.raises(expected) as raised:
            check([manifest], KNOWN)
        assert raised.value.where.file == "Secret/shop/db"


def test_placeholders_stand_in_secrets_alone(make):
    with pytest.raises(SecretMisplaced):
        check([make.manifest("ConfigMap", "db", data={"a": f"x {ONE}"})], KNOWN)
    with pytest.raises(SecretMisplaced):
        check([make.manifest("Deployment", "db", spec={str(ONE): 1})], KNOWN)


def test_values_are_spliced_in_and_the_digest_stays(make):
    before = secret(
        make,
        data={"raw": str(ONE), "text": coded(f"u:{ONE}@h"), "bytes": coded(b"\xff"), "old": "YQ=="}
        | {"lines": lines(coded(f"{ONE}\n"))},
    )
    after = spliced(before, {ONE: base64.b64encode(b"${x} $${y}")})
    assert after.digest == before.digest
    assert after.ref == before.ref
    held = after.data()["data"]
    assert base64.b64decode(held["raw"]) == b"${x} $${y}"
    assert base64.b64decode(held["text"]) == b"u:" + base64.b64encode(b"${x} $${y}") + b"@h"
    assert base64.b64decode(held["lines"]) == base64.b64encode(b"${x} $${y}") + b"\n"
    assert (held["bytes"], held["old"]) == (coded(b"\xff"), "YQ==")


def test_base64_in_lines_is_taken(make):
    after = spliced(secret(make, data={"raw": str(ONE)}), {ONE: b"YWJj\nZGVm\n"})
    assert base64.b64decode(after.data()["data"]["raw"]) == b"abcdef"


def test_what_is_no_base64_is_refused_without_being_shown(make):
    with pytest.raises(SecretNotBase64) as raised:
        spliced(secret(make, data={"raw": str(ONE)}), {ONE: b"hunter2 !"})
    assert raised.value.where.field == "data.raw"
    assert "hunter2" not in str(raised.value)


def test_a_value_that_looks_like_a_placeholder_is_not_filled_in_again():
    assert filled(f"{ONE}", {ONE: str(OTHER).encode()}) == str(OTHER).encode()
