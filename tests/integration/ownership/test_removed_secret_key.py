"""A key that a package takes out of a Secret's stringData is gone from the cluster."""

from __future__ import annotations

import pytest

from tests.integration.ownership.conftest import Site, named

pytestmark = pytest.mark.controlplane


async def test_a_key_taken_out_of_string_data_goes(site: Site):
    await site.sync(named("v1", "Secret", "s", stringData={"a": "1", "b": "2"}))
    await site.sync(named("v1", "Secret", "s", stringData={"a": "1"}))
    live = await site.get("v1 secrets/s")
    assert live["data"] == {"a": "MQ=="}


async def test_a_key_that_moves_to_data_is_there_once(site: Site):
    await site.sync(named("v1", "Secret", "s", stringData={"a": "1"}, data={"b": "Mg=="}))
    await site.sync(named("v1", "Secret", "s", data={"a": "MQ=="}, stringData={"b": "3"}))
    live = await site.get("v1 secrets/s")
    assert live["data"] == {"a": "MQ==", "b": "Mw=="}
