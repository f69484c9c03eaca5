"""Maintenance windows in a cluster's file: read where they are right, told with their place where they are not."""

from __future__ import annotations

from datetime import timedelta

from distributor.model.findings import errors

CLUSTER = "environments/sit/clusters/one.yaml"
WINDOW = "  windows:\n    - {{name: night, rule: {rule}, start: '22:00', duration: 8h, timezone: {zone}}}\n"


def added(files, rule="FREQ=DAILY", zone="Europe/Berlin"):
    return {**files, CLUSTER: files[CLUSTER] + WINDOW.format(rule=rule, zone=zone).encode()}


def test_windows_are_read_and_no_longer_told_as_unused(files, load):
    catalog = load(added(files))
    assert errors(catalog.findings) == ()
    assert not [f for f in catalog.notes if f.where.file == CLUSTER]
    (window,) = catalog.environments["sit"].clusters["one"].windows
    assert (window.name, window.rule, window.length) == ("night", "FREQ=DAILY", timedelta(hours=8))


def test_a_window_without_sense_leaves_the_cluster_out_and_is_told(files, load):
    for change in ({"rule": "FREQ=DAILY;COUNT=3"}, {"zone": "Europe/Berln"}):
        catalog = load(added(files, **change))
        (finding,) = errors(catalog.findings_under(CLUSTER))
        assert finding.where.file == CLUSTER
        assert "windows[0]." in finding.message
        assert "one" not in catalog.environments["sit"].clusters
