"""Settings: flags over ``DISTRIBUTOR_*`` variables over ``distributor.toml`` over defaults."""

from __future__ import annotations

import difflib
import hashlib
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from distributor.errors import Where
from distributor.errors.service import BadSetting

FILE = "distributor.toml"
PREFIX = "DISTRIBUTOR_"
_OTHERS = ("CONFIG", "TEST_SEED", "REAL_APPS", "BENCH_RESULTS", "WRITE_GOLDEN", "SOAK_SECONDS")
LOCAL = "local"
"""What ``ledger_repository`` says where the ledger lies in the state folder."""
"""Variables of that prefix that are no settings: where the file lies, and what the project's own tests read."""


def _names(listed: str) -> frozenset[str]:
    return frozenset(filter(None, (name.strip() for name in listed.split(","))))


def _setting(default: Any, doc: str, *, secret: bool = False, least: float | None = None) -> Any:  # noqa: ANN401 - the default's own type
    metadata = {"doc": doc, "secret": secret, "least": least}
    if isinstance(default, dict):
        return field(default_factory=dict, metadata=metadata)
    return field(default=default, metadata=metadata)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings of one process. Paths that are relative in ``distributor.toml`` start at its folder."""

    repository: str = _setting(
        "",
        "URL or path of the shared catalog repository; empty: the `origin` of the one you stand in",
    )
    main: str = _setting("main", "Branch that proposes: requests must be reachable from it")
    ledger: str = _setting("ledger", "Branch that decides: the append-only ledger")
    state_dir: str = _setting(
        "",
        "Folder for the mirror, the database and caches; empty: one per repository under the user's state folder",
    )
    service_key: str = _setting(
        "",
        "The service's own ed25519 key, for ledger commits; empty: one under the user's configuration folder",
    )
    secrets_key: str = _setting(
        "",
        "Age identities that open SOPS files: a file, or a folder with one an environment (`prd.txt`); empty: `age.txt` beside the service's key",
    )
    sign: str = _setting(
        "", "Your ed25519 key for tags; empty: tags are unsigned unless --sign names one"
    )
    identity: str = _setting(
        "", "Tagger of your tags, `Name <email>`; empty: what Git is configured with"
    )
    directory_root: str = _setting(
        "clusters", "Folder that directory targets' connection references start from"
    )
    connections: Mapping[str, Mapping[str, str]] = _setting(
        {},
        "How to reach clusters, by reference: a kubeconfig and a context, or a repository, branch and path",
    )
    listen: str = _setting(
        "127.0.0.1",
        "Address to serve on; beyond loopback is refused, because nobody is authenticated",
    )
    port: int = _setting(8080, "Port to serve on", least=0)
    poll: float = _setting(
        30.0, "Seconds between looks at the remote when no push hint comes", least=0.05
    )
    resync: float = _setting(300.0, "Seconds between checks of every target for drift", least=0.05)
    git_timeout: float = _setting(60.0, "Seconds that a Git remote may take to answer", least=0.1)
    engine_workers: int = _setting(2, "Render worker processes", least=1)
    render_timeout: float = _setting(
        30.0, "Seconds that one render may take, by the clock and of the processor", least=0.1
    )
    cache_bytes: int = _setting(1 << 30, "Bytes of rendered objects to keep on disk", least=0)
    claim_seconds: float = _setting(
        60.0, "Seconds after which another service may take an instance over", least=1
    )
    target_concurrency: int = _setting(16, "Targets that are worked on at once", least=1)
    webhook_secret: str = _setting(
        "", "Secret of the forge's push hints; empty: hints need none on loopback", secret=True
    )
    log_level: str = _setting("info", "debug, info, warning or error")
    log_format: str = _setting("auto", "console, json, or auto: console at a terminal")
    render_memory: int = _setting(
        512 << 20, "Bytes of memory that one render may take", least=64 << 20
    )

    adopt_managers: str = _setting(
        "kubectl-client-side-apply,before-first-apply",
        "Field managers, separated by commas, whose fields packages take over on clusters",
    )

    resync_requests: int = _setting(
        0,
        "Requests to clusters after which a look at all targets leaves the rest to the next; 0: no limit",
        least=0,
    )

    undo_managers: str = _setting(
        "kubectl*",
        "Field managers, separated by commas, whose changes of fields that packages set are undone; * is any text",
    )

    ledger_repository: str = _setting(
        "",
        "Repository of the ledger: a URL or path; `local`: one in the state folder, for want of write access; "
        "empty: the catalog repository",
    )

    def adopted(self) -> frozenset[str]:
        """The names in ``adopt_managers``."""
        return _names(self.adopt_managers)

    def undone(self) -> frozenset[str]:
        """The names in ``undo_managers``."""
        return _names(self.undo_managers)

    def state_path(self) -> Path:
        """The state folder; its default depends on the repository, so that two never share one."""
        if self.state_dir:
            return Path(self.state_dir).expanduser()
        base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
        name = hashlib.sha256(self.repository.encode()).hexdigest()[:16]
        return Path(base) / "distributor" / name

    @property
    def local_ledger(self) -> bool:
        """Whether the ledger is this service's own, seen by no other."""
        return self.ledger_repository == LOCAL

    def service_key_path(self) -> Path:
        """The service's key file."""
        if self.service_key:
            return Path(self.service_key).expanduser()
        base = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
        return Path(base) / "distributor" / "service_ed25519"

    def secrets_key_path(self) -> Path:
        """The file with the age identities."""
        if self.secrets_key:
            return Path(self.secrets_key).expanduser()
        return self.service_key_path().with_name("age.txt")


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """Settings with the origin of each: ``flag``, a variable's name, a file, or ``default``."""

    settings: Settings
    origins: Mapping[str, str]


