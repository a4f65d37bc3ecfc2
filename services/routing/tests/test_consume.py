"""Batches through the real inbox on a real database."""

from dataclasses import replace

from routing_builders import (
    NODE,
    SUZHOU,
    accepted,
    agreement_defined,
    available,
    cancellation,
    directory,
    goods_defined,
    granted,
    line,
    node_defined,
    reserved,
    short,
)

from backbone import Database
from contracts.event import Event
from contracts.fulfilments import CancellationRefused, OrderCancelled, ParcelReleased
from contracts.orders import ReturnRequested
from contracts.plans import OrderRouted
from contracts.values import LineUnits
from routing.consume import consumer
from routing.model.fulfilment import Execution, Order
from routing.store import orders, reference
from testbed.bench import Bench
from testbed.clock import START

STOCK = [available("tea", "shanghai", 5), available("tea", "suzhou", 5)]


async def begin(apply: Bench, *events: Event) -> list[Event]:
    return await apply(consumer, [*directory(), *STOCK, *events])


async def load(database: Database, order_id: str = "order-1") -> Order:
    async with database.transaction() as tx:
        return (await orders.load_orders(tx, [order_id]))[order_id]


def one(events: list[Event]) -> OrderRouted:
    (event,) = events
    assert isinstance(event, OrderRouted)
    return event


async def test_an_order_is_planned_once_its_limit_is_granted(apply: Bench) -> None:
    assert await begin(apply, accepted()) == []
    event = one(await apply(consumer, [granted()]))
    assert (event.attempt, event.parcels[0].node_id) == (1, "shanghai")


async def test_held_stock_releases_the_parcels(apply: Bench, database: Database) -> None:
    event = one(await begin(apply, accepted(line(units=2)), granted()))
    (released,) = await apply(consumer, [reserved(event)])
    assert isinstance(released, ParcelReleased)
    assert released.goods[0].quantity_units == 2
    (parcel,) = (await load(database)).parcels
    assert parcel.execution is Execution.RELEASED
    assert parcel.answer_until is not None
    async with database.transaction() as tx:
        assert await tx.fetchval("SELECT count(*) FROM in_flight") == 0


async def test_short_stock_is_planned_again_elsewhere(apply: Bench, database: Database) -> None:
    event = one(await begin(apply, accepted(), granted()))
    again = one(await apply(consumer, [short(event)]))
    assert (again.attempt, again.parcels[0].node_id) == (2, "suzhou")
    assert await apply(consumer, [short(event)]) == []
    async with database.transaction() as tx:
        days = await tx.fetch("SELECT node_id, parcels FROM node_day ORDER BY node_id")
        assert [tuple(day) for day in days] == [("shanghai", 0), ("suzhou", 1)]


async def test_plans_in_flight_are_taken_off_the_projection(apply: Bench) -> None:
    await begin(apply, *(accepted(line(units=4), order_id=f"order-{n}") for n in range(3)))
    events = await apply(consumer, [granted("order-0"), granted("order-1")])
    nodes = [e.parcels[0].node_id for e in events if isinstance(e, OrderRouted)]
    assert sorted(nodes) == ["shanghai", "suzhou"]
    event = one(await apply(consumer, [granted("order-2")]))
    assert sum(each.lines[0].quantity_units for each in event.parcels) == 2


async def test_a_grant_waits_for_order_agreement_and_goods(apply: Bench) -> None:
    assert await apply(consumer, [granted()]) == []
    assert await apply.parked() == ["order:order-1"]
    await apply(consumer, [*STOCK, node_defined(), accepted()])
    await apply.sweep(consumer)
    assert await apply.parked() == ["agreement:A1@1"]
    await apply(consumer, [agreement_defined()])
    await apply.sweep(consumer)
    assert await apply.parked() == ["goods:tea"]
    await apply(consumer, [goods_defined("tea")])
    assert one(await apply.sweep(consumer)).attempt == 1


async def test_a_kit_waits_for_the_goods_it_is_made_of(apply: Bench) -> None:
    kit = line("1", "set", 1, lid=1)
    await begin(apply, accepted(kit), granted())
    assert await apply.parked() == ["goods:lid"]


async def test_a_cancellation_of_a_plan_in_flight_voids_it(apply: Bench) -> None:
    event = one(await begin(apply, accepted(line(units=3)), granted()))
    cancelled, again = sorted(
        await apply(consumer, [cancellation(units={"1": 1})]), key=lambda e: type(e).__name__
    )
    assert isinstance(cancelled, OrderCancelled)
    assert isinstance(again, OrderRouted)
    assert (cancelled.voided_attempt, again.attempt) == (1, 2)
    assert await apply(consumer, [reserved(event)]) == []


async def test_a_cancellation_that_came_before_its_order_is_applied_to_it(apply: Bench) -> None:
    assert await apply(consumer, [cancellation(), cancellation()]) == []
    (event,) = await begin(apply, accepted())
    assert isinstance(event, OrderCancelled)
    assert await apply(consumer, [granted()]) == []


async def test_a_request_repeated_is_decided_once(apply: Bench) -> None:
    await begin(apply, accepted())
    assert len(await apply(consumer, [cancellation(), cancellation()])) == 1
    assert await apply(consumer, [cancellation()]) == []
    (refused,) = await apply(consumer, [cancellation(request_id="request-2")])
    assert isinstance(refused, CancellationRefused)


async def test_expected_returns_are_kept(apply: Bench, database: Database) -> None:
    lines = (LineUnits(line_id="1", quantity_units=1),)
    request = ReturnRequested(
        occurred_at=START,
        order_id="order-1",
        return_id="return-1",
        lines=lines,
        reason="",
        requested_by="",
    )
    await apply(consumer, [request, request])
    async with database.transaction() as tx:
        assert await tx.fetchval("SELECT sum(quantity_units) FROM expected_return") == 1


async def test_older_versions_of_entries_and_stock_are_passed_over(
    apply: Bench, database: Database
) -> None:
    newer = node_defined(replace(NODE, tier=3), entry_version=2)
    await apply(consumer, [newer, node_defined(NODE), node_defined(SUZHOU)])
    await apply(consumer, [available("tea", "suzhou", 7, 2), available("tea", "suzhou", 9, 1)])
    # In a later batch it is the statement and not the handler that knows the newer one.
    await apply(consumer, [node_defined(NODE), available("tea", "suzhou", 9, 1)])
    async with database.transaction() as tx:
        world = await reference.load_reference(tx)
        assert world.nodes["shanghai"] == replace(NODE, tier=3)
        assert await tx.fetchval("SELECT available_units FROM stock") == 7
        assert await reference.load_reference(tx) is world


async def test_a_node_in_no_timezone_is_a_dead_letter(apply: Bench) -> None:
    await apply(consumer, [node_defined(replace(NODE, timezone="Asia/Atlantis"))], dead_count=1)


async def test_a_batch_of_hundreds_is_planned_within_capacity(
    apply: Bench, database: Database
) -> None:
    order_ids = [f"order-{number}" for number in range(300)]
    await apply(consumer, [*directory(NODE), available("tea", "shanghai", 250)])
    await apply(consumer, [accepted(order_id=order_id) for order_id in order_ids])
    events = await apply(consumer, [granted(order_id) for order_id in order_ids])
    assert len(events) == 250
    async with database.transaction() as tx:
        days = await tx.fetch("SELECT parcels FROM node_day ORDER BY day")
        assert [day["parcels"] for day in days] == [100, 100, 50]
        waiting = "SELECT count(*) FROM sales_order WHERE retry_at IS NOT NULL"
        assert await tx.fetchval(waiting) == 50
