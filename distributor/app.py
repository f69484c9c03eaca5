"""The composition root: settings become adapters, adapters become a world, a world becomes services."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path

from distributor.adapters.branch import BranchConnections, Head
from distributor.adapters.branch.connections import is_branch
from distributor.adapters.cache import CacheSettings, DiskRenderCache
from distributor.adapters.cel import CelExpressions
from distributor.adapters.clock import SystemClock
from distributor.adapters.directory import DirectoryConnections
from distributor.adapters.engine import EnginePool, EngineSettings
from distributor.adapters.git import (
    GitRemote,
    PygitObjects,
    Seen,
    SplitRemote,
    make_view,
    shown,
)
from distributor.adapters.gpg import GpgProgram
from distributor.adapters.holder import Holder
from distributor.adapters.keys import load
from distributor.adapters.kube import KubeConnections
from distributor.adapters.schemas import KubernetesSchemas
from distributor.adapters.sops import SopsOpener
from distributor.adapters.store import SqlStore
from distributor.adapters.timers import SchedulerTimers
from distributor.catalog.loading import Loader
from distributor.errors import DistributorError, Where
from distributor.errors.git import BadKey, NotARepository
from distributor.errors.service import BadSetting, StateNotWritable
from distributor.model.fleet import Mode
from distributor.ports import Remote, Signer
from distributor.services.ledger.book import HEAD
from distributor.services.rendering.splicing import Splicer, SplicingConnections
from distributor.services.sealing import Seal
from distributor.services.service import Service
from distributor.services.targets.connections import OpenByMode
from distributor.services.world import World
from distributor.settings import Settings


@asynccontextmanager
async def open_service(settings: Settings, *, writing: bool) -> AsyncIterator[Service]:
    """A service over the settings' repository, closed again at the end.

    ``writing`` services hold the state folder's lock and the service's key; the others only look, and
    may do so beside one that writes.
    """
    state = settings.state_path()
    if not settings.repository:
        raise NotARepository
    _make_state(state)
    async with AsyncExitStack() as stack:
        holder = Holder(state / "holder")
        name = ""
        if writing:
            name = holder.take()
            stack.callback(holder.release)
        world = _world(settings, state, name, load_key(settings) if writing else None)
        stack.push_async_callback(world.connections.aclose)
        stack.push_async_callback(world.engine.aclose)
        await world.store.open()
        stack.push_async_callback(world.store.aclose)
        await _own(world, settings)
        service = Service(world, SchedulerTimers())
        stack.push_async_callback(service.stop)
        yield service


@asynccontextmanager
async def open_offline(
    settings: Settings, *, clone: Path | None, tag: str
) -> AsyncIterator[tuple[Service, Seen, DistributorError | None]]:
    """A service over what was fetched before, here and in a clone, and what was seen of one tag.

    It never speaks to a remote and changes nothing. A ledger that cannot be believed is left out, and told.
    """
    with tempfile.TemporaryDirectory(prefix="distributor-") as place:
        seen = make_view(
            Path(place) / "repository.git",
            mirror=settings.state_path() / "repository.git",
            clone=clone,
            heads=(settings.main, settings.ledger),
            tag=tag,
        )
        async with open_service(replace(settings, state_dir=place), writing=False) as service:
            world, trouble = service.world, None
            if seen.believed:
                await world.store.set(HEAD, seen.believed)
            head = world.objects.resolve(world.ledger_ref)
            if head is not None and world.objects.resolve(world.main_ref) is not None:
                try:
                    await service.book.read()
                except DistributorError as error:
                    trouble = error
                    world.objects.set_ref(world.ledger_ref, None, head)
            yield service, seen, trouble


async def _own(world: World, settings: Settings) -> None:
    """A state folder belongs to one repository: another one's ledger would look like a rewound one."""
    key = "repository"
    known = await world.store.get(key)
    if known is None:
        await world.store.set(key, settings.repository)
    elif known != settings.repository:
        raise BadSetting(
            f"({settings.state_path()} belongs to {known}, not to {settings.repository})",
            where=Where(field="state_dir"),
            remedy="Choose another state_dir; if the repository only moved, delete the database there.",
        )


def _make_state(state: Path) -> None:
    try:
        state.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StateNotWritable(f"({state}: {error.strerror})") from error


