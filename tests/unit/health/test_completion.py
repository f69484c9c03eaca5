"""Completion: a Job or Pod that has ended, and how."""

from __future__ import annotations

import pytest

from distributor.health import completion, runs_to_an_end
from distributor.model.health import HealthStatus
from distributor.model.refs import GroupKind

CURRENT, FAILED, WORKING = HealthStatus.CURRENT, HealthStatus.FAILED, HealthStatus.IN_PROGRESS


def seen(kind: str, status: object, version: str = "batch/v1") -> dict[str, object]:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": "a"}, "status": status}


def ended(kind: str, truth: str = "True") -> dict[str, object]:
    return {"startTime": "2026-01-01T00:00:00Z", "conditions": [{"type": kind, "status": truth}]}


@pytest.mark.parametrize(
    ("obj", "status"),
    [
        (seen("Job", {}), WORKING),
        (seen("Job", None), WORKING),
        (seen("Job", {"startTime": "2026-01-01T00:00:00Z", "active": 1}), WORKING),
        (seen("Job", ended("Complete")), CURRENT),
        (seen("Job", ended("Complete", "False")), WORKING),
        (seen("Job", ended("SuccessCriteriaMet")), WORKING),
        (seen("Job", ended("FailureTarget")), WORKING),
        (seen("Job", ended("Suspended")), WORKING),
        (seen("Job", ended("Failed")), FAILED),
        (seen("Pod", {"phase": "Succeeded"}, "v1"), CURRENT),
        (seen("Pod", {"phase": "Failed"}, "v1"), FAILED),
        (seen("Pod", {"phase": "Running", **ended("Ready")}, "v1"), WORKING),
        (seen("Pod", {"phase": "Pending", **ended("PodScheduled", "False")}, "v1"), WORKING),
        (seen("ConfigMap", {}, "v1"), CURRENT),
        (seen("PersistentVolumeClaim", {"phase": "Pending"}, "v1"), CURRENT),
    ],
)
def test_completion(obj, status):
    assert completion(obj).status is status


@pytest.mark.parametrize(
    ("kind", "answer"),
    [(GroupKind("batch", "Job"), True), (GroupKind("", "Pod"), True),
     (GroupKind("", "Job"), False), (GroupKind("batch", "CronJob"), False)],
)  # fmt: skip
def test_what_runs_to_an_end(kind, answer):
    assert runs_to_an_end(kind) is answer
