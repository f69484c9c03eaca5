"""What ``distributor plan`` shows of deletions: those that happen, and those that are held back, by what."""

from __future__ import annotations

import pytest

from distributor.cli.planning import document, show
from distributor.model.changes import Action, Change, ChangeSet, InventoryEntry
from distributor.model.consents import Question
from distributor.model.refs import Digest, ObjectRef
from distributor.plan import held_back
from distributor.services.asking.planning import PromotionPlan, TargetPlan

OLD = ObjectRef("", "ConfigMap", "shop", "old")
WEB = ObjectRef("apps", "Deployment", "shop", "web")
KEPT = ObjectRef("", "Secret", "shop", "kept")


def nobody(_asked: Question) -> bool:
    return False


def dropped(ref: ObjectRef, action: Action = Action.PRUNED, **more: object) -> Change:
    entry = InventoryEntry(ref=ref, api_version="v1", digest=Digest(""))
    return Change(ref=ref, action=action, entry=entry, uid="u", **more)


def plan_of(changes: ChangeSet) -> PromotionPlan:
    return PromotionPlan(
        environment="uat",
        instance="shop",
        version="1.1.0",
        revision="",
        rendered=Digest(""),
        cells=1,
        answers=(),
        targets=(TargetPlan(cluster="c1", wave="all", changes=changes),),
    )


def shown(changes: ChangeSet, capsys: pytest.CaptureFixture[str]) -> list[str]:
    show(plan_of(changes))
    _, _, rest = capsys.readouterr().out.partition("\nprune:\n")
    return rest.partition("\n\n")[0].splitlines()


def test_what_is_deleted_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert shown(ChangeSet(changes=(dropped(OLD),)), capsys) == ["  c1: ConfigMap/shop/old"]


def test_what_is_held_back_is_listed_with_what_holds_it(capsys: pytest.CaptureFixture[str]) -> None:
    web = Change(ref=WEB, action=Action.CONFIGURED, conflicts="spec.replicas is owned by someone")
    stays = dropped(KEPT, Action.SKIPPED, releases=True, reason="kept, as its prune policy says")
    changes = held_back(ChangeSet(changes=(web, dropped(OLD), stays)), nobody)
    why = f"goes once {WEB} is as wanted"
    assert shown(changes, capsys) == [f"  c1: ConfigMap/shop/old  (held back: {why})"]
    (target,) = document(plan_of(changes))["targets"]
    assert target["prune"] == []
    assert target["heldBack"] == [{"object": str(OLD), "reason": why}]


def test_nothing_is_said_where_nothing_goes(capsys: pytest.CaptureFixture[str]) -> None:
    show(plan_of(ChangeSet(changes=(Change(ref=WEB, action=Action.CREATED),))))
    assert "prune" not in capsys.readouterr().out
