"""What Flux's controller is given, what is believed of it, and the table that shows both."""

from __future__ import annotations

import gzip
import hashlib
import http.client
import io
import json
import tarfile
from contextlib import closing

import pytest

from tests.benchmarks import flux, fluxing, report
from tests.benchmarks.crowd import Crowd
from tests.benchmarks.results import Result

CROWD = Crowd(apps=3)


def program(tmp_path, mode=0o755):
    path = tmp_path / "controller"
    path.write_text("#!/bin/sh\n")
    path.chmod(mode)
    return path


def test_no_rival_unless_one_is_named():
    assert flux.chosen({}, CROWD) is None
    assert flux.chosen({flux.PROGRAM: ""}, CROWD) is None


def test_a_rival_gets_no_more_apps_than_there_are_and_a_hundred_at_most(tmp_path):
    named = {flux.PROGRAM: str(program(tmp_path))}
    assert flux.chosen(named, CROWD).crowd == CROWD
    assert flux.chosen(named, Crowd()).crowd == Crowd(apps=100)
    assert flux.chosen(named | {flux.APPS: "250"}, Crowd()).crowd == Crowd(apps=250)


@pytest.mark.parametrize("number", ["0", "4", "-1", "many", "1.5", "²"])
def test_a_number_of_apps_that_cannot_be_is_named(tmp_path, number):
    named = {flux.PROGRAM: str(program(tmp_path)), flux.APPS: number}
    with pytest.raises(flux.RivalError, match=rf"BENCH_FLUX_APPS .* from 1 to 3.*: {number}"):
        flux.chosen(named, CROWD)


def test_a_path_that_names_no_program_is_named(tmp_path):
    with pytest.raises(flux.RivalError, match=r"BENCH_FLUX names no file: .*nowhere"):
        flux.chosen({flux.PROGRAM: str(tmp_path / "nowhere")}, CROWD)
    with pytest.raises(flux.RivalError, match="BENCH_FLUX names no file"):
        flux.chosen({flux.PROGRAM: str(tmp_path)}, CROWD)
    plain = program(tmp_path, 0o644)
    with pytest.raises(flux.RivalError, match=r"cannot be executed: .*controller"):
        flux.chosen({flux.PROGRAM: str(plain)}, CROWD)


def read(revision):
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(revision.data))) as archive:
        return {e.name: archive.extractfile(e).read() for e in archive.getmembers()}


def test_a_revision_holds_every_app_and_says_what_it_is():
    one = flux.revision(CROWD, {}, "first")
    files = read(one)
    assert {path.split("/")[1] for path in files if path.startswith("apps/")} == set(CROWD.names)
    assert {p.rpartition("/")[2] for p in files if p.startswith("apps/app-0001/")} == {
        "kustomization.yaml",
        "account.yaml",
        "service.yaml",
        "ingress.yaml",
        "deployment.yaml",
    }
    artifact = one.status("http://127.0.0.1:1")["artifact"]
    assert artifact["digest"] == "sha256:" + hashlib.sha256(one.data).hexdigest()
    assert artifact["size"] == len(one.data)
    assert artifact["url"] == f"http://127.0.0.1:1/{artifact['path']}"
    assert artifact["revision"].startswith("main@sha1:")
    assert flux.revision(CROWD, {}, "first") == one


def test_a_change_is_one_file_of_one_app_and_a_remark_none():
    first = flux.revision(CROWD, {}, "first")
    changed = flux.revision(CROWD, {"app-0001": "debug"}, "first")
    differs = {p for p, text in read(changed).items() if read(first)[p] != text}
    assert differs == {"apps/app-0001/deployment.yaml"}
    remarked = flux.revision(CROWD, {}, "second")
    assert {p for p, text in read(remarked).items() if read(first)[p] != text} == {"REMARKS.md"}
    assert len({first.revision, changed.revision, remarked.revision}) == 3


def kustomization(name, revision, ready):
    said = {"type": "Ready", "status": ready, "message": f"said {ready}"}
    status = {"lastAppliedRevision": revision, "conditions": [said]}
    return {"metadata": {"name": name}, "status": status}


def test_who_is_behind_is_told_with_what_it_says():
    items = [
        kustomization("done", "new", "True"),
        kustomization("old", "old", "True"),
        kustomization("failed", "new", "False"),
        {"metadata": {"name": "silent"}},
    ]
    assert flux.behind(items, "new") == [
        "old: said True",
        "failed: said False",
        "silent: nothing said",
    ]


def get(address, path):
    connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=60)
    with closing(connection):
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()


def test_archives_are_served_by_their_path_while_it_lasts():
    with fluxing.archives() as (address, served):
        served["some/path.tar.gz"] = b"data"
        assert get(address, "/some/path.tar.gz") == (200, b"data")
        assert get(address, "/other") == (404, b"")
    with pytest.raises(ConnectionError):
        get(address, "/some/path.tar.gz")


def test_the_table_shows_both_where_both_have_a_figure(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("DISTRIBUTOR_BENCH_RESULTS", str(tmp_path))
    figures = {"apps": 1000, "speed": 200.0, "writes": 0, "own": 1}
    Result(name="alone", figures=dict(figures)).write()
    assert report.main(["--results", str(tmp_path)]) == 0
    assert "Flux" not in capsys.readouterr().out
    theirs = {"flux.apps": 100, "flux.speed": 50.0, "flux.writes": 4, "flux.theirs": 2}
    written = Result(name="crowd", figures=figures | theirs).write()
    assert json.loads(written.read_text())["figures"]["flux.speed"] == 50
    capsys.readouterr()
    assert report.main(["--results", str(tmp_path)]) == 0
    shown = capsys.readouterr().out.partition("the same work")[2].splitlines()
    assert shown[0].split() == ["Distributor", "Flux", "Flux/Distributor"]
    assert [line.split() for line in shown[1:]] == [
        ["crowd", "apps", "1000", "100", "0.1"],
        ["crowd", "speed", "200", "50", "0.25"],
        ["crowd", "writes", "0", "4"],
    ]
