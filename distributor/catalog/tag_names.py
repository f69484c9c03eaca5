"""The names of requests: ``promote/uat/shop/1.4.2`` <-> TagName, inverse of each other."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from distributor.catalog.names import LONGEST_VERSION
from distributor.catalog.ref_rules import check_ref
from distributor.catalog.walking import printable
from distributor.errors import Where
from distributor.errors.policy import BadTagName
from distributor.model.findings import Finding
from distributor.model.fleet import ALL
from distributor.model.refs import is_label
from distributor.model.tags import SWITCHES, TagName, Verb
from distributor.model.versions import Version

DO = "do"
"""The first part of the names of switches."""
_ATTEMPT = re.compile(r"(?P<rest>.+)_(?P<attempt>[1-9][0-9]{0,8})")
_PRINCIPAL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*(?:@[A-Za-z0-9][A-Za-z0-9.-]*)?")
_LONGEST_PRINCIPAL = 200
_SHOWN = 120


class _BadName(ValueError):
    """The name does not follow the grammar."""


def concerns(short_ref: str) -> bool:
    """Whether a tag's name claims to be a request; others, such as ``v1.0``, are nobody's business."""
    return short_ref.split("/", 1)[0] in _GRAMMAR


def parse_name(short_ref: str) -> TagName | Finding:
    """Read a tag's name, without ``refs/tags/``."""
    reason = check_ref(short_ref)
    if not reason:
        verb, *parts = short_ref.split("/")
        rule = _GRAMMAR.get(verb)
        if rule is None:
            reason = f"{verb!r} is no verb that tags begin with"
        else:
            try:
                return rule(Verb.HOLD if verb == DO else Verb(verb), parts)
            except _BadName as error:
                reason = str(error)
    shown = printable(short_ref[:_SHOWN])
    return Finding.of(BadTagName, f"{shown!r}: {reason}.", Where(file=shown))


def format_name(name: TagName) -> str:
    """Write a tag's name; raises ``BadTagName`` where it would not read back as the same."""
    text = _write(name)
    found = parse_name(text)
    if found != name:
        detail = found.message if isinstance(found, Finding) else f"{text!r} means something else."
        raise BadTagName(detail)
    return text


def _write(name: TagName) -> str:
    environment, instance = name.environment, name.instance
    numbered = f"_{name.attempt}"
    repeated = numbered if name.attempt > 1 else ""
    match name.verb:
        case Verb.PROMOTE if name.set_id:
            return f"promote/{environment}/@{name.set_id}"
        case Verb.APPROVE:
            again = f"_{name.principal_attempt}" if name.principal_attempt > 1 else ""
            what = f"@{name.set_id}" if name.set_id else f"{instance}/{name.version}{repeated}"
            return f"approve/{environment}/{what}/{name.principal}{again}"
        case Verb.PROMOTE | Verb.REJECT | Verb.UNREJECT:
            return f"{name.verb}/{environment}/{instance}/{name.version}{repeated}"
        case Verb.ROLLBACK:
            return f"rollback/{environment}/{instance}/{name.version}{numbered}"
        case Verb.REMOVE | Verb.RETIRE:
            return f"{name.verb}/{environment}/{instance}{numbered}"
        case _:
            where = f"@{name.set_id}" if name.set_id else instance
            return f"{DO}/{environment}/{where}/{name.verb}{numbered}"


def _promote(verb: Verb, parts: Sequence[str]) -> TagName:
    _count(parts, 3)
    environment, instance, last = parts
    if instance.startswith("@"):
        return TagName(verb=verb, environment=_name(environment), set_id=_set(instance, last))
    version, attempt = _repeated(last)
    return TagName(
        verb=verb,
        environment=_name(environment),
        instance=_name(instance),
        version=_version(version),
        attempt=attempt,
    )


