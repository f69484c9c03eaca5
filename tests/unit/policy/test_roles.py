"""Roles: who may do what, where."""

from __future__ import annotations

import pytest

from distributor.model.policy import Role
from distributor.model.tags import RequestClass
from distributor.policy import is_service, may
from distributor.policy.roles import may_everywhere
from tests.unit.policy.facts import ADA, BOB, SERVICE, role

WHERE = ("promote", "uat", "shop")


@pytest.mark.parametrize(
    ("given", "who", "allowed"),
    [
        (role(ADA, "promote"), ADA, True),
        (role(ADA, "promote"), BOB, False),
        (role(ADA, "rollback"), ADA, False),
        (role(ADA, "*"), ADA, True),
        (role("*", "*"), BOB, True),
        (role("*", "*"), "anonymous", False),
        (role("*", "*"), "", False),
        (role("anonymous", "promote"), "anonymous", True),
        (role(ADA, "promote", environments=("uat", "prd")), ADA, True),
        (role(ADA, "promote", environments=("prd",)), ADA, False),
        (role(ADA, "promote", environments=()), ADA, False),
        (role(ADA, "promote", apps=("shop",)), ADA, True),
        (role(ADA, "promote", apps=("iot",)), ADA, False),
        (role(ADA, "promote", classes=("normal",)), ADA, True),
        (role(ADA, "promote", classes=("hotfix",)), ADA, False),
        (role(ADA.upper(), "promote"), ADA, False),
        (role("*@example.org", "promote"), ADA, False),
    ],
)
def test_may(given: Role, who: str, *, allowed: bool) -> None:
    assert may([given], who, *WHERE) is allowed


def test_parts_of_two_roles_do_not_add_up() -> None:
    roles = [role(ADA, "promote", environments=("prd",)), role(ADA, "hold", environments=("uat",))]
    assert not may(roles, ADA, *WHERE)


def test_all_apps_need_a_role_for_all() -> None:
    one = [role(ADA, "hold", apps=("shop", ""))]
    assert not may(one, ADA, "hold", "uat", "")
    assert may([role(ADA, "hold")], ADA, "hold", "uat", "")


@pytest.mark.parametrize(
    ("environments", "allowed"),
    [(("*",), True), (("sit", "uat"), True), (("sit",), False), ((), False)],
)
def test_everywhere_is_a_star_or_every_name(
    environments: tuple[str, ...], *, allowed: bool
) -> None:
    roles = [role(ADA, "reject", environments=environments)]
    assert may_everywhere(roles, ADA, "reject", ("sit", "uat"), "shop") is allowed


def test_everywhere_of_no_environment_needs_the_star() -> None:
    assert not may_everywhere([role(ADA, "reject", environments=("sit",))], ADA, "reject", (), "x")


def test_a_class_narrows_everywhere_too() -> None:
    roles = [role(ADA, "rollback", classes=("normal",))]
    rollback = RequestClass.ROLLBACK
    assert not may_everywhere(roles, ADA, "rollback", ("sit",), "shop", request_class=rollback)


def test_deciding_is_never_granted_by_a_star() -> None:
    roles = [role(ADA, "*"), role(SERVICE, "promote", "decide")]
    assert is_service(roles, SERVICE)
    assert not is_service(roles, ADA)
    assert may(roles, SERVICE, "decide", "prd", "")
    assert not may(roles, ADA, "decide", "prd", "")
