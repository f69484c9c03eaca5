"""The keys and certificates of one control plane: made in process, valid for 30 days."""

from __future__ import annotations

import datetime as dt
import ipaddress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

MASTERS = "system:masters"
MONTH = dt.timedelta(days=30)
SERVER_NAMES = (
    "localhost",
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
)
SERVER_ADDRESSES = ("127.0.0.1", "::1", "10.96.0.1")

_SIGNS_ONLY = x509.KeyUsage(
    key_cert_sign=True,
    crl_sign=True,
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    encipher_only=False,
    decipher_only=False,
)


def _pem_key(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


@dataclass(frozen=True, slots=True, kw_only=True)
class Certs:
    """Files of one control plane in `folder`; the authority signs further users on request."""

    folder: Path
    authority: x509.Certificate = field(repr=False)
    authority_key: ec.EllipticCurvePrivateKey = field(repr=False)

    @property
    def ca(self) -> Path:
        return self.folder / "ca.crt"

    @property
    def server_cert(self) -> Path:
        return self.folder / "server.crt"

    @property
    def server_key(self) -> Path:
        return self.folder / "server.key"

    @property
    def service_accounts_key(self) -> Path:
        return self.folder / "sa.key"

    def user(
        self, name: str, groups: Sequence[str] = (), *, lives: dt.timedelta = MONTH
    ) -> tuple[Path, Path]:
        """Give the certificate and key files of a user, who is a member of `groups`.

        The API server reads the user from the subject's CN and the groups from its O
        (Kubernetes, "Authenticating", X509 client certificates).
        """
        stem = self.folder / f"user-{name.replace(':', '_').replace('/', '_')}"
        cert, key = stem.with_suffix(".crt"), stem.with_suffix(".key")
        subject = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups]
        subject.append(x509.NameAttribute(NameOID.COMMON_NAME, name))
        self._issue(x509.Name(subject), ExtendedKeyUsageOID.CLIENT_AUTH, cert, key, lives=lives)
        return cert, key

    def issue_server(self) -> None:
        """Write the API server's own certificate, for every name a client may call it by."""
        names: list[x509.GeneralName] = [x509.DNSName(name) for name in SERVER_NAMES]
        names += [x509.IPAddress(ipaddress.ip_address(text)) for text in SERVER_ADDRESSES]
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "kube-apiserver")])
        usage = ExtendedKeyUsageOID.SERVER_AUTH
        self._issue(subject, usage, self.server_cert, self.server_key, names)

    def _issue(
        self,
        subject: x509.Name,
        usage: x509.ObjectIdentifier,
        cert_file: Path,
        key_file: Path,
        names: Sequence[x509.GeneralName] = (),
        *,
        lives: dt.timedelta = MONTH,
    ) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        signer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.authority_key.public_key())
        builder = (
            _builder(subject, self.authority.subject, key.public_key(), lives)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
            # Python 3.13 and later refuse a chain without it (ssl.VERIFY_X509_STRICT).
            .add_extension(signer, critical=False)
        )
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        cert_file.write_bytes(_pem(builder.sign(self.authority_key, hashes.SHA256())))
        write_secret(key_file, _pem_key(key))


def make_certs(folder: Path) -> Certs:
    """Make an authority, the server's certificate and the service-account key in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test control plane")])
    authority = (
        _builder(name, name, key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(_SIGNS_ONLY, critical=True)
        .sign(key, hashes.SHA256())
    )
    certs = Certs(folder=folder, authority=authority, authority_key=key)
    certs.ca.write_bytes(_pem(authority))
    certs.issue_server()
    write_secret(certs.service_accounts_key, _pem_key(ec.generate_private_key(ec.SECP256R1())))
    return certs


def write_secret(path: Path, data: bytes) -> None:
    """Write a file that only its owner may read; it is never readable by others, even briefly."""
    path.touch(mode=0o600)
    path.write_bytes(data)


def write_kubeconfig(path: Path, *, url: str, ca: Path, cert: Path, key: Path) -> Path:
    """Write a kubeconfig with one cluster, one user and one context, each named `test`."""
    cluster = {"server": url, "certificate-authority": str(ca)}
    user = {"client-certificate": str(cert), "client-key": str(key)}
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "test", "cluster": cluster}],
        "users": [{"name": "test", "user": user}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
        "current-context": "test",
    }
    write_secret(path, yaml.safe_dump(document, sort_keys=False).encode())
    return path


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    public_key: ec.EllipticCurvePublicKey,
    lives: dt.timedelta = MONTH,
) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        # An hour back: a clock that is set while tests run must not make them fail.
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + lives)
    )
