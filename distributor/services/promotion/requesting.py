"""Requesting: every switch a person can throw is a tag; here the tags are made and pushed."""

from __future__ import annotations

from collections.abc import Collection
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

from distributor.catalog.tags import format_name, parse_name
from distributor.catalog.trailers import format_message
from distributor.errors.catalog import BadVersion
from distributor.errors.git import NothingToDo, PushRejected, TagRefused
from distributor.errors.policy import NoSuchInstance, NotRetirable, NotVerifiedHere, VersionMissing
from distributor.errors.service import NotFound
from distributor.ledger import newest_verified, prev_of, reached, rollback_candidates
from distributor.model.findings import Finding, Invalid, errors
from distributor.model.fleet import ALL
from distributor.model.ledger import InstanceState
from distributor.model.promotion import Verdict, VerdictOutcome
from distributor.model.refs import Digest, ObjectId
from distributor.model.tags import (
    ACTIVATIONS,
    CONSENTS,
    OF_SETS,
    SET_MARK,
    RequestClass,
    TagName,
    Trailers,
    Verb,
)
from distributor.model.versions import Version
from distributor.placement.instances import installations
from distributor.ports import Signer
from distributor.services.promotion.retiring import retirement
from distributor.services.state.looking import Snapshot
from distributor.services.world import World


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What a person asks for. ``version`` is empty where the verb has none, or in a rollback: the last.

    ``commit`` is the commit to tag; empty means main's head.
    """

    verb: Verb
    environment: str
    instance: str
    version: str = ""
    reason: str = ""
    ticket: str = ""
    hotfix: bool = False
    commit: ObjectId = ObjectId("")
    rendered: Digest = Digest("")
    override: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The tag that was pushed."""

    ref: str
    tag: ObjectId
    version: str = ""


async def make_request(
    world: World, snapshot: Snapshot, ask: Ask, *, tagger: str, signer: Signer | None
) -> Asked:
    """Make the tag of a request and push it; the service decides about it like about any other tag.

    Raises ``VersionMissing``, ``NoSuchInstance``, ``NotVerifiedHere`` for what cannot be asked for, and
    ``TagRefused`` where the remote does not take the tag.
    """
    asked = make_tag(world, snapshot, ask, tagger=tagger, signer=signer)
    await push_tag(world, asked.ref, asked.tag)
    return asked


def make_tag(
    world: World,
    snapshot: Snapshot,
    ask: Ask,
    *,
    tagger: str,
    signer: Signer | None,
    taken: Collection[str] = (),
) -> Asked:
    """The tag of a request under a name that nobody used, which nobody sees yet; raises as ``make_request``."""
    commit = ask.commit or snapshot.main
    ask, trailers = trailers_of(world, snapshot, ask, commit)
    name = _free_name(ask, {*snapshot.tags, *_recorded(snapshot, ask), *taken})
    written = format_name(name)
    subject = f"{ask.verb.value} {ask.instance} {ask.version}".rstrip() + f" in {ask.environment}"
    message = format_message(subject, trailers)
    tag = write_tag(world, written, commit, message=message, tagger=tagger, signer=signer)
    return Asked(ref=written, tag=tag, version=ask.version)


def write_tag(
    world: World, name: str, target: ObjectId, *, message: str, tagger: str, signer: Signer | None
) -> ObjectId:
    """The tag object of a request, made now; nobody sees it before it is pushed."""
    at = world.clock.now()
    return world.objects.write_tag(
        name, target, message=message, at=at, tagger=tagger, signer=signer
    )


async def push_tag(world: World, name: str, tag: ObjectId) -> None:
    """Push a new tag; raises ``TagRefused`` where the remote does not take it, or has one of that name."""
    ref = f"refs/tags/{name}"
    try:
        await world.remote.push({ref: tag}, expect={ref: None})
    except PushRejected as error:
        raise TagRefused(f"({name}: {error.detail})") from error


def hypothetical(
    world: World, snapshot: Snapshot, ask: Ask, *, tagger: str, signer: Signer | None
) -> tuple[str, ObjectId]:
    """A promotion's tag at main's head that is never pushed, for the gates to be asked about: name and object."""
    _, trailers = trailers_of(world, snapshot, ask, snapshot.main)
    name = TagName(
        verb=ask.verb,
        environment=ask.environment,
        instance=ask.instance,
        version=ask.version,
        attempt=99_999,
    )
    written = format_name(name)
    message = format_message("plan", trailers)
    tag = write_tag(world, written, snapshot.main, message=message, tagger=tagger, signer=signer)
    return written, tag


