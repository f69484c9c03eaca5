"""`distributor render PATH`, the program itself, on what people point it at."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.oracle.tables import Case, charts, kustomizations
from tests.oracle import Rendered, difference, helm_template, kustomize
from tests.oracle.comparing import rendered
from tests.oracle.reading import objects

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def program(tmp_path):
    def run(*arguments: object) -> Rendered:
        own = {**os.environ, "HOME": str(tmp_path), "CI": "1"}
        own["PYTHONPATH"] = os.pathsep.join([str(ROOT), own.get("PYTHONPATH", "")])
        done = subprocess.run(
            [sys.executable, "-m", "distributor", "render", *map(str, arguments)],
            cwd=tmp_path, env=own, capture_output=True, check=False, timeout=60,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return rendered(objects(done.stdout))

    return run


def named(cases: list[Case], name: str) -> Case:
    (found,) = [case for case in cases if case.name == name]
    return found


@pytest.mark.parametrize("name", ["a base beside", "components in their order", "times and texts"])
def test_a_kustomization(program, tmp_path, name):
    folder = named(kustomizations(), name).write(tmp_path / "app")
    assert difference(program(folder), kustomize(folder).objects) == ""


def test_a_chart(program, helm, tmp_path):
    chart = named(charts(), "a subchart in its folder").write(tmp_path / "web")
    theirs = helm_template(chart, name="release-name", namespace="default")
    assert difference(program(chart), theirs.objects) == ""
    flags = ["--set", "name=given", "--kube-version", "1.30.0"]
    theirs = helm_template(chart, *flags, name="mine", namespace="shop")
    found = program(
        chart,
        "--set",
        "name=given",
        "--kube-version",
        "1.30.0",
        "--name",
        "mine",
        "--namespace",
        "shop",
    )
    assert difference(found, theirs.objects) == ""


NUMBERS = """apiVersion: v1
kind: ConfigMap
metadata: {name: numbers}
data:
{{- range $name, $value := .Values }}
  {{ $name }}: {{ printf "%v %s" $value (kindOf $value) | quote }}
{{- end }}
  deep: {{ index .Values.list 1 | kindOf }}
"""


def test_numbers_of_flags_are_whole_and_those_of_files_are_floats(program, tmp_path):
    chart = tmp_path / "web"
    (chart / "templates").mkdir(parents=True)
    (chart / "Chart.yaml").write_text("apiVersion: v2\nname: web\nversion: 1.0.0\n")
    (chart / "templates" / "all.yaml").write_text(NUMBERS)
    (chart / "values.yaml").write_text("own: 12345678\nlist: [1]\n")
    (tmp_path / "more.yaml").write_text("file: 12345678\nover: 1\n")
    sets = "big=12345678,over=12345678,list={a,12345678},port.http=8080,none={},most=9223372036854775807"
    flags = ["-f", str(tmp_path / "more.yaml"), "--set", sets]
    theirs = helm_template(chart, *flags, name="release-name", namespace="default")
    assert difference(program(chart, *flags), theirs.objects) == ""


def test_a_folder_of_manifests(program, tmp_path):
    files = named(kustomizations(), "nothing asked for").files
    for name in ("dep.yaml", "svc.yaml"):
        (tmp_path / "all").mkdir(exist_ok=True)
        (tmp_path / "all" / name).write_bytes(files[name])
    wanted = rendered(
        item for path in (tmp_path / "all").iterdir() for item in objects(path.read_bytes())
    )
    assert difference(program(tmp_path / "all"), wanted) == ""
