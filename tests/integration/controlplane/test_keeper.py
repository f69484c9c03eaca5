"""The guard keeps any program, also one that is no part of a control plane."""

from __future__ import annotations

from pathlib import Path

from tests.controlplane.keeper import Keeper


def test_a_stranger_is_ended_with_the_others_and_the_guard_leaves_in_order(tmp_path):
    keeper = Keeper()
    pids = [
        keeper.start(name, ["/bin/sleep", "600"], env={}, log=tmp_path / "log")
        for name in ("etcd", "stranger")
    ]
    assert set(keeper.running()) == {"etcd", "stranger"}
    keeper.close()
    assert keeper._guard.returncode == 0
    assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]
