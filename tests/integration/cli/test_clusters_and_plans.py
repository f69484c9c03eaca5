"""Clusters added and listed, and plans: against a repository with a ledger, without a server."""

from __future__ import annotations

import tomllib

import pytest
import yaml


def test_a_push_cluster(program, repository):
    add = ["cluster", "add", "uat-new", "--env", "uat", "--tier", "edge", "--mode", "push"]
    done = program(*add, "--kubeconfig", "kube", "--context", "admin")
    assert (repository / "environments/uat/clusters/uat-new.yaml").is_file()
    kinds = [o["kind"] for o in yaml.safe_load_all(done.out)]
    assert kinds[0] == "Namespace"
    assert "ClusterRole" in kinds
    table = done.err[done.err.index("[connections") :].partition("\n\n")[0]
    assert tomllib.loads(table)["connections"]["uat/uat-new"] == {
        "kubeconfig": str(repository / "kube"), "context": "admin",
    }  # fmt: skip
    assert program(*add, code=1).err.startswith("DST118")


def test_a_push_cluster_for_some_namespaces_and_accounts(program, repository):
    add = ["cluster", "add", "uat-new", "--env", "uat", "--tier", "edge", "--mode", "push"]
    for wrong in ("a/b/c", "a", "A/b", "a/..", "/b", "b/x"):
        assert program(*add, "--namespace", "a", "--account", wrong, code=2).err.startswith(
            "DST716"
        )
    assert program(*add, "--namespace", "A", code=2).err.startswith("DST716")
    assert program(*add, "--in-cluster", "--context", "x", code=2).err.startswith("DST716")
    how = ["--namespace", "b", "--namespace", "a", "--account", "a/robot", "--in-cluster"]
    said = program(*add, *how, "-o", "json").json()
    assert tomllib.loads(said["setting"])["connections"]["uat/uat-new"] == {
        "in_cluster": True, "namespaces": ["a", "b"],
    }  # fmt: skip
    assert {o["metadata"].get("namespace") for o in said["rbac"] if o["kind"] == "Role"} == {
        "a", "b", "distributor-system",
    }  # fmt: skip


def test_a_directory_cluster(program, repository):
    add = ["cluster", "add", "uat-dir", "--env", "uat", "--tier", "slim", "--mode", "directory"]
    assert program(*add, "--context", "x", code=2).err.startswith("DST716")
    assert program(*add[:-1], "pull", code=2).err.startswith("DST716")
    said = program(*add, "--flavour", "k0s", "-o", "json").json()
    assert (said["connection"], said["rbac"], said["setting"]) == ("uat/uat-dir", [], "")
    text = (repository / "environments/uat/clusters/uat-dir.yaml").read_text()
    assert yaml.safe_load(text)["spec"]["delivery"]["flavour"] == "k0s"


def test_a_branch_cluster(program, repository):
    add = ["cluster", "add", "uat-git", "--env", "uat", "--tier", "slim", "--mode", "branch"]
    assert "rendered/uat/uat-git" in program(*add).err
    text = (repository / "environments/uat/clusters/uat-git.yaml").read_text()
    assert yaml.safe_load(text)["spec"]["delivery"]["mode"] == "branch"


def test_a_mode_that_nothing_serves_is_refused_at_once(program, repository):
    new = ["new", "cluster", "uat-pull", "--env", "uat", "--tier", "slim", "--mode", "pull"]
    done = program(*new, code=1)
    assert "DST417" in done.err
    assert "comes with a later release" in done.err
    assert not (repository / "environments/uat/clusters/uat-pull.yaml").exists()


IGNORED = """  delivery:
    offline: expire
"""


def add(file, text):
    file.write_text(file.read_text() + text)


def test_the_sample_asks_for_nothing_that_does_nothing(program, repository):
    program("init", "--ledger")
    assert "DST125" not in program("status").err
    assert "DST" not in program("fsck").err