def open_request(snapshot: Snapshot, ask: Ask) -> str:
    """The ref of a request for the very same that has not ended yet; empty where there is none.

    One that is not decided, waits, or is accepted and neither verified nor given up.
    """
    state = snapshot.ledger.instance(ask.environment, ask.instance)
    for ref, tag in snapshot.tags.items():
        name = parse_name(ref)
        if isinstance(name, Finding) or not _same(name, ask):
            continue
        verdict = state.last_verdicts.get(ref)
        if verdict is None or verdict.tag != tag or _open(state, verdict):
            return ref
    return ""


def _same(name: TagName, ask: Ask) -> bool:
    asked = (ask.verb, ask.environment, ask.instance, ask.version)
    return (name.verb, name.environment, name.instance, name.version) == asked


def _open(state: InstanceState, verdict: Verdict) -> bool:
    if not verdict.accepted:
        return verdict.outcome is VerdictOutcome.PENDING
    progress = state.progress.get(verdict.sequence)
    ended = progress is not None and (progress.end is not None or progress.verified_at is not None)
    return verdict == state.desired and not ended


def _recorded(snapshot: Snapshot, ask: Ask) -> AbstractSet[str]:
    observed = snapshot.ledger.instance(ask.environment, ask.instance).observed
    return set(observed) | set(snapshot.ledger.genesis.tags)


def trailers_of(
    world: World, snapshot: Snapshot, ask: Ask, commit: ObjectId
) -> tuple[Ask, Trailers]:
    """The trailers of a request, and the request with its version filled in."""
    state = snapshot.ledger
    base = Trailers(
        environment=ask.environment,
        reason=ask.reason,
        ticket=ask.ticket,
        request_class=RequestClass.HOTFIX if ask.hotfix else RequestClass.NORMAL,
        override=ask.override,
    )
    match ask.verb:
        case Verb.PROMOTE:
            prev = prev_of(state, ask.environment, ask.instance)
            app, digest = _package(world, snapshot, ask, commit)
            return ask, replace(
                base, app=app, version=ask.version, digest=digest, prev=prev, rendered=ask.rendered
            )
        case Verb.ROLLBACK:
            return _rollback(snapshot, ask, base)
        case Verb.REMOVE:
            desired = state.instance(ask.environment, ask.instance).desired
            if desired is None or desired.revision is None or desired.verb is Verb.REMOVE:
                raise NothingToDo(f"({ask.instance} does not run in {ask.environment})")
            prev = prev_of(state, ask.environment, ask.instance)
            return ask, replace(base, app=desired.revision.app, prev=prev)
        case verb if verb in CONSENTS or verb in ACTIVATIONS:
            return ask, _consenting(snapshot, ask, base)
        case Verb.RETIRE:
            return ask, _retiring(snapshot, ask, base)
        case Verb.REJECT | Verb.UNREJECT:
            _check_version(ask.version)
            known = set(snapshot.catalog.apps)
            if ask.instance not in known:
                raise NotFound(f"({ask.instance} is no app; there are: {', '.join(sorted(known))})")
            return ask, replace(base, app=ask.instance, version=ask.version)
        case _:
            _check_known(snapshot, ask)
            return ask, base


def _retiring(snapshot: Snapshot, ask: Ask, base: Trailers) -> Trailers:
    there = retirement(snapshot, ask.environment, ask.instance)
    if there.declared or not there.instances:
        file = f"environments/{ask.environment}/clusters/{ask.instance}.yaml"
        why = f"main has {file}" if there.declared else "nothing runs there"
        raise NotRetirable(f"({ask.instance}: {why})")
    return base


def _consenting(snapshot: Snapshot, ask: Ask, base: Trailers) -> Trailers:
    """A consent, or a failover, names the revision that was accepted; it may name the list that its maker saw."""
    desired = snapshot.ledger.instance(ask.environment, ask.instance).desired
    if desired is None or desired.revision is None:
        raise NothingToDo(f"(nothing was accepted for {ask.instance} in {ask.environment})")
    about = desired.revision
    return replace(
        base, app=about.app, digest=about.digest, config=about.config, rendered=ask.rendered
    )


