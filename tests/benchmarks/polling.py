"""A repository with very many requests that are decided, and a service that polls it."""

from __future__ import annotations

import asyncio
import hashlib
import os
import resource
import subprocess
import time
import zlib
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from distributor import log
from distributor.adapters.git import PygitObjects
from distributor.app import open_service
from distributor.cli.playground import PEOPLE, Playground, create_playground
from distributor.ledger import encode
from distributor.model.ledger import Archived, Decided, Key, Observed
from distributor.model.promotion import Verdict, VerdictOutcome
from distributor.model.refs import ObjectId
from distributor.model.tags import Verb
from distributor.model.trees import NewCommit
from distributor.services.asking.founding import found_ledger
from distributor.services.service import Service
from distributor.settings import load
from tests.benchmarks.ledgers import ANSWERS, START

_TAG = 4  # the type of a tag object in a pack (gitformat-pack(5))
_A_FILE = 200
"""Requests of one instance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request as its tag object."""

    key: Key
    ref: str
    raw: bytes

    @property
    def tag(self) -> ObjectId:
        """The object's id."""
        head = b"tag %d\0" % len(self.raw)
        return ObjectId(hashlib.sha1(head + self.raw, usedforsecurity=False).hexdigest())


@dataclass(frozen=True, slots=True, kw_only=True)
class Polled:
    """A service over such a repository; ``asked`` are its requests, all refused long ago."""

    place: Playground
    service: Service
    asked: Sequence[Asked]


def requests(count: int, target: ObjectId) -> Iterator[Asked]:
    """So many requests, over instances with two hundred each."""
    for number in range(count):
        key = ("sit", f"app-{number // _A_FILE:03}")
        ref = f"promote/{key[0]}/{key[1]}/1.{number % _A_FILE}.0"
        text = f"object {target}\ntype commit\ntag {ref}\ntagger {PEOPLE['sre']} 1767225600 +0000\n\nPromote {ref}\n"
        yield Asked(key=key, ref=ref, raw=text.encode())


@asynccontextmanager
async def polled(root: Path, count: int) -> AsyncIterator[Polled]:
    """A playground with a founded ledger that has so many refused requests, whose tags are there."""
    log.configure("error", "json")
    place = await asyncio.to_thread(create_playground, root / "play", datetime.now(UTC))
    long = {"poll": 3600.0, "resync": 3600.0, "git_timeout": 1200.0}
    settings = replace(load({}, {}, place.root).settings, **long)
    async with open_service(settings, writing=True) as service:
        await found_ledger(service.world)
        asked = await asyncio.to_thread(decided, place, count)
        try:
            yield Polled(place=place, service=service, asked=asked)
        finally:
            await service.stop()


def decided(place: Playground, count: int) -> Sequence[Asked]:
    """Push so many tags, and a ledger commit that refuses each."""
    objects = PygitObjects(place.remote)
    main = objects.resolve("refs/heads/main")
    assert main is not None
    asked = tuple(requests(count, main))
    subprocess.run(
        ["git", "-C", str(place.remote), "index-pack", "--stdin"],
        input=_pack([each.raw for each in asked]), capture_output=True, check=True,
    )  # fmt: skip
    lines: dict[Key, list[bytes]] = {}
    for each in asked:
        verdict = Verdict(
            ref=each.ref, tag=each.tag, verb=Verb.PROMOTE, environment=each.key[0], instance=each.key[1],
            outcome=VerdictOutcome.REFUSED, answers=ANSWERS, principal="sre@distributor.example",
        )  # fmt: skip
        seen = Observed(at=START, ref=each.ref, tag=each.tag, raw=each.raw)
        lines.setdefault(each.key, []).append(encode(seen))
        lines[each.key].append(encode(Decided(at=START, verdict=verdict)))
    _recorded(place, {key: b"".join(found) for key, found in lines.items()})
    listed = sorted((f"refs/tags/{each.ref}".encode(), each.tag) for each in asked)
    packed = b"".join(b"%s %s\n^%s\n" % (t.encode(), ref, main.encode()) for ref, t in listed)
    head = b"# pack-refs with: peeled fully-peeled sorted \n"
    (place.remote / "packed-refs").write_bytes(head + packed)
    return asked


