"""Time in, on a real database: waits for stock that end, answers that do not come."""

from routing_builders import accepted, available, cancellation, directory, granted, line, reserved

from backbone import Database
from contracts.event import Event
from contracts.plans import OrderRouted, OrderUnroutable
from routing.consume import consumer
from routing.schedule import schedule
from testbed.bench import Bench
from testbed.clock import Clock

STOCK = [available("tea", "shanghai", 5), available("tea", "suzhou", 5)]


async def begin(apply: Bench, *events: Event) -> list[Event]:
    return await apply(consumer, [*directory(), *STOCK, *events])


def one(events: list[Event]) -> OrderRouted:
    (event,) = events
    assert isinstance(event, OrderRouted)
    return event


async def test_what_nobody_has_waits_and_is_then_unroutable(apply: Bench, clock: Clock) -> None:
    assert await begin(apply, accepted(line(goods_id="cup")), granted()) == []
    assert await apply.tick(schedule) == []
    clock.advance(seconds=6)
    (event,) = await apply.tick(schedule)
    assert isinstance(event, OrderUnroutable)
    assert event.order_done


async def test_stock_that_comes_in_time_is_used(apply: Bench, clock: Clock) -> None:
    await begin(apply, accepted(line(goods_id="cup")), granted())
    await apply(consumer, [available("cup", "suzhou", 1)])
    clock.advance(seconds=6)
    assert one(await apply.tick(schedule)).parcels[0].node_id == "suzhou"


async def test_an_offer_nobody_answers_goes_elsewhere(apply: Bench, clock: Clock) -> None:
    event = one(await begin(apply, accepted(), granted()))
    await apply(consumer, [reserved(event)])
    assert await apply.tick(schedule) == []
    clock.advance(days=1.1)
    names = [type(each).__name__ for each in await apply.tick(schedule)]
    assert sorted(names) == ["OrderRouted", "ParcelRejected"]


async def test_the_part_that_is_missing_waits_while_the_rest_is_under_way(
    apply: Bench, clock: Clock, database: Database
) -> None:
    event = one(await begin(apply, accepted(line(units=12)), granted()))
    gone = [available("tea", node_id, 0, version=2) for node_id in ("shanghai", "suzhou")]
    await apply(consumer, [reserved(event), *gone])
    clock.advance(seconds=6)
    (given_up,) = await apply.tick(schedule)
    assert isinstance(given_up, OrderUnroutable)
    assert (given_up.lines[0].quantity_units, given_up.order_done) == (2, False)
    async with database.transaction() as tx:
        row = await tx.fetchrow("SELECT open_units, unroutable_units FROM order_line")
        assert row is not None
        assert tuple(row) == (10, 2)


async def test_a_cancelled_wait_is_not_planned(apply: Bench, clock: Clock) -> None:
    await begin(apply, accepted(line(goods_id="cup")), granted())
    await apply(consumer, [cancellation()])
    clock.advance(seconds=6)
    assert await apply.tick(schedule) == []
