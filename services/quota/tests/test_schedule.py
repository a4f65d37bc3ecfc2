"""Time as it passes: limits that become valid, waits that end, queues too long for one look."""

from typing import Any

import httpx

from contracts.holds import QuotaExpired, QuotaGranted, QuotaRefused
from quota.consume import consumer
from quota.schedule import schedule
from quota.store.book import QUEUE_FRONT_MAX
from testbed.bench import Bench
from testbed.clock import Clock


async def test_a_limit_is_drained_when_its_day_comes(
    apply: Bench, facts: Any, open_account: Any, client: httpx.AsyncClient, clock: Clock
) -> None:
    await open_account(limit_minor=0)
    await apply(consumer, [facts.order("a", 1), facts.order("b", 2)])
    begin = clock.now
    tomorrow = clock.advance(days=1).isoformat()
    clock.now = begin
    limit = {"limit_id": "next", "amount_minor": 100, "valid_from": tomorrow}
    await client.post("/accounts/dealer/limits", json=limit)
    assert not await apply.tick(schedule)
    clock.advance(days=1)
    (granted,) = await apply.tick(schedule)
    assert isinstance(granted, QuotaGranted)
    assert granted.order_id == "a"
    assert not await apply.tick(schedule)


async def test_a_wait_ends_and_the_next_goes_on(
    apply: Bench, facts: Any, open_account: Any, clock: Clock
) -> None:
    await open_account(limit_minor=100)
    await apply(consumer, [facts.order("a", 2)])
    clock.advance(seconds=3_600)
    await apply(consumer, [facts.order("b", 1)])
    clock.advance(days=3, seconds=-1)
    events = await apply.tick(schedule)
    assert [each.order_id for each in events if isinstance(each, QuotaExpired)] == ["a"]
    assert [each.order_id for each in events if isinstance(each, QuotaGranted)] == ["b"]
    assert not await apply.tick(schedule)


async def test_a_queue_longer_than_one_look_is_drained_in_order(
    apply: Bench, facts: Any, open_account: Any, client: httpx.AsyncClient
) -> None:
    await open_account(limit_minor=0)
    count = QUEUE_FRONT_MAX + 20
    await apply(consumer, [facts.order(f"o{number:03}", 1) for number in range(count)])
    body = {"top_up_id": "t", "amount_minor": (count - 1) * 100}
    await client.post("/accounts/dealer/top-ups", json=body)
    first = await apply.outgoing()
    assert len(first) == QUEUE_FRONT_MAX
    rest = [each for each in await apply.tick(schedule) if isinstance(each, QuotaGranted)]
    assert {each.order_id for each in rest} == {
        f"o{number:03}" for number in range(QUEUE_FRONT_MAX, count - 1)
    }
    waiting = (await client.get("/accounts/dealer/waiting")).json()["items"]
    assert [each["order_id"] for each in waiting] == [f"o{count - 1:03}"]


async def test_an_order_behind_a_long_queue_stays_behind_it(
    apply: Bench, facts: Any, open_account: Any, client: httpx.AsyncClient
) -> None:
    await open_account(limit_minor=0)
    count = 2 * QUEUE_FRONT_MAX + 5
    await apply(consumer, [facts.order(f"o{number:03}", 1) for number in range(count)])
    body = {"top_up_id": "t", "amount_minor": QUEUE_FRONT_MAX * 200}
    await client.post("/accounts/dealer/top-ups", json=body)
    await apply.outgoing()
    events = await apply(consumer, [facts.order("z", 1)])
    refused = [each.order_id for each in events if isinstance(each, QuotaRefused)]
    assert refused == ["z"]
    assert len(events) == QUEUE_FRONT_MAX + 1


async def test_skips_are_bounded_by_the_tick_too(
    apply: Bench, facts: Any, open_account: Any, client: httpx.AsyncClient
) -> None:
    await open_account(limit_minor=0)
    policy = {"party_id": "party", "currency": "CNY", "policy": "skip-to-fit", "skips_max": 1}
    await client.put("/accounts/dealer", json=policy)
    await apply(consumer, [facts.order("a", 5), facts.order("b", 1), facts.order("c", 1)])
    body = {"top_up_id": "t", "amount_minor": 250}
    await client.post("/accounts/dealer/top-ups", json=body)
    (granted,) = await apply.outgoing()
    assert isinstance(granted, QuotaGranted)
    assert granted.order_id == "b"
    assert not await apply.tick(schedule)
