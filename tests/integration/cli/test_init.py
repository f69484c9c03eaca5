"""Starting: a repository that loads, its ledger, and files that are added to it."""

from __future__ import annotations

import pytest
import yaml

from distributor.adapters.keys import generate
from distributor.adapters.workspace import read_work_tree
from distributor.catalog.loading import Loader


def findings(folder):
    tree = read_work_tree(folder)
    loader = Loader(tree)
    return (*loader.load(tree.root).findings, *loader.policies(tree.root).findings)


def test_init_makes_a_repository_that_loads(program, git, tmp_path):
    generate(tmp_path / "sre", "sre")
    done = program(
        "init", "r", "--signer", f"sre@distributor.example={tmp_path / 'sre.pub'}", "-o", "json"
    )
    folder = program.cwd / "r"
    said = done.json()
    assert said["folder"] == str(folder)
    assert said["commit"] == git(folder, "rev-parse", "main")
    assert git(folder, "status", "--porcelain") == ""
    assert git(folder, "rev-list", "--count", "main") == "1"
    assert findings(folder) == ()
    signers = (folder / "policies/signers/allowed_signers").read_text().splitlines()
    assert [line.split()[:2] for line in signers[-2:]] == [
        ["distributor@service", 'namespaces="git"'],
        ["sre@distributor.example", 'namespaces="git"'],
    ]
    key = program.home / "config/distributor/service_ed25519"
    assert said["service_key"] == str(key)
    assert key.stat().st_mode & 0o777 == 0o600
    assert "PRIVATE" not in git(folder, "log", "-p")


def test_a_key_of_ones_own_a_remote_and_the_ledger(program, git, tmp_path):
    key = generate(tmp_path / "key", "service")
    git(tmp_path, "init", "-q", "--bare", "-b", "main", "shared.git")
    program("init", "r", "--sign", tmp_path / "key", "--remote", "../shared.git")
    folder, shared = program.cwd / "r", tmp_path / "shared.git"
    assert git(shared, "rev-parse", "main") == git(folder, "rev-parse", "HEAD")
    assert key.public_key in (folder / "policies/signers/allowed_signers").read_text()
    refused = program("init", "--ledger", cwd=folder, code=2)
    assert refused.err.startswith("DST611")
    assert git(shared, "for-each-ref", "refs/heads/ledger") == ""
    done = program("init", "--ledger", "--sign", tmp_path / "key", "-o", "json", cwd=folder)
    assert done.json()["commit"] == git(shared, "rev-parse", "ledger")
    again = program("init", "--ledger", "--sign", tmp_path / "key", cwd=folder, code=1)
    assert again.err.startswith("DST612")


def test_init_into_an_empty_repository(program, git):
    git(program.cwd, "init", "-q", "-b", "trunk")
    git(program.cwd, "config", "own.setting", "kept")
    program("init")
    assert git(program.cwd, "status", "--porcelain") == ""
    assert git(program.cwd, "branch", "--show-current") == "main"
    assert git(program.cwd, "config", "own.setting") == "kept"


@pytest.mark.parametrize(
    ("arguments", "code", "exit_code"),
    [
        (["full"], "DST118", 1),
        (["full/file"], "DST118", 1),
        (["r", "--signer", "nobody"], "DST716", 2),
        (["r", "--signer", "a=full/file"], "DST716", 2),
        (["r", "--signer", "a=nope"], "DST707", 2),
        (["r", "--sign", "full/file"], "DST611", 2),
        (["r", "--sign", "nope"], "DST611", 2),
        (["full/file/r"], "DST715", 2),
        (["--ledger"], "DST610", 2),
        (["--ledger", "--remote", "x"], "DST716", 2),
    ],
)
def test_bad_input_leaves_nothing_behind(quick, program, arguments, code, exit_code):
    (program.cwd / "full").mkdir()
    (program.cwd / "full/file").write_text("x\n")
    (program.cwd / "full/file").chmod(0o600)
    done = quick("init", *arguments, code=exit_code)
    assert done.err.startswith(code), done.err
    assert "remedy: " in done.err
    assert sorted(p.name for p in program.cwd.rglob("*")) == ["file", "full"]