def archived(found: Polled) -> None:
    """Leave the repository as ``ledger archive`` does: each request recorded as archived, its tag gone."""
    lines: dict[Key, list[bytes]] = {}
    for each in found.asked:
        record = Archived(at=datetime.now(UTC), ref=each.ref, tag=each.tag)
        lines.setdefault(each.key, []).append(encode(record))
    _recorded(found.place, {key: b"".join(added) for key, added in lines.items()})
    (found.place.remote / "packed-refs").unlink()


def _recorded(place: Playground, added: dict[Key, bytes]) -> None:
    """One more ledger commit by the service: lines at the end of files."""
    objects, ref = PygitObjects(place.remote), "refs/heads/ledger"
    head = objects.resolve(ref)
    assert head is not None
    files = {f"records/{key[0]}/{key[1]}.jsonl": data for key, data in added.items()}
    entries = {}
    for path, data in files.items():
        before = _blob(objects, objects.tree_of(head), path)
        entries[path] = ("blob", objects.write_blob(before + data))
    tree = objects.write_tree(objects.tree_of(head), entries)
    at = datetime.now(UTC)
    commit = NewCommit(tree=tree, parents=(head,), message="requests", at=at)
    assert objects.set_ref(ref, objects.write_commit(commit, place.key("service")), head)


def _blob(objects: PygitObjects, tree: ObjectId, path: str) -> bytes:
    for name in path.split("/"):
        found = next((e.id for e in objects.entries(tree) if e.name == name), None)
        if found is None:
            return b""
        tree = found
    return objects.blob(tree)


def _pack(raws: Sequence[bytes]) -> bytes:
    """A pack of tag objects (gitformat-pack(5))."""
    parts = [b"PACK", (2).to_bytes(4), len(raws).to_bytes(4)]
    for raw in raws:
        size, head = len(raw) >> 4, bytearray([_TAG << 4 | len(raw) & 15])
        while size:
            head[-1] |= 0x80
            head.append(size & 0x7F)
            size >>= 7
        parts += [bytes(head), zlib.compress(raw, 1)]
    whole = b"".join(parts)
    return whole + hashlib.sha1(whole, usedforsecurity=False).digest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What something took: seconds, and processor seconds with those of every process that it started."""

    seconds: float
    cpu: float


async def cost(work: Callable[[], Coroutine[Any, Any, object]]) -> Cost:
    """Do something once."""
    began, used = time.perf_counter(), _cpu()
    await work()
    return Cost(seconds=time.perf_counter() - began, cpu=_cpu() - used)


def _cpu() -> float:
    whose = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return sum(u.ru_utime + u.ru_stime for u in map(resource.getrusage, whose))


async def listing(remote: Path) -> None:
    """The floor: the git program lists heads and tags, and nobody reads what it says."""
    process = await asyncio.create_subprocess_exec(
        "git", "ls-remote", "--quiet", "--heads", "--tags", str(remote),
        stdout=asyncio.subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    assert await process.wait() == 0


@dataclass(slots=True)
class Counted:
    """A server that says how many bytes went over its connections, both ways together."""

    url: str = ""
    bytes: int = 0


@asynccontextmanager
async def counted(repository: Path) -> AsyncIterator[Counted]:
    """Serve one repository for reading on loopback, as git-daemon(1) does, and count."""
    found = Counted()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        size = int(await reader.readexactly(4), 16)
        asked = await reader.readexactly(size - 4)
        found.bytes += size
        protocol = next((p for p in asked.split(b"\0") if p.startswith(b"version=")), b"")
        process = await asyncio.create_subprocess_exec(
            "git", "upload-pack", str(repository),
            env={**os.environ, "GIT_PROTOCOL": protocol.decode()},
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        await asyncio.gather(
            _copied(found, reader, process.stdin), _copied(found, process.stdout, writer)
        )
        await process.wait()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    found.url = f"git://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    try:
        yield found
    finally:
        server.close()
        await server.wait_closed()


async def _copied(
    found: Counted, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(1 << 16):
            found.bytes += len(data)
            writer.write(data)
            await writer.drain()
    writer.close()