def _instance_known(snapshot: Snapshot, ask: Ask) -> bool:
    """Whether main declares the instance, or the ledger has accepted one of that name, where asked."""
    catalog, ledger = snapshot.catalog, snapshot.ledger
    places = catalog.environments if ask.environment == ALL else (ask.environment,)
    return any(
        ask.instance in installations(catalog, place)
        or ledger.instance(place, ask.instance).accepted
        for place in places
    )


def _check_known(snapshot: Snapshot, ask: Ask) -> None:
    """Raise ``NoSuchInstance`` where a switch would reach nothing."""
    if ask.instance.startswith(SET_MARK):
        _check_set(snapshot, ask)
    elif ask.instance != ALL and not _instance_known(snapshot, ask):
        raise _unknown(snapshot, ask)


def _check_set(snapshot: Snapshot, ask: Ask) -> None:
    """Raise ``NoSuchInstance`` where a switch would reach no instance of a set."""
    name = ask.instance.removeprefix(SET_MARK)
    if ask.verb not in OF_SETS or not reached(snapshot.ledger, ask.environment, name, ask.verb):
        known = [i for e, i in snapshot.ledger.instances if e == ask.environment and SET_MARK in i]
        shown = ", ".join(sorted(known)) or "none"
        raise NoSuchInstance(
            f"({ask.verb.value} {ask.instance}; sets in {ask.environment}: {shown})"
        )


def _unknown(snapshot: Snapshot, ask: Ask) -> NoSuchInstance:
    known = ", ".join(sorted(installations(snapshot.catalog, ask.environment))) or "none"
    return NoSuchInstance(f"({ask.instance} in {ask.environment}; there are: {known})")


def _package(world: World, snapshot: Snapshot, ask: Ask, commit: ObjectId) -> tuple[str, Digest]:
    catalog = snapshot.catalog
    if commit != snapshot.main:
        catalog = world.loader.load(world.objects.tree_of(commit))
    _check_version(ask.version)
    installation = installations(catalog, ask.environment).get(ask.instance)
    if installation is None:
        broken = (
            *catalog.findings_under(f"environments/{ask.environment}"),
            *catalog.findings_under(f"catalog/{ask.instance}"),
        )
        if found := errors(broken):
            raise Invalid(found, f"({ask.instance} in {ask.environment} cannot be read)")
        raise _unknown(snapshot, ask)
    package = catalog.package(installation.app, ask.version)
    if package is None:
        known = ", ".join(catalog.packages.get(installation.app, {})) or "none"
        reasons = "".join(
            f"\n  {f}"
            for f in errors(catalog.findings_under(f"catalog/{installation.app}/{ask.version}"))
        )
        raise VersionMissing(f"({installation.app} {ask.version}; there are: {known}){reasons}")
    return installation.app, package.digest


def _check_version(text: str) -> None:
    try:
        Version.parse(text)
    except ValueError as error:
        raise BadVersion(f"({error})") from error


def _rollback(snapshot: Snapshot, ask: Ask, base: Trailers) -> tuple[Ask, Trailers]:
    """Back to the version named, or to the newest verified one that does not run now."""
    state = snapshot.ledger
    candidates = rollback_candidates(state, ask.environment, ask.instance)
    if ask.version:
        _check_version(ask.version)
        verdict = newest_verified(state, ask.environment, ask.instance, ask.version)
    else:
        verdict = candidates[0] if candidates else None
    if verdict is None or verdict.revision is None:
        known = ", ".join(v.revision.version for v in candidates if v.revision) or "none"
        raise NotVerifiedHere(f"({ask.version or 'nothing to go back to'}; there are: {known})")
    revision = verdict.revision
    trailers = replace(
        base,
        app=revision.app,
        version=revision.version,
        digest=revision.digest,
        config=revision.config,
        prev=prev_of(state, ask.environment, ask.instance),
        request_class=RequestClass.ROLLBACK,
    )
    return replace(ask, version=revision.version), trailers


def _free_name(ask: Ask, taken: AbstractSet[str]) -> TagName:
    """The first attempt whose name nobody used."""
    for attempt in range(1, 100_000):
        many = ask.instance.startswith(SET_MARK)
        name = TagName(
            verb=ask.verb,
            environment=ask.environment,
            instance="" if many else ask.instance,
            set_id=ask.instance.removeprefix(SET_MARK) if many else "",
            version=ask.version,
            attempt=attempt,
        )
        if format_name(name) not in taken:
            return name
    raise TagRefused("(all attempts are taken)")
