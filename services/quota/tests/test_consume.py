"""Batches against a real database: grants, facts in any order, limits that move."""

from typing import Any

import httpx
from msgspec.structs import replace

from backbone import Database
from contracts.holds import (
    QuotaCaptured,
    QuotaGranted,
    QuotaRefused,
    QuotaReleased,
    QuotaReversed,
    RefusalReason,
)
from contracts.values import LineUnits
from quota import store
from quota.consume import consumer
from quota.model import Account
from testbed.bench import Bench
from testbed.clock import Clock


async def account(database: Database, clock: Clock) -> Account:
    async with database.transaction() as tx:
        standing = await store.find_standing(tx, "dealer", clock())
    assert standing is not None
    return standing.account


async def test_an_order_is_held_captured_released_and_reversed(
    apply: Bench, facts: Any, open_account: Any, database: Database, clock: Clock
) -> None:
    await open_account()
    (granted,) = await apply(consumer, [facts.order("a", 5)])
    assert isinstance(granted, QuotaGranted)
    (captured,) = await apply(consumer, [facts.shipped("a", 2)])
    assert isinstance(captured, QuotaCaptured)
    assert (captured.hold_id, captured.amount_minor) == (granted.hold_id, 200)
    (released,) = await apply(consumer, [facts.unroutable("a", 1)])
    assert isinstance(released, QuotaReleased)
    assert released.cause_id == "decision-a"
    (reversed_,) = await apply(consumer, [facts.returned("a", 1)])
    assert isinstance(reversed_, QuotaReversed)
    now = await account(database, clock)
    assert (now.settled_minor, now.held_minor, now.available_minor) == (-100, 200, 700)


async def test_a_batch_of_everything_comes_to_the_same(
    apply: Bench, facts: Any, open_account: Any, database: Database, clock: Clock
) -> None:
    await open_account()
    batch = [
        *(facts.order("a", 5), facts.order("b", 5), facts.order("c", 1)),
        *(facts.shipped("a", 2), facts.unroutable("a", 1), facts.cancelled("b", 5)),
        facts.returned("a", 1),
    ]
    events = await apply(consumer, batch)
    assert {event.order_id for event in events if isinstance(event, QuotaGranted)} == {
        *("a", "b", "c")
    }
    now = await account(database, clock)
    assert (now.settled_minor, now.held_minor) == (-100, 300)


async def test_an_order_waits_for_its_account(apply: Bench, facts: Any, open_account: Any) -> None:
    assert not await apply(consumer, [facts.order("a", 1), facts.cancelled("a", 1)])
    assert sorted(await apply.parked()) == ["account:dealer", "order:a"]
    await open_account()
    events = await apply.sweep(consumer)
    assert isinstance(events[0], QuotaGranted)
    assert isinstance((await apply.sweep(consumer) or events)[-1], QuotaReleased)
    assert not await apply.parked()


async def test_an_order_in_another_currency_waits_visibly(
    apply: Bench, facts: Any, client: httpx.AsyncClient
) -> None:
    await client.put("/accounts/dealer", json={"party_id": "party", "currency": "USD"})
    await apply(consumer, [facts.order("a", 1)])
    assert await apply.parked() == ["account:dealer@CNY"]


async def test_a_shipment_before_its_order_is_applied_after_it(
    apply: Bench, facts: Any, open_account: Any
) -> None:
    await open_account()
    assert not await apply(consumer, [facts.shipped("a", 2)])
    events = await apply(consumer, [facts.order("a", 2)])
    events += await apply.sweep(consumer)
    assert [type(event) for event in events] == [QuotaGranted, QuotaCaptured]


async def test_a_cancellation_before_its_order_leaves_nothing_held(
    apply: Bench, facts: Any, open_account: Any, database: Database, clock: Clock
) -> None:
    await open_account()
    await apply(consumer, [facts.cancelled("a", 2)])
    await apply(consumer, [facts.order("a", 2)])
    await apply.sweep(consumer)
    assert (await account(database, clock)).held_minor == 0


async def test_a_cancelled_waiting_order_lets_the_next_go_on(
    apply: Bench, facts: Any, open_account: Any
) -> None:
    await open_account()
    refused = await apply(consumer, [facts.order("a", 11), facts.order("b", 1)])
    reasons = {each.order_id: each.reason for each in refused if isinstance(each, QuotaRefused)}
    assert reasons == {"a": RefusalReason.OVER_LIMIT, "b": RefusalReason.QUEUED}
    (granted,) = await apply(consumer, [facts.cancelled("a", 11)])
    assert isinstance(granted, QuotaGranted)
    assert granted.order_id == "b"


async def test_an_order_without_an_account_is_granted_and_followed(
    apply: Bench, facts: Any, client: httpx.AsyncClient
) -> None:
    (granted,) = await apply(consumer, [facts.order("a", 3, account_id=None)])
    assert isinstance(granted, QuotaGranted)
    assert (granted.account_id, granted.amount_minor) == (None, 0)
    assert not await apply(consumer, [facts.shipped("a", 2), facts.returned("a", 1)])
    hold = (await client.get("/orders/a/hold")).json()
    assert hold["lines"][0]["captured_units"] == 2
    assert hold["lines"][0]["reversed_units"] == 1


async def test_a_limit_covers_the_usual_one_while_it_is_in_force(
    apply: Bench, facts: Any, open_account: Any, client: httpx.AsyncClient, clock: Clock
) -> None:
    await open_account(limit_minor=100)
    begin = clock.now
    campaign = {
        "limit_id": "campaign",
        "amount_minor": 300,
        "valid_from": begin.isoformat(),
        "valid_to": clock.advance(days=1).isoformat(),
    }
    clock.now = begin
    answer = await client.post("/accounts/dealer/limits", json=campaign)
    assert answer.status_code == 200, answer.text
    assert isinstance((await apply(consumer, [facts.order("a", 3)]))[0], QuotaGranted)
    clock.advance(days=1)
    (refused,) = await apply(consumer, [facts.order("b", 1)])
    assert isinstance(refused, QuotaRefused)
    assert refused.shortfall_minor == 300
    (captured,) = await apply(consumer, [facts.shipped("a", 3)])
    assert isinstance(captured, QuotaCaptured)


async def test_a_fact_about_a_line_that_is_not_there_is_a_dead_letter(
    apply: Bench, facts: Any, open_account: Any
) -> None:
    await open_account()
    await apply(consumer, [facts.order("a", 1), facts.order("b", 1)])
    lines = (LineUnits(line_id="7", quantity_units=1),)
    wrong = replace(facts.shipped("a", 1), lines=lines)
    (captured,) = await apply(consumer, [wrong, facts.shipped("b", 1)], dead_count=1)
    assert isinstance(captured, QuotaCaptured)
    assert captured.order_id == "b"
