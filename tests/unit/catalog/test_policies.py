"""Policies: gates, roles, signers; and everything that makes them fail closed."""

from __future__ import annotations

import base64
from datetime import UTC, datetime

import pytest

from distributor.catalog.loading import Loader
from distributor.catalog.signers import parse_revoked, parse_signers
from distributor.model.findings import Severity, errors
from distributor.model.policy import GateSeverity, Role
from distributor.testing.trees import LINK, MemoryTrees

GATE = "policies/gates/order.yaml"
ROLES = "policies/roles.yaml"
SIGNERS = "policies/signers/allowed_signers"


def blob(kind: str = "ssh-ed25519", body: bytes = b"\0" * 36) -> str:
    return base64.b64encode(len(kind).to_bytes(4, "big") + kind.encode() + body).decode()


def policies(files, modes=None):
    trees = MemoryTrees()
    return Loader(trees).policies(trees.add(files, modes=modes))


def test_sound_policies(files):
    files[SIGNERS] = f'ann@x,bob@x namespaces="git" ssh-ed25519 {blob()}\n'.encode()
    files["policies/signers/revoked_keys"] = f"ssh-ed25519 {blob(body=b'1' * 36)} lost\n".encode()
    files["policies/gates/README.md"] = b"what these are"
    found = policies(files)
    assert found.findings == ()
    (gate,) = found.gates
    assert (gate.name, gate.gate, gate.params) == ("order", "predecessors", {"require": "any"})
    assert gate.severity is GateSeverity.ENFORCE
    assert str(gate.where) == f"{GATE}:6:3 (spec.gate)"
    assert gate.covers("sit", "shop")
    assert found.roles == (
        Role(name="anyone", principals=("anonymous",), may=("promote",), environments=("sit",)),
    )
    assert found.signers[0].principals == ("ann@x", "bob@x")
    assert found.revoked == {blob(body=b"1" * 36)}


@pytest.mark.parametrize(
    ("file", "old", "new", "code"),
    [
        (GATE, b'["*"]', b"[prd]", "DST111"), (GATE, b"kind: Gate", b"kind: Gaet", "DST103"),
        (GATE, b"require: any", b"requires: any", "DST102"), (GATE, b"name: order", b"name: x", "DST106"),
        (ROLES, b"[sit]", b"[pre]", "DST111"), (ROLES, b"[promote]", b"[promot]", "DST103"),
        (ROLES, b"name: roles", b"name: rules", "DST103"), (SIGNERS, b"#", b"ann ssh-", "DST220"),
        (ROLES, b"spec", b"\0", "DST121"), (SIGNERS, b"#", b"\0", "DST121"),
        (SIGNERS, b"#", b"\xff", "DST121"), (SIGNERS, b"#", b"#" * (1 << 20), "DST112"),
    ],
)  # fmt: skip
def test_what_makes_policies_fail_closed(files, file, old, new, code):
    assert old in files[file]
    files[file] = files[file].replace(old, new, 1)
    found = errors(policies(files).findings)
    assert (code, file) in {(f.code, f.where.file) for f in found}


def test_strays_missing_files_and_links_fail_closed(files):
    files["policies/gates/soak.yml"] = files[GATE]
    files["policies/signers/revoked_keys"] = b"SSHKRL\n\0\0"
    found = {(f.code, f.where.file) for f in policies(files).findings}
    assert found == {
        ("DST106", "policies/gates/soak.yml"), ("DST220", "policies/signers/revoked_keys"),
    }  # fmt: skip
    assert [f.code for f in policies({"README": b""}).findings] == ["DST107"]
    del files[ROLES]
    assert ("DST107", ROLES) in {(f.code, f.where.file) for f in policies(files).findings}
    linked = policies({**files, ROLES: b"x"}, modes={ROLES: LINK}).findings
    assert ("DST109", ROLES) in {(f.code, f.where.file) for f in linked}


