"""The sandbox, from inside: the engine's own Go tests try what a render that got out would try."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from distributor._engine.hatch_build import SOURCE, find_toolchain


@pytest.mark.skipif(sys.platform != "linux", reason="the sandbox is Linux' own")
@pytest.mark.timeout(600)
def test_a_confined_process_is_refused_files_sockets_and_programs():
    toolchain = find_toolchain()
    if toolchain is None:
        pytest.skip("needs Go")
    env = {
        **os.environ,
        "CGO_ENABLED": "0",
        "GOTOOLCHAIN": "local",
        "GOFLAGS": "-mod=readonly",
        "GOWORK": "off",
    } | ({"GOROOT": toolchain.root} if toolchain.root else {})
    wanted = "Confined|Landlock"
    command = [toolchain.program, "test", "-p", "2", "-count=1", "-v", "-run", wanted, "."]
    done = subprocess.run(command, cwd=SOURCE, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    for name in ("open_a_socket", "create_a_file", "read_a_file", "start_a_program", "fork"):
        assert f"--- PASS: TestAConfinedProcessIsRefused/{name}" in done.stdout
