"""The HTTP interface on the real application and a real database."""

from typing import Any

import httpx
import pytest

from contracts.holds import QuotaGranted
from quota.consume import consumer
from testbed.bench import Bench

ACCOUNT = {"party_id": "party", "currency": "CNY"}


async def answered(response: httpx.Response, status: int = 200) -> Any:
    assert response.status_code == status, response.text
    return response.json()


async def test_an_account_begins_with_nothing(client: httpx.AsyncClient) -> None:
    view = await answered(await client.put("/accounts/dealer", json=ACCOUNT))
    assert view == await answered(await client.get("/accounts/dealer"))
    assert (view["available_minor"], view["policy"], view["waiting_orders"]) == (0, "strict", 0)


async def test_party_and_currency_of_an_account_stay(client: httpx.AsyncClient) -> None:
    await client.put("/accounts/dealer", json=ACCOUNT)
    changed = await client.put("/accounts/dealer", json={**ACCOUNT, "currency": "USD"})
    await answered(changed, 409)
    policy = {**ACCOUNT, "policy": "skip-to-fit", "skips_max": 3, "wait_hours": 24}
    view = await answered(await client.put("/accounts/dealer", json=policy))
    assert (view["policy"], view["skips_max"], view["wait_hours"]) == ("skip-to-fit", 3, 24)


@pytest.mark.parametrize(
    "body",
    [
        {**ACCOUNT, "currency": "RMB"},
        {**ACCOUNT, "skips_max": 3},
        {**ACCOUNT, "policy": "skip-to-fit"},
        {**ACCOUNT, "settled_minor": 5},
        {**ACCOUNT, "wait_hours": "72"},
    ],
)
async def test_a_wrong_account_is_refused(client: httpx.AsyncClient, body: object) -> None:
    await answered(await client.put("/accounts/dealer", json=body), 422)
    await answered(await client.get("/accounts/dealer"), 404)


async def test_thousands_of_accounts_and_limits_at_once(client: httpx.AsyncClient) -> None:
    names = [f"dealer-{number:04}" for number in range(3_000)]
    accounts = [{**ACCOUNT, "account_id": name} for name in names]
    await answered(await client.put("/accounts", json={"accounts": accounts}))
    await answered(await client.put("/accounts", json={"accounts": accounts}))
    limits = [{"account_id": name, "limit_id": "l", "amount_minor": 7} for name in names]
    done = await answered(await client.post("/limits", json={"limits": limits}))
    assert len(done["limits"]) == 3_000
    page = await answered(await client.get("/accounts", params={"limit": 200}))
    following = await client.get("/accounts", params={"limit": 1, "after": page["next"]})
    (view,) = (await answered(following))["items"]
    assert (view["account_id"], view["available_minor"]) == ("dealer-0200", 7)


async def test_a_list_is_taken_whole_or_not_at_all(client: httpx.AsyncClient) -> None:
    await client.put("/accounts/known", json=ACCOUNT)
    top_ups = [
        {"account_id": name, "top_up_id": "t", "amount_minor": 5} for name in ("known", "unknown")
    ]
    await answered(await client.post("/top-ups", json={"top_ups": top_ups}), 404)
    view = await answered(await client.get("/accounts/known"))
    assert view["settled_minor"] == 0


async def test_a_top_up_counts_once(client: httpx.AsyncClient) -> None:
    await client.put("/accounts/dealer", json=ACCOUNT)
    body = {"top_up_id": "t-1", "amount_minor": 500}
    first = await answered(await client.post("/accounts/dealer/top-ups", json=body))
    assert first == await answered(await client.post("/accounts/dealer/top-ups", json=body))
    other = await client.post("/accounts/dealer/top-ups", json={**body, "amount_minor": 501})
    await answered(other, 409)
    view = await answered(await client.get("/accounts/dealer"))
    assert (view["settled_minor"], view["available_minor"]) == (500, 500)


async def test_a_limit_sent_again_is_the_same_limit(client: httpx.AsyncClient) -> None:
    await client.put("/accounts/dealer", json=ACCOUNT)
    body = {"limit_id": "l-1", "amount_minor": 900}
    first = await answered(await client.post("/accounts/dealer/limits", json=body))
    assert first == await answered(await client.post("/accounts/dealer/limits", json=body))
    other = await client.post("/accounts/dealer/limits", json={**body, "amount_minor": 901})
    await answered(other, 409)
    page = await answered(await client.get("/accounts/dealer/limits"))
    assert [limit["limit_id"] for limit in page["items"]] == ["l-1"]


async def test_what_waits_goes_on_when_money_comes(
    client: httpx.AsyncClient, apply: Bench, facts: Any, open_account: Any
) -> None:
    await open_account(limit_minor=0)
    await apply(consumer, [facts.order("b", 2), facts.order("a", 1), facts.order("c", 9)])
    page = await answered(await client.get("/accounts/dealer/waiting", params={"limit": 2}))
    assert [each["order_id"] for each in page["items"]] == ["a", "b"]
    rest = await client.get("/accounts/dealer/waiting", params={"after": page["next"]})
    assert [each["order_id"] for each in (await answered(rest))["items"]] == ["c"]
    body = {"top_up_id": "t", "amount_minor": 350}
    await answered(await client.post("/accounts/dealer/top-ups", json=body))
    granted = [event for event in await apply.outgoing() if isinstance(event, QuotaGranted)]
    assert {event.order_id for event in granted} == {"a", "b"}
    view = await answered(await client.get("/accounts/dealer"))
    assert (view["held_minor"], view["waiting_orders"], view["waiting_minor"]) == (300, 1, 900)


async def test_a_blocked_account_says_so_and_opens_again(
    client: httpx.AsyncClient, apply: Bench, facts: Any, open_account: Any
) -> None:
    await open_account()
    view = await answered(await client.post("/accounts/dealer/block", json={"reason": "overdue"}))
    assert view["blocked"] is True
    await apply(consumer, [facts.order("a", 1)])
    hold = await answered(await client.get("/orders/a/hold"))
    assert (hold["state"], hold["granted_at"]) == ("waiting", None)
    await client.post("/accounts/dealer/unblock", json={"reason": "paid"})
    hold = await answered(await client.get("/orders/a/hold"))
    assert (hold["state"], hold["open_minor"], hold["limit_minor"]) == ("held", 100, 1_000)
    page = await answered(await client.get("/accounts/dealer/entries"))
    kinds = [(entry["kind"], entry["cause_id"]) for entry in page["items"]]
    assert kinds == [("hold", "a"), ("unblock", "paid"), ("block", "overdue"), ("limit", "first")]


async def test_unknown_things_are_404(client: httpx.AsyncClient) -> None:
    body = {"limit_id": "l", "amount_minor": 1}
    await answered(await client.post("/accounts/ghost/limits", json=body), 404)
    await answered(await client.get("/accounts/ghost/entries"), 404)
    await answered(await client.get("/orders/ghost/hold"), 404)
    await answered(await client.post("/accounts/ghost/block", json={"reason": "x"}), 404)
