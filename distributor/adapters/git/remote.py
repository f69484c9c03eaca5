"""The shared repository, through the git program: credentials, ssh and proxies are Git's own affair."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Mapping
from pathlib import Path

from distributor.errors.git import GitFailed, PushRejected, RemoteUnreachable
from distributor.model.refs import ObjectId

_UNREACHABLE = (
    "could not read from remote",
    "unable to access",
    "unable to look up",
    "does not appear to be a git repository",
    "could not resolve host",
    "connection refused",
    "connection timed out",
    "connection reset",
    "early eof",
    "the remote end hung up",
    "permission denied",
    "no such file or directory",
)
_REJECTED = ("[rejected]", "[remote rejected]", "stale info", "failed to push some refs")

_TRIES = 5
_TIDYING = 1800.0
"""Seconds that packing the mirror may take."""


class GitRemote:
    """One remote of the local mirror at ``repository``.

    ``url`` is anything Git takes; ``heads`` are the branches that are followed; ``timeout`` bounds each
    call in seconds, after which the whole process group is ended. Without ``tags`` only heads are
    fetched.
    """

    def __init__(
        self,
        repository: Path,
        url: str,
        *,
        heads: tuple[str, ...],
        timeout: float = 60.0,
        tags: bool = True,
    ) -> None:
        self._repository = repository
        self._url = url
        self._heads = heads
        self._timeout = timeout
        self._tags = tags
        self._lock = asyncio.Lock()  # a fetch beside our own push could bring back what it replaces

    async def fetch(self) -> None:
        """Mirror heads and tags into ``refs/observed/``: moved and deleted tags are seen as such.

        A plain fetch keeps the old target of a moved tag and hides deletions. A pattern stands for each
        head, because a head that does not exist (yet) must not fail the rest.
        """
        specs = [f"+refs/heads/{head}*:refs/observed/heads/{head}*" for head in self._heads]
        if self._tags:
            specs.append("+refs/tags/*:refs/observed/tags/*")
        await self._fetch(
            "-c", "gc.auto=0", "-c", "maintenance.auto=false",  # a process less on every fetch
            "fetch", "--quiet", "--no-tags", "--prune", "--force",
            "--no-write-fetch-head", "--end-of-options", self._url, *specs,
        )  # fmt: skip

    async def _fetch(self, *arguments: str) -> None:
        """Another process on this mirror may hold a ref's lock for a moment: then fetch again."""
        async with self._lock:
            for attempt in range(_TRIES):
                try:
                    await self._git(*arguments)
                except GitFailed as error:
                    if "cannot lock ref" not in error.detail or attempt == _TRIES - 1:
                        raise
                    await asyncio.sleep(0.05 * (attempt + 1))
                else:
                    return

    async def push(
        self, updates: Mapping[str, ObjectId], *, expect: Mapping[str, ObjectId | None]
    ) -> None:
        """Push all refs or none, each only from the object that is expected there."""
        leases = [f"--force-with-lease={ref}:{oid or ''}" for ref, oid in expect.items()]
        specs = [f"{oid}:{ref}" for ref, oid in updates.items()]
        async with self._lock:
            await self._git(
                "push", "--quiet", "--no-verify", "--atomic", *leases,
                "--end-of-options", self._url, *specs,
            )  # fmt: skip

    async def tidy(self) -> None:
        """``git gc --auto``: fetches leave packs behind, and what is written here lies loose."""
        await self._git("-c", "gc.autoDetach=false", "gc", "--auto", "--quiet", seconds=_TIDYING)

    async def _git(self, *arguments: str, seconds: float = 0) -> str:
        process = await asyncio.create_subprocess_exec(
            "git", "-C", str(self._repository), *arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=_environment(),
            start_new_session=True,
        )  # fmt: skip
        try:
            out, err = await asyncio.wait_for(process.communicate(), seconds or self._timeout)
        except TimeoutError:
            raise RemoteUnreachable(
                f"(no answer from {shown(self._url)} in {seconds or self._timeout:g} s)"
            ) from None
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                await process.wait()
        if process.returncode:
            raise self._failure(err.decode("utf-8", "replace").strip())
        return out.decode("utf-8", "replace")

    def _failure(self, message: str) -> GitFailed | PushRejected | RemoteUnreachable:
        text = message.lower()
        told = message.replace(self._url, shown(self._url)).replace(_userinfo(self._url), "***@")
        if any(sign in text for sign in _REJECTED):
            return PushRejected(told)
        if any(sign in text for sign in _UNREACHABLE):
            return RemoteUnreachable(told)
        return GitFailed(told)


def _environment() -> dict[str, str]:
    """The caller's environment, so that credential helpers work, but never a prompt or a translation."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_DIR")}
    kept.pop("GIT_INDEX_FILE", None)
    kept.pop("GIT_WORK_TREE", None)
    return kept | {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0"}


def shown(url: str) -> str:
    """The URL without a password."""
    return url.replace(_userinfo(url), "***@", 1)


def _userinfo(url: str) -> str:
    """What stands before the host, ``user:password@``; where there is none, what no message holds."""
    _, mark, rest = url.partition("://")
    user, at, _ = rest.partition("/")[0].rpartition("@")
    return user + at if mark and at else "\0"
