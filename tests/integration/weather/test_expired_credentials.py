"""Credentials that expire: newer ones are found by themselves; until there are any, nothing has failed."""

from __future__ import annotations

import json
import stat
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from aiohttp import web

from distributor.adapters.kube import KubeConnections, Limits
from distributor.model.changes import Actuation
from distributor.model.refs import GroupKind
from tests.contract.targets.fake_api import kubeconfig
from tests.controlplane.certs import MASTERS, make_certs, write_kubeconfig
from tests.integration.mainjob.conftest import until
from tests.integration.membership.conftest import Instance, codes, settings
from tests.integration.ownership.conftest import CLUSTER
from tests.integration.weather.conftest import Outside, refused, world_of

pytestmark = [pytest.mark.controlplane, pytest.mark.timeout(240)]
MANY = [settings(f"m{n:02}") for n in range(40)]
MAPS = frozenset({GroupKind("", "ConfigMap")})


class Tokens:
    """Tokens that are good for a number of requests, by a plugin that counts how often it ran."""

    def __init__(self, outside: Outside, folder: Path, *, uses: int) -> None:
        self.uses, self.left, self.good = uses, 0, ""
        self.runs = folder / "runs"
        self.runs.write_text("")
        plugin = folder / "plugin"
        said = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential"}
        lines = [
            f"#!{sys.executable}",
            "import json",
            f"path = {str(self.runs)!r}",
            "open(path, 'a').write('x')",
            f"said = json.loads({json.dumps(said)!r})",
            "said['status'] = {'token': 't%d' % len(open(path).read())}",
            "print(json.dumps(said))",
        ]
        plugin.write_text("\n".join(lines))
        plugin.chmod(plugin.stat().st_mode | stat.S_IXUSR)
        how = {"apiVersion": said["apiVersion"], "command": str(plugin), "interactiveMode": "Never"}
        kubeconfig(outside.config, outside.sky.proxy, exec=how)
        outside.sky.token = outside.plane.admin_token
        outside.sky.before = self.judge

    @property
    def ran(self) -> int:
        return len(self.runs.read_text())

    async def judge(self, request: web.Request) -> web.Response | None:
        """The newest token passes, so often and no more."""
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if token != self.good and token == f"t{self.ran}" and self.uses:
            self.good, self.left = token, self.uses
        if token != self.good or self.left <= 0:
            return refused(401, "Unauthorized")
        self.left -= 1
        return None


async def test_short_lived_tokens_of_an_exec_plugin(outside: Outside, tmp_path: Path):
    tokens = Tokens(outside, tmp_path, uses=12)
    report = await outside.instance().sync(*MANY)
    assert (report.actuation, codes(report)) == (Actuation.APPLIED, [])
    expiries = len([p for p in outside.sky.passed if p.forwarded]) // 12
    assert 2 < tokens.ran <= expiries + 1, "one run for each token that expired"


async def test_wrong_credentials_are_no_storm_and_no_failure_of_the_version(outside, tmp_path):
    """Nobody failed: the cluster owes the revision, and the plugin runs now and then, not for each object."""
    tokens = Tokens(outside, tmp_path, uses=12)
    instance = outside.instance()
    assert (await instance.sync(MANY[0])).actuation is Actuation.APPLIED
    tokens.uses = tokens.left = 0
    before = tokens.ran
    for _ in range(10):
        report = await instance.sync(*MANY)
        assert (report.actuation, codes(report)) == (Actuation.UNREACHABLE, ["DST470"])
    assert tokens.ran - before <= 3

    async def back() -> bool:
        tokens.uses = 1000
        return (await instance.resync(*MANY)).actuation is Actuation.APPLIED

    await until("newer credentials are found", back)


async def test_a_watch_goes_on_with_a_newer_token(outside: Outside, tmp_path: Path):
    """A watch that is begun anew with a token that has expired rests for no minute."""
    tokens = Tokens(outside, tmp_path, uses=1000)
    instance = outside.instance()
    await instance.sync(MANY[0])
    judge = outside.sky.before
    begun = 0

    async def counted(request: web.Request) -> web.Response | None:
        nonlocal begun
        answer = await judge(request)
        begun += answer is None and "watch" in request.query
        return answer

    outside.sky.before = counted

    async def marked() -> str:
        return await outside.connections.mark(CLUSTER, instance.namespace, MAPS)

    first = await until("the watches stand", marked)
    before = begun
    tokens.left = 0  # it expires, and then the connections break
    outside.sky.hang_up()
    await until("they stand again", lambda: _true(begun >= before + 2))
    assert await until("and see as before", marked, 60) == first
    assert tokens.ran == 2


