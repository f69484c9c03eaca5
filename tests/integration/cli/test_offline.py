"""digest, schema, explain, settings, health, diff, and what they say to bad input."""

from __future__ import annotations

import json

import pytest
import yaml

from distributor.adapters.git import PygitObjects
from distributor.catalog.digests import find, package_digest

DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: "web:1"}]}
"""


def test_digest_is_of_what_is_committed(program, repository, git):
    objects = PygitObjects(repository)
    root = objects.tree_of(objects.resolve("HEAD"))
    wanted = package_digest(objects, find(objects, root, "catalog/shop/1.4.2").id)
    clean = program("digest", "catalog/shop/1.4.2")
    assert (clean.out, clean.err) == (f"{wanted}\n", "")
    assert program("digest", cwd=repository / "catalog/shop/1.4.2").out == clean.out
    (repository / "catalog/shop/1.4.2/base/more.yaml").write_text("x")
    edited = program("digest", "catalog/shop/1.4.2", "-o", "json")
    assert edited.json()["digest"] == wanted
    assert edited.json()["source"] == "HEAD"
    assert "differ" in edited.err
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "x")
    assert program("digest", "catalog/shop/1.4.2").out != clean.out


def test_digest_of_what_nobody_committed(program):
    (program.cwd / "p").mkdir()
    (program.cwd / "p/x").write_text("1")
    done = program("digest", "p")
    assert done.out.startswith("sha256:")
    assert "nothing of this is committed" in done.err
    (program.cwd / "p/link").symlink_to("x")
    assert "DST109" in program("digest", "p", code=1).err
    assert program("digest", "nope", code=2).err.startswith("DST707")


def test_schemas(program):
    listed = program("schema", "-o", "json").json()
    assert [row["kind"] for row in listed][:2] == ["App", "Package"]
    found = json.loads(program("schema", "Package").out)
    assert found["$schema"].endswith("2020-12/schema")
    assert yaml.safe_load(program("schema", "package", "-o", "yaml").out) == found
    assert program("schema", "Nope", code=2).err.startswith("DST707")


def test_explain(program):
    assert program("explain", "DST301").out.startswith("DST301  The package does not render.")
    assert program("explain", "dst301", "-o", "json").json()["retryable"] is False
    codes = [row["code"] for row in program("explain", "-o", "json").json()]
    assert codes == sorted(codes)
    assert len(codes) > 80
    assert program("explain", "DST999", code=2).err.startswith("DST711")


def test_settings_with_their_origin_and_without_secrets(program):
    (program.cwd / "distributor.toml").write_text("webhook_secret = 'hunter2'\npoll = 5\n")
    done = program("--log-level", "debug", "settings", "-o", "json")
    rows = {row["name"]: row for row in done.json()}
    assert rows["poll"]["value"] == 5
    assert rows["poll"]["origin"].endswith("distributor.toml")
    assert rows["log_level"]["origin"] == "flag"
    assert rows["main"]["origin"] == "default"
    assert rows["webhook_secret"]["value"] == "(hidden)"
    assert "hunter2" not in done.out + program("settings").out
    (program.cwd / "distributor.toml").write_text("pol = 5\n")
    wrong = program("settings", code=2)
    assert wrong.err.startswith("DST701 ")
    assert "pol" in wrong.err


def test_a_variable_that_is_no_setting_is_told(program, quick):
    quick.monkeypatch.setenv("DISTRIBUTOR_PROT", "1")
    quick.monkeypatch.setenv("DISTRIBUTOR_TEST_SEED", "1")
    done = quick("schema", code=0)
    assert done.err == "warning: DISTRIBUTOR_PROT is no setting; did you mean DISTRIBUTOR_PORT?\n"


def test_the_help_tells_the_exit_codes(program):
    assert "130 interrupted" in " ".join(program("--help").out.split())


def test_health(program):
    live = yaml.safe_load(DEPLOYMENT)
    live["metadata"]["generation"] = 2
    live["status"] = {"observedGeneration": 1}
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": "n"}}
    gone = config | {"metadata": {"name": "g", "deletionTimestamp": "2026-01-01T00:00:00Z"}}
    (program.cwd / "l.json").write_text(
        json.dumps({"apiVersion": "v1", "kind": "List", "items": [live, config]})
    )
    (program.cwd / "d").mkdir()
    (program.cwd / "d/g.yaml").write_text(yaml.safe_dump(gone))
    rows = program("health", "l.json", "d", "-o", "json").json()
    assert [(r["kind"], r["name"], r["status"]) for r in rows] == [
        ("Deployment", "web", "InProgress"), ("ConfigMap", "c", "Current"), ("ConfigMap", "g", "Terminating"),
    ]  # fmt: skip
    named = {"apiVersion", "kind", "namespace", "name", "status", "message"}
    assert set(rows[0]) == named | {"observedAt"}
    assert "latest observed generation is 1" in program("health", "l.json").out


def test_health_by_the_rules_of_a_package(program):
    thing = {"apiVersion": "x.example/v1", "kind": "Thing", "metadata": {"name": "a"}}
    things = [{**thing, "status": {"phase": p}} for p in ("Broken", "Done", "Other")]
    things.append(thing)
    (program.cwd / "t.yaml").write_text(yaml.safe_dump_all(things))
    rules = [
        {"status": "Failed", "when": "object.status.phase == 'Broken'", "message": "it broke"},
        {"status": "Current", "when": "object.status.phase == 'Done'"},
    ]
    health = [{"group": "x.example", "kind": "Thing", "rules": rules}]
    spec = {
        "version": "1.0.0", "renderer": "raw", "path": "m", "namespace": {"name": "a"},
        "delivery": {"health": health},
    }  # fmt: skip
    package = {
        "apiVersion": "distributor.dev/v1alpha1", "kind": "Package", "metadata": {"name": "a"}, "spec": spec
    }  # fmt: skip
    (program.cwd / "package.yaml").write_text(yaml.safe_dump(package))
    asked = ("health", "t.yaml", "--package", ".", "--at", "2026-01-01T10:00:00+02:00")
    rows = program(*asked, "-o", "json").json()
    assert [r["status"] for r in rows] == ["Failed", "Current", "InProgress", "InProgress"]
    assert rows[0]["message"] == "it broke"
    assert "Key not found" in rows[3]["message"]
    assert {r["observedAt"] for r in rows} == {"2026-01-01T08:00:00+00:00"}

    rules[0]["when"] = "object.status."
    (program.cwd / "package.yaml").write_text(yaml.safe_dump(package))
    told = program(*asked, code=1).err
    assert "DST450" in told
    assert "Syntax error" in told


def test_diff(program):
    wanted, live = program.cwd / "wanted.yaml", program.cwd / "live.yaml"
    wanted.write_text(DEPLOYMENT)
    live.write_text(DEPLOYMENT)
    ask = ["diff", "--desired", wanted, "--live", live]
    same = program(*ask)
    assert (same.out, program(*ask, "-o", "json").json()) == ("", [])
    live.write_text(DEPLOYMENT.replace("replicas: 2", "replicas: 3"))
    rows = program(*ask, "-o", "json", code=1).json()
    assert [(r["object"], r["drift"], r["field"], r["desired"], r["live"]) for r in rows] == [
        ("apps/Deployment/shop/web", "changed", "spec.replicas", 2, 3)
    ]
    assert "spec.replicas" in program(*ask, code=1).out
    live.write_text("")
    assert program(*ask, "-o", "json", code=1).json()[0]["drift"] == "missing"


PACKAGE = """apiVersion: distributor.dev/v1alpha1
kind: Package
metadata: {name: shop}
spec:
  version: 1.0.0
  renderer: raw
  path: manifests
  namespace: {name: shop}
