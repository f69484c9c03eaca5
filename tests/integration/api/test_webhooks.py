"""Push hints: each forge's signature good and bad, sizes, and who may send unsigned ones."""

from __future__ import annotations

import hashlib
import hmac

import pytest

from distributor.api.webhooks import MOST_BYTES
from tests.integration.api.conftest import blank, client_of

SECRET = "a long secret"  # noqa: S105 - of these tests alone
BODY = b'{"ref": "refs/heads/main"}'
HMAC = hmac.new(SECRET.encode(), BODY, hashlib.sha256).hexdigest()
OTHER = hmac.new(b"another", BODY, hashlib.sha256).hexdigest()

GOOD = [
    ("github", {"X-Hub-Signature-256": f"sha256={HMAC}"}),
    ("gitea", {"X-Gitea-Signature": HMAC}),
    ("gitea", {"X-Hub-Signature-256": f"sha256={HMAC}"}),
    ("gitlab", {"X-Gitlab-Token": SECRET}),
    ("generic", {"X-Distributor-Signature-256": HMAC}),
    ("generic", {"X-Distributor-Signature-256": f"sha256={HMAC.upper()}"}),
]
BAD = [
    ("github", {}),
    ("github", {"X-Hub-Signature-256": f"sha256={OTHER}"}),
    ("github", {"X-Hub-Signature-256": ""}),
    ("github", {"X-Hub-Signature": f"sha1={HMAC}"}),
    ("github", {"X-Gitlab-Token": SECRET}),
    ("gitea", {"X-Gitea-Signature": OTHER, "X-Hub-Signature-256": f"sha256={HMAC}"}),
    ("gitlab", {}),
    ("gitlab", {"X-Gitlab-Token": SECRET + "x"}),
    ("gitlab", {"X-Gitlab-Token": HMAC}),
    ("gitlab", {"X-Gitlab-Token": b"\xe9\xff"}),
    ("generic", {"X-Hub-Signature-256": f"sha256={HMAC}"}),
    ("generic", {"X-Distributor-Signature-256": SECRET}),
]


async def send(folder, sender, headers, *, body=BODY, peer="127.0.0.1", secret=SECRET):
    async with blank(folder, webhook_secret=secret) as (service, app):
        async with client_of(app, peer=peer) as api:
            answer = await api.post(f"/webhooks/git/{sender}", content=body, headers=headers)
        return answer, service._wake.is_set()


@pytest.mark.parametrize(("sender", "headers"), GOOD)
async def test_a_signed_hint_makes_the_service_look(tmp_path, sender, headers):
    answer, woken = await send(tmp_path, sender, headers, peer="192.0.2.7")
    assert (answer.status_code, answer.json(), woken) == (202, {"looking": True}, True)


@pytest.mark.parametrize(("sender", "headers"), BAD)
async def test_a_hint_that_proves_nothing_is_refused(tmp_path, sender, headers):
    answer, woken = await send(tmp_path, sender, headers)
    assert (answer.status_code, answer.json()["code"], woken) == (401, "DST721", False)
    assert SECRET not in answer.text


async def test_a_body_that_was_changed_on_the_way_is_refused(tmp_path):
    answer, woken = await send(tmp_path, *GOOD[0], body=BODY + b" ")
    assert (answer.status_code, woken) == (401, False)


@pytest.mark.parametrize(
    ("peer", "status"),
    [("127.0.0.1", 202), ("::1", 202), ("192.0.2.7", 401), ("a socket", 401)],
)
async def test_without_a_secret_only_this_machine_may_hint(tmp_path, peer, status):
    answer, woken = await send(tmp_path, "generic", {}, peer=peer, secret="")
    assert (answer.status_code, woken) == (status, status == 202)


@pytest.mark.parametrize("body", [b"", b"\xff\x00", b"not json", b"x" * MOST_BYTES])
async def test_the_body_is_not_looked_at(tmp_path, body):
    answer, woken = await send(tmp_path, "generic", {}, body=body, secret="")
    assert (answer.status_code, woken) == (202, True)


async def test_a_large_body_is_refused_by_what_it_says(tmp_path):
    answer, woken = await send(tmp_path, "generic", {}, body=b"x" * (MOST_BYTES + 1), secret="")
    assert (answer.status_code, answer.json()["code"], woken) == (413, "DST723", False)


async def test_a_large_body_is_refused_by_what_it_has(tmp_path):
    async def endless():
        for _ in range(100):
            yield b"x" * (MOST_BYTES // 10)

    answer, woken = await send(tmp_path, "generic", {}, body=endless(), secret="")
    assert (answer.status_code, answer.json()["code"], woken) == (413, "DST723", False)


async def test_an_unknown_sender_is_refused(tmp_path):
    answer, woken = await send(tmp_path, "nobody", {}, secret="")
    assert (answer.status_code, answer.json()["code"], woken) == (422, "DST708", False)
