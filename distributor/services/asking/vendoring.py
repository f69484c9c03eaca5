"""Vendoring: artifacts of registries become folders of a package, pinned by digest; and the check of that, offline."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Protocol

from distributor.catalog.vendor_lock import check_path, overlaps, write_lock
from distributor.errors import Where
from distributor.errors.service import BadArgument
from distributor.errors.vendoring import VendoredDiffers
from distributor.model.artifacts import Artifact, Reference, Vendored
from distributor.model.findings import Finding
from distributor.model.refs import Digest


class Registry(Protocol):
    """Looks artifacts up, and fetches them by digest."""

    async def resolve(self, reference: Reference) -> Artifact:
        """What a reference stands for now."""
        ...

    async def fetch(self, artifact: Artifact) -> bytes:
        """The bytes of its layer, verified."""
        ...


class Staging(Protocol):
    """Replaces one folder at a time, all of it or nothing."""

    def unpack(self, data: bytes, media_type: str) -> Digest:
        """Unpack a layer beside the package; the digest of its files."""
        ...

    def commit(self, path: str, lock: bytes) -> None:
        """Put it in its place, with the lock that names it."""
        ...


class Place(Protocol):
    """A package's folder."""

    def described(self) -> tuple[str, str]:
        """The app's name, and the folder that its renderer reads."""
        ...

    def lock(self) -> tuple[Vendored, ...]:
        """The entries of the lock."""
        ...

    def require_inside(self, path: str) -> None:
        """Raise where a link on the way to a folder would lead elsewhere."""
        ...

    def digest(self, path: str) -> Digest | None:
        """The digest of a folder as it is; ``None`` where there is none."""
        ...

    @property
    def interrupted(self) -> bool:
        """Whether an earlier run ended in the middle."""
        ...

    def staging(self) -> AbstractContextManager[Staging]:
        """Hold the package against other runs."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What a person asks for. Without references, what the lock names is brought back.

    ``to`` is a folder in the package: for one reference, where it goes; for several, the folder that gets one
    for each. ``replace`` lets content go that no lock accounts for.
    """

    references: tuple[Reference, ...] = ()
    to: str = ""
    replace: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Step:
    """One folder to bring: from where, and what its files have to be, if that is known."""

    path: str
    reference: Reference
    known: Vendored | None = None


_BRING_BACK = "`distributor vendor` without a reference brings it back."
_LET_GO = "Add --replace to let that content go; or name another folder with --to."
_ANOTHER = (
    "The registry, or what unpacks here, has changed: --replace cannot mend that."
    " Vendor the reference anew by its tag, look at what differs, and commit both."
)

Tell = Callable[[str], None]
"""Takes a sentence about progress."""


async def vendor(registry: Registry, place: Place, ask: Ask, tell: Tell) -> tuple[Vendored, ...]:
    """Bring everything that is asked for into the package; the new entries of the lock.

    Everything is looked up and fetched before the first folder is touched. Raises ``VendoredDiffers`` where
    content would be lost, and the errors of the registry and the disk.
    """
    with place.staging() as staging:
        app, content = place.described()
        entries = {entry.path: entry for entry in place.lock()}
        steps = _steps(place, ask, content, entries)
        _refuse_overlaps(steps, entries)
        for step in steps:
            place.require_inside(step.path)
            _refuse_loss(place, step.path, entries.get(step.path), replace=ask.replace)
        fetched = [await _fetch(registry, step, tell) for step in steps]
        done: list[Vendored] = []
        for step, (artifact, data) in zip(steps, fetched, strict=True):
            entry = _entry(step, artifact, staging.unpack(data, artifact.media_type))
            entries[step.path] = entry
            staging.commit(step.path, write_lock(app, entries.values()))
            done.append(entry)
    return tuple(done)


def check(place: Place) -> tuple[Finding, ...]:
    """Every difference between the lock and what lies in the package; nothing is fetched."""
    findings = [f for entry in place.lock() if (f := _difference(place, entry)) is not None]
    if place.interrupted:
        message = "(an earlier run ended in the middle)"
        remedy = "Run `distributor vendor` again: it finishes or takes back what was begun."
        findings.append(Finding.of(VendoredDiffers, message, remedy=remedy))
    return tuple(findings)


def _difference(place: Place, entry: Vendored) -> Finding | None:
    where = Where(file=entry.path)
    try:
        there = place.digest(entry.path)
    except VendoredDiffers as error:
        return Finding.from_error(error)
    if there is None:
        return Finding.of(VendoredDiffers, "(the folder is missing)", where, remedy=_BRING_BACK)
    if there != entry.files:
        return Finding.of(VendoredDiffers, f"(its files are {there}, not {entry.files})", where)
    return None


def _steps(place: Place, ask: Ask, content: str, entries: dict[str, Vendored]) -> tuple[_Step, ...]:
    if not ask.references:
        if ask.to:
            raise BadArgument("(--to needs a reference)")
        missing = [e for e in entries.values() if ask.replace or _difference(place, e) is not None]
        return tuple(_Step(path=e.path, reference=e.reference, known=e) for e in missing)
    one = len(ask.references) == 1
    if ask.to.startswith(("/", "~")):
        raise BadArgument(
            f"(--to {ask.to!r} is no folder in the package)",
            remedy="Name it from the package on, such as base/charts/NAME; --package names the package.",
        )
    to = (ask.to or (content if one else f"{content}/charts")).rstrip("/")
    paths = [to if one else f"{to}/{reference.name}" for reference in ask.references]
    for path in paths:
        reason = check_path(path)
        if reason:
            raise BadArgument(f"({path!r}: {reason})", remedy="Name another folder with --to.")
    return tuple(
        _Step(path=path, reference=reference)
        for path, reference in zip(paths, ask.references, strict=True)
    )


def _refuse_overlaps(steps: Sequence[_Step], known: Iterable[str]) -> None:
    wanted = [step.path for step in steps]
    for one, other in overlaps([*wanted, *(path for path in known if path not in wanted)]):
        raise BadArgument(
            f"({one} lies in {other})", remedy="Name another folder with --to: each has its own."
        )


def _refuse_loss(place: Place, path: str, known: Vendored | None, *, replace: bool) -> None:
    if replace:
        return
    there = place.digest(path)
    if there is None or (known is not None and there == known.files):
        return
    reason = "was changed by hand" if known else "was not vendored"
    raise VendoredDiffers(
        f"({path} {reason}, and would be lost)", where=Where(file=path), remedy=_LET_GO
    )


async def _fetch(registry: Registry, step: _Step, tell: Tell) -> tuple[Artifact, bytes]:
    tell(f"looking {step.reference} up")
    artifact = await registry.resolve(step.reference)
    tell(f"fetching {artifact.layer} ({artifact.size} bytes)")
    return artifact, await registry.fetch(artifact)


def _entry(step: _Step, artifact: Artifact, files: Digest) -> Vendored:
    entry = Vendored(
        path=step.path,
        location=step.reference.location,
        tag=step.reference.tag,
        digest=artifact.digest,
        layer=artifact.layer,
        media_type=artifact.media_type,
        size=artifact.size,
        files=files,
    )
    if step.known is None:
        return entry
    if replace(entry, tag=step.known.tag) != step.known:
        raise VendoredDiffers(
            f"({step.path}: the registry's content unpacks to {files}, not {step.known.files})",
            remedy=_ANOTHER,
        )
    return step.known
