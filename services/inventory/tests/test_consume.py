"""Batches through the real inbox on a real database: answers, order, atomicity, the ledger."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from inventory_builders import (
    about,
    cancelled,
    conflicted,
    picked,
    rejected,
    returned,
    routed,
    shipped,
    voided,
)

from backbone import Batch, Database, Record
from contracts.availability import AvailabilityChanged
from contracts.event import Event
from contracts.fulfilments import Disposition
from contracts.reservations import ReservedParcel, StockReserved, StockShort
from contracts.values import Grade
from inventory import decide, store
from inventory.consume import consumer, follow_parcels, reserve_stock
from inventory.model import (
    Cause,
    CauseKind,
    Condition,
    Reservation,
    StockKey,
    StockLevel,
    StockLine,
)
from testbed.bench import Bench
from testbed.clock import START

TEA = StockKey("hangzhou", "tea", Condition.SELLABLE)
CUP = StockKey("hangzhou", "cup", Condition.SELLABLE)
UNEXPLAINED = """
SELECT count(*) FROM stock FULL JOIN (
    SELECT node_id, goods_id, condition, count(*) AS version,
        sum(on_hand_delta_units) AS on_hand_units, sum(reserved_delta_units) AS reserved_units,
        sum(missing_delta_units) AS missing_units
    FROM stock_ledger GROUP BY node_id, goods_id, condition
) AS replayed USING (node_id, goods_id, condition)
LEFT JOIN (
    SELECT node_id, goods_id, 'sellable' AS condition, sum(held_units) AS held_units
    FROM reservation GROUP BY node_id, goods_id
) AS held USING (node_id, goods_id, condition)
WHERE (stock.on_hand_units, stock.reserved_units, stock.missing_units, stock.version)
    IS DISTINCT FROM (coalesce(replayed.on_hand_units, 0), coalesce(replayed.reserved_units, 0),
        coalesce(replayed.missing_units, 0), coalesce(replayed.version, 0))
    OR stock.reserved_units <> coalesce(held.held_units, 0)
