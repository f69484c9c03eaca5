"""The one seed of random loops: printed at the start, repeated by ``DISTRIBUTOR_TEST_SEED``."""

from __future__ import annotations

import os
import secrets
from functools import cache


@cache
def seed() -> int:
    """This run's seed."""
    given = os.environ.get("DISTRIBUTOR_TEST_SEED", "")
    number = int(given) if given else secrets.randbelow(1 << 32)
    print(f"DISTRIBUTOR_TEST_SEED={number}")
    return number
