"""Objects that two instances would share: found on every cluster, asked for once, silent about what cannot be read."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from distributor.catalog.loading import Loader
from distributor.errors.render import BadManifest
from distributor.model.catalog import Catalog, EnvironmentFiles
from distributor.model.findings import Finding, Severity
from distributor.model.fleet import Cluster, Environment, Installation, Mode
from distributor.model.ledger import Genesis, InstanceState, LedgerState
from distributor.model.manifest import Manifest, ManifestSet
from distributor.model.promotion import Revision, Verdict, VerdictOutcome
from distributor.model.refs import Digest, ObjectId
from distributor.model.tags import Verb
from distributor.services.promotion.sharing import Sharing
from distributor.services.rendering.renderer import Rendered, Subject
from distributor.testing.trees import MemoryTrees

GENESIS = Genesis(at=datetime(2026, 1, 1, tzinfo=UTC), main=ObjectId(""), key="")
HEAD = "apiVersion: distributor.dev/v1alpha1\n"
CLUSTERS = {"a1": "edge", "a2": "edge", "b1": "slim"}
PACKAGE = """kind: Package
metadata: {name: other}
spec: {version: 1.0.0, renderer: raw, path: manifests, namespace: {name: other}}
"""


def cluster(name: str) -> Cluster:
    tier = CLUSTERS[name]
    return Cluster(name=name, environment="sit", tier=tier, mode=Mode.DIRECTORY, kubernetes="1.33")


def pinned() -> dict[str, bytes]:
    """The tree that the other instance's verdict pins."""
    files = {
        "catalog/other/app.yaml": "kind: App\nmetadata: {name: other}\nspec: {summary: x, owner: x}\n",
        "catalog/other/1.0.0/package.yaml": PACKAGE,
        "environments/sit/environment.yaml": "kind: Environment\nmetadata: {name: sit}\nspec: {}\n",
        "environments/sit/apps/other.yaml": "kind: Installation\nmetadata: {name: other}\nspec: {app: other}\n",
    }
    for name, tier in CLUSTERS.items():
        files[f"environments/sit/clusters/{name}.yaml"] = (
            f"kind: Cluster\nmetadata: {{name: {name}}}\n"
            f'spec: {{tier: {tier}, kubernetes: "1.33", delivery: {{mode: directory, connection: {name}}}}}\n'
        )
    made = {path: (HEAD + text).encode() for path, text in files.items()}
    return made | {"catalog/other/1.0.0/manifests/x.yaml": b"{}\n"}


def objects(*names: str) -> ManifestSet:
    return ManifestSet.of(
        Manifest.of(
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": n, "namespace": "x"}}
        )
        for n in names
    )


class Fixed:
    """A renderer with its answers; it counts the clusters that it was asked for."""

    def __init__(self, **answers: ManifestSet) -> None:
        self.answers = answers
        self.asked: list[str] = []
        self.broken = False

    async def render(self, subject: Subject, clusters: dict[str, Cluster]) -> Rendered:
        assert subject.installation.instance == "other"
        self.asked += clusters
        if self.broken:
            return Rendered(failures=dict.fromkeys(clusters, Finding.of(BadManifest)))
        return Rendered(manifests={name: self.answers[name] for name in clusters})


OWN = Subject(
    catalog=Catalog(root=ObjectId("0" * 40)),
    package=None,  # type: ignore[arg-type]  # nobody looks at it
    installation=Installation(app="own", instance="own", environment="sit"),
    files=EnvironmentFiles(environment=Environment(name="sit")),
)


def sharing(renderer: Fixed, *, verb: Verb = Verb.PROMOTE, pin: bool = True, **key: str) -> Sharing:
    trees = MemoryTrees()
    tree = trees.add(pinned())
    verdict = Verdict(
        ref="", tag=ObjectId("1" * 40), verb=verb, environment="sit", instance="other",
        outcome=VerdictOutcome.ACCEPTED, answers=(), principal="x", sequence=7, targets=tuple(CLUSTERS),
        revision=Revision(app="other", version="1.0.0", digest=Digest("d"), config=Digest("c")),
    )  # fmt: skip
    where = (key.get("environment", "sit"), key.get("instance", "other"))
    state = InstanceState(environment=where[0], instance=where[1], accepted=(verdict,))
    book = SimpleNamespace(
        state=LedgerState(head=ObjectId(""), genesis=GENESIS, instances={where: state}),
        names=(where[1],),
        pinned=lambda *_: tree if pin else None,
    )
    return Sharing(SimpleNamespace(loader=Loader(trees)), book, renderer)


async def told(found: Sharing, **own: ManifestSet) -> dict[str, list[str]]:
    clusters = {name: cluster(name) for name in own}
    findings = await found.findings(OWN, clusters, own)
    assert all(f.severity is Severity.WARNING for each in findings.values() for f in each)
    return {name: [f"{f.code} {f.message}" for f in each] for name, each in findings.items()}


async def test_every_cluster_with_the_same_objects_is_told():
    renderer = Fixed(a1=objects("x", "y"), a2=objects("y"), b1=objects("z"))
    found = await told(
        sharing(renderer), a1=objects("x", "w"), a2=objects("x", "w"), b1=objects("w")
    )
    assert list(found) == ["a1"]
    assert "ConfigMap/x/x: also of the instance other" in found["a1"][0]
    both = await told(sharing(renderer), a1=objects("y"), a2=objects("y"), b1=objects("y"))
    assert list(both) == ["a1", "a2"]


async def test_many_objects_are_counted():
    many = objects("a", "b", "c", "d", "e")
    found = await told(sharing(Fixed(a1=many, a2=many, b1=many)), a1=many)
    assert "ConfigMap/x/c and 2 more: also" in found["a1"][0]


async def test_where_nothing_is_shared_one_cluster_of_a_tier_is_asked_for_and_once():
    renderer = Fixed(a1=objects("x"), a2=objects("x"), b1=objects("x"))
    asked = sharing(renderer)
    own = {name: objects("w") for name in CLUSTERS}
    assert await told(asked, **own) == {}
    assert sorted(renderer.asked) == ["a1", "b1"]
    assert await told(asked, **own) == {}
    assert sorted(renderer.asked) == ["a1", "b1"]


async def test_what_failed_is_asked_for_again():
    renderer = Fixed(a1=objects("x"))
    renderer.broken = True
    asked = sharing(renderer)
    assert await told(asked, a1=objects("x")) == {}
    renderer.broken = False
    assert list(await told(asked, a1=objects("x"))) == ["a1"]


@pytest.mark.parametrize(
    "how",
    [
        {"verb": Verb.REMOVE},
        {"environment": "uat"},
        {"instance": "own"},
        {"pin": False},
    ],
)
async def test_what_does_not_count(how):
    assert await told(sharing(Fixed(a1=objects("x")), **how), a1=objects("x")) == {}
