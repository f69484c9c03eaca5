"""Every metric that is declared is also counted somewhere, and nothing is counted that is not declared."""

from __future__ import annotations

import re
from pathlib import Path

from prometheus_client.metrics import MetricWrapperBase

from distributor import metrics

ROOM = Path(metrics.__file__).parent
USE = re.compile(r"\bmetrics\.([A-Z_]+)(?:\.labels\([^\n]*\))?\.(?:inc|set|observe|time)\(")


def test_every_metric_is_used():
    declared = {n for n, found in vars(metrics).items() if isinstance(found, MetricWrapperBase)}
    used = {name for path in ROOM.rglob("*.py") for name in USE.findall(path.read_text("utf-8"))}
    assert used == declared
