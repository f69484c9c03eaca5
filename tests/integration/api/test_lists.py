"""What the lists and their items say about a small world, and how they page."""

from __future__ import annotations

import pytest

from distributor.api import paging
from distributor.errors.service import BadRequest

V1 = "/api/v1"
LISTS = {
    "apps": "name",
    "packages": "digest",
    "environments": "name",
    "clusters": "name",
    "installations": ("environment", "instance"),
    "targets": ("environment", "instance", "cluster"),
    "promotions": "ref",
    "history": ("at", "kind", "text"),
}


async def get(api, path, **query):
    answer = await api.get(f"{V1}/{path}", params=query)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/json"
    return answer.json()


def names(items, key):
    keys = (key,) if isinstance(key, str) else key
    return [tuple(item[k] for k in keys) for item in items]


async def walk(api, path, limit, **query):
    """All items of a list, page by page; no page has more than was asked for."""
    found, cursor = [], ""
    while True:
        page = await get(api, path, limit=limit, cursor=cursor, **query)
        assert len(page["items"]) <= limit
        found += page["items"]
        if page["next"] is None:
            return found
        assert page["items"], "a page that is not the last one has items"
        cursor = page["next"]


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize("limit", [1, 2, 3])
async def test_pages_give_every_item_once_in_the_list_s_order(api, path, limit):
    whole = (await get(api, path, limit=1000))["items"]
    assert len(whole) > 2
    assert await walk(api, path, limit) == whole
    assert len(set(names(whole, LISTS[path]))) == len(whole)


@pytest.mark.parametrize("path", [*LISTS, "rollouts"])
async def test_the_end_of_a_list_is_empty_and_has_no_next(api, path):
    newest_first = path in {"promotions", "history"}
    beyond = paging.encode(("",) if newest_first else ("~~~~",))
    assert await get(api, path, cursor=beyond) == {"items": [], "next": None}


async def test_apps_are_cards_with_versions_newest_first(api):
    cards = (await get(api, "apps"))["items"]
    assert names(cards, "name") == sorted(names(cards, "name"))
    shop = await get(api, "apps/shop")
    assert shop in cards
    assert shop["versions"] == ["1.5.0", "1.4.2", "1.4.1"]
    assert shop["summary"]
    assert shop["owner"]


async def test_apps_are_found_by_words_and_category(api):
    assert names((await get(api, "apps", q="IIS"))["items"], "name") == [("iis-site",)]
    assert (await get(api, "apps", q="iis nonsense"))["items"] == []
    mesh = (await get(api, "apps", category="mesh"))["items"]
    assert mesh
    assert all("mesh" in card["categories"] for card in mesh)


async def test_packages_say_what_they_need_and_what_they_can_be_told(api):
    shops = (await get(api, "packages", app="shop"))["items"]
    assert [card["version"] for card in shops] == ["1.4.1", "1.4.2", "1.5.0"]
    detail = await get(api, "packages/iis-site/1.0.0")
    assert detail["fits"]["os"] == ["windows"]
    assert detail["digest"].startswith("sha256:")
    assert {"values_schema", "defaults", "bind", "topology"} <= set(detail)


async def test_environments_come_in_pipeline_order(api):
    cards = (await get(api, "environments"))["items"]
    assert [card["name"] for card in cards][:3] == ["sit", "uat", "pre"]
    assert [card["position"] for card in cards] == list(range(len(cards)))
    assert cards[1]["after"] == ["sit"]
    assert {card["name"]: card["signatures_required"] for card in cards}["uat"]


async def test_an_environment_counts_what_stands_how(api):
    rollup = (await get(api, "environments/sit"))["rollup"]
    running = (await get(api, "targets", environment="sit"))["items"]
    assert rollup["targets"] == rollup["in_step"] == len(running) > 0
    assert rollup["stages"]["verified"] == 2
    assert sum(rollup["stages"].values()) == rollup["instances"]
    assert rollup["health"] == {"Unknown": len(running)}


async def test_clusters_are_filtered_by_what_they_are(api):
    cards = (await get(api, "clusters", environment="prd", tier="edge"))["items"]
    assert cards
    assert all((c["environment"], c["tier"]) == ("prd", "edge") for c in cards)
    assert (await get(api, "clusters", mode="push"))["items"] == []
    one = await get(api, f"clusters/prd/{cards[0]['name']}")
    assert one == cards[0]


