"""Splicing: plaintext goes to the target and nowhere else, and is known again when it comes back."""

from __future__ import annotations

import base64
import json
from dataclasses import replace

import pytest

from distributor.adapters.directory.target import DirectoryTarget
from distributor.adapters.keys import generate, load
from distributor.app import _seal
from distributor.errors.cluster import ApiRefused, PlaintextSecret
from distributor.errors.git import ObjectMissing
from distributor.errors.secrets import SecretGone, SecretNotExternal, SecretTampered
from distributor.model.changes import Action, Inventory, InventoryEntry
from distributor.model.fleet import Cluster, Flavour, Mode
from distributor.model.manifest import Manifest, ManifestSet
from distributor.model.refs import Digest, ObjectId
from distributor.plan import changes
from distributor.render.applyset import PART_OF, applyset_id
from distributor.render.placeholders import Placeholder
from distributor.services.rendering.splicing import NOTE, Splicer, SplicingConnections
from distributor.services.sealing import Seal
from distributor.settings import Settings
from distributor.testing.targets import MemoryCluster, MemoryConnections

OWNER = applyset_id("shop")
BLOB = ObjectId("a" * 40)
ONE = Placeholder(path="package/db.sops.yaml", key="stringData/password", blob=BLOB)
RAW = Placeholder(path="package/db.sops.yaml", key="data/token", blob=BLOB)
PLAIN = "hunter2-${cluster_name}-distributor-sops(x"
VALUES = {ONE.key: PLAIN.encode(), RAW.key: base64.b64encode(b"\xff\x00tok")}
SEAL = Seal(b"k" * 32)
PUSH = Cluster(name="c1", environment="sit", tier="edge", mode=Mode.PUSH, connection="c1")
FOLDER = replace(PUSH, mode=Mode.DIRECTORY, connection="c1", plaintext_secrets=True)
INVENTORY = Inventory(environment="sit", instance="shop", cluster="c1")


def coded(value):
    return base64.b64encode(value if isinstance(value, bytes) else str(value).encode()).decode()


def secret(name="db", **data):
    metadata = {"name": name, "namespace": "shop", "labels": {PART_OF: OWNER}}
    return Manifest.of({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data})


SECRET = secret(password=coded(ONE), token=str(RAW), plain="YWJj")
OTHER = Manifest.of(
    {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "a", "namespace": "shop", "labels": {PART_OF: OWNER}},
    }
)


class Blobs:
    def blob(self, oid):
        if oid != BLOB:
            raise ObjectMissing(f"(blob {oid})")
        return b"cipher"


class Opener:
    def __init__(self, error=None):
        self.error, self.calls = error, 0

    def open(self, data, path, environment):
        assert (data, path, environment) == (b"cipher", "package/db.sops.yaml", "sit")
        self.calls += 1
        if self.error:
            raise self.error
        return {**VALUES, "": b"whole"}


@pytest.fixture
def memory():
    return MemoryCluster(name="c1")


async def open_(memory, cluster=PUSH, opener=None, seal=SEAL):
    splicer = Splicer(blobs=Blobs(), opener=opener or Opener(), seal=seal)
    return await SplicingConnections(MemoryConnections({"c1": memory}), splicer).open(cluster)


def entries(*manifests):
    return [
        InventoryEntry(ref=m.ref, api_version=m.api_version, digest=Digest("")) for m in manifests
    ]


async def test_the_target_gets_the_values_and_the_digest_of_the_placeholders(memory):
    opener = Opener()
    target = await open_(memory, opener=opener)
    both = secret("second", password=coded(f"u:{ONE}@db"))
    outcomes = await target.apply(INVENTORY, [OTHER, SECRET, both])
    assert [o.ref for o in outcomes] == [OTHER.ref, SECRET.ref, both.ref]
    assert all(o.error is None for o in outcomes)
    held = memory.objects[SECRET.ref].data["data"]
    assert base64.b64decode(held["password"]) == PLAIN.encode()
    assert base64.b64decode(held["token"]) == b"\xff\x00tok"
    assert held["plain"] == "YWJj"
    assert (
        base64.b64decode(memory.objects[both.ref].data["data"]["password"]).decode()
        == f"u:{PLAIN}@db"
    )
    assert memory.objects[SECRET.ref].applied == SECRET.digest
    assert opener.calls == 1, "a file is opened once a call"


async def test_the_note_tells_no_value(memory):
    await (await open_(memory)).apply(INVENTORY, [SECRET])
    note = json.loads(memory.objects[SECRET.ref].data["metadata"]["annotations"][NOTE])
    assert note.keys() == {"password", "token"}
    assert note["password"][0] == coded(ONE)
    assert not any(coded(v) in str(note) or str(v) in str(note) for v in VALUES.values())


def planned(manifests, live):
    return changes(manifests, None, live, owner=OWNER, prune={})


