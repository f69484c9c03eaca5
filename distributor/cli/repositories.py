"""Making a repository, and adding files to one: checked as if they were committed, all or none."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pygit2

from distributor.adapters.clock import SystemClock
from distributor.adapters.git import GitRemote
from distributor.adapters.keys import generate, load
from distributor.adapters.workspace import (
    PARTS,
    commit_all,
    copy_sample,
    create_repository,
    put_together,
    read_bytes,
    read_folder,
    read_work_tree,
    set_origin,
    write_files,
)
from distributor.catalog.loading import Loader
from distributor.catalog.scaffold import new_cluster
from distributor.catalog.signers import parse_signers
from distributor.cli.identity import tagger_of
from distributor.cli.local import catalog_root, here, open_catalog
from distributor.cli.output import say
from distributor.errors import DistributorError, Where
from distributor.errors.catalog import AlreadyExists
from distributor.errors.git import BadKey
from distributor.errors.service import BadArgument, NotFound, NotWritable
from distributor.model.findings import Invalid, errors
from distributor.model.refs import ObjectId
from distributor.policy.roles import is_service
from distributor.settings import Settings

SERVICE = "distributor@service"
SIGNERS = "policies/signers/allowed_signers"


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """What ``init`` was asked for; ``signers`` are ``NAME=FILE`` texts."""

    folder: Path
    settings: Settings
    signers: tuple[str, ...] = ()
    remote: str = ""
    key_given: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """The repository that was made."""

    folder: str
    commit: ObjectId
    service_key: str
    origin: str = ""
    pushed: bool = False


def url_of(remote: str) -> str:
    """A remote as Git should keep it: a path from where one stands becomes a full one."""
    local = remote and "://" not in remote and ":" not in remote
    return str(Path(remote).expanduser().absolute()) if local else remote


async def start(asked: Start) -> Started:
    """Write the sample with the signers as the first commit; push it where a remote is named.

    Nothing is left half made: the repository is put together beside the folder first. Raises
    ``AlreadyExists``, ``BadKey``, ``BadArgument``, ``NotWritable``; of the push what Git raises.
    """
    asked = replace(asked, remote=url_of(asked.remote))
    folder = asked.folder.resolve()
    _refuse_old(folder)
    lines = [_person(text) for text in asked.signers]
    key = asked.settings.service_key_path().resolve()
    if key.is_relative_to(folder):
        raise BadKey("It must not lie in the repository.", where=Where(file=str(key)))
    public = _service_key(key, given=asked.key_given)
    lines.insert(0, f'{SERVICE} namespaces="git" {public}')
    commit = _make(folder, lines, asked)
    if asked.remote:
        remote = GitRemote(
            folder, asked.remote, heads=("main",), timeout=asked.settings.git_timeout
        )
        try:
            await remote.push({"refs/heads/main": commit}, expect={"refs/heads/main": None})
        except DistributorError:
            say(f"{folder} is written; only the push failed: `git push origin main` repeats it")
            raise
    return Started(
        folder=str(folder),
        commit=commit,
        service_key=str(key),
        origin=asked.remote,
        pushed=bool(asked.remote),
    )


def _refuse_old(folder: Path) -> None:
    """A new repository goes into a new or empty folder; an empty ``.git`` may be there."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise AlreadyExists(where=Where(file=str(folder)))
    others = sorted(child.name for child in folder.iterdir() if child.name != ".git")
    if others:
        raise AlreadyExists(f"({folder} holds {others[0]} and is not empty)")
    if (folder / ".git").exists() and not pygit2.Repository(str(folder)).head_is_unborn:
        raise AlreadyExists(f"({folder} has commits already)")


def _person(text: str) -> str:
    """The ``allowed_signers`` line of ``NAME=FILE``."""
    name, mark, file = text.partition("=")
    if not mark or not name or not file:
        raise BadArgument(f"(--signer {text!r} is not NAME=PUBLICKEYFILE)")
    words = read_bytes(Path(file).expanduser(), 64 * 1024).decode("utf-8", "replace").split()
    line = f'{name} namespaces="git" {" ".join(words[:2])}'
    entries, findings = parse_signers(line, file)
    if findings or len(entries) != 1 or len(words) < 2:  # noqa: PLR2004 - key type and key
        raise BadArgument(f"(--signer {name}: {file} holds no public key in OpenSSH format)")
    return line


