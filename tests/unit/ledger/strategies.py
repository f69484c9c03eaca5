"""Hypothesis strategies for every kind of ledger record."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import strategies as st

from distributor.errors import Where
from distributor.model.findings import Finding, Severity
from distributor.model.ledger import (
    Acknowledged,
    Archived,
    Claimed,
    Consented,
    Decided,
    FleetChanged,
    Genesis,
    HoldSet,
    KeyChanged,
    Observed,
    Parted,
    Progressed,
    Record,
    Retired,
    Step,
    Tampered,
    VetoSet,
)
from distributor.model.promotion import GateAnswer, GateResult, Revision, Verdict, VerdictOutcome
from distributor.model.refs import Digest, ObjectId
from distributor.model.tags import CONSENTS, RequestClass, Verb

_START = datetime(2020, 1, 1, tzinfo=UTC)
_ZONES = st.sampled_from([UTC, timezone(timedelta(hours=8)), timezone(-timedelta(hours=3.5))])

times = st.builds(
    lambda seconds, zone: (_START + timedelta(seconds=seconds)).astimezone(zone),
    st.integers(0, 10**9).map(lambda n: n / 1000),
    _ZONES,
)
texts = st.text(st.characters(codec="utf-8"), max_size=20)
oids = st.text("0123456789abcdef", min_size=40, max_size=40).map(ObjectId)
digests = st.text("0123456789abcdef", min_size=64, max_size=64).map(
    lambda text: Digest("sha256:" + text)
)
maps = st.dictionaries(texts, texts, max_size=3)
numbers = st.integers(0, 2**53)

wheres = st.builds(Where, file=texts, line=numbers, column=numbers, field=texts)
findings = st.builds(
    Finding,
    code=texts,
    message=texts,
    where=wheres,
    remedy=texts,
    severity=st.sampled_from(Severity),
)
answers = st.builds(
    GateAnswer,
    number=numbers,
    gate=texts,
    result=st.sampled_from(GateResult),
    message=texts,
    findings=st.lists(findings, max_size=2).map(tuple),
    evidence=maps,
    until=st.none() | times,
)
revisions = st.builds(Revision, app=texts, version=texts, digest=digests, config=digests)
verdicts = st.builds(
    Verdict,
    ref=texts,
    tag=oids,
    verb=st.sampled_from(Verb),
    environment=texts,
    instance=texts,
    outcome=st.sampled_from(VerdictOutcome),
    answers=st.lists(answers, max_size=3).map(tuple),
    principal=texts,
    request_class=st.sampled_from(RequestClass),
    sequence=numbers,
    revision=st.none() | revisions,
    commit=st.just(ObjectId("")) | oids,
    policy_commit=st.just(ObjectId("")) | oids,
    prev=texts,
    rendered=st.just(Digest("")) | digests,
    targets=st.lists(texts, max_size=3).map(tuple),
    reason=texts,
    stands_in=texts,
)
no_digest = st.just(Digest("")) | digests

records: dict[str, st.SearchStrategy[Record]] = {
    "observed": st.builds(Observed, at=times, ref=texts, tag=oids, raw=st.binary(max_size=50)),
    "verdict": st.builds(Decided, at=times, verdict=verdicts),
    "claimed": st.builds(
        Claimed, at=times, holder=texts, number=numbers, expires=times, released=st.booleans()
    ),
    "progress": st.builds(
        Progressed,
        at=times,
        step=st.sampled_from(Step),
        sequence=numbers,
        wave=texts,
        targets=maps,
        reason=texts,
    ),
    "hold": st.builds(
        HoldSet, at=times, on=st.booleans(), by=texts, ref=texts, digest=no_digest, reason=texts
    ),
    "veto": st.builds(
        VetoSet,
        at=times,
        on=st.booleans(),
        app=texts,
        version=texts,
        by=texts,
        ref=texts,
        reason=texts,
    ),
    "fleet": st.builds(
        FleetChanged,
        at=times,
        joined=st.booleans(),
        cluster=texts,
        file=digests,
        sequence=numbers,
    ),
    "tampered": st.builds(Tampered, at=times, ref=texts, recorded=oids, found=texts),
    "consented": st.builds(
        Consented,
        at=times,
        verb=st.sampled_from(sorted(CONSENTS)),
        by=texts,
        sequence=numbers,
        ref=texts,
        reason=texts,
        digest=digests,
        count=numbers,
    ),
    "retired": st.builds(
        Retired,
        at=times,
        cluster=texts,
        sequence=numbers,
        number=numbers,
        by=texts,
        ref=texts,
        drained=st.booleans(),
    ),
    "acknowledged": st.builds(Acknowledged, at=times, ref=texts, by=texts, tag_ref=texts),
    "archived": st.builds(Archived, at=times, ref=texts, tag=oids),
    "parted": st.builds(Parted, at=times, ref=texts, tag=oids, found=texts),
    "key": st.builds(KeyChanged, at=times, key=texts, reason=texts),
}
genesis = st.builds(
    Genesis,
    at=times,
    main=oids,
    key=texts,
    tags=st.dictionaries(texts, oids, max_size=3),
    previous=texts,
    reason=texts,
    next_sequence=numbers,
    repository=texts,
    local=st.booleans(),
)
