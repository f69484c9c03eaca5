"""The docs: generated pages match the program, links lead somewhere, decisions keep their form."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from distributor.catalog.schema import KINDS
from distributor.errors import registry
from distributor.policy.registry import GATES
from distributor.settings import Settings
from docs import generate
from tests.unit.architecture.source import modules

ROOT = Path(__file__).resolve().parents[3]
PAGES = [*sorted((ROOT / "docs").rglob("*.md")), *sorted(ROOT.glob("*.md"))]
DECISIONS = sorted((ROOT / "docs" / "adr").glob("0*.md"))


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def anchors(path: Path) -> set[str]:
    """The anchors of a page's headings, as forges make them."""
    heads = re.findall(r"^#+ (.*)$", path.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_links_lead_somewhere(path):
    text = re.sub(r"^```.*?^```$", "", path.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if link.startswith("https://"):
            continue
        file, _, anchor = link.partition("#")
        target = (path.parent / file).resolve() if file else path
        assert target.exists(), f"{name(path)} links to {link}"
        assert not anchor or anchor in anchors(target), f"{name(path)} links to {link}"


@pytest.mark.parametrize("path", DECISIONS, ids=name)
def test_a_decision_has_its_form(path):
    text = path.read_text("utf-8")
    assert len(text.splitlines()) <= 60
    assert text.startswith(f"# {path.stem[:4]} ")
    heads = re.findall(r"^## (.*)$", text, re.MULTILINE)
    assert heads == ["Context", "Options", "Decision", "Consequences"]
    assert f"]({path.name})" in (path.parent / "README.md").read_text("utf-8")


def test_decisions_are_numbered_without_a_gap():
    assert [int(path.name[:4]) for path in DECISIONS] == list(range(1, len(DECISIONS) + 1))


def test_the_guide_for_contributors_is_short():
    assert len((ROOT / "CONTRIBUTING.md").read_text("utf-8").splitlines()) <= 60


def test_everything_that_has_a_name_is_in_the_reference():
    pages = dict(generate.pages())
    assert all(f"### {code} " in pages["errors.md"] for code in registry())
    assert all(f"| `{field.name}` |" in pages["settings.md"] for field in fields(Settings))
    assert all(f"## {gate.number} {gate.name}\n" in pages["gates.md"] for gate in GATES)
    assert all(f"schemas/{kind}.md" in pages for kind in KINDS)
    assert "cli.md" in pages


def test_every_file_of_the_program_says_what_it_is():
    shown = dict(generate.pages())["rooms.md"]
    rows = [line for line in shown.splitlines() if line.startswith("| `")]
    assert len(rows) == len([p for p in modules() if p.name != "__init__.py"])
    assert [row for row in rows if row.endswith("|  |")] == []
    assert "| `placing.py` | " in shown.partition("## distributor/placement\n")[2]


def test_every_field_of_a_descriptor_is_explained():
    for kind in KINDS:
        rows = [row for row in generate.descriptor(kind).splitlines() if row.startswith("| `")]
        assert len(rows) > 5
        assert [row for row in rows if row.endswith("|  |")] == []


def test_the_reference_is_up_to_date(capsys):
    assert generate.main(["--check"]) == 0, capsys.readouterr().out


class TestGenerator:
    @pytest.fixture(autouse=True)
    def reference(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        monkeypatch.setattr(generate, "REFERENCE", tmp_path)
        monkeypatch.setattr(generate, "pages", lambda: iter([("a.md", "A\n"), ("b/c.md", "C\n")]))
        return tmp_path

    def test_writes_what_is_missing_and_removes_what_is_not_made(self, reference):
        (reference / "old.md").touch()
        assert generate.main([]) == 0
        found = {path.relative_to(reference).as_posix() for path in reference.rglob("*.md")}
        assert found == {"a.md", "b/c.md"}
        assert (reference / "a.md").read_text("utf-8").endswith("\nA\n")
        assert generate.main(["--check"]) == 0

    @pytest.mark.parametrize("change", ["edit", "remove", "add"])
    def test_the_check_sees_every_difference_and_writes_nothing(self, reference, capsys, change):
        generate.main([])
        page = reference / "a.md"
        if change == "edit":
            page.write_text("other\n", "utf-8")
        elif change == "remove":
            page.unlink()
        else:
            page = reference / "more.md"
            page.touch()
        before = sorted(reference.rglob("*"))
        assert generate.main(["--check"]) == 1
        assert f"docs/reference/{page.name} is stale" in capsys.readouterr().out
        assert sorted(reference.rglob("*")) == before
