"""Output: data as people and programs read it, exit codes, and a start that loads nothing heavy."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum

import pytest
import yaml

from distributor.cli.access import VERBS, access, setting
from distributor.cli.output import Form, age, emit, fail, line, plain, say, table
from distributor.errors import Where
from distributor.errors.catalog import UnknownField

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
HEAVY = (
    "pygit2",
    "sqlalchemy",
    "kubernetes",
    "aiohttp",
    "fastapi",
    "cryptography",
    "jsonschema_rs",
    "yaml",
)


class Colour(Enum):
    RED = "red"


@dataclass(frozen=True)
class Thing:
    name: str
    when: datetime
    colours: frozenset[Colour]
    raw: bytes = b"x"


def test_values_become_plain():
    thing = Thing("a", NOW, frozenset({Colour.RED}))
    assert plain({"t": (thing,)}) == {
        "t": [{"name": "a", "when": "2026-01-02T03:04:05+00:00", "colours": ["red"], "raw": "x"}]
    }


@pytest.mark.parametrize(("form", "read"), [(Form.JSON, json.loads), (Form.YAML, yaml.safe_load)])
def test_data_goes_to_stdout(capsys, form, read):
    emit([{"a": None, "ü": 1}], form)
    out, err = capsys.readouterr()
    assert read(out) == [{"a": None, "ü": 1}]
    assert err == ""


def test_a_piped_table_is_never_cut(capsys):
    table(("a", "b"), [("x" * 300, "[bold]y[/bold]")])
    out = capsys.readouterr().out
    assert "x" * 300 in out
    assert "[bold]y[/bold]" in out


def test_an_error_says_where_and_what_to_do(capsys):
    fail(UnknownField("`a`", where=Where(file="f.yaml", line=3)))
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("DST102 f.yaml:3: ")
    assert "remedy: " in err


def test_what_strangers_wrote_steers_no_terminal(capsys):
    fail(UnknownField("`\x1b[2J\u202e`", where=Where(file="f\n\x1b[1m.yaml")))
    say("\x9b31m")
    line("why: first\n-> forged\x1b[1A")
    table(("a", "b"), [("\x1b]0;title\x07", "x")])
    out, err = capsys.readouterr()
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", out.replace("\x1b[1m", "") + err)
    assert out.startswith("why: first\n    -> forged\\x1b[1A\n")
    assert err.startswith("DST102 f\\n\\x1b[1m.yaml: ")


@pytest.mark.parametrize(
    ("ago", "expected"),
    [(0, "0s"), (59, "59s"), (61, "1m1s"), (3_660, "1h1m"), (90_000, "1d1h"), (-5, "0s")],
)
def test_age(ago, expected):
    assert age(NOW - timedelta(seconds=ago), NOW) == expected
    assert age(None, NOW) == "-"


def test_the_program_starts_without_anything_heavy():
    code = f"import sys, distributor.cli.main\nprint([m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"


def test_the_account_of_a_push_cluster_cannot_give_itself_more():
    objects = access()
    rules = [rule for o in objects for rule in o.get("rules", [])]
    assert [o["kind"] for o in objects] == [
        "Namespace", "ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding",
    ]  # fmt: skip
    assert not any("*" in (*r["apiGroups"], *r["resources"], *r["verbs"]) for r in rules)
    assert not {"escalate", "bind", "impersonate"} & {v for r in rules for v in r["verbs"]}
    assert set(VERBS) == {"get", "list", "watch", "create", "patch", "delete"}


def test_rights_in_named_namespaces_reach_no_other_one():
    objects = access(namespaces=["a", "b"])
    wide = [r for o in objects if o["kind"] == "ClusterRole" for r in o["rules"]]
    assert [(r["resources"], r["resourceNames"], r["verbs"]) for r in wide] == [
        (["namespaces"], ["a", "b"], ["get", "list", "watch"])
    ]
    roles = [o["metadata"]["namespace"] for o in objects if o["kind"] == "Role"]
    assert roles == ["a", "b", "distributor-system"]


def test_an_account_is_all_that_may_be_acted_for():
    objects = access(accounts=["team-a/deployer"])
    roles = [o for o in objects if "rules" in o]
    acted = [(o["metadata"], r) for o in roles for r in o["rules"] if "impersonate" in r["verbs"]]
    assert acted == [
        ({"name": "distributor-as-deployer", "namespace": "team-a"},
         {"apiGroups": [""], "resources": ["serviceaccounts"], "resourceNames": ["deployer"],
          "verbs": ["impersonate"]}),
    ]  # fmt: skip
    theirs = [o["metadata"].get("namespace") for o in objects if o.get("subjects")
              and o["subjects"][0]["name"] == "deployer" and o["kind"] == "RoleBinding"]  # fmt: skip
    assert theirs == ["team-a"]


def test_a_setting_is_toml(tmp_path):
    text = setting("uat/a", tmp_path / 'k"c', "ctx")
    assert tomllib.loads(text) == {
        "connections": {"uat/a": {"kubeconfig": str(tmp_path / 'k"c'), "context": "ctx"}}
    }
