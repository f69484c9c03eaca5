"""Clusters with opinions: admission webhooks, policies and quotas between an instance and what it asks for."""

from __future__ import annotations

import asyncio
import base64
import copy
import ipaddress
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from distributor.model.changes import Action, Outcome, TargetReport
from distributor.model.health import HealthStatus
from tests.controlplane import ControlPlane
from tests.integration.membership.conftest import LONG, Instance, instance, instances

__all__ = ["instance", "instances"]

NAME = "kubernetes.io/metadata.name"
CONFIGURATIONS = "/apis/admissionregistration.k8s.io/v1"
PROBED = "Lease"
"""What is created, for nothing, to see whether a webhook is in force; every webhook lets it pass."""
KINDS = {
    "MutatingWebhookConfiguration": "mutatingwebhookconfigurations",
    "ValidatingWebhookConfiguration": "validatingwebhookconfigurations",
    "ValidatingAdmissionPolicy": "validatingadmissionpolicies",
    "ValidatingAdmissionPolicyBinding": "validatingadmissionpolicybindings",
}
Judge = Callable[[dict[str, Any]], Mapping[str, Any] | Awaitable[None] | None]
"""Answers an AdmissionReview's request: fields of the answer beside `uid`, or nothing to allow it."""


@dataclass
class Hook:
    """A webhook on loopback that can go down and come back at the same address."""

    name: str
    judge: Judge
    certificate: Path
    port: int = 0
    calls: list[str] = field(default_factory=list)
    runner: web.AppRunner | None = None

    async def up(self) -> None:
        app = web.Application()
        app.router.add_post("/", self._answer)
        self.runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self.runner.setup()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate)
        site = web.TCPSite(self.runner, "127.0.0.1", self.port, ssl_context=context)
        await site.start()
        self.port = self.runner.addresses[0][1]

    async def down(self) -> None:
        if self.runner is not None:
            await self.runner.cleanup()
            self.runner = None

    async def _answer(self, request: web.Request) -> web.Response:
        review = await request.json()
        asked = review["request"]
        kind = asked["kind"]["kind"]
        self.calls.append(f"{kind}/{asked.get('name', '')}")
        said = None if kind == PROBED else self.judge(asked)
        if isinstance(said, Awaitable):
            said = await said
        answer = {"uid": asked["uid"], "allowed": True, **(said or {})}
        return web.json_response(
            {"apiVersion": review["apiVersion"], "kind": "AdmissionReview", "response": answer}
        )


def patched(*operations: Mapping[str, Any]) -> dict[str, Any]:
    """An answer that changes the object by a JSON patch."""
    coded = base64.b64encode(json.dumps(operations).encode()).decode()
    return {"patchType": "JSONPatch", "patch": coded}


def changed(asked: Mapping[str, Any], change: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    """An answer that replaces what `change` changes, top field by top field."""
    after = copy.deepcopy(asked["object"])
    change(after)
    before = asked["object"]
    return patched(
        *(
            {"op": "add", "path": f"/{k}", "value": v}
            for k, v in after.items()
            if v != before.get(k)
        )
    )


@dataclass
class Admission:
    """What a test puts between the API server and the objects of one namespace; taken away at its end."""

    plane: ControlPlane
    namespace: str
    certificate: Path
    hooks: list[Hook] = field(default_factory=list)
    made: list[str] = field(default_factory=list)

    async def hook(
        self, judge: Judge, *resources: str, mutating: bool = False, **spec: Any
    ) -> Hook:
        """A webhook for these resources of the namespace, in force when this returns."""
        hook = Hook(
            name=f"opinion-{len(self.made)}.example.com", judge=judge, certificate=self.certificate
        )
        await hook.up()
        self.hooks.append(hook)
        rule = {
            "apiGroups": ["*"],
            "apiVersions": ["*"],
            "operations": ["CREATE", "UPDATE"],
            "resources": list(resources),
        }
        webhook = {
            "name": hook.name,
            "admissionReviewVersions": ["v1"],
            "sideEffects": "None",
            "namespaceSelector": {"matchLabels": {NAME: self.namespace}},
            "clientConfig": {
                "url": f"https://127.0.0.1:{hook.port}/",
                "caBundle": base64.b64encode(self.certificate.read_bytes()).decode(),
            },
            "rules": [rule, {**rule, "resources": ["leases"]}],
            **spec,
        }
        kind = "MutatingWebhookConfiguration" if mutating else "ValidatingWebhookConfiguration"
        await self.make(kind, hook.name, webhooks=[webhook])
        async with asyncio.timeout(LONG):
            while not hook.calls:
                await self.probe()
                await asyncio.sleep(0.1)
        return hook

    async def probe(self) -> None:
        """Create a lease for nothing but to be judged: it is not kept."""
        body = {"apiVersion": "coordination.k8s.io/v1", "kind": PROBED, "metadata": {"generateName": "probe-"}}  # fmt: skip
        path = f"/apis/coordination.k8s.io/v1/namespaces/{self.namespace}/leases?dryRun=All"
        await asyncio.to_thread(self.plane.client.send, "POST", path, body)

    async def make(self, kind: str, name: str, **fields: Any) -> None:
        """Make a cluster-wide object of admission."""
        where = f"{CONFIGURATIONS}/{KINDS[kind]}"
        name = f"{self.namespace}-{name}"
        body = {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": kind,
            "metadata": {"name": name},
            **fields,
        }
        await asyncio.to_thread(self.plane.client.send, "POST", where, body)
        self.made.append(f"{where}/{name}")

    async def clear(self) -> None:
        for path in self.made:
            await asyncio.to_thread(self.plane.client.send, "DELETE", path)
        self.made.clear()
        for hook in self.hooks:
            await hook.down()


@pytest.fixture(scope="session")
def hook_certificate(tmp_path_factory) -> Path:
    """Key and certificate of webhooks on loopback, in one file; it is its own authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "webhooks of this test")])
    now = datetime.now(UTC)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("webhooks") / "both.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM) + private)
    path.chmod(0o600)
    return path


@pytest.fixture
async def admission(instance: Instance, hook_certificate: Path) -> AsyncIterator[Admission]:
    """What stands between the API server and the objects of the instance's namespace."""
    made = Admission(
        plane=instance.plane, namespace=instance.namespace, certificate=hook_certificate
    )
    yield made
    await made.clear()


def outcomes(report: TargetReport) -> dict[str, Outcome]:
    """What became of each object, by kind and name."""
    return {f"{o.ref.kind}/{o.ref.name}": o for o in report.outcomes}


def written(report: TargetReport) -> list[str]:
    """Which objects were written."""
    done = {Action.CREATED, Action.CONFIGURED}
    return sorted(name for name, o in outcomes(report).items() if o.action in done)


def told(report: TargetReport, name: str) -> str:
    """What stopped an object."""
    error = outcomes(report)[name].error
    assert error is not None, outcomes(report)[name]
    return f"{error.code} {error.message}"


def health_of(report: TargetReport, kind: str) -> tuple[HealthStatus, str]:
    """The health of the only object of a kind."""
    (found,) = [h for h in report.health if h.ref.kind == kind]
    return found.status, found.message


async def until(what: str, holds: Callable[[], Awaitable[Any]], seconds: float = LONG) -> Any:
    """Ask an async question until its answer is true; the answer."""
    async with asyncio.timeout(seconds):
        while not (answer := await holds()):
            await asyncio.sleep(0.2)
    assert answer, what
    return answer