def load(
    flags: Mapping[str, Any], environment: Mapping[str, str], folder: Path | None = None
) -> Loaded:
    """Put the settings together; raises ``BadSetting`` that names where a wrong one comes from.

    ``distributor.toml`` is looked for in ``folder`` and those above it, or where ``DISTRIBUTOR_CONFIG``
    says.
    """
    path = _find(environment.get(PREFIX + "CONFIG", ""), folder or Path.cwd())
    document = _read(path) if path else {}
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    known = {f.name: f for f in fields(Settings)}
    _refuse_unknown(document, known, str(path))
    for name, spec in known.items():
        for origin, found in (
            ("flag", flags.get(name)),
            (PREFIX + name.upper(), environment.get(PREFIX + name.upper())),
            (str(path), document.get(name)),
        ):
            if found is not None:
                values[name] = _convert(name, found, spec.default, origin)
                if origin == str(path) and path is not None:
                    values[name] = _beside(name, values[name], path.parent)
                origins[name] = origin
                break
        _check_least(name, values.get(name), spec.metadata.get("least"), origins.get(name, ""))
    return Loaded(
        settings=Settings(**values), origins={name: origins.get(name, "default") for name in known}
    )


def unknown_variables(environment: Mapping[str, str]) -> Mapping[str, str]:
    """The ``DISTRIBUTOR_*`` variables that nothing reads, each with the nearest known name or nothing."""
    known = (*(f.name.upper() for f in fields(Settings)), *_OTHERS)
    given = sorted(name.removeprefix(PREFIX) for name in environment if name.startswith(PREFIX))
    unknown = [name for name in given if name not in known]
    near = {name: difflib.get_close_matches(name, known, n=1) for name in unknown}
    return {PREFIX + name: PREFIX + found[0] if found else "" for name, found in near.items()}


def _find(named: str, folder: Path) -> Path | None:
    if named:
        path = Path(named).expanduser()
        if not path.is_file():
            raise BadSetting(f"({PREFIX}CONFIG names {path}, which is not a file)")
        return path
    for place in (folder, *folder.absolute().parents):
        if (place / FILE).is_file():
            return (place / FILE).absolute()
    return None


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadSetting(f"({error})", where=Where(file=str(path))) from error


def _refuse_unknown(document: Mapping[str, Any], known: Mapping[str, Any], file: str) -> None:
    for name in document:
        if name not in known:
            raise BadSetting(f"(unknown setting {name!r})", where=Where(file=file, field=name))


_PATHS = ("state_dir", "service_key", "sign", "directory_root", "secrets_key")


_REPOSITORIES = ("repository", "ledger_repository")


def _beside(name: str, value: Any, folder: Path) -> Any:  # noqa: ANN401 - each setting has a type of its own
    """A relative path in the file starts at the file's folder; so does a repository that is one."""
    if name == "connections":
        return {
            ref: {
                k: str(folder / Path(v).expanduser()) if _is_path(k, v) else v for k, v in c.items()
            }
            for ref, c in value.items()
        }
    relative = name in _PATHS or (name in _REPOSITORIES and value.startswith("."))
    return str(folder / Path(value).expanduser()) if relative and value else value


def _is_path(name: str, value: str) -> bool:
    return name == "kubeconfig" or (name == "repository" and value.startswith("."))


def _convert(name: str, value: object, default: Any, origin: str) -> Any:  # noqa: ANN401 - each setting has a type of its own
    where = Where(file=origin, field=name)
    if name == "connections":
        if not isinstance(value, Mapping) or not all(
            isinstance(c, Mapping) for c in value.values()
        ):
            raise BadSetting("(a table of tables is needed)", where=where)
        return {str(ref): {str(k): _text(v) for k, v in c.items()} for ref, c in value.items()}
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise BadSetting(f"({value!r} is not a {type(default).__name__})", where=where)
    try:
        return type(default)(value)
    except ValueError as error:
        raise BadSetting(f"({value!r} is not a {type(default).__name__})", where=where) from error


def _text(value: object) -> str:
    """A field of a connection: a list as its entries with commas, a truth in lower case."""
    if isinstance(value, list):
        return ",".join(map(_text, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def _check_least(name: str, value: float | None, least: float | None, origin: str) -> None:
    if value is not None and least is not None and not value >= least:
        raise BadSetting(f"({value!r} is below {least:g})", where=Where(file=origin, field=name))
