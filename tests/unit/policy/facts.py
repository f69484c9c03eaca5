"""Facts of a request that every gate lets in; tests change one of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from distributor.adapters.keys import SshKey
from distributor.model.consents import Deed, Question
from distributor.model.findings import Severity
from distributor.model.fleet import Environment, Pipeline, PipelineStep, VerifyRule
from distributor.model.package import Fits
from distributor.model.policy import GateBinding, PolicySet, Role, SignerEntry
from distributor.model.promotion import GateAnswer, Revision
from distributor.model.refs import Digest, ObjectId, ObjectRef
from distributor.model.tags import CONSENTS, Request, TagName, TagObject, Trailers, Verb
from distributor.policy import (
    ClusterFact,
    EnvironmentFact,
    GateFacts,
    PolicyView,
    Reach,
    Source,
    authorise,
    judge,
)

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
ADA, BOB, SERVICE = "ada@example.org", "bob@example.org", "distributor@service"


def key_of(number: int) -> SshKey:
    return SshKey(Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32))


KEYS = {ADA: key_of(1), BOB: key_of(2), SERVICE: key_of(3)}
STRANGER = key_of(9)


def digest(letter: str) -> Digest:
    return Digest("sha256:" + letter * 64)


def oid(letter: str) -> ObjectId:
    return ObjectId(letter * 40)


def signer(who: str, key: SshKey | None = None, **more: object) -> SignerEntry:
    kind, blob = (key or KEYS[who]).public_key.split()
    return SignerEntry(principals=(who,), key_type=kind, key=blob, **more)


def role(who: str, *may: str, **more: object) -> Role:
    return Role(name="r", principals=(who,), may=may, **more)


ROLES = (
    role("anonymous", "promote", "rollback", "remove", "hold", "unhold", environments=("sit",)),
    role(ADA, "*"),
    role(BOB, "promote", environments=("uat",), apps=("shop",)),
    role(SERVICE, "promote", "decide"),
)
POLICIES = PolicySet(roles=ROLES, signers=tuple(signer(who) for who in KEYS))
ENVIRONMENTS = {
    "sit": Environment(name="sit", signatures_required=False),
    "uat": Environment(name="uat"),
    "pre": Environment(name="pre"),
    "prd": Environment(name="prd"),
}
PIPELINE = Pipeline(
    steps=(
        PipelineStep(name="sit"),
        PipelineStep(name="uat", after=("sit",)),
        PipelineStep(name="pre", after=("uat",)),
        PipelineStep(name="prd", after=("pre",)),
    )
)
MAIN = PolicyView(
    source=Source.MAIN,
    commit=oid("1"),
    policies=POLICIES,
    environments=ENVIRONMENTS,
    pipeline=PIPELINE,
)
ACCEPTED = replace(MAIN, source=Source.ACCEPTED, commit=oid("2"))
REVISION = Revision(app="shop", version="1.0.0", digest=digest("a"), config=digest("c"))
PREV = oid("9")


def tag(verb: Verb, who: str = ADA, key: SshKey | None = None, *, signed: bool = True) -> TagObject:
    content = f"object {oid('5')}\ntag {verb.value}\ntagger Any One <{who}>\n\ntext\n".encode()
    signature = (key or KEYS[who]).sign(content, "git") if signed else b""
    return TagObject(
        id=oid("7"),
        name=verb.value,
        target=oid("5"),
        target_type="commit",
        tagger=f"Any One <{who}>",
        tagged_at=NOW,
        message="text\n",
        signed=content,
        signature=signature,
    )


def request(
    verb: Verb = Verb.PROMOTE,
    environment: str = "uat",
    instance: str = "shop",
    *,
    who: str = ADA,
    key: SshKey | None = None,
    signed: bool = True,
    trailers: Trailers | None = None,
) -> Request:
    chained = verb in (Verb.PROMOTE, Verb.ROLLBACK, Verb.REMOVE)
    own = Trailers(app="shop", digest=REVISION.digest, prev=PREV) if chained else Trailers()
    if verb in CONSENTS:
        own = Trailers(app="shop", digest=REVISION.digest, config=REVISION.config)
    versioned = verb in (Verb.PROMOTE, Verb.ROLLBACK, Verb.REJECT, Verb.UNREJECT, Verb.APPROVE)
    name = TagName(
        verb=verb,
        environment=environment,
        instance=instance,
        version="1.0.0" if versioned else "",
    )
    return Request(
        ref=f"refs/tags/{verb.value}",
        name=name,
        trailers=trailers or own,
        tag=tag(verb, who, key, signed=signed),
    )


GOOD = GateFacts(
    ref="refs/tags/promote/uat/shop/1.0.0",
    request=request(),
    policies=(MAIN, ACCEPTED),
    app="shop",
    first_observed=NOW,
    reachable=True,
    instance_exists=True,
    revision=REVISION,
    prev=PREV,
    elsewhere={
        name: EnvironmentFact(targets=2, verified=True, desired=True) for name in ENVIRONMENTS
    },
    verified_here=True,
    tiers=("central", "edge"),
    targets=("c1", "c2"),
    renders={"cell": ()},
    rendered=digest("f"),
    schemas=(),
    reach=Reach(changed=frozenset({"c1"}), clusters=2),
    fits=Fits(),
    clusters={"c1": ClusterFact(), "c2": ClusterFact()},
    questions={"c1": (Question(deed=Deed.DELETE, ref=ObjectRef("", "ConfigMap", "shop", "a")),)},
    listed=digest("1"),
)


def bound(gate: str, *views: PolicyView, **more: object) -> tuple[PolicyView, ...]:
    """The views with one more file under policies/gates."""
    use = GateBinding(name=gate, gate=gate, **{"environments": ("*",), **more})
    return tuple(
        replace(view, policies=replace(view.policies, gates=(*view.policies.gates, use)))
        for view in views
    )


def with_roles(view: PolicyView, *roles: Role) -> PolicyView:
    return replace(view, policies=replace(view.policies, roles=roles))


def with_verify(view: PolicyView, environment: str, *accept: str) -> PolicyView:
    rule = VerifyRule(accept=frozenset(accept))
    changed = replace(view.environments[environment], verify=rule)
    return replace(view, environments={**view.environments, environment: changed})


def answer(number: int, facts: GateFacts) -> GateAnswer:
    asked = authorise(facts, NOW) if number < 5 else judge(facts, NOW)
    return next(a for a in asked if a.number == number)


def codes(number: int, facts: GateFacts) -> list[str]:
    given = answer(number, facts)
    return [finding.code for finding in given.findings if finding.severity is Severity.ERROR]


def facts_of(verb: Verb = Verb.PROMOTE, /, **more: object) -> GateFacts:
    keys = {"environment", "instance", "who", "key", "signed", "trailers"}
    asked = request(verb, **{k: v for k, v in more.items() if k in keys})
    return replace(GOOD, request=asked, **{k: v for k, v in more.items() if k not in keys})