def _approve(verb: Verb, parts: Sequence[str]) -> TagName:
    _count(parts, 4)
    environment, instance, what, who = parts
    principal, again = _repeated(who)
    if not _PRINCIPAL.fullmatch(principal) or len(principal) > _LONGEST_PRINCIPAL:
        raise _BadName(f"{principal[:_SHOWN]!r} is no principal")
    if instance.startswith("@"):
        return TagName(
            verb=verb,
            environment=_name(environment),
            set_id=_set(instance, what),
            principal=principal,
            principal_attempt=again,
        )
    version, attempt = _repeated(what)
    return TagName(
        verb=verb,
        environment=_name(environment),
        instance=_name(instance),
        version=_version(version),
        attempt=attempt,
        principal=principal,
        principal_attempt=again,
    )


def _veto(verb: Verb, parts: Sequence[str]) -> TagName:
    _count(parts, 3)
    environment, app, last = parts
    version, attempt = _repeated(last)
    return TagName(
        verb=verb,
        environment=_name(environment, reserved=True),
        instance=_name(app),
        version=_version(version),
        attempt=attempt,
    )


def _rollback(verb: Verb, parts: Sequence[str]) -> TagName:
    _count(parts, 3)
    environment, instance, last = parts
    version, attempt = _numbered(last)
    return TagName(
        verb=verb,
        environment=_name(environment),
        instance=_name(instance),
        version=_version(version),
        attempt=attempt,
    )


def _leave(verb: Verb, parts: Sequence[str]) -> TagName:
    _count(parts, 2)
    environment, last = parts
    instance, attempt = _numbered(last)
    return TagName(
        verb=verb, environment=_name(environment), instance=_name(instance), attempt=attempt
    )


def _switch(_: Verb, parts: Sequence[str]) -> TagName:
    _count(parts, 3)
    environment, instance, last = parts
    word, attempt = _numbered(last)
    verb = next((v for v in SWITCHES if v == word), None)
    if verb is None:
        raise _BadName(f"{word!r} is no switch; there are {', '.join(sorted(SWITCHES))}")
    one = not instance.startswith("@")
    return TagName(
        verb=verb,
        environment=_name(environment, reserved=True),
        instance=_name(instance, reserved=True) if one else "",
        set_id="" if one else _name(instance[1:]),
        attempt=attempt,
    )


_GRAMMAR: dict[str, Callable[[Verb, Sequence[str]], TagName]] = {
    "promote": _promote,
    "approve": _approve,
    "reject": _veto,
    "unreject": _veto,
    "rollback": _rollback,
    "remove": _leave,
    "retire": _leave,
    DO: _switch,
}


def _count(parts: Sequence[str], wanted: int) -> None:
    if len(parts) != wanted:
        raise _BadName(f"it has {len(parts) + 1} parts instead of {wanted + 1}")


def _name(text: str, *, reserved: bool = False) -> str:
    if not is_label(text):
        raise _BadName(f"{text!r} is no RFC 1123 label")
    if text == ALL and not reserved:
        raise _BadName(f"{ALL!r} cannot stand there")
    return text


def _set(name: str, request: str) -> str:
    return f"{_name(name[1:])}/{_name(request)}"


def _version(text: str) -> str:
    try:
        version = Version.parse(text)
    except ValueError as error:
        raise _BadName(str(error)) from error
    if len(text) > LONGEST_VERSION:
        raise _BadName(f"a version has at most {LONGEST_VERSION} characters")
    return str(version)


def _repeated(text: str) -> tuple[str, int]:
    """A part with an attempt from 2 upwards; the first attempt carries no number."""
    match = _ATTEMPT.fullmatch(text)
    if match is None:
        return text, 1
    if match["attempt"] == "1":
        raise _BadName(f"{text!r}: the first attempt carries no number")
    return match["rest"], int(match["attempt"])


def _numbered(text: str) -> tuple[str, int]:
    """A part with an attempt that must be there."""
    match = _ATTEMPT.fullmatch(text)
    if match is None:
        raise _BadName(f"{text!r} must end with _1, _2 ...")
    return match["rest"], int(match["attempt"])
