"""`tag verify` as a person calls it: its lines, its JSON, and how it ends."""

from __future__ import annotations

import shutil


def test_it_ends_by_what_came_out_and_needs_no_state(program, repository, git):
    program("init", "--ledger")
    name = "promote/sit/shop/1.4.2"
    program("promote", "sit", "shop", "1.4.2")
    good = program("tag", "verify", name)
    assert good.out.splitlines()[-1].startswith(f"ok: {name} (")
    as_json = program("tag", "verify", f"refs/tags/{name}", "-o", "json").json()
    assert as_json["result"] == "ok"
    assert {c["what"] for c in as_json["checks"]} >= {
        "name",
        "own name",
        "commit",
        "digest",
        "prev",
    }
    object_id = git(repository, "rev-parse", name)
    assert as_json["tag"] == object_id
    git(repository, "update-ref", "refs/tags/promote/uat/shop/1.4.2", object_id)
    bad = program("tag", "verify", "promote/uat/shop/1.4.2", code=1)
    assert "-> own name   DST204 " in bad.out
    assert "remedy: " in bad.out
    shutil.rmtree(program.home / "state")  # the service's mirror has the ledger too
    assert program("tag", "verify", name).out == good.out
    git(repository, "update-ref", "-d", "refs/heads/ledger")
    (part,) = [
        line for line in program("tag", "verify", name, code=3).out.splitlines() if " prev " in line
    ]
    assert part.startswith("?  prev ")


def test_a_tag_that_is_not_here_is_told(quick, repository):
    assert quick("tag", "verify", "promote/sit/shop/9.9.9", code=2).err.startswith("DST7")