async def test_what_was_applied_reads_back_as_unchanged(memory):
    target = await open_(memory)
    wanted = SEAL.manifests(PUSH, ManifestSet.of([SECRET, OTHER]))
    await target.apply(INVENTORY, list(wanted))
    live = await target.read_live(entries(SECRET, OTHER))
    assert PLAIN not in str(live)
    assert coded(PLAIN) not in str(live)
    assert {c.action for c in planned(wanted, live).changes} == {Action.UNCHANGED}


async def test_a_file_that_was_encrypted_again_is_named(memory):
    target = await open_(memory)
    await target.apply(INVENTORY, list(SEAL.manifests(PUSH, ManifestSet.of([SECRET]))))
    again = replace(ONE, blob=ObjectId("c" * 40))
    after = secret(password=coded(again), token=str(RAW), plain="YWJj")
    live = await target.read_live(entries(after))
    (change,) = planned(SEAL.manifests(PUSH, ManifestSet.of([after])), live).changes
    assert (change.action, change.reason) == (
        Action.CONFIGURED,
        "encrypted again: package/db.sops.yaml",
    )


@pytest.mark.parametrize(
    "edit",
    [
        {"password": coded("other")},
        {"token": coded(b"\xff\x00tok") + "="},
        {"plain": "eA=="},
    ],
)
async def test_a_change_by_hand_is_drift_and_hidden(memory, edit):
    target = await open_(memory)
    wanted = SEAL.manifests(PUSH, ManifestSet.of([SECRET]))
    await target.apply(INVENTORY, list(wanted))
    there = memory.objects[SECRET.ref]
    data = {**there.data, "data": {**there.data["data"], **edit}}
    memory.objects[SECRET.ref] = replace(there, data=data)
    found = planned(wanted, await target.read_live(entries(SECRET)))
    assert [c.action for c in found.changes] == [Action.CONFIGURED]
    assert f"data.{next(iter(edit))}" in found.changes[0].reason
    assert not any(value in found.changes[0].reason for value in edit.values())


@pytest.mark.parametrize(
    "note", ["", "{", "[]", '{"password": "x"}', '{"password": [1, 2]}', "[" * 9999]
)
async def test_a_broken_note_vouches_for_nothing(memory, note):
    target = await open_(memory)
    wanted = SEAL.manifests(PUSH, ManifestSet.of([SECRET]))
    await target.apply(INVENTORY, list(wanted))
    there = memory.objects[SECRET.ref]
    metadata = {**there.data["metadata"], "annotations": {NOTE: note}}
    memory.objects[SECRET.ref] = replace(there, data={**there.data, "metadata": metadata})
    found = planned(wanted, await target.read_live(entries(SECRET)))
    assert [c.action for c in found.changes] == [Action.CONFIGURED]


async def test_a_note_of_another_object_vouches_for_nothing(memory):
    target = await open_(memory)
    await target.apply(INVENTORY, [SECRET])
    there = memory.objects[SECRET.ref]
    twin = secret("twin", password=coded(ONE), token=str(RAW), plain="YWJj")
    metadata = {**there.data["metadata"], "name": "twin"}
    data = {**there.data, "metadata": metadata}
    memory.objects[twin.ref] = replace(there, ref=twin.ref, data=data)
    live = (await target.read_live(entries(twin)))[twin.ref]
    assert live.data["data"]["password"] == coded(PLAIN)


async def test_a_file_that_does_not_open_fails_its_secret_alone(memory):
    target = await open_(memory, opener=Opener(SecretTampered()))
    outcomes = await target.apply(INVENTORY, [SECRET, OTHER])
    assert outcomes[0].error is not None
    assert outcomes[0].error.code == SecretTampered.code
    assert outcomes[1].error is None
    assert SECRET.ref not in memory.objects


@pytest.mark.parametrize(
    "gone",
    [replace(ONE, blob=ObjectId("b" * 40)), replace(ONE, key="stringData/none")],
)
async def test_what_a_placeholder_names_may_be_gone(memory, gone):
    outcomes = await (await open_(memory)).apply(INVENTORY, [secret(password=coded(gone))])
    assert outcomes[0].error is not None
    assert outcomes[0].error.code == SecretGone.code
    assert outcomes[0].error.where.file == gone.path


@pytest.mark.parametrize("said", [PLAIN, coded(PLAIN), json.dumps(PLAIN + "\n")])
async def test_what_the_target_answers_is_told_without_values(memory, said):
    memory.refuse[SECRET.ref] = ApiRefused(f"cannot take {said} here")
    outcomes = await (await open_(memory)).apply(INVENTORY, [SECRET])
    assert outcomes[0].error is not None
    assert "hunter2" not in outcomes[0].error.message
    assert coded(PLAIN) not in outcomes[0].error.message
    assert "here" in outcomes[0].error.message