"""


def test_the_rule_that_is_suggested_makes_the_drift_none(program):
    (program.cwd / "wanted.yaml").write_text(DEPLOYMENT)
    (program.cwd / "live.yaml").write_text(DEPLOYMENT.replace("replicas: 2", "replicas: 3"))
    (program.cwd / "package.yaml").write_text(PACKAGE)
    ask = ["diff", "--desired", "wanted.yaml", "--live", "live.yaml", "--ignore", "."]
    found = program(*ask, "-o", "json", code=1)
    assert [row["pointer"] for row in found.json()] == ["/spec/replicas"]
    said = yaml.safe_load(found.err.partition("package:")[2])
    rules = said["delivery"]["ignore"]
    assert rules == [
        {"group": "apps", "kind": "Deployment", "name": "web", "fields": ["/spec/replicas"]}
    ]
    whole = yaml.safe_load(PACKAGE)
    whole["spec"]["delivery"] = said["delivery"]
    (program.cwd / "package.yaml").write_text(yaml.safe_dump(whole))
    assert program(*ask).out == ""
    rule = whole["spec"]["delivery"]["ignore"][0]
    for when, code in {
        "object.spec.replicas == 3": 0,
        "object.spec.replicas > 3": 1,
        "object.spec.none == 1": 1,
    }.items():
        rule["when"] = when
        (program.cwd / "package.yaml").write_text(yaml.safe_dump(whole))
        assert ("replicas" in program(*ask, code=code).out) is bool(code)
    rule["when"] = "object.spec."
    (program.cwd / "package.yaml").write_text(yaml.safe_dump(whole))
    assert "DST450" in program(*ask, code=1).err
    del rule["when"]
    rule["fields"] = ["/metadata/name"]
    (program.cwd / "package.yaml").write_text(yaml.safe_dump(whole))
    assert "DST103" in program(*ask, code=1).err
    assert "DST707" in program(*ask[:-1], "nowhere", code=2).err


def test_diff_of_a_kustomization(program):
    (program.cwd / "k").mkdir()
    (program.cwd / "k/kustomization.yaml").write_text("resources: [d.yaml]\nnamePrefix: p-\n")
    (program.cwd / "k/d.yaml").write_text(DEPLOYMENT)
    (program.cwd / "live.yaml").write_text(DEPLOYMENT.replace("name: web,", "name: p-web,", 1))
    assert program("diff", "--desired", "k", "--live", "live.yaml").out == ""


@pytest.mark.parametrize(
    ("arguments", "code", "exit_code"),
    [
        (["health", "nope"], "DST707", 2),
        (["health"], "Usage", 2),
        (["health", ".", "--at", "noon"], "DST701", 2),
        (["health", ".", "--package", "nope"], "DST707", 2),
        (["health", "bad.yaml"], "DST101", 1),
        (["health", "big.yaml"], "DST112", 1),
        (["health", "text.yaml"], "DST308", 1),
        (["diff", "--desired", "nope", "--live", "bad.yaml"], "DST707", 2),
        (["diff", "--desired", "text.yaml", "--live", "text.yaml"], "DST308", 1),
        (["diff", "--desired", "bad.yaml"], "Usage", 2),
        (["plan", "sit", "shop"], "DST610", 2),
        (["cluster", "list"], "DST610", 2),
        (["nonsense"], "Usage", 2),
    ],
)
def test_bad_input(quick, program, arguments, code, exit_code):
    (program.cwd / "bad.yaml").write_text("a: 1\nb: [\n")
    (program.cwd / "text.yaml").write_text("just text\n")
    with (program.cwd / "big.yaml").open("wb") as file:
        file.truncate(50 << 20)
    done = quick(*arguments, code=exit_code)
    assert done.err.startswith(code), done.err
    assert done.out == ""
