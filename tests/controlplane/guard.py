"""The keeper of one control plane's processes; a program of its own, standard library only.

It reads one JSON request a line from standard input and answers one JSON line on standard output:

    {"do": "start", "name": "etcd", "argv": [...], "env": {...}, "log": "/path"} -> {"pid": 41}
    {"do": "poll"}                          -> {"running": {"etcd": 41}, "ended": {"kwok": 1}}
    {"do": "stop", "name": "etcd", "grace": 5.0}                            -> {"code": 0}

Whatever ends the caller, a kill -9 included, closes the pipe: the guard then kills every child and
leaves. Should the guard itself be killed, Linux kills its children (PR_SET_PDEATHSIG). That signal
is tied to the thread that forked, which is why a single-threaded program has to do it and not the
test process. Its session is its own, so Ctrl-C reaches the caller only, which stops in order.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import subprocess
import sys
from typing import Any

PR_SET_PDEATHSIG = 1  # linux/prctl.h
STOP_ORDER = ("kwok", "kube-scheduler", "kube-controller-manager", "kube-apiserver", "etcd")


def die_with_parent() -> None:
    """Ask the kernel to kill this process when its parent ends; a no-op where there is no prctl."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Guard:
    """Children by name; a name whose child ended may be started again."""

    def __init__(self) -> None:
        self.children: dict[str, subprocess.Popen[bytes]] = {}

    def handle(self, request: dict[str, Any]) -> dict[str, Any]:
        match request["do"]:
            case "start":
                return self.start(request)
            case "stop":
                return {"code": self.stop(request["name"], request["grace"])}
            case "poll":
                return self.poll()
            case other:
                return {"error": f"unknown request {other!r}"}

    def start(self, request: dict[str, Any]) -> dict[str, Any]:
        name = request["name"]
        if name in self.children and self.children[name].poll() is None:
            return {"error": f"{name} runs already"}
        try:
            with open(request["log"], "ab") as log:  # noqa: PTH123 - it starts at once, without pathlib
                child = subprocess.Popen(
                    request["argv"],
                    env=request["env"],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    preexec_fn=die_with_parent,  # noqa: PLW1509 - this program has one thread
                )
        except OSError as error:
            return {"error": f"{name} does not start: {error}"}
        self.children[name] = child
        return {"pid": child.pid}

    def poll(self) -> dict[str, Any]:
        codes = {name: child.poll() for name, child in self.children.items()}
        return {
            "running": {n: self.children[n].pid for n, code in codes.items() if code is None},
            "ended": {n: code for n, code in codes.items() if code is not None},
        }

    def stop(self, name: str, grace: float) -> int | None:
        child = self.children.get(name)
        if child is None:
            return None
        if child.poll() is None:
            child.terminate()
        try:
            child.wait(timeout=grace)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        return child.returncode

    def kill_all(self) -> None:
        """End everything at once: nothing of a test control plane is worth a clean shutdown."""
        for name in sorted(self.children, key=_order):
            with contextlib.suppress(ProcessLookupError):
                self.children[name].kill()
        for child in self.children.values():
            child.wait()


def _order(name: str) -> int:
    """Clients go before what they talk to; a stranger is a client."""
    return STOP_ORDER.index(name) if name in STOP_ORDER else -1


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    guard = Guard()
    try:
        for line in sys.stdin:
            sys.stdout.write(json.dumps(guard.handle(json.loads(line))) + "\n")
            sys.stdout.flush()
    except BrokenPipeError:
        # The caller is gone and cannot read: the same as the end of input, and the
        # interpreter must not fail again while it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    finally:
        guard.kill_all()


if __name__ == "__main__":
    main()