"""


async def receive(database: Database, **units: int) -> None:
    lines = [StockLine(TEA._replace(goods_id=goods_id), each) for goods_id, each in units.items()]
    async with database.transaction() as tx:
        stock = await store.open_stock(tx, {line.key for line in lines})
        cause = Cause(CauseKind.RECEIPT, "opening")
        await store.save_stock(tx, decide.receive(lines, stock, cause, START), START)


async def stock_of(database: Database, key: StockKey) -> StockLevel:
    async with database.transaction() as tx:
        return (await store.lock_stock(tx, [key]))[key]


async def reservations_of(database: Database, order_id: str) -> list[Reservation]:
    async with database.transaction() as tx:
        return await store.find_reservations(tx, order_id)


async def assert_explained(database: Database) -> None:
    """Check that ledger, stock and reservations say the same."""
    async with database.transaction() as tx:
        assert await tx.fetchval(UNEXPLAINED) == 0


def kinds(events: list[Event]) -> list[str]:
    return sorted(type(event).__name__ for event in events)


async def test_a_plan_is_held_and_what_can_be_promised_is_told(
    database: Database, apply: Bench
) -> None:
    await receive(database, tea=5)
    outgoing = await apply(consumer, [routed("o1", tea=3)])
    assert outgoing == [
        AvailabilityChanged(
            occurred_at=START,
            goods_id="tea",
            node_id="hangzhou",
            available_units=2,
            stock_version=2,
        ),
        StockReserved(
            occurred_at=START,
            order_id="o1",
            attempt=1,
            parcels=(
                ReservedParcel(parcel_id="o1-1", reservation_id=decide.reservation_id("o1-1")),
            ),
        ),
    ]
    assert await stock_of(database, TEA) == StockLevel(5, 3, 0, version=2)
    assert await reservations_of(database, "o1") == [
        Reservation("o1-1", "tea", "o1", 1, "hangzhou", 3)
    ]
    await assert_explained(database)


async def test_of_plans_that_compete_in_a_batch_the_first_wins(
    database: Database, apply: Bench
) -> None:
    await receive(database, tea=5, cup=5)
    plans = [routed(f"o{number}", tea=2, cup=1) for number in range(4)]
    outgoing = await apply(consumer, plans)
    answers = {
        event.order_id: type(event)
        for event in outgoing
        if isinstance(event, StockReserved | StockShort)
    }
    assert list(answers.values()).count(StockReserved) == 2
    changes = [event for event in outgoing if isinstance(event, AvailabilityChanged)]
    assert {(e.goods_id, e.available_units) for e in changes} == {("tea", 1), ("cup", 3)}
    assert len(changes) == 2, "one for each goods and node"
    await assert_explained(database)


async def test_a_plan_voided_before_it_came_holds_nothing_and_is_not_answered(
    database: Database, apply: Bench
) -> None:
    await receive(database, tea=5)
    assert await apply(consumer, [voided("o1", 1)]) == []
    assert await apply(consumer, [routed("o1", tea=3)]) == []
    assert await stock_of(database, TEA) == StockLevel(5, 0, 0, version=1)
    assert kinds(await apply(consumer, [routed("o1", 2, tea=1)])) == [
        "AvailabilityChanged",
        "StockReserved",
    ]


async def test_a_plan_voided_after_it_came_gives_everything_back(
    database: Database, apply: Bench
) -> None:
    await receive(database, tea=5)
    await apply(consumer, [routed("o1", tea=3)])
    (change,) = await apply(consumer, [voided("o1", 1)])
    assert isinstance(change, AvailabilityChanged)
    assert change.available_units == 5
    assert (await reservations_of(database, "o1"))[0].released_units == 3
    await assert_explained(database)


async def test_two_plans_voided_in_one_batch_are_both_given_back(
    database: Database, apply: Bench
) -> None:
    await receive(database, tea=5)
    await apply(consumer, [routed("o1", tea=3), routed("o1", 2, tea=1)])
    await apply(consumer, [voided("o1", 1), voided("o1", 2)])
    assert (await stock_of(database, TEA)).reserved_units == 0
    await assert_explained(database)


@pytest.mark.parametrize("is_void_first", [True, False])
async def test_plan_and_voiding_in_one_batch_end_alike(
    database: Database, apply: Bench, *, is_void_first: bool
) -> None:
    await receive(database, tea=5)
    events: list[Event] = [routed("o1", tea=3), voided("o1", 1)]
    await apply(consumer, events[::-1] if is_void_first else events)
    assert (await stock_of(database, TEA)).available_units == 5
    await assert_explained(database)


def batch_of(event: Event) -> Batch[Any]:
    record = Record(
        event=event,
        event_id=f"event-{type(event).__name__}",
        topic="",
        partition=0,
        sequence=1,
        recorded_at=START,
        traceparent=None,
    )
    return Batch([record], START)


async def test_a_voiding_waits_for_the_plan_that_another_replica_is_applying(
    database: Database,
) -> None:
    async def void() -> None:
        async with database.transaction() as tx:
            await follow_parcels(batch_of(voided("o1", 1)), tx)

    await receive(database, tea=5)
    async with database.transaction() as tx:
        await reserve_stock(batch_of(routed("o1", tea=3)), tx)
        voiding = asyncio.create_task(void())
        done, _ = await asyncio.wait([voiding], timeout=0.2)
        assert not done
    await voiding
    assert (await stock_of(database, TEA)).reserved_units == 0
    await assert_explained(database)


async def test_a_plan_waits_for_the_voiding_that_another_replica_is_applying(
    database: Database,
) -> None:
    async def plan() -> Sequence[Event]:
        async with database.transaction() as tx:
            return await reserve_stock(batch_of(routed("o1", tea=3)), tx)

    await receive(database, tea=5)
    async with database.transaction() as tx:
        await follow_parcels(batch_of(voided("o1", 1)), tx)
        planning = asyncio.create_task(plan())
        done, _ = await asyncio.wait([planning], timeout=0.2)
        assert not done
    assert await planning == []
    assert (await stock_of(database, TEA)).reserved_units == 0


async def test_an_order_lives_from_plan_to_return(database: Database, apply: Bench) -> None:
    await receive(database, tea=10, cup=10)
    await apply(consumer, [routed("o1", tea=4, cup=2)])
    await apply(consumer, [rejected(about("o1"), cup=1)])
    assert await stock_of(database, CUP) == StockLevel(9, 0, 0, version=4)
    await apply(consumer, [routed("o1", 2, tea=4)])
    await apply(consumer, [picked(about("o1", 2), tea=1), shipped(about("o1", 2), tea=3)])
    assert await stock_of(database, TEA) == StockLevel(6, 0, 0, version=6)
    await apply(consumer, [returned(about("o1", 2), Grade.DAMAGED, tea=1)])
    await apply(consumer, [returned(about("o1", 2), Grade.SELLABLE, tea=1)])
    assert (await stock_of(database, TEA)).on_hand_units == 7
    damaged = TEA._replace(condition=Condition.DAMAGED)
    assert (await stock_of(database, damaged)).on_hand_units == 1
    first, second, third = await reservations_of(database, "o1")
    assert first.released_units + second.released_units == 6
    assert (third.consumed_units, third.released_units) == (3, 1)
    await assert_explained(database)


async def test_what_was_picked_waits_in_quarantine_and_may_still_leave(
    database: Database, apply: Bench
) -> None:
    await receive(database, tea=5)
    await apply(consumer, [routed("o1", tea=3)])
    await apply(consumer, [cancelled(about("o1"), Disposition.QUARANTINE, tea=3)])
    quarantine = TEA._replace(condition=Condition.QUARANTINE)
    assert (await stock_of(database, quarantine)).on_hand_units == 3
    assert await apply(consumer, [conflicted(about("o1"), tea=3)]) == []
    assert (await stock_of(database, quarantine)).on_hand_units == 0
    assert (await stock_of(database, TEA)).on_hand_units == 2
    await assert_explained(database)


async def test_facts_of_one_order_in_one_batch_are_applied_in_order(
    database: Database, apply: Bench
) -> None:
    await receive(database, tea=5)
    await apply(consumer, [routed("o1", tea=3), routed("o2", tea=2)])
    facts = [
        picked(about("o1"), tea=1),
        cancelled(about("o1"), Disposition.RELEASE, tea=1),
        shipped(about("o2"), tea=2),
        shipped(about("o1"), tea=1),
    ]
    await apply(consumer, facts)
    assert await stock_of(database, TEA) == StockLevel(1, 0, 0, version=7)
    (row,) = await reservations_of(database, "o1")
    assert (row.consumed_units, row.released_units) == (1, 2)
    await assert_explained(database)


async def test_an_impossible_event_is_set_aside_and_stops_nobody_else(
    database: Database, apply: Bench
) -> None:
    await receive(database, tea=5)
    plans = [routed("o1", tea=-3), routed("o2", tea=3)]
    outgoing = await apply(consumer, plans, dead_count=1)
    assert kinds(outgoing) == ["AvailabilityChanged", "StockReserved"]
    assert "-3 units of tea for order o1" in (await apply.dead_letters())[0]
    await assert_explained(database)
