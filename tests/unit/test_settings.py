"""Settings: precedence, origins, refusals, and where relative paths start."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from distributor.errors.service import BadSetting
from distributor.settings import FILE, PREFIX, Settings, load, unknown_variables


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "a" / "b"
    place.mkdir(parents=True)
    return place


def write(folder: Path, text: str) -> Path:
    path = folder / FILE
    path.write_text(text, "utf-8")
    return path


def test_without_anything_all_are_defaults(folder):
    loaded = load({}, {}, folder)
    assert loaded.settings == Settings()
    assert set(loaded.origins.values()) == {"default"}
    assert set(loaded.origins) == {f.name for f in fields(Settings)}


def test_flags_win_over_variables_over_the_file(folder):
    path = write(folder, 'main = "filed"\nport = 1\npoll = 2.5\n')
    environment = {"DISTRIBUTOR_MAIN": "exported", "DISTRIBUTOR_PORT": "2"}
    loaded = load({"main": "flagged", "ledger": None}, environment, folder)
    assert loaded.settings == Settings(main="flagged", port=2, poll=2.5)
    assert loaded.origins["main"] == "flag"
    assert loaded.origins["port"] == "DISTRIBUTOR_PORT"
    assert loaded.origins["poll"] == str(path)
    assert loaded.origins["ledger"] == "default"


def test_the_file_is_looked_for_upwards_and_the_nearest_wins(folder):
    write(folder.parent.parent, 'main = "far"\n')
    assert load({}, {}, folder).settings.main == "far"
    write(folder.parent, 'main = "near"\n')
    assert load({}, {}, folder).settings.main == "near"


def test_a_variable_may_name_the_file(folder):
    named = folder / "other.toml"
    named.write_text('main = "named"\n', "utf-8")
    write(folder, 'main = "beside"\n')
    assert load({}, {PREFIX + "CONFIG": str(named)}, folder).settings.main == "named"
    with pytest.raises(BadSetting, match="which is not a file"):
        load({}, {PREFIX + "CONFIG": str(folder / "nowhere.toml")}, folder)


def test_relative_paths_in_the_file_start_at_its_folder(folder):
    write(
        folder.parent,
        'state_dir = "state"\nsign = "/abs/key"\nrepository = "./catalog.git"\n'
        'directory_root = "../out"\n'
        '[connections.one]\nkubeconfig = "kube/one"\ncontext = "admin"\n'
        '[connections.two]\nrepository = "./fleet.git"\n',
    )
    settings = load({}, {}, folder).settings
    base = folder.parent
    assert settings.state_path() == base / "state"
    assert settings.sign == "/abs/key"
    assert Path(settings.repository) == base / "catalog.git"
    assert settings.directory_root == str(base / ".." / "out")
    assert settings.connections == {
        "one": {"kubeconfig": str(base / "kube" / "one")} | {"context": "admin"},
        "two": {"repository": str(base / "fleet.git")},
    }


def test_a_connection_may_hold_a_list_a_number_and_a_truth(folder):
    write(folder, '[connections.a]\nin_cluster = true\nconcurrency = 4\nnamespaces = ["x", "y"]\n')
    assert load({}, {}, folder).settings.connections == {
        "a": {"in_cluster": "true", "concurrency": "4", "namespaces": "x,y"}
    }


@pytest.mark.parametrize(
    "url", ["git@forge.example:a/b.git", "https://forge.example/a/b", "/srv/a.git"]
)
def test_a_url_in_the_file_stays_what_it_is(folder, url):
    write(folder, f'repository = "{url}"\n')
    assert load({}, {}, folder).settings.repository == url


def test_relative_paths_from_flags_and_variables_stay_relative_to_where_one_stands(folder):
    write(folder, "")
    settings = load({"state_dir": "here"}, {"DISTRIBUTOR_SIGN": "key"}, folder).settings
    assert (settings.state_dir, settings.sign) == ("here", "key")


BAD_FILES = {
    "an unknown setting": ('colour = "blue"\n', "unknown setting 'colour'"),
    "no TOML": ("main = \n", "DST701"),
    "text for a number": ('port = "many"\n', "'many' is not a int"),
    "a switch for a number": ("port = true\n", "True is not a int"),
    "a list for text": ('main = ["a"]\n', "is not a str"),
    "a table for text": ("[main]\na = 1\n", "is not a str"),
    "connections that are none": ('connections = "x"\n', "a table of tables"),
    "connections without tables": ('[connections]\none = "x"\n', "a table of tables"),
    "too little": ("poll = 0\n", "below 0.05"),
    "not a number": ("poll = nan\n", "below 0.05"),
    "below nothing": ("port = -1\n", "below 0"),
    "no workers": ("engine_workers = 0\n", "below 1"),
}


@pytest.mark.parametrize("what", BAD_FILES)
def test_a_bad_file_is_refused_and_named(folder, what):
    text, message = BAD_FILES[what]
    path = write(folder, text)
    with pytest.raises(BadSetting, match="DST701") as caught:
        load({}, {}, folder)
    assert message in str(caught.value)
    assert caught.value.where.file == str(path)


def test_a_bad_variable_is_named(folder):
    with pytest.raises(BadSetting, match=r"DST701 DISTRIBUTOR_PORT \(port\)"):
        load({}, {"DISTRIBUTOR_PORT": "http"}, folder)


def test_a_file_that_is_no_text_is_refused(folder):
    (folder / FILE).write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadSetting):
        load({}, {}, folder)


def test_variables_that_nothing_reads_are_found_with_the_nearest_known_name():
    known = {PREFIX + f.name.upper(): "" for f in fields(Settings)}
    known |= {PREFIX + name: "" for name in ("CONFIG", "REAL_APPS", "TEST_SEED")}
    assert unknown_variables(known | {"PATH": "", "_DISTRIBUTOR_COMPLETE": ""}) == {}
    found = unknown_variables({"DISTRIBUTOR_STATEDIR": "", "DISTRIBUTOR_COLOUR": ""})
    assert found == {"DISTRIBUTOR_STATEDIR": "DISTRIBUTOR_STATE_DIR", "DISTRIBUTOR_COLOUR": ""}


ROOT = Path(__file__).resolve().parents[2]


def test_every_variable_that_anything_here_reads_is_known():
    files = [ROOT / "Makefile", *(ROOT / "tests").rglob("*.py"), *(ROOT / "docs").rglob("*.md")]
    own = Path(__file__).name
    read = {
        name
        for file in files
        if file.name not in {own, "test_offline.py"}
        for name in re.findall(r"DISTRIBUTOR_[A-Z_]*[A-Z]", file.read_text("utf-8"))
    }
    assert unknown_variables(dict.fromkeys(read, "")) == {}


def test_each_repository_has_a_state_folder_of_its_own(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    first, second = (Settings(repository=name).state_path() for name in ("one", "two"))
    assert first != second
    assert first.parent == tmp_path / "distributor"
    monkeypatch.delenv("XDG_STATE_HOME")
    assert Settings().state_path().is_relative_to(Path.home() / ".local" / "state")


def test_the_service_key(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert Settings().service_key_path() == tmp_path / "distributor" / "service_ed25519"
    assert Settings(service_key="~/key").service_key_path() == Path.home() / "key"


def test_the_key_of_the_secrets_is_beside_the_service_key(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert Settings().secrets_key_path() == tmp_path / "distributor" / "age.txt"
    assert Settings(service_key="/k/service").secrets_key_path() == Path("/k/age.txt")
    assert Settings(secrets_key="~/age").secrets_key_path() == Path.home() / "age"


@pytest.mark.parametrize("field", fields(Settings), ids=lambda field: field.name)
def test_every_setting_is_explained(field):
    assert len(field.metadata["doc"]) > 10