async def test_a_token_file_that_is_rotated(outside: Outside, tmp_path: Path):
    """Editors and shells end files with a newline, which is no part of a token."""
    file = tmp_path / "token"
    file.write_text("first\n")
    kubeconfig(outside.config, outside.sky.proxy, tokenFile=str(file))
    outside.sky.token, good = outside.plane.admin_token, "first"

    async def judge(request: web.Request) -> web.Response | None:
        if request.headers.get("Authorization") == f"Bearer {good}":
            return None
        return refused(401, "Unauthorized")

    outside.sky.before = judge
    instance = outside.instance()
    assert (await instance.sync(MANY[0])).actuation is Actuation.APPLIED
    good = "second"
    report = await instance.sync(*MANY[:2])
    assert (report.actuation, codes(report)) == (Actuation.UNREACHABLE, ["DST470"])
    file.write_text("second\n")

    async def back() -> bool:
        return (await instance.resync(*MANY[:2])).actuation is Actuation.APPLIED

    await until("the file is read again", back)


async def test_a_client_certificate_that_expires_and_is_rotated(outside: Outside, tmp_path: Path):
    """Against the API server itself, which looks at the certificate with every request."""
    plane = outside.plane

    def issue(lives: timedelta) -> None:
        cert, key = plane.certs.user("weather", (MASTERS,), lives=lives)
        write_kubeconfig(outside.config, url=plane.url, ca=plane.ca, cert=cert, key=key)

    issue(timedelta(seconds=8))
    instance = outside.instance()
    assert (await instance.sync(MANY[0])).actuation is Actuation.APPLIED

    async def expired() -> bool:
        report = await instance.resync(MANY[0])
        assert report.actuation in {Actuation.APPLIED, Actuation.UNREACHABLE}, report
        return codes(report) == ["DST470"]

    await until("it expires", expired)
    issue(timedelta(days=1))
    report = await instance.sync(*MANY[:2])
    assert (report.actuation, codes(report)) == (Actuation.APPLIED, [])


async def test_an_authority_and_an_address_that_change_in_the_kubeconfig(outside, tmp_path):
    """A server that moved, or shows another certificate, is followed without a restart of the service."""
    plane = outside.plane
    cert, key = plane.certs.user("weather-2", (MASTERS,))
    other = make_certs(tmp_path / "other")
    write_kubeconfig(outside.config, url=plane.url, ca=other.ca, cert=cert, key=key)
    instance = outside.instance()
    report = await instance.sync(MANY[0])
    assert (report.actuation, codes(report)) == (Actuation.UNREACHABLE, ["DST401"])
    assert "certificate" in report.findings[0].message.lower()
    write_kubeconfig(outside.config, url=plane.url, ca=plane.ca, cert=cert, key=key)
    assert await _comes_back(instance)

    write_kubeconfig(outside.config, url="https://127.0.0.1:1", ca=plane.ca, cert=cert, key=key)
    connections = KubeConnections({"c1": {"kubeconfig": str(outside.config)}}, limits=Limits())
    instance.world = world_of(connections)
    assert (await instance.resync(MANY[0])).actuation is Actuation.UNREACHABLE
    write_kubeconfig(outside.config, url=plane.url, ca=plane.ca, cert=cert, key=key)
    assert await _comes_back(instance)
    await connections.aclose()


async def test_a_kubeconfig_that_is_being_written_is_no_failure(outside: Outside):
    """Half of a file, at the moment that the old token is refused: as much out of reach as anything else."""
    outside.sky.token, good = outside.plane.admin_token, "first"

    async def judge(request: web.Request) -> web.Response | None:
        if request.headers.get("Authorization") == f"Bearer {good}":
            return None
        return refused(401, "Unauthorized")

    outside.sky.before = judge
    kubeconfig(outside.config, outside.sky.proxy, token=good)
    instance = outside.instance()
    assert (await instance.sync(MANY[0])).actuation is Actuation.APPLIED
    good = "second"
    kubeconfig(outside.config, outside.sky.proxy, token=good)
    whole = outside.config.read_text()
    outside.config.write_text(whole[: len(whole) // 3])
    assert (await instance.sync(*MANY[:2])).actuation is Actuation.UNREACHABLE
    outside.config.write_text(whole)
    assert await _comes_back(instance, *MANY[:2])


async def _comes_back(instance: Instance, *objects) -> bool:
    """One look may still use what was read before, and nobody asks at once after a silence."""

    async def back() -> bool:
        report = await instance.resync(*(objects or MANY[:1]))
        return report.actuation is Actuation.APPLIED

    return await until("it comes back", back, 60)


async def _true(value: bool) -> bool:
    return value