async def test_a_branch_takes_no_values_at_all(memory):
    target = await open_(memory, replace(PUSH, mode=Mode.BRANCH))
    empty = secret("empty")
    outcomes = await target.apply(INVENTORY, [secret(a="YQ=="), SECRET, empty, OTHER])
    assert [o.error.code if o.error else "" for o in outcomes] == [SecretNotExternal.code] * 2 + [
        ""
    ] * 2


def folder(tmp_path, cluster):
    class One:
        async def open(self, _cluster, _account):
            return DirectoryTarget(cluster, tmp_path)

    return One()


@pytest.mark.parametrize("flavour", list(Flavour))
async def test_a_folder_that_may_hold_them(tmp_path, flavour):
    cluster = replace(FOLDER, flavour=flavour)
    splicer = Splicer(blobs=Blobs(), opener=Opener(), seal=SEAL)
    target = await SplicingConnections(folder(tmp_path, cluster), splicer).open(cluster)
    wanted = SEAL.manifests(PUSH, ManifestSet.of([SECRET, OTHER, secret("plain", a="YQ==")]))
    inventory = await target.write_inventory(INVENTORY)
    await target.apply(inventory, list(wanted))
    files = [p for p in tmp_path.rglob("*") if p.is_file() and coded(PLAIN) in p.read_text()]
    assert [oct(p.stat().st_mode & 0o777) for p in files] == ["0o600"]
    live = await target.read_live(entries(*wanted))
    assert {c.action for c in planned(wanted, live).changes} == {Action.UNCHANGED}
    again = await target.apply(inventory, list(wanted))
    assert {o.action for o in again} == {Action.UNCHANGED}


async def test_a_folder_that_may_not_hold_them_opens_nothing(tmp_path):
    cluster, opener = replace(FOLDER, plaintext_secrets=False), Opener()
    splicer = Splicer(blobs=Blobs(), opener=opener, seal=SEAL)
    target = await SplicingConnections(folder(tmp_path, cluster), splicer).open(cluster)
    inventory = await target.write_inventory(INVENTORY)
    outcomes = await target.apply(inventory, [SECRET])
    assert outcomes[0].error is not None
    assert outcomes[0].error.code == PlaintextSecret.code
    assert opener.calls == 0


class Signer:
    public_key = "ssh-ed25519 AAAA"

    def __init__(self, word):
        self.word = word

    def sign(self, data, namespace):
        return self.word + data + namespace.encode()


def test_equal_secrets_do_not_show_equal_digests():
    same = {
        seal.digest(cluster, SECRET.digest)
        for seal in (Seal.of(Signer(b"a")), Seal.of(Signer(b"b")), Seal.of(None))
        for cluster in (PUSH, replace(PUSH, name="c2"), replace(PUSH, environment="uat"))
    }
    assert len(same) == 9
    assert SECRET.digest not in same
    assert Seal.of(Signer(b"a")).digest(PUSH, SECRET.digest) in same, "the same at every start"


def test_only_secrets_are_sealed():
    assert SEAL.manifests(PUSH, plain := ManifestSet.of([OTHER])) is plain
    sealed = {m.ref: m for m in SEAL.manifests(PUSH, ManifestSet.of([OTHER, SECRET]))}
    assert sealed[OTHER.ref] is OTHER
    assert sealed[SECRET.ref].body == SECRET.body
    assert sealed[SECRET.ref].digest == SEAL.digest(PUSH, SECRET.digest)
    assert "k" * 8 not in repr(SEAL)


def test_a_process_that_cannot_read_the_key_still_looks(tmp_path):
    key = tmp_path / "service"
    key.write_text("no key")
    broken = _seal(Settings(service_key=str(key)), None)
    missing = _seal(Settings(service_key=str(tmp_path / "none")), None)
    generate(tmp_path / "good", "service")
    good = Settings(service_key=str(tmp_path / "good"))
    plain = Seal().digest(PUSH, SECRET.digest)
    assert broken.digest(PUSH, SECRET.digest) == missing.digest(PUSH, SECRET.digest) == plain
    looking, writing = _seal(good, None), _seal(good, load(tmp_path / "good"))
    assert looking.digest(PUSH, SECRET.digest) == writing.digest(PUSH, SECRET.digest) != plain


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ("Secret/shop/db: data[.dockerconfigjson]: Invalid value", False),
        ("Secret/shop/db: type: Invalid value: field is immutable", True),
    ],
)
async def test_a_rehearsal_opens_nothing_and_knows_nothing_of_values(memory, message, told):
    opener = Opener()
    target = await open_(memory, opener=opener)
    assert (await target.rehearse([SECRET], {}, {}))[0].made["data"] == SECRET.data()["data"]
    memory.refuse = {m.ref: ApiRefused(message) for m in (SECRET, OTHER)}
    placed, other = await target.rehearse([SECRET, OTHER], {}, {})
    assert (placed.error is not None, bool(placed.unasked)) == (told, not told)
    assert other.error is not None
    assert opener.calls == 0
    assert memory.objects == {}
