"""What all tests share: runs that can be repeated, and nothing from the shell of whoever starts them."""

from __future__ import annotations

import os
from dataclasses import fields

import pytest
from hypothesis import settings

from distributor.settings import PREFIX, Settings

OF_THE_SHELL = (
    "GIT_DIR",  # set where a Git hook starts the tests: every repository would be this one
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    PREFIX + "CONFIG",
    *(PREFIX + field.name.upper() for field in fields(Settings)),
)


def pytest_configure(config: pytest.Config) -> None:
    """Before anything is collected, in every worker."""
    del config
    for name in OF_THE_SHELL:
        os.environ.pop(name, None)
    # No deadlines: how long an example takes says more about the machine than about the code.
    settings.register_profile("here", deadline=None, print_blob=True)
    settings.register_profile("ci", deadline=None, print_blob=True, derandomize=True)
    settings.load_profile("ci" if os.environ.get("CI") else "here")
