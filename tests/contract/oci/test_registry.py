"""Registries: what is asked, what is believed, and what every fault becomes."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import stat
import sys
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest
from aiohttp import web

from distributor.adapters.oci import DockerCredentials, Limits, OciRegistry, Transport
from distributor.adapters.oci.challenge import choose
from distributor.errors import DistributorError
from distributor.errors.service import NotReadable
from distributor.errors.vendoring import (
    ArtifactMismatch,
    ArtifactMissing,
    ArtifactTooLarge,
    RegistryRefused,
    RegistryUnreachable,
    UnsupportedArtifact,
)
from distributor.model.artifacts import Artifact, Reference
from distributor.model.refs import Digest
from tests.contract.oci.fake_registry import (
    CHART,
    INDEX,
    MANIFEST,
    FakeRegistry,
    descriptor,
    digest,
    index,
    manifest,
    serve,
)
from tests.contract.oci.tars import CHART as FILES
from tests.contract.oci.tars import packed

REPOSITORY = "charts/podinfo"
LAYER = packed(FILES)
USER = {"auth": base64.b64encode(b"ann:hunter2").decode()}
BASIC = f"Basic {USER['auth']}"


@dataclass
class Waits:
    """A clock that only notes how long it was to wait."""

    pauses: list[float] = field(default_factory=list)

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC)

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        await asyncio.sleep(0)


@dataclass
class Stand:
    """A registry, and a client of it that reads a docker configuration of its own."""

    registry: FakeRegistry
    host: str
    folder: Path
    waits: Waits = field(default_factory=Waits)
    limits: Limits = field(default_factory=Limits)
    plain_http: bool = False

    def client(self) -> OciRegistry:
        credentials = DockerCredentials((self.folder / "config.json",), helper_seconds=5)
        transport = Transport(
            credentials, self.waits, limits=self.limits, plain_http=self.plain_http
        )
        return OciRegistry(transport, limits=self.limits)

    def config(self, **content: object) -> None:
        (self.folder / "config.json").write_text(json.dumps(content))

    async def get(self, tag: str = ":6.7.1", host: str = "") -> tuple[Artifact, bytes]:
        client = self.client()
        try:
            artifact = await client.resolve(
                Reference.parse(f"oci://{host or self.host}/{REPOSITORY}{tag}")
            )
            return artifact, await client.fetch(artifact)
        finally:
            await client.aclose()


@pytest.fixture
async def stand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stand]:
    for name in (
        "http_proxy",
        "HTTP_PROXY",
        "https_proxy",
        "HTTPS_PROXY",
        "all_proxy",
        "ALL_PROXY",
    ):
        monkeypatch.delenv(name, raising=False)
    registry = FakeRegistry()
    registry.add(REPOSITORY, "6.7.1", LAYER)
    async with serve(registry) as host:
        yield Stand(registry, host, tmp_path)


# -- looking up -----------------------------------------------------------------------------------


async def test_a_tag_becomes_a_digest(stand: Stand) -> None:
    artifact, data = await stand.get()
    assert data == LAYER
    assert artifact.digest == digest(stand.registry.manifests[REPOSITORY, "6.7.1"])
    assert (artifact.layer, artifact.size) == (digest(LAYER), len(LAYER))
    assert artifact.media_type == CHART
    by_digest, _ = await stand.get(f"@{artifact.digest}")
    assert by_digest.digest == artifact.digest


async def test_an_index_of_one_is_followed(stand: Stand) -> None:
    inner = stand.registry.manifests[REPOSITORY, "6.7.1"]
    about = descriptor(
        b"x", MANIFEST, annotations={"vnd.docker.reference.type": "attestation-manifest"}
    )
    outer = stand.registry.put(REPOSITORY, "all", index(descriptor(inner, MANIFEST), about))
    artifact, data = await stand.get(":all")
    assert (artifact.digest, data) == (outer, LAYER)


LAYERS = {
    "a chart and its provenance": ([(LAYER, CHART), (b"p", "application/vnd.cncf.helm.chart.provenance.v1.prov")], True),
    "flux": ([(LAYER, "application/vnd.cncf.flux.content.v1.tar+gzip")], True),
    "a generic tar": ([(LAYER, "application/vnd.oci.image.layer.v1.tar+gzip")], True),
    "docker's tar": ([(LAYER, "application/vnd.docker.image.rootfs.diff.tar.gzip")], True),
    "two tars": ([(LAYER, "x/tar+gzip"), (b"b", "x/tar+gzip")], False),
    "no tar": ([(b"x", "application/wasm")], False),
    "another compression": ([(b"x", "application/vnd.oci.image.layer.v1.tar+zstd")], False),
    "no layer": ([], False),
}  # fmt: skip


@pytest.mark.parametrize("what", LAYERS)
async def test_which_layers_hold_files(stand: Stand, what: str) -> None:
    layers, fine = LAYERS[what]
    stand.registry.put(REPOSITORY, "x", manifest(*(descriptor(d, t) for d, t in layers)))
    if fine:
        assert (await stand.get(":x"))[1] == LAYER
        return
    with pytest.raises(UnsupportedArtifact):
        await stand.get(":x")


GOOD = descriptor(LAYER, CHART)
MANIFESTS = {
    "no JSON": b"{",
    "a list": b"[]",
    "no version": json.dumps({"layers": [GOOD]}).encode(),
    "version 1": json.dumps({"schemaVersion": 1, "layers": [GOOD]}).encode(),
    "both at once": manifest(GOOD, manifests=[GOOD]),
    "neither": json.dumps({"schemaVersion": 2}).encode(),
    "layers that are none": json.dumps({"schemaVersion": 2, "layers": [1]}).encode(),
    "layers that are a text": json.dumps({"schemaVersion": 2, "layers": "x"}).encode(),
    "no digest": manifest({"mediaType": CHART, "size": 1}),
    "sha512": manifest(GOOD | {"digest": "sha512:" + "0" * 128}),
    "a digest that climbs": manifest(GOOD | {"digest": "sha256:../../../x"}),
    "negative": manifest(GOOD | {"size": -1}),
    "no number": manifest(GOOD | {"size": True}),
    "an empty index": index(),
    "an index of two": index(descriptor(b"a", MANIFEST), descriptor(b"b", MANIFEST)),
}


@pytest.mark.parametrize("what", MANIFESTS)
async def test_a_manifest_that_says_nothing_usable(stand: Stand, what: str) -> None:
    stand.registry.put(REPOSITORY, "x", MANIFESTS[what])
    with pytest.raises(UnsupportedArtifact):
        await stand.get(":x")
    assert not stand.registry.seen("/blobs/")


async def test_an_index_of_an_index_is_refused(stand: Stand) -> None:
    inner = index(descriptor(stand.registry.manifests[REPOSITORY, "6.7.1"], MANIFEST))
    stand.registry.put(REPOSITORY, "inner", inner)
    stand.registry.put(REPOSITORY, "outer", index(descriptor(inner, INDEX)))
    with pytest.raises(UnsupportedArtifact, match="index"):
        await stand.get(":outer")


# -- what is not believed -------------------------------------------------------------------------


async def test_another_manifest_than_was_asked_for(stand: Stand) -> None:
    asked = digest(b"something else")
    stand.registry.manifests[REPOSITORY, asked] = stand.registry.manifests[REPOSITORY, "6.7.1"]
    with pytest.raises(ArtifactMismatch, match="manifest"):
        await stand.get(f"@{asked}")


async def test_another_manifest_than_was_announced(stand: Stand) -> None:
    async def fault(request: web.Request) -> web.Response:
        headers = {"Docker-Content-Digest": digest(b"x")}
        return web.Response(body=stand.registry.manifests[REPOSITORY, "6.7.1"], headers=headers)

    stand.registry.fault = fault
    with pytest.raises(ArtifactMismatch, match="announced"):
        await stand.get()


@pytest.mark.parametrize("change", [LAYER[:-1] + b"\xff", LAYER[:-1], b""])
async def test_other_bytes_than_the_digest_names(stand: Stand, change: bytes) -> None:
    stand.registry.blobs[digest(LAYER)] = change
    with pytest.raises(ArtifactMismatch, match="layer"):
        await stand.get()


async def test_more_bytes_than_the_manifest_says(stand: Stand) -> None:
    stand.registry.blobs[digest(LAYER)] = LAYER + b"x"
    with pytest.raises(ArtifactTooLarge):
        await stand.get()


async def test_an_endless_body_is_cut_off(stand: Stand) -> None:
    async def fault(request: web.Request) -> web.StreamResponse | None:
        if "/blobs/" not in request.path:
            return None
        answer = web.StreamResponse()
        await answer.prepare(request)
        while True:
            await answer.write(b"x" * 65536)

    stand.registry.fault = fault
    with pytest.raises(ArtifactTooLarge):
        await stand.get()


async def test_sizes_are_bounded_before_anything_is_fetched(stand: Stand) -> None:
    stand.registry.put(REPOSITORY, "big", manifest(GOOD | {"size": 1 << 40}))
    with pytest.raises(ArtifactTooLarge):
        await stand.get(":big")
    stand.limits = Limits(manifest=10)
    with pytest.raises(ArtifactTooLarge):
        await stand.get()
    assert not stand.registry.seen("/blobs/")


async def test_a_compressed_answer_is_not_unpacked(stand: Stand) -> None:
    async def fault(request: web.Request) -> web.Response | None:
        if "/blobs/" not in request.path:
            return None
        assert request.headers["Accept-Encoding"] == "identity"
        return web.Response(body=gzip.compress(LAYER), headers={"Content-Encoding": "gzip"})

    stand.registry.fault = fault
    with pytest.raises((ArtifactMismatch, ArtifactTooLarge)):
        await stand.get()


# -- faults ---------------------------------------------------------------------------------------


async def test_what_is_not_there(stand: Stand) -> None:
    with pytest.raises(ArtifactMissing, match="manifests/nope"):
        await stand.get(":nope")
    del stand.registry.blobs[digest(LAYER)]
    with pytest.raises(ArtifactMissing, match="blobs"):
        await stand.get()


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
@pytest.mark.parametrize("part", ["/manifests/", "/blobs/"])
async def test_a_fault_that_passes_is_waited_for(stand: Stand, status: int, part: str) -> None:
    left = 2

    async def fault(request: web.Request) -> web.Response | None:
        nonlocal left
        if part not in request.path or not left:
            return None
        left -= 1
        return web.Response(status=status, headers={"Retry-After": "7"} if left else {})

    stand.registry.fault = fault
    assert (await stand.get())[1] == LAYER
    assert stand.waits.pauses == [7.0, 1.0]


@pytest.mark.parametrize(
    "after", ["99999", "1e9", "-1", "soon", "9" * 400, "Wed, 21 Oct 2099 07:28:00 GMT"]
)
async def test_a_fault_that_stays_is_retryable_and_waits_are_bounded(
    stand: Stand, after: str
) -> None:
    async def fault(request: web.Request) -> web.Response:
        return web.Response(status=503, headers={"Retry-After": after})

    stand.registry.fault = fault
    with pytest.raises(RegistryUnreachable, match="503; asked 4 times"):
        await stand.get()
    assert len(stand.waits.pauses) == 3
    assert all(0 < pause <= 30 for pause in stand.waits.pauses)


async def test_a_connection_that_breaks_in_the_middle_begins_anew(stand: Stand) -> None:
    broken = False

    async def fault(request: web.Request) -> web.StreamResponse | None:
        nonlocal broken
        if "/blobs/" not in request.path or broken:
            return None
        broken = True
        answer = web.StreamResponse(headers={"Content-Length": str(len(LAYER))})
        await answer.prepare(request)
        await answer.write(LAYER[:50])
        assert request.transport
        request.transport.close()
        return answer

    stand.registry.fault = fault
    assert (await stand.get())[1] == LAYER
    assert broken


async def test_silence_is_given_up(stand: Stand) -> None:
    stand.limits = Limits(read=0.1, total=0.3, tries=2)

    async def fault(request: web.Request) -> None:
        await asyncio.sleep(1)

    stand.registry.fault = fault
    with pytest.raises(RegistryUnreachable, match="in time"):
        await stand.get()


async def test_nobody_listens(stand: Stand) -> None:
    with pytest.raises(RegistryUnreachable, match=r"127\.0\.0\.1:1"):
        await stand.get(host="127.0.0.1:1")


async def test_no_tls_where_tls_is_due(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("distributor.adapters.oci.transport.is_loopback", lambda _: False)
    with pytest.raises(RegistryUnreachable):
        await stand.get()
    assert stand.registry.requests == []
    stand.plain_http = True
    assert (await stand.get())[1] == LAYER


@pytest.mark.parametrize("status", [201, 204, 206, 304, 400, 403, 405, 418])
async def test_any_other_answer_is_a_refusal(stand: Stand, status: int) -> None:
    async def fault(request: web.Request) -> web.Response:
        return web.Response(status=status)

    stand.registry.fault = fault
    with pytest.raises(RegistryRefused):
        await stand.get()


# -- redirects ------------------------------------------------------------------------------------


def redirecting(where: str, status: int = 307):
    async def fault(request: web.Request) -> web.Response | None:
        if "/blobs/" not in request.path:
            return None
        return web.Response(status=status, headers={"Location": where})

    return fault


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_credentials_do_not_follow_a_redirect_to_another_host(
    stand: Stand, status: int
) -> None:
    stand.config(auths={stand.host: USER})
    stand.registry.challenge, stand.registry.accepted = 'Basic realm="x"', {BASIC}
    store = FakeRegistry()

    async def blob(request: web.Request) -> web.Response:
        return web.Response(body=LAYER)

    store.fault = blob
    async with serve(store) as other:
        stand.registry.fault = redirecting(f"http://ann:hunter2@{other}/data?sig=1%2F2", status)
        assert (await stand.get())[1] == LAYER
    (request,) = store.requests
    assert "Authorization" not in request.headers
    assert request.raw_path == "/data?sig=1%2F2"


@pytest.mark.parametrize(
    "where", ["", "ftp://x/y", "file:///etc/passwd", "http://[bad", "//", "http://192.0.2.1/x"]
)
async def test_a_redirect_that_leads_nowhere(stand: Stand, where: str) -> None:
    stand.registry.fault = redirecting(where)
    with pytest.raises(RegistryRefused, match="redirects") as refused:
        await stand.get()
    assert "No login helps" in refused.value.hint


async def test_a_redirect_in_a_circle(stand: Stand) -> None:
    stand.registry.fault = redirecting("?again")
    with pytest.raises(RegistryRefused, match="more than 5"):
        await stand.get()


def test_no_redirect_from_https_to_http(tmp_path: Path) -> None:
    from yarl import URL

    transport = Transport(DockerCredentials(()), Waits())
    with pytest.raises(RegistryRefused, match="from https to http"):
        transport._target(URL("https://a.example/x"), "http://a.example/x")
    target = transport._target(URL("https://a.example/x"), "https://b.example/y")
    assert str(target) == "https://b.example/y"


# -- who asks -------------------------------------------------------------------------------------


async def test_basic_authentication(stand: Stand) -> None:
    stand.registry.challenge, stand.registry.accepted = 'Basic realm="x"', {BASIC}
    with pytest.raises(RegistryRefused, match="none is known"):
        await stand.get()
    stand.config(auths={f"https://{stand.host}/v1/": USER})
    assert (await stand.get())[1] == LAYER
    stand.registry.accepted = set()
    with pytest.raises(RegistryRefused, match="does not accept"):
        await stand.get()
    assert stand.waits.pauses == []


def bearer(stand: Stand, **more: str) -> None:
    fields = {"realm": f"http://{stand.host}/token", "service": "r", **more}
    stand.registry.challenge = "Bearer " + ",".join(f'{k}="{v}"' for k, v in fields.items())
    stand.registry.accepted = {"Bearer t0ken"}


@pytest.mark.parametrize("name", ["token", "access_token"])
async def test_a_token_is_fetched_once_for_a_repository(stand: Stand, name: str) -> None:
    stand.config(auths={stand.host: USER})
    bearer(stand)

    async def token(request: web.Request) -> web.Response:
        assert request.query["scope"] == f"repository:{REPOSITORY}:pull"
        assert request.query["service"] == "r"
        assert request.headers["Authorization"] == BASIC
        return web.json_response({name: "t0ken"})

    stand.registry.token = token
    assert (await stand.get())[1] == LAYER
    assert len(stand.registry.seen("/token")) == 1


async def test_an_anonymous_token(stand: Stand) -> None:
    bearer(stand, scope="repository:other:pull")

    async def token(request: web.Request) -> web.Response:
        assert "Authorization" not in request.headers
        assert request.query["scope"] == "repository:other:pull"
        return web.json_response({"token": "t0ken"})

    stand.registry.token = token
    assert (await stand.get())[1] == LAYER


async def test_an_identity_token_is_exchanged(stand: Stand) -> None:
    stand.config(auths={stand.host: {"identitytoken": "long-lived"}})
    bearer(stand)

    async def token(request: web.Request) -> web.Response:
        form = await request.post()
        assert request.method == "POST"
        assert (form["grant_type"], form["refresh_token"]) == ("refresh_token", "long-lived")
        assert "Authorization" not in request.headers
        return web.json_response({"access_token": "t0ken"})

    stand.registry.token = token
    assert (await stand.get())[1] == LAYER


TOKENS = {
    "refused": (web.Response, {"status": 401}, RegistryRefused),
    "a fault": (web.Response, {"status": 500}, RegistryUnreachable),
    "no JSON": (web.Response, {"text": "{"}, RegistryRefused),
    "a list": (web.Response, {"text": "[]"}, RegistryRefused),
    "no token": (web.Response, {"text": "{}"}, RegistryRefused),
    "a header in it": (web.Response, {"text": '{"token": "a\\r\\nX: y"}'}, RegistryRefused),
    "no text": (web.Response, {"text": '{"token": 1}'}, RegistryRefused),
    "large": (web.Response, {"text": "x" * (2 << 20)}, ArtifactTooLarge),
    "elsewhere": (web.Response, {"status": 302, "headers": {"Location": "/x"}}, RegistryRefused),
}


@pytest.mark.parametrize("what", TOKENS)
async def test_a_token_service_without_a_token(stand: Stand, what: str) -> None:
    make, how, kind = TOKENS[what]
    stand.config(auths={stand.host: USER})
    bearer(stand)

    async def token(request: web.Request) -> web.Response:
        return make(**how)

    stand.registry.token = token
    with pytest.raises(kind) as caught:
        await stand.get()
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "realm", ["ftp://x/token", "token", "http://", "https://[bad", "http://r.example/token"]
)
async def test_a_token_service_that_is_no_address(stand: Stand, realm: str) -> None:
    bearer(stand, realm=realm)
    with pytest.raises(RegistryRefused, match="token service"):
        await stand.get()


@pytest.mark.parametrize("challenge", ["Negotiate", "Bearer service=x", '"', "Bearer"])
async def test_a_challenge_that_is_not_understood(stand: Stand, challenge: str) -> None:
    stand.registry.challenge = challenge
    with pytest.raises(RegistryRefused, match="neither"):
        await stand.get()


@pytest.mark.parametrize(
    ("headers", "scheme", "parameters"),
    [
        (['Bearer realm="https://a/b",service="c d",scope="e:f:pull,push"'], "bearer",
         {"realm": "https://a/b", "service": "c d", "scope": "e:f:pull,push"}),
        (["bearer REALM=x , service = y"], "bearer", {"realm": "x", "service": "y"}),
        (["Basic realm=x", "Bearer realm=y"], "bearer", {"realm": "y"}),
        (['Basic realm="a\\"b"'], "basic", {"realm": 'a"b'}),
        (["Basic"], "basic", {}),
    ],
)  # fmt: skip
def test_challenges(headers: list[str], scheme: str, parameters: Mapping[str, str]) -> None:
    found = choose(headers)
    assert found
    assert (found.scheme, dict(found.parameters)) == (scheme, parameters)


# -- credentials ----------------------------------------------------------------------------------


def helper(folder: Path, name: str, text: str, code: int = 0) -> None:
    program = folder / f"docker-credential-{name}"
    program.write_text(
        f"#!{sys.executable}\nimport sys\nassert sys.argv[1] == 'get'\n"
        f"open({str(folder / 'asked')!r}, 'w').write(sys.stdin.read())\n"
        f"print({text!r})\nsys.exit({code})\n"
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    return tmp_path


ANN = json.dumps({"Username": "ann", "Secret": "hunter2"})


@pytest.mark.parametrize("key", ["credHelpers", "credsStore"])
async def test_a_credential_helper_is_asked(stand: Stand, path: Path, key: str) -> None:
    helper(path, "vault", ANN)
    stand.config(**{key: {stand.host: "vault"} if key == "credHelpers" else "vault"})
    stand.registry.challenge, stand.registry.accepted = 'Basic realm="x"', {BASIC}
    assert (await stand.get())[1] == LAYER
    assert (path / "asked").read_text() == stand.host


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        ("credentials not found in native keychain", 1, "none is known"),
        ("hunter2 is wrong", 1, "failed with 1"),
        ("{", 0, "no usable answer"),
        ("[]", 0, "no usable answer"),
        ('{"Username": "ann"}', 0, "no usable answer"),
    ],
)
async def test_a_helper_that_does_not_help(
    stand: Stand, path: Path, text: str, code: int, message: str
) -> None:
    helper(path, "vault", text, code)
    stand.config(credsStore="vault")
    stand.registry.challenge = "Basic"
    with pytest.raises(RegistryRefused, match=message) as caught:
        await stand.get()
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("name", ["absent", "../evil", "a b"])
async def test_a_helper_that_is_none(stand: Stand, name: str) -> None:
    stand.config(credsStore=name)
    stand.registry.challenge = "Basic"
    with pytest.raises(RegistryRefused, match=r"helper|cannot be run"):
        await stand.get()


@pytest.mark.parametrize(
    ("config", "host", "expected"),
    [
        ({"auths": {"r.example": USER}}, "r.example", "ann"),
        ({"auths": {"https://r.example": USER}}, "r.example", "ann"),
        ({"auths": {"https://index.docker.io/v1/": USER}}, "docker.io", "ann"),
        ({"auths": {"r.example/charts": USER}}, "r.example", "ann"),
        ({"auths": {"r.example/other": USER}}, "r.example", None),
        ({"auths": {"r.example.org": USER}}, "r.example", None),
        ({"auths": {"r.example": {}}}, "r.example", None),
        ({"auths": {"r.example": {"username": "bob", "password": "x"}}}, "r.example", "bob"),
        ({"auths": []}, "r.example", None),
        ([], "r.example", None),
        ({}, "r.example", None),
    ],
)
async def test_whose_credentials_fit(
    config: object, host: str, expected: str | None, tmp_path: Path
) -> None:
    (tmp_path / "config.json").write_text(json.dumps(config))
    found = await DockerCredentials((tmp_path / "absent", tmp_path / "config.json")).find(
        host, REPOSITORY
    )
    assert (found.user if found else None) == expected
    assert "hunter2" not in repr(found)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ('{"auths": hunter2', NotReadable),
        ('{"auths": {"r.example": {"auth": "%%%"}}}', RegistryRefused),
    ],
)
async def test_broken_credentials_are_not_quoted(
    text: str, kind: type[DistributorError], tmp_path: Path
) -> None:
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(kind) as caught:
        await DockerCredentials((tmp_path / "config.json",)).find("r.example", "x")
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_where_credentials_are_looked_for(tmp_path: Path) -> None:
    at = DockerCredentials.of_user
    assert at({}, tmp_path)._files == (
        tmp_path / ".docker" / "config.json",
        tmp_path / ".config" / "helm" / "registry" / "config.json",
    )
    environment = {"REGISTRY_AUTH_FILE": "/a", "XDG_RUNTIME_DIR": "/r", "DOCKER_CONFIG": "/d"}
    found = at(environment | {"HELM_REGISTRY_CONFIG": "/h"}, tmp_path)
    wanted = ("/a", "/r/containers/auth.json", "/d/config.json", "/h")
    assert found._files == tuple(map(Path, wanted))


# -- references -----------------------------------------------------------------------------------

SHA = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("text", "location", "tag", "pinned"),
    [
        ("oci://ghcr.io/a/b:1.2.3", "oci://ghcr.io/a/b", "1.2.3", ""),
        ("ghcr.io/a/b:1.2.3", "oci://ghcr.io/a/b", "1.2.3", ""),
        (f"oci://localhost:5000/a@{SHA}", "oci://localhost:5000/a", "", SHA),
        (f"localhost/a:x@{SHA}", "oci://localhost/a", "x", SHA),
        ("oci://[::1]:5000/a/b__c/d-e.f:1", "oci://[::1]:5000/a/b__c/d-e.f", "1", ""),
        ("oci://r.example/a:1.0.0+build.5", "oci://r.example/a", "1.0.0_build.5", ""),
    ],
)
def test_references(text: str, location: str, tag: str, pinned: str) -> None:
    found = Reference.parse(text)
    assert (found.location, found.tag, found.digest) == (location, tag, Digest(pinned))
    assert Reference.parse(str(found)) == found


@pytest.mark.parametrize(
    "text",
    [
        "", "oci://", "podinfo:1", "a/b:1", "oci://r.example", "oci://r.example/", "oci://r.example/a",
        "oci://r.example/A:1", "oci://r.example/a:", "oci://r.example/a@", "oci://r.example/a:1@",
        "oci://r.example/a@sha256:x", f"oci://r.example/a@sha512:{'a' * 128}", "oci://r.example/../a:1",
        "oci://r.example/a//b:1", "oci://r.example/a:1/../2", "https://r.example/a:1", "oci://u:p@r.example/a:1",
        "oci://r.example/a:" + "x" * 129, "oci://r.example/a b:1", "oci://r.example:port/a:1", "oci://-r.example/a:1",
        "oci://r.example/a:1\n", "oci://r.example/" + "a/" * 200 + "b:1", "-x.example/a:1",
    ],
)  # fmt: skip
def test_what_is_no_reference(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        Reference.parse(text)
