"""Files of a person: work trees as Git trees, YAML as Kubernetes' tools read it, folders with suspicion."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pygit2
import pytest

from distributor.adapters.git import PygitObjects
from distributor.adapters.workspace import (
    read_bytes,
    read_documents,
    read_folder,
    read_kustomization,
    read_objects,
    read_values,
    read_work_tree,
    work_tree_of,
    write_files,
)
from distributor.errors import DistributorError
from distributor.model.trees import EntryKind


def git(folder: Path, *arguments: str) -> str:
    names = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    command = ["git", "-C", str(folder), *names, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def write(folder: Path, files: dict[str, str | bytes]) -> Path:
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return folder


def walked(tree, at=None, prefix=""):
    found = {}
    for entry in tree.entries(at or tree.root):
        if entry.kind is EntryKind.TREE:
            found |= walked(tree, entry.id, f"{prefix}{entry.name}/")
        else:
            found[prefix + entry.name] = (oct(entry.mode), entry.kind.value)
    return found


@pytest.fixture
def repository(tmp_path):
    folder = tmp_path / "r"
    pygit2.init_repository(str(folder), initial_head="main")
    write(folder, {"a/x": "1", "a/y": "2", "a.b": "3", "top": "4", ".gitignore": "*.log\n"})
    (folder / "a/y").chmod(0o755)
    (folder / "link").symlink_to("top")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "x")
    return folder


def test_a_clean_work_tree_is_its_commit(repository):
    head = git(repository, "rev-parse", "HEAD^{tree}")
    for raw in (False, True):
        tree = read_work_tree(repository, raw=raw)
        assert tree.root == head
    committed = PygitObjects(repository)
    assert tree.entries(tree.root) == committed.entries(tree.root)
    assert tree.blob(tree.entries(tree.root)[-1].id) == b"4"


def test_what_a_commit_would_hold(repository):
    write(repository, {"a/x": "changed", "a/new": "n", "noise.log": "", "top": "4"})
    (repository / "a.b").unlink()
    tree = read_work_tree(repository)
    git(repository, "add", "-A")
    assert tree.root == git(repository, "write-tree")
    assert "noise.log" not in walked(tree)
    assert walked(tree)["link"] == ("0o120000", "link")
    assert walked(tree)["a/y"] == ("0o100755", "blob")


def test_nothing_is_written_to_the_repository(repository):
    before = sorted((repository / ".git").rglob("*"))
    write(repository, {"new": "n"})
    read_work_tree(repository)
    assert sorted((repository / ".git").rglob("*")) == before


def test_a_part_and_files_that_are_not_there_yet(repository):
    write(repository, {"other/x": "1"})
    assert set(walked(read_work_tree(repository, only=["a"]))) == {"a/x", "a/y"}
    assert set(walked(read_work_tree(repository / "a"))) == {"x", "y"}
    tree = read_work_tree(repository, only=["a"], more={"a/z/new": b"z"})
    assert "a/z/new" in walked(tree)
    assert not (repository / "a/z").exists()


def test_a_repository_inside_is_a_submodule(repository):
    pygit2.init_repository(str(repository / "inner"))
    write(repository, {"inner/f": "1"})
    git(repository / "inner", "add", "-A")
    git(repository / "inner", "commit", "-qm", "x")
    assert walked(read_work_tree(repository))["inner"][1] == "submodule"


def test_line_endings_that_git_hides_show_when_read_raw(repository):
    write(repository, {".gitattributes": "a/* text eol=crlf\n"})
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "y")
    write(repository, {"a/x": "1\r\n"})
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "z")
    (repository / "a/x").unlink()
    git(repository, "checkout", "a/x")
    assert (repository / "a/x").read_bytes() == b"1\r\n"
    clean, raw = read_work_tree(repository), read_work_tree(repository, raw=True)
    assert clean.root == git(repository, "rev-parse", "HEAD^{tree}") != raw.root


def test_a_folder_without_git(tmp_path):
    write(tmp_path, {"a/x": "1", "b": "2"})
    assert set(walked(read_work_tree(tmp_path))) == {"a/x", "b"}
    assert work_tree_of(tmp_path) is None


@pytest.mark.parametrize("below", ["a/x", "top", "new"])
def test_what_cannot_be_read_is_an_entry_of_its_own_for_who_asks(repository, below, tmp_path):
    for folder in (repository, tmp_path / "plain"):
        write(folder, {"b/z": "1", "a/x": "1"})
        (folder / below).unlink(missing_ok=True)
        os.mkfifo(folder / below)
        if below == "new" and folder == repository:
            continue  # Git sees nothing there
        with pytest.raises(DistributorError, match="DST714"):
            read_work_tree(folder)
        found = walked(read_work_tree(folder, lenient=True))
        assert found[below][1] == "unreadable file"
        assert found["b/z"][1] == "blob"


def test_a_huge_file_is_sized_but_not_read(tmp_path):
    with (tmp_path / "big").open("wb") as file:
        file.truncate(65 << 20)
    tree = read_work_tree(tmp_path)
    (entry,) = tree.entries(tree.root)
    assert tree.size(entry.id) == 65 << 20
    with pytest.raises(DistributorError, match="DST112"):
        tree.blob(entry.id)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("yes", True), ("off", False), ("0644", 420), ("0o17", 15), ("0x1F", 31), ("1_000", 1000),
        ("1e3", 1000.0), ("1.5", 1.5), (".5", 0.5), ("1:30", "1:30"), ("2020-01-01", "2020-01-01"),
        ("0899", 899.0), ("~", None), ("'1'", "1"), ("-7", -7), ("-0x10", -16), ("1.2.3", "1.2.3"),
        ("12e", "12e"), ("-", [None]), ("0", 0), ("+3", 3),
    ],
)  # fmt: skip
def test_scalars(tmp_path, text, expected):
    (tmp_path / "v.yaml").write_text(f"v: {text}\n" if text != "-" else "v:\n- \n")
    found = read_values(tmp_path / "v.yaml")
    assert found == {"v": expected}
    assert type(found["v"]) is type(expected)


BAD = {
    "broken": ("a: [", "DST101"),
    "duplicate": ("a: 1\na: 2", "DST104"),
    "list": ("[1]", "DST101"),
    "two": ("a: 1\n---\nb: 2", "DST101"),
    "deep": ("[" * 5_000, "DST120"),
    "bomb": ("a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{b}: &{b} [{','.join(['*' + a] * 10)}]\n" for a, b in zip("abcdef", "bcdefg", strict=True)
    ), "DST120"),
    "tag": ("a: !!python/object:os.system x", "DST101"),
    "alias": ("a: *b", "DST101"),
    "latin": (b"a: \xe9", "DST121"),
    "nul": (b"a: \0", "DST101"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_values_have_a_code_and_the_file(tmp_path, name):
    text, code = BAD[name]
    file = write(tmp_path, {"v.yaml": text}) / "v.yaml"
    with pytest.raises(DistributorError) as caught:
        read_values(file)
    assert caught.value.code == code
    assert caught.value.where.file == str(file)


def test_objects_of_files_folders_and_lists(tmp_path):
    write(
        tmp_path,
        {
            "a.yaml": "apiVersion: v1\nkind: A\nmetadata: {name: a}\n---\n---\n"
            "apiVersion: v1\nkind: List\nitems: [{kind: B}, {apiVersion: v1, kind: List, items: [{kind: C}]}]",
            "b.json": '{"apiVersion": "apps/v1", "kind": "DeploymentList", "items": [{"metadata": {}}]}',
            "c.yaml": "kind: AllowList\nmetadata: {name: own}\nitems: [x]",
            "z.txt": "not read",
        },
    )
    found = read_objects(tmp_path)
    assert [o["kind"] for o in found] == ["A", "B", "C", "Deployment", "AllowList"]
    assert found[3]["apiVersion"] == "apps/v1"


@pytest.mark.parametrize(
    ("files", "path", "code"),
    [
        ({}, "nope", "DST707"),
        ({"d/x.txt": ""}, "d", "DST707"),
        ({"x.yaml": "text"}, "x.yaml", "DST308"),
        ({"x.json": "{"}, "x.json", "DST101"),
        ({"x.yaml": "kind: List\nitems: [1]"}, "x.yaml", "DST308"),
    ],
)
def test_bad_objects(tmp_path, files, path, code):
    with pytest.raises(DistributorError) as caught:
        read_objects(write(tmp_path, files) / path)
    assert caught.value.code == code


def test_json_in_a_yaml_file_and_several_documents(tmp_path):
    write(tmp_path, {"a.yaml": '{"a": 1}', "b.yaml": "{a: 1}\n---\n{b: 2}"})
    assert read_documents(tmp_path / "a.yaml") == [{"a": 1}]
    assert read_documents(tmp_path / "b.yaml") == [{"a": 1}, {"b": 2}]


def test_a_large_file_is_refused_before_it_is_read(tmp_path):
    with (tmp_path / "x.yaml").open("wb") as file:
        file.truncate(50 << 20)
    with pytest.raises(DistributorError, match="DST112"):
        read_objects(tmp_path)
    with pytest.raises(DistributorError, match="DST112"):
        read_folder(tmp_path)


def test_what_is_no_plain_file_is_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe.yaml")
    with pytest.raises(DistributorError, match="DST714"):
        read_bytes(tmp_path / "pipe.yaml")


def test_a_kustomization_with_what_it_is_made_of_and_no_more(tmp_path):
    write(
        tmp_path,
        {
            "apps/over/kustomization.yaml": "resources: [../../base, x.yaml, 'https://example.org/x']",
            "apps/over/x.yaml": "",
            "apps/other/y.yaml": "",
            "base/kustomization.yml": "components: [../part]",
            "part/kustomization.yaml": "kind: Component",
            "unrelated/z": "",
        },
    )
    content = read_kustomization(tmp_path / "apps/over")
    assert content.path == "content/apps/over"
    assert set(content.files) == {
        "content/apps/over/kustomization.yaml", "content/apps/over/x.yaml",
        "content/base/kustomization.yml", "content/part/kustomization.yaml",
    }  # fmt: skip


@pytest.mark.parametrize(
    "field",
    [
        "helmGlobals: {chartHome: ../charts}",
        "helmChartInflationGenerator: [{chartName: web, chartHome: ../charts}]",
    ],
)
def test_a_kustomization_is_read_with_the_home_of_its_charts(tmp_path, field):
    write(tmp_path, {"app/kustomization.yaml": field, "charts/web/Chart.yaml": "name: web"})
    content = read_kustomization(tmp_path / "app")
    assert set(content.files) == {
        "content/app/kustomization.yaml", "content/charts/web/Chart.yaml",
    }  # fmt: skip


@pytest.mark.parametrize(
    "field", ["helmGlobals: 1", "helmGlobals: {chartHome: 1}", "helmChartInflationGenerator: [x]"]
)
def test_what_is_no_home_of_charts_is_left_to_the_engine(tmp_path, field):
    write(tmp_path, {"app/kustomization.yaml": field})
    assert len(read_kustomization(tmp_path / "app").files) == 1


def test_a_kustomization_does_not_leave_its_repository(repository):
    write(repository, {"k/kustomization.yaml": "resources: [../../outside]"})
    write(repository.parent, {"outside/kustomization.yaml": ""})
    with pytest.raises(DistributorError, match="DST303"):
        read_kustomization(repository / "k")


@pytest.mark.parametrize("target", ["/etc", "/etc/passwd", ".."])
def test_links_that_leave_the_folder_are_refused(tmp_path, target):
    (tmp_path / "f").mkdir()
    (tmp_path / "f/link").symlink_to(target)
    with pytest.raises(DistributorError, match="DST303"):
        read_folder(tmp_path / "f")


def test_a_link_inside_is_followed(tmp_path):
    write(tmp_path, {"a/x": "1"})
    (tmp_path / "b").symlink_to("a")
    assert set(read_folder(tmp_path).files) == {"content/a/x", "content/b/x"}


def test_files_are_written_all_or_none(tmp_path):
    written = write_files(tmp_path, {"a/b": b"1", "c": b"2"})
    assert [p.read_bytes() for p in written] == [b"1", b"2"]
    with pytest.raises(DistributorError, match="DST118"):
        write_files(tmp_path, {"new": b"", "c": b"3"})
    assert not (tmp_path / "new").exists()
    with pytest.raises(DistributorError, match="DST715"):
        write_files(tmp_path, {"new": b"", "c/below": b"3"})
    assert not (tmp_path / "new").exists()
    assert (tmp_path / "c").read_bytes() == b"2"
