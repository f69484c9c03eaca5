"""The benchmark beside Flux's controller, with a program in its place that does as little as it must."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.benchmarks import flux, fluxing
from tests.benchmarks.crowd import Crowd

FAKE = Path(__file__).with_name("fake_controller.py")


@pytest.fixture
def rival(tmp_path):
    program = tmp_path / "controller"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{FAKE}" "{tmp_path}" "$@"\n')
    program.chmod(0o755)
    return flux.Rival(program=program, crowd=Crowd(apps=2))


@pytest.fixture
def plane(control_planes):
    (plane,) = control_planes(fresh=True, controllers=False)
    return plane


def test_every_figure_is_measured_and_what_was_written_is_counted(plane, rival, tmp_path):
    found = fluxing.measure(plane, rival, tmp_path / "work")
    assert (found["apps"], found["objects"]) == (2, 8)
    assert found["changed.objects_written"] == 1
    assert found["nothing.objects_written"] == 0
    assert found["all_peak_mib"] > 1
    assert found["changed.all_p50_ms"] >= found["changed.p50_ms"] > 0
    assert found["install.cpu_ms_app"] >= 0
    assert found["install.objects_a_second"] == pytest.approx(8 / found["install.seconds"])


def test_a_controller_that_ends_is_told_with_its_last_words(plane, rival, tmp_path):
    (tmp_path / "FAKE_ENDS").touch()
    with pytest.raises(flux.RivalError, match=r"(?s)ended while .*the fake has had enough"):
        fluxing.measure(plane, rival, tmp_path / "work")


def test_a_controller_that_is_late_is_told_with_what_its_apps_say(
    plane, rival, tmp_path, monkeypatch
):
    (tmp_path / "FAKE_FAILS").touch()
    monkeypatch.setattr(fluxing, "MOST_SECONDS", 20.0)
    with pytest.raises(flux.RivalError, match=r"(?s)in vain .*app-0000: a fake's word"):
        fluxing.measure(plane, rival, tmp_path / "work")


def test_a_file_that_is_no_program_is_told(plane, rival, tmp_path):
    rival.program.write_bytes(b"\x00nothing to run")
    with pytest.raises(flux.RivalError, match=r"BENCH_FLUX: .*does not start"):
        fluxing.measure(plane, rival, tmp_path / "work")