def test_what_is_set_and_does_nothing_is_told_everywhere(program, repository, git):
    add(repository / "catalog/website/1.0.0/package.yaml", IGNORED)
    for cluster in sorted((repository / "environments/prd/clusters").iterdir()):
        add(cluster, "  bandwidth: 50Mbit\n")
    git(repository, "commit", "-qam", "Ask for what this release does not do")
    program("init", "--ledger")
    made = program("plan", "sit", "website", "1.0.0", "-o", "json").json()
    said = [f["message"] for f in made["findings"] if f["code"] == "DST125"]
    assert any("spec.delivery.offline " in text for text in said)
    assert "DST125" in program("status").err
    checked = program("fsck")  # warnings alone are no findings
    assert checked.err.count("DST125") > 5
    assert "prd-slim-hamburg.yaml" in checked.err


@pytest.mark.parametrize(
    "words", [("history", "all", "all"), ("history", "all"), ("why", "all", "all")]
)
@pytest.mark.usefixtures("repository")
def test_all_can_be_asked_about(program, words):
    program("init", "--ledger")
    program(*words)


@pytest.mark.usefixtures("repository")
def test_the_list_needs_no_ledger(program):
    rows = program("cluster", "list", "-o", "json").json()
    assert len(rows) > 15
    order = list(dict.fromkeys(row["environment"] for row in rows))
    assert order[:3] == ["sit", "uat", "pre"]
    hamburg = next(r for r in rows if r["cluster"] == "prd-slim-hamburg")
    assert "shop" in hamburg["instances"]
    assert (hamburg["reachable"], hamburg["observed"]) == (None, "")
    only = program("cluster", "list", "--env", "sit").out
    assert "prd-slim-hamburg" not in only
    assert "sit-central-1" in only
    assert program("cluster", "list", "--env", "nope", code=2).err.startswith("DST707")


def test_a_plan(program, repository, git):
    assert program("plan", "sit", "shop", "1.4.2", code=2).err.startswith("DST603")
    program("init", "--ledger")
    for cluster in ("sit-central-1", "sit-slim-1"):
        (repository / "clusters/sit" / cluster).mkdir(parents=True)
    made = program("plan", "sit", "shop", "1.4.2", "-o", "json").json()
    assert made["accepted"] is True
    assert made["rendered"].startswith("sha256:")
    assert made["cells"] == 2
    assert {g["result"] for g in made["gates"]} == {"pass"}
    assert [t["cluster"] for t in made["targets"]] == ["sit-central-1", "sit-slim-1"]
    assert all(t["counts"]["created"] > 10 and t["findings"] == [] for t in made["targets"])
    assert "sit-edge-1" in made["leftOut"]
    text = program("plan", "sit", "shop", "1.4.2", "--cluster", "sit-slim-1").out
    assert made["rendered"] in text
    assert "sit-central-1" not in text
    assert git(repository, "for-each-ref", "refs/tags") == ""


def test_what_does_not_render_everywhere_has_no_hash_to_approve(program, repository, git):
    file = repository / "catalog/shop/1.4.2/base/kustomization.yaml"
    file.write_text(file.read_text().replace("resources:", "resorces:"))
    git(repository, "commit", "-qam", "Break it")
    program("init", "--ledger")
    made = program("plan", "sit", "shop", "1.4.2", "-o", "json", code=1).json()
    assert made["rendered"] == ""
    (gate,) = [g for g in made["gates"] if g["result"] == "fail"]
    assert gate["gate"] == "renders"
    assert gate["message"].startswith("catalog/shop/1.4.2/base/kustomization.yaml:")
    assert gate["message"].count("does not render") == 1
    assert "(on sit-central-1, sit-slim-1)" in gate["message"]
    shown = program("plan", "sit", "shop", "1.4.2", code=1).out
    assert "Rendered  -" in shown
    away = program("plan", "sit", "shop", "1.4.2", "--cluster", "sit-edge-1", code=2)
    assert away.err.startswith("DST707")


@pytest.mark.usefixtures("repository")
def test_a_plan_that_a_gate_would_deny(program):
    program("init", "--ledger")
    done = program("plan", "uat", "shop", "1.4.2", code=1)
    assert "would not be accepted" in done.out
    made = program("plan", "uat", "shop", "1.4.2", "-o", "json", code=1).json()
    failed = {g["gate"] for g in made["gates"] if g["result"] == "fail"}
    assert {"signature", "predecessors"} <= failed
    assert made["accepted"] is False
    assert program("plan", "sit", "shop", "9.9.9", code=1).err.startswith("DST212")
