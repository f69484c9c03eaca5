"""Health rules of a package, at the terminal: one that cannot be read stops the package before it is delivered."""

from __future__ import annotations

import yaml


def ruled(repository, *expressions: str) -> None:
    file = repository / "catalog/till/0.1.0/package.yaml"
    document = yaml.safe_load(file.read_text())
    rules = [{"status": "Current", "when": text} for text in expressions]
    health = [{"group": "x.example", "kind": "Thing", "rules": rules}]
    document["spec"].setdefault("delivery", {})["health"] = health
    file.write_text(yaml.safe_dump(document))


def test_a_rule_that_cannot_be_read_stops_its_package(program, repository):
    program("new", "app", "till")
    asked = ("render", "catalog/till/0.1.0", "--env", "sit", "--tier", "central")
    ruled(repository, "object.status.phase == 'Done'")
    done = program(*asked)
    assert "DST125" not in done.err, "the field is used"
    ruled(repository, "object.status.phase = 'Done'", "object.status.", "size(object)")
    done = program(*asked, code=1)
    assert done.err.count("DST450") == 3
    assert "x.example/Thing" in done.err
    assert "catalog/till/0.1.0/package.yaml" in done.err
    assert "it gives INT, not true or false" in done.err
