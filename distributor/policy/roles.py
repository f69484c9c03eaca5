"""Roles: who may do what, where. A request is allowed if one role allows it."""

from __future__ import annotations

from collections.abc import Iterable

from distributor.model.policy import Role
from distributor.model.tags import RequestClass

ANONYMOUS = "anonymous"
"""The principal of every unsigned request; ``*`` in a role means those who sign and never includes it."""
DECIDE = "decide"
"""The verb that belongs to the service: it signs what is decided."""
_ANY = "*"


def may(
    roles: Iterable[Role],
    principal: str,
    verb: str,
    environment: str,
    app: str,
    *,
    request_class: RequestClass = RequestClass.NORMAL,
) -> bool:
    """Whether a role lets ``principal`` do ``verb`` there.

    An empty ``app`` or one named ``*`` means all of them, and needs a role for all apps.
    """
    return any(
        _names(role, principal)
        and (verb in role.may or (_ANY in role.may and verb != DECIDE))
        and (_ANY in role.environments or environment in role.environments)
        and (_ANY in role.apps or (app != "" and app in role.apps))
        and (_ANY in role.classes or request_class.value in role.classes)
        for role in roles
    )


def may_everywhere(
    roles: Iterable[Role],
    principal: str,
    verb: str,
    environments: Iterable[str],
    app: str,
    *,
    request_class: RequestClass = RequestClass.NORMAL,
) -> bool:
    """Whether the principal may do ``verb`` in every environment: by ``*``, or by naming them all."""
    known = tuple(roles)
    if may(known, principal, verb, _ANY, app, request_class=request_class):
        return True
    names = tuple(environments)
    return bool(names) and all(
        may(known, principal, verb, name, app, request_class=request_class) for name in names
    )


def is_service(roles: Iterable[Role], principal: str) -> bool:
    """Whether the principal is the service itself: its requests are automatic, no person's."""
    return any(DECIDE in role.may and _names(role, principal) for role in roles)


def _names(role: Role, principal: str) -> bool:
    if principal in role.principals:
        return True
    return _ANY in role.principals and principal not in ("", ANONYMOUS)
