"""What the tables refuse, and what two transactions at once may not do."""

import asyncio

import asyncpg
import pytest
from routing_builders import accepted, available, directory, granted, reserved

from backbone import Database
from contracts.plans import OrderRouted
from routing.consume import consumer
from routing.decide.changes import changes_of
from routing.decide.plans import grant
from routing.decide.route import route
from routing.model.changes import Changes
from routing.store import changes, orders, prospect, reference
from testbed.bench import Bench
from testbed.clock import START

REFUSED = {
    "line_gives_up_or_ships_no_more_than_ordered": "UPDATE order_line SET shipped_units = 2",
    "line_returns_no_more_than_shipped": "UPDATE order_line SET returned_units = 1",
    "parcel_line_ships_what_is_left": "UPDATE parcel_line SET shipped_units = 1, short_units = 1",
    "parcel_conflicts_only_when_taken_away": "UPDATE parcel SET conflicted = true",
    "parcel_asks_only_begun_work": """UPDATE parcel SET asks = '[{"request_id": "r"}]'""",
    "order_plans_its_last_attempt": "UPDATE sales_order SET planned_attempt = 7",
}


@pytest.mark.parametrize(("constraint", "statement"), REFUSED.items())
async def test_the_tables_refuse_what_may_not_be(
    apply: Bench, database: Database, constraint: str, statement: str
) -> None:
    stock = available("tea", "shanghai", 5)
    (plan,) = await apply(consumer, [*directory(), stock, accepted(), granted()])
    assert isinstance(plan, OrderRouted)
    await apply(consumer, [reserved(plan)])
    with pytest.raises(asyncpg.CheckViolationError, match=constraint):
        async with database.transaction() as tx:
            await tx.execute(statement)


async def test_what_is_saved_is_what_is_loaded(apply: Bench, database: Database) -> None:
    await apply(consumer, [*directory(), available("tea", "shanghai", 5), accepted()])
    async with database.transaction() as tx:
        before = await orders.lock_orders(tx, ["order-1", "ghost"])
        assert list(before) == ["order-1"]
        world = await reference.load_reference(tx)
        outlook = await prospect.load_prospect(tx, list(before.values()), world, START)
        routed = route(grant(before.values()), world, outlook, START)
        await changes.save_changes(tx, changes_of(before, routed.orders), routed.records)
    async with database.transaction() as tx:
        assert await orders.load_orders(tx, ["order-1"]) == {"order-1": routed.orders[0]}


async def test_a_day_filled_by_another_transaction_is_not_overbooked(
    apply: Bench, database: Database
) -> None:
    await apply(consumer, directory())
    day = START.date()
    taken = Changes((), (), (), (), (), (), (), (), {("shanghai", day): 60})

    async def take() -> None:
        async with database.transaction() as tx:
            await changes.save_changes(tx, taken, ())

    outcomes = await asyncio.gather(take(), take(), return_exceptions=True)
    assert sorted(type(outcome).__name__ for outcome in outcomes) == [
        "NoneType",
        "SerializationError",
    ]
    async with database.transaction() as tx:
        assert await tx.fetchval("SELECT parcels FROM node_day") == 60