def test_an_unknown_app_of_a_gate_is_a_warning(files):
    files[GATE] = files[GATE].replace(b"  params", b"  apps: [gone]\n  params")
    found = policies(files)
    assert [f.code for f in found.findings] == ["DST111"]
    assert errors(found.findings) == ()


def test_signer_lines():
    text = "\n".join(
        [
            "# a comment", "",
            f"ann ssh-ed25519 {blob()} a comment",
            f'"ann,b*@x" cert-authority,namespaces="git, file" ssh-ed25519 {blob()}',
            f'z valid-after="20260131Z",valid-before="202612312359Z" ssh-rsa {blob("ssh-rsa")}',
        ]
    )  # fmt: skip
    entries, findings = parse_signers(text, "f")
    assert [(f.code, f.where.line, f.severity) for f in findings] == [
        ("DST270", 4, Severity.WARNING)
    ]
    assert [e.line for e in entries] == [3, 4, 5]
    assert entries[1].principals == ("ann", "b*@x")
    assert entries[1].cert_authority
    assert entries[1].namespaces == ("git", " file")  # as ssh-keygen has it: no blank is cut off
    assert entries[2].valid_after == datetime(2026, 1, 31, tzinfo=UTC)
    assert entries[2].valid_before == datetime(2026, 12, 31, 23, 59, tzinfo=UTC)


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ("", ()), ('namespaces="" ', ("",)), ('NAMESPACES="git" ', ("git",)),
        ('valid-after="20260131120000z",namespaces="a,!b" ', ("a", "!b")),
        ('namespaces="a b",valid-before="20260131UTC" ', ("a b",)), ('namespaces="a\\"b" ', ('a"b',)),
    ],
)  # fmt: skip
def test_options_of_signers(options, names):
    entries, findings = parse_signers(f"ann\t{options}ssh-ed25519 {blob()}", "f")
    assert findings == ()
    assert [e.namespaces for e in entries] == [names]


@pytest.mark.parametrize(
    "line",
    [
        "ann", "ann ssh-ed25519", f"ann ssh-dss {blob('ssh-dss')}", "ann ssh-ed25519 !!!",
        f"ann ssh-rsa {blob()}", "ann ssh-ed25519 " + base64.b64encode(b"\0\0\0\x0bssh-ed25519").decode(),
        f"ann namespaces=git ssh-ed25519 {blob()}", f'ann cert-authority="x" ssh-ed25519 {blob()}',
        f'ann namespaces="a",namespaces="b" ssh-ed25519 {blob()}', f'ann x="y" ssh-ed25519 {blob()}',
        f'ann valid-after="20260131" ssh-ed25519 {blob()}', f'ann valid-after="20261331Z" ssh-ed25519 {blob()}',
        f'ann namespaces="a"cert-authority ssh-ed25519 {blob()}', f"ann,,bob ssh-ed25519 {blob()}",
        f'ann namespaces="git" {blob()}', f'ann namespaces="git", ssh-ed25519 {blob()}',
        f'ann valid-after="20260131Z",valid-before="20260131Z" ssh-ed25519 {blob()}',
        f'"ann ssh-ed25519 {blob()}', f'ann valid-after="" ssh-ed25519 {blob()}',
        f"ann ssh-ed25519-cert-v01@openssh.com {blob('ssh-ed25519-cert-v01@openssh.com')}",
    ],
)  # fmt: skip
def test_signer_lines_that_are_refused(line):
    entries, findings = parse_signers(f"\n{line}\n", "f")
    assert entries == ()
    assert [(f.code, f.where.line) for f in findings] == [("DST220", 2)]


def test_revoked_keys():
    good = f"ssh-ed25519 {blob()} lost"
    keys, findings = parse_revoked(f"{good}\nssh-ed25519\nx y\n", "f")
    assert keys == {blob()}
    assert [f.where.line for f in findings] == [2, 3]
