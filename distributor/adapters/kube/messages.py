"""Requests and answers as values: what is sent, and what an API server's answer means. No I/O."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson

from distributor.errors import DistributorError
from distributor.errors.cluster import (
    ApiRefused,
    BrokenAnswer,
    CredentialsRefused,
    DeletePending,
    FieldConflict,
    ImmutableField,
    ServerFault,
    Throttled,
    Unauthorised,
)

JSON = "application/json"
APPLY = "application/apply-patch+yaml"  # JSON is YAML: the body stays JSON
JSON_PATCH = "application/json-patch+json"
METADATA_ONLY = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json"
METADATA_LIST = METADATA_ONLY.replace("PartialObjectMetadata", "PartialObjectMetadataList")
NAMES = f"application/json;as=Table;g=meta.k8s.io;v=v1,{METADATA_LIST}"
"""A table, as people are shown it; with ``includeObject=None`` hardly more than names."""

OK, MULTIPLE_CHOICES = 200, 300
UNAUTHORISED, FORBIDDEN, NOT_FOUND, CONFLICT, GONE = 401, 403, 404, 409, 410
NOT_ALLOWED = 405
INVALID, TOO_MANY, FAULT, STARTING = 422, 429, 500, 503
CREATED = 201
_SHOWN, _SHOWN_OF_DENIALS = 300, 1200
_IMMUTABLE = ("immutable", "updates to ", "may not change once set", "cannot change ")
_HOLDER = re.compile(r'conflict with "([^"]*)"')
_AUTOSCALER = 'conflict with "kube-controller-manager" with subresource "scale"'
"""How a conflict names a HorizontalPodAutoscaler: it alone writes ``scale`` in the controllers' name."""
_DENIAL = re.compile(
    r"""admission webhook "[^"]*" denied the request"""
    r"""|ValidatingAdmissionPolicy '[^']*' with binding '[^']*' denied request"""
)
_DENIED = (
    "The cluster's own rules refuse it: mend the object, or ask whoever keeps the rule that the message names. "
    "It is tried again."
)
_MALFORMED = re.compile(
    r"failed to create typed patch object \([^)]*\): (?:errors:)?(?P<typed>.*)"
    r"|failed to convert new object \([^)]*\) to proper version: (?!conversion webhook)(?P<converted>.*)",
    re.DOTALL,
)
"""How a server-side apply words what does not fit the kind's schema: as a fault of its own, but for ever."""
_VALUE = re.compile(r"&value\.valueUnstructured\{.*?\}+$", re.MULTILINE | re.DOTALL)
_TOO_LARGE = re.compile(
    r"etcdserver: request is too large|rpc error: code = ResourceExhausted desc = trying to send message larger"
)
_LARGEST = 3 * 2**20
"""The most bytes that an API server takes: it answers nothing that can be read in time to more."""
_SMALLER = "Make it smaller or split it: the cluster's store takes about 1.5 MiB an object."
_MISTAKABLE = frozenset({UNAUTHORISED, NOT_FOUND, CONFLICT, GONE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request; ``path`` is percent-encoded already."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    content_type: str = JSON
    accept: str = JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One answer, read to its end."""

    status: int
    body: bytes
    retry_after: float | None = None
    date: datetime | None = None
    """The server's own time, to which the times in its objects belong."""

    @property
    def good(self) -> bool:
        """Whether the server did it."""
        return OK <= self.status < MULTIPLE_CHOICES

    @property
    def of_everybody(self) -> bool:
        """Whether a refusal is not of this request alone: filters before the API answer without a ``Status``."""
        return (_json(self.body) or {}).get("kind") != "Status"

    def object(self, what: str) -> dict[str, Any]:
        """The JSON object of a good answer; raises the coded error of any other."""
        if not self.good:
            raise error_of(self, what)
        value = _json(self.body)
        if value is None:
            raise BrokenAnswer(f"{what}: it is not a JSON object ({len(self.body)} bytes).")
        return value


def meant(status: int, body: bytes) -> int:
    """The status to go by: a webhook may refuse with any code, also with one that says something else here.

    Taken at its word, a refused deletion would be an object that is gone, or credentials that expired.
    """
    if status not in _MISTAKABLE:
        return status
    return FORBIDDEN if _is_denial(_json(body) or {}) else status


def _is_denial(status: Mapping[str, Any]) -> bool:
    message = status.get("message")
    return isinstance(message, str) and _DENIAL.search(message) is not None


def _json(body: bytes) -> dict[str, Any] | None:
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return value if isinstance(value, dict) else None


def error_of(answer: Answer, what: str) -> DistributorError:
    """The coded error that says what a bad answer says (``metav1.Status``)."""
    status = _json(answer.body) or {}
    text = f"{what}: {_shown(status) or f'HTTP {answer.status}'}"
    match answer.status:
        case code if code == TOO_MANY:
            return Throttled(text)
        case code if code >= FAULT:
            return _fault(status, text, what)
        case code if status.get("kind") != "Status" and code != UNAUTHORISED:
            return BrokenAnswer(f"{what}: HTTP {code} without a Status.")
        case code if code == UNAUTHORISED:
            return CredentialsRefused(text)
        case code if code == FORBIDDEN or _is_denial(status):
            return _forbidden(status, text)
        case code if code == CONFLICT:
            return _conflict(status, text, what)
        case code if code == INVALID:
            return _invalid(status, text, what)
        case _:
            return ApiRefused(text)


def causes(status: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The causes of a ``Status``."""
    details = status.get("details")
    found = details.get("causes") if isinstance(details, Mapping) else None
    return [c for c in found if isinstance(c, dict)] if isinstance(found, list) else []


def autoscaled(answer: Answer) -> bool:
    """Whether an apply was refused for the number of replicas that an autoscaler has set, if not for that alone."""
    found = causes(_json(answer.body) or {}) if answer.status == CONFLICT else []
    return any(
        c.get("field") == ".spec.replicas" and str(c.get("message", "")).startswith(_AUTOSCALER)
        for c in found
    )


def holders(answer: Answer) -> frozenset[str]:
    """The managers that a refused apply is in conflict with; empty where it was refused for anything else."""
    found = causes(_json(answer.body) or {}) if answer.status == CONFLICT else []
    owned = [c for c in found if c.get("reason") == "FieldManagerConflict"]
    named = [_HOLDER.match(str(c.get("message", ""))) for c in owned]
    return frozenset(match.group(1) for match in named if match) if all(named) else frozenset()


def missing_namespace(answer: Answer) -> str:
    """The namespace whose absence made a 404, or nothing."""
    details = (_json(answer.body) or {}).get("details")
    if not isinstance(details, Mapping) or details.get("kind") != "namespaces":
        return ""
    return str(details.get("name", ""))


def lacks(answer: Answer, name: str) -> bool:
    """Whether a 404 is of another object than that of this name: of one that this one needs."""
    details = (_json(answer.body) or {}).get("details")
    return isinstance(details, Mapping) and details.get("name") not in (None, "", name)


def denied(answer: Answer) -> bool:
    """Whether access control refused."""
    status = _json(answer.body) if answer.status == FORBIDDEN else None
    return status is not None and _names_the_user(str(status.get("message", "")))


def _names_the_user(text: str) -> bool:
    """Admission and access control share one reason; only access control names the user."""
    return 'User "' in text and " cannot " in text


def proves_absence(answer: Answer, name: str) -> bool:
    """Whether a 404 is of the object of this name, and not of a path that is not served (any more)."""
    details = (_json(answer.body) or {}).get("details")
    return isinstance(details, Mapping) and details.get("name") == name


def checked(body: bytes, what: str) -> bytes:
    """The body of a write; raises ``ApiRefused`` for one that every API server cuts off."""
    if len(body) > _LARGEST:
        raise ApiRefused(f"{what}: it has {len(body)} bytes.", remedy=_SMALLER)
    return body


def malformed(answer: Answer) -> bool:
    """Whether an apply was refused because the object does not fit the schema that the server goes by now."""
    message = (_json(answer.body) or {}).get("message") if answer.status == FAULT else None
    return isinstance(message, str) and _MALFORMED.match(message) is not None


def _fault(status: Mapping[str, Any], text: str, what: str) -> DistributorError:
    """A server's fault, unless it is the object's: then it answers the same for ever."""
    message = str(status.get("message", ""))
    if found := _MALFORMED.match(message):
        lines = _VALUE.sub(
            "something else", found["typed"] or found["converted"] or ""
        ).splitlines()
        told = "; ".join(line.strip().removeprefix(".") for line in lines if line.strip())
        return ApiRefused(f"{what}: {_short(told)}")
    return ApiRefused(text, remedy=_SMALLER) if _TOO_LARGE.match(message) else ServerFault(text)


def _forbidden(status: Mapping[str, Any], text: str) -> DistributorError:
    if any(c.get("reason") == "NamespaceTerminating" for c in causes(status)):
        return DeletePending(text)
    # Admission and access control share one reason; only access control names the user. Words of webhooks
    # and policies are not the API server's, and mean nothing here.
    if _names_the_user(text) and not _is_denial(status):
        return Unauthorised(text)
    return ApiRefused(text, remedy=_DENIED)


def _conflict(status: Mapping[str, Any], text: str, what: str) -> DistributorError:
    owned = [c for c in causes(status) if c.get("reason") == "FieldManagerConflict"]
    if owned:
        return FieldConflict(f"{what}: {_lines(owned)}")
    return ServerFault(text)  # a race that the next try does not see


def _invalid(status: Mapping[str, Any], text: str, what: str) -> DistributorError:
    found = causes(status)
    detail = f"{what}: {_lines(found)}" if found else text
    # Immutable fields have no reason of their own in the API, only these words.
    words = " ".join(str(c.get("message", "")) for c in found).lower() or text.lower()
    if any(known in words for known in _IMMUTABLE):
        return ImmutableField(detail)
    return ApiRefused(detail)


def _lines(found: Iterable[Mapping[str, Any]]) -> str:
    return "; ".join(
        f"{c.get('field', '')}: {_short(str(c.get('message', '')))}".removeprefix(": ")
        for c in found
    )


def _short(text: str, most: int = _SHOWN) -> str:
    """Both ends of a long message: it names the value first, and what is wrong with it last."""
    half = most // 2
    return text if len(text) <= most else f"{text[:half]} ... {text[-half:]}"


def _shown(status: Mapping[str, Any]) -> str:
    message = status.get("message")
    most = _SHOWN_OF_DENIALS if _is_denial(status) else _SHOWN
    return _short(message, most) if isinstance(message, str) else ""