async def test_installations_tell_version_and_stage(api):
    verified = (await get(api, "installations", stage="verified"))["items"]
    assert names(verified, ("environment", "instance", "version")) == [
        ("sit", "iis-site", "1.0.0"),
        ("sit", "quota-profiles", "1.0.0"),
    ]
    one = await get(api, "installations/uat/quota-profiles")
    assert one["stage"] == "not requested"
    assert "gate 2 signature" in one["last_refusal"]
    assert one["targets"] == 0


@pytest.mark.parametrize(
    "query",
    [
        {"environment": "sit"},
        {"instance": "iis-site"},
        {"health": "Unknown"},
        {"in_step": "true"},
        {"environment": "sit", "instance": "quota-profiles", "in_step": "true"},
    ],
)
async def test_targets_are_filtered_on_the_server(api, query):
    everything = (await get(api, "targets"))["items"]
    wanted = {k: v == "true" if k == "in_step" else v for k, v in query.items()}
    expected = [t for t in everything if all(t[k] == v for k, v in wanted.items())]
    assert expected
    assert await walk(api, "targets", 2, **query) == expected


async def test_targets_of_one_cluster(api):
    cluster = (await get(api, "targets"))["items"][0]["cluster"]
    found = (await get(api, "targets", cluster=cluster))["items"]
    assert {t["cluster"] for t in found} == {cluster}
    assert all(t["observed_at"] and t["actuation"] == "applied" for t in found)


async def test_nothing_fits_a_filter_that_nothing_fits(api):
    assert (await get(api, "targets", health="Failed"))["items"] == []
    assert (await get(api, "targets", environment="nowhere"))["items"] == []


async def test_promotions_come_newest_first_with_their_verdicts(api):
    found = (await get(api, "promotions"))["items"]
    times = [p["observed_at"] for p in found]
    assert times == sorted(times, reverse=True)
    refused = (await get(api, "promotions", outcome="refused"))["items"]
    assert names(refused, ("ref", "sequence")) == [("promote/uat/quota-profiles/1.0.0", 0)]
    assert "gate 2 signature" in refused[0]["reasons"][0]


async def test_a_promotion_says_what_every_gate_said_and_how_far_it_came(api):
    found = await get(api, "promotions/promote/sit/quota-profiles/1.0.0")
    assert found["outcome"] == "accepted"
    assert [g["number"] for g in found["gates"]] == sorted(g["number"] for g in found["gates"])
    assert {g["result"] for g in found["gates"]} == {"pass"}
    assert found["progress"]["verified_at"]
    assert set(found["progress"]["targets"]) == set(found["targets"])
    refused = await get(api, "promotions/promote/uat/quota-profiles/1.0.0")
    assert refused["progress"] is None


async def test_history_is_that_of_the_ledger(api):
    told = (await get(api, "history", environment="sit", instance="iis-site"))["items"]
    kinds = [t["kind"] for t in reversed(told)]
    assert kinds[:2] == ["observed", "accepted"]
    assert kinds[-1] == "verified"


async def test_why_gives_one_chain(api):
    found = await get(api, "why/uat/quota-profiles")
    assert not found["ok"]
    assert found["links"][0]["step"] == "request"
    assert any("gate 2 signature" in link["text"] for link in found["links"] if not link["ok"])
    fine = await get(api, "why/sit/iis-site")
    assert fine["ok"]


async def test_explain_knows_every_code_in_any_case(api):
    found = await get(api, "explain/dst301")
    assert found["code"] == "DST301"
    assert found["remedy"] in found["text"]


@pytest.mark.parametrize("cursor", ["nonsense", "é", "e30", "WzFd", "AAAA", "=", "W10=="])
def test_a_cursor_of_somebody_else_is_refused(cursor):
    with pytest.raises(BadRequest):
        paging.decode(cursor)


@pytest.mark.parametrize("key", [("a",), ("a", "b", "c"), ("ü", ""), ("a/b", "x y")])
def test_a_cursor_is_the_key_again(key):
    assert paging.decode(paging.encode(key)) == key