def _world(settings: Settings, state: Path, holder: str, signer: Signer | None) -> World:
    objects = PygitObjects.create(state / "repository.git")
    seal = _seal(settings, signer)
    pushed = KubeConnections({n: e for n, e in settings.connections.items() if not is_branch(e)})
    connections = SplicingConnections(
        OpenByMode(
            {
                Mode.DIRECTORY: DirectoryConnections(Path(settings.directory_root).expanduser()),
                Mode.PUSH: pushed,
                Mode.BRANCH: _branches(settings, state, signer),
            }
        ),
        Splicer(blobs=objects, opener=SopsOpener(settings.secrets_key_path()), seal=seal),
        pushed.glance,
    )
    return World(
        objects=objects,
        remote=_remote(settings, state, objects),
        loader=Loader(objects),
        engine=EnginePool(
            EngineSettings(
                workers=settings.engine_workers,
                deadline=settings.render_timeout,
                hard_memory=settings.render_memory,
            )
        ),
        cache=DiskRenderCache(state / "cache", CacheSettings(max_bytes=settings.cache_bytes)),
        schemas=KubernetesSchemas(),
        connections=connections,
        store=SqlStore(state / "distributor.sqlite"),
        clock=SystemClock(),
        signer=signer,
        holder=holder,
        main=settings.main,
        ledger=settings.ledger,
        claim_seconds=settings.claim_seconds,
        target_concurrency=settings.target_concurrency,
        seal=seal,
        adopt_managers=settings.adopted(),
        expressions=CelExpressions(),
        watch=pushed,
        glances=connections.glance,
        resync_requests=settings.resync_requests,
        undo_managers=settings.undone(),
        ledger_at=shown(_ledger_at(settings, state)),
        catalog_at=shown(settings.repository),
        local_ledger=settings.local_ledger,
        openpgp=GpgProgram().check,
    )


def _ledger_at(settings: Settings, state: Path) -> str:
    """The repository of a ledger that does not lie beside main; empty where it does."""
    return (
        str(state.absolute() / "ledger.git")
        if settings.local_ledger
        else settings.ledger_repository
    )


def _remote(settings: Settings, state: Path, objects: PygitObjects) -> Remote:
    """The shared repository; where the ledger has one of its own, both as one."""
    main, ledger, timeout = settings.main, settings.ledger, settings.git_timeout
    at = _ledger_at(settings, state)
    if not at:
        heads = (main, ledger)
        return GitRemote(objects.path, settings.repository, heads=heads, timeout=timeout)
    if ledger.startswith(main):
        raise BadSetting(
            f"({ledger} begins with {main}, the name of main: in repositories of their own they must differ)",
            where=Where(field="ledger"),
        )
    if settings.local_ledger:
        PygitObjects.create(Path(at))
    return SplitRemote(
        GitRemote(objects.path, settings.repository, heads=(main,), timeout=timeout),
        GitRemote(objects.path, at, heads=(ledger,), timeout=timeout, tags=False),
        branch=f"refs/heads/{ledger}",
    )


def _branches(settings: Settings, state: Path, signer: Signer | None) -> BranchConnections:
    """Branch targets: a mirror a repository, of nothing but the branches that are delivered to."""
    mirrors: dict[str, PygitObjects] = {}

    def head(repository: str, branch: str) -> Head:
        name = hashlib.sha256(repository.encode()).hexdigest()[:16]
        if name not in mirrors:
            mirrors[name] = PygitObjects.create(state / "branches" / f"{name}.git")
        objects = mirrors[name]
        remote = GitRemote(
            objects.path, repository, heads=(branch,), timeout=settings.git_timeout, tags=False
        )
        return Head(branch, objects=objects, remote=remote, clock=SystemClock(), signer=signer)

    return BranchConnections(
        {n: entry for n, entry in settings.connections.items() if is_branch(entry)},
        repository=settings.repository,
        reserved=(settings.main, settings.ledger),
        heads=head,
    )


def _seal(settings: Settings, signer: Signer | None) -> Seal:
    """The seal of the service; a process that only looks may not be able to read its key."""
    if signer is None:
        with contextlib.suppress(BadKey):
            signer = load_key(settings)
    return Seal.of(signer)


def load_key(settings: Settings) -> Signer | None:
    """The service's key, or ``None`` where there is no such file; raises ``BadKey`` for a bad one."""
    path = settings.service_key_path()
    return load(path) if os.access(path, os.R_OK) or path.exists() else None