def test_a_key_inside_the_repository_is_refused(program):
    done = program("init", "r", "--sign", "r/key", code=2)
    assert "must not lie in the repository" in done.err
    assert not (program.cwd / "r").exists()


def test_a_push_that_fails_keeps_the_repository(program):
    done = program("init", "r", "--remote", program.cwd / "nowhere", code=3)
    assert "only the push failed" in done.err
    assert (program.cwd / "r/.git").is_dir()


def test_new_files_load(program, repository):
    written = program("new", "app", "till", "-o", "json").json()["written"]
    assert len(written) == 6
    program("new", "version", "shop", "9.0.0", "--from", "1.4.2")
    program("new", "version", "till", "0.2.0-rc.1", cwd=repository / "catalog" / "till")
    program(
        "new", "cluster", "uat-edge-9", "--env", "uat", "--tier", "edge", "--connection", "own/ref"
    )
    assert findings(repository) == ()
    copied = yaml.safe_load((repository / "catalog/shop/9.0.0/package.yaml").read_text())
    assert copied["spec"]["version"] == "9.0.0"
    cluster = yaml.safe_load((repository / "environments/uat/clusters/uat-edge-9.yaml").read_text())
    assert cluster["spec"]["delivery"]["connection"] == "own/ref"
    program("render", "catalog/till/0.1.0", "--env", "sit")


@pytest.mark.parametrize(
    ("arguments", "code", "exit_code"),
    [
        (["app", "Shop"], "DST100", 1),
        (["app", "../x"], "DST100", 1),
        (["app", "shop"], "DST118", 1),
        (["version", "shop", "1.4.2"], "DST118", 1),
        (["version", "shop", "next"], "DST100", 1),
        (["version", "nope", "1.0.0"], "DST707", 2),
        (["version", "shop", "2.0.0", "--from", "0.0.1"], "DST707", 2),
        (["cluster", "c", "--env", "nope", "--tier", "edge"], "DST707", 2),
        (["cluster", "c", "--env", "uat", "--tier", "nope"], "DST100", 1),
        (["cluster", "c", "--env", "uat", "--tier", "edge", "--mode", "fly"], "DST100", 1),
        (
            ["cluster", "c", "--env", "uat", "--tier", "edge", "--connection", "a\n    b: c"],
            "DST100",
            1,
        ),
        (["cluster", "uat-edge-1", "--env", "uat", "--tier", "edge"], "DST118", 1),
        (["cluster", "c", "--env", "uat"], "Usage", 2),
    ],
)
def test_new_refuses_what_would_not_load(quick, repository, arguments, code, exit_code):
    before = sorted(repository.rglob("*"))
    done = quick("new", *arguments, code=exit_code)
    assert code in done.err, done.err
    assert sorted(repository.rglob("*")) == before


def test_new_needs_a_repository(program):
    assert program("new", "app", "till", code=1).err.startswith("DST117")


def test_a_local_ledger_is_labelled_wherever_it_is_read(program, git, tmp_path):
    git(tmp_path, "init", "-q", "--bare", "-b", "main", "shared.git")
    program("init", "r", "--remote", "../shared.git")
    folder, shared = program.cwd / "r", tmp_path / "shared.git"
    (folder / "distributor.toml").write_text('ledger_repository = "local"\n')
    founded = program("init", "--ledger", cwd=folder)
    assert git(shared, "branch", "--list").split() == ["*", "main"]
    for said in (
        founded,
        program("status", cwd=folder, code=None),
        program("why", "sit", "shop", cwd=folder, code=None),
        program("history", "-o", "json", cwd=folder),
        program("fsck", cwd=folder),
        program("sync", "--dry-run", cwd=folder, code=None),
    ):
        assert said.err.count("the ledger is local") == 1, said