def _service_key(path: Path, *, given: bool) -> str:
    """The public half of the service's key, which is made unless it is there or was named."""
    if given or path.exists():
        return load(path).public_key
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise NotWritable(f"({error.strerror})", where=Where(file=str(path))) from error
    return generate(path, SERVICE).public_key


def _make(folder: Path, lines: list[str], asked: Start) -> ObjectId:
    with put_together(folder) as made:
        copy_sample(made)
        with (made / SIGNERS).open("a", encoding="utf-8") as file:
            file.writelines(f"{line}\n" for line in lines)
        _check(made)
        return _committed(made, folder, asked)


def _committed(made: Path, folder: Path, asked: Start) -> ObjectId:
    """Commit, and put in place: in one step, or into the empty repository that is there."""
    there = (folder / ".git").exists()
    if there:
        _move(made, folder)
    place = folder if there else made
    try:
        create_repository(place)
        if asked.remote:
            set_origin(place, asked.remote)
        author = tagger_of(asked.settings)
        commit = commit_all(place, "A catalog to start from", author, SystemClock().now())
        pygit2.Repository(str(place)).set_head("refs/heads/main")
    except BaseException:
        for part in PARTS if there else ():
            shutil.rmtree(folder / part, ignore_errors=True)
        raise
    if not there:
        _move(made, folder)
    return commit


def _check(folder: Path) -> None:
    """What is committed loads, and its policies let the service decide."""
    tree = read_work_tree(folder)
    loader = Loader(tree)
    policies = loader.policies(tree.root)
    wrong = errors((*loader.load(tree.root).findings, *policies.findings))
    if wrong:
        raise Invalid(wrong)
    if not is_service(policies.roles, SERVICE):
        raise BadKey(f"(policies/roles.yaml does not grant {SERVICE} the right to decide)")


def _move(made: Path, folder: Path) -> None:
    if not folder.exists():
        made.rename(folder)
        return
    for child in sorted(made.iterdir()):
        child.rename(folder / child.name)


def version_files(app: str, version: str) -> tuple[str, dict[str, bytes]]:
    """The version meant (the newest, if none is named) and its files by path in its folder."""
    local = open_catalog(catalog_root(here()))
    known = local.catalog.packages.get(app, {})
    if not known:
        local.refuse(f"catalog/{app}")
        raise NotFound(f"(app {app!r}; there are: {', '.join(local.catalog.apps)})")
    used = version or list(known)[-1]
    if used not in known:
        local.refuse(f"catalog/{app}/{used}")
        raise NotFound(f"({app} {used}; there are: {', '.join(known)})")
    content = read_folder(local.root / "catalog" / app / used)
    prefix = content.path + "/"
    return used, {path.removeprefix(prefix): data for path, data in content.files.items()}


def cluster_files(
    name: str, environment: str, tier: str, *, connection: str = "", **facts: str
) -> Mapping[str, bytes]:
    """The file of a cluster, by path from the root; raises ``Invalid`` where it would have findings."""
    files = new_cluster(name, environment, tier, **facts)
    root = catalog_root(here())
    if not (root / "environments" / environment / "environment.yaml").is_file():
        folders = (root / "environments").glob("*/environment.yaml")
        known = ", ".join(sorted(file.parent.name for file in folders))
        raise NotFound(f"(environment {environment!r}; there are: {known or 'none'})")
    if not connection:
        return files
    old = f"    connection: {environment}/{name}\n".encode()
    return {p: d.replace(old, f"    connection: {connection}\n".encode()) for p, d in files.items()}


def add_files(what: str, files: Mapping[str, bytes]) -> tuple[Path, ...]:
    """Write new files below the root of the repository one stands in, all or none.

    ``what`` is the new folder or file. Raises ``AlreadyExists``, and ``Invalid`` where the repository
    would have findings in them.
    """
    root = catalog_root(here())
    if (root / what).exists():
        raise AlreadyExists(f"({root / what})")
    open_catalog(root, files).refuse(what)
    return write_files(root, files)
