"""What every request passes: the host's name on the way in, the headers of safety on the way out."""

from __future__ import annotations

import pytest

from distributor.api.doors import is_loopback_name
from tests.integration.api.conftest import blank, client_of


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", True),
        ("localhost:8080", True),
        ("LOCALHOST", True),
        ("localhost.", True),
        ("127.0.0.1", True),
        ("127.0.0.1:1", True),
        ("127.8.9.10:8080", True),
        ("[::1]", True),
        ("[::1]:8080", True),
        ("", False),
        (":8080", False),
        ("evil.example", False),
        ("evil.example:8080", False),
        ("localhost.evil.example", False),
        ("127.0.0.1.evil.example", False),
        ("10.0.0.1", False),
        ("0.0.0.0", False),  # noqa: S104 - a name to refuse, nothing is bound
        ("[::]:80", False),
        ("[fe80::1]", False),
        ("localhost@evil.example", False),
        ("127.0.0.1, evil.example", False),
    ],
)
def test_only_loopback_names_are_ours(host, expected):
    assert is_loopback_name(host) is expected


@pytest.mark.parametrize("path", ["/healthz", "/api/v1/apps", "/docs", "/webhooks/git/github"])
async def test_a_page_whose_name_was_pointed_here_gets_nothing(tmp_path, path):
    async with blank(tmp_path) as (service, app), client_of(app) as api:
        method = "POST" if "webhooks" in path else "GET"
        answer = await api.request(method, path, headers={"host": "evil.example"})
        assert (answer.status_code, answer.json()["code"]) == (421, "DST722")
        assert not service._wake.is_set()


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/api/v1/apps", "/nowhere", "/metrics"])
async def test_answers_may_not_be_used_by_other_sites(tmp_path, path):
    async with blank(tmp_path) as (_, app), client_of(app) as api:
        headers = (await api.get(path)).headers
    assert headers["content-security-policy"].startswith("default-src 'none'; frame-ancestors")
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"
    assert "access-control-allow-origin" not in headers
    assert "server" not in headers
