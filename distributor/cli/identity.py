"""Who one is: the tagger that Git is configured with, and the key that signs one's tags."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pygit2

from distributor.adapters.keys import load
from distributor.ports import Signer
from distributor.settings import Settings


def tagger_of(settings: Settings) -> str:
    """``Name <email>``: from the settings, else Git's configuration, else the login name."""
    if settings.identity:
        return settings.identity
    config = _configuration()
    values: dict[str, str] = {}
    for name in ("user.name", "user.email"):
        try:
            values[name] = config[name] or ""
        except KeyError:
            continue
    login = _login()
    return f"{values.get('user.name', login)} <{values.get('user.email', f'{login}@localhost')}>"


def _configuration() -> pygit2.Config:
    """What Git is configured with where one stands."""
    found = pygit2.discover_repository(str(Path.cwd()))
    if found is not None:
        return pygit2.Repository(found).config
    try:
        return pygit2.Config.get_global_config()
    except OSError:  # nobody has configured Git on this machine
        return pygit2.Config()


def signer_of(settings: Settings) -> Signer | None:
    """The key that ``--sign`` or the setting names; ``None`` where neither does."""
    return load(Path(settings.sign).expanduser()) if settings.sign else None


def _login() -> str:
    """The name of one's account; a container's user may have none."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid-{os.getuid()}"
