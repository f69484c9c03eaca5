"""Progress: a bar where somebody watches, lines where they are asked for, else silence."""

from __future__ import annotations

import pytest

from distributor.cli import progress as module
from distributor.cli.progress import progress


@pytest.mark.parametrize(
    ("wanted", "total", "lines"),
    [
        (None, 20, []),
        (False, 20, []),
        (True, 3, ["work: 1 of 3", "work: 2 of 3", "work: 3 of 3"]),
        (True, 20, [f"work: {n} of 20" for n in range(2, 21, 2)]),
        (True, 1000, [f"work: {n} of 1000" for n in range(100, 1001, 100)]),
        (True, 0, []),
    ],
)
def test_in_a_log(monkeypatch, capsys, wanted, total, lines):
    monkeypatch.setattr(module, "interactive", lambda: False)
    with progress("work", total, wanted=wanted) as step:
        for _ in range(total):
            step()
    out, err = capsys.readouterr()
    assert (out, err.splitlines()) == ("", lines)


@pytest.mark.parametrize(("wanted", "shown"), [(None, True), (True, True), (False, False)])
def test_at_a_terminal(monkeypatch, capsys, wanted, shown):
    monkeypatch.setattr(module, "interactive", lambda: True)
    with progress("work", 2, wanted=wanted) as step:
        step()
        step()
    out, err = capsys.readouterr()
    assert out == ""
    assert ("work" in err) is shown
    assert "rendering: " not in err
