"""What the tables refuse whatever a program does, and what the statements return."""

import asyncio

import asyncpg
import pytest

from backbone import Database, Transaction
from inventory import store
from inventory.model import (
    Cause,
    CauseKind,
    Change,
    Command,
    Condition,
    Decision,
    EarlierCommand,
    Movement,
    Operation,
    Reservation,
    Source,
    StockFilter,
    StockKey,
    StockLevel,
)
from testbed.clock import START

TEA = StockKey("hangzhou", "tea", Condition.SELLABLE)
CUP = StockKey("chengdu", "cup", Condition.SELLABLE)
RECEIPT = Cause(CauseKind.RECEIPT, "receipt-1")


def received(key: StockKey, units: int) -> Decision:
    change = Change(on_hand_units=units)
    movement = Movement(key, 1, Source(Operation.RECEIVE, RECEIPT), change)
    return Decision({key: StockLevel(units, version=1)}, [movement], [])


async def stocked(tx: Transaction, *keys: StockKey, units: int = 5) -> None:
    await store.open_stock(tx, set(keys))
    for key in keys:
        await store.save_stock(tx, received(key, units), START)


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ("reserved_units = on_hand_units + 1", "stock_never_oversold"),
        ("reserved_units = -1", "stock_never_oversold"),
        ("on_hand_units = -1", "stock_never_oversold"),
        ("missing_units = 1", "stock_missing_is_promised"),
        ("reserved_units = on_hand_units, missing_units = 6", "stock_missing_is_promised"),
        ("missing_units = -1", "stock_missing_is_promised"),
        ("condition = 'damaged', reserved_units = 1", "stock_reserved_if_sellable"),
        ("condition = 'lost'", "stock_condition_known"),
    ],
)
async def test_the_table_refuses_stock_that_cannot_be(
    database: Database, change: str, constraint: str
) -> None:
    async with database.transaction() as tx:
        await stocked(tx, TEA)
    with pytest.raises(asyncpg.CheckViolationError, match=constraint):
        async with database.transaction() as tx:
            await tx.execute(f"UPDATE stock SET {change}")  # noqa: S608 - the test's own words


@pytest.mark.parametrize(
    "change",
    [
        "consumed_units = 4",
        "consumed_units = 2, released_units = 2",
        "quarantined_units = -1",
        "quantity_units = 0",
    ],
)
async def test_the_table_refuses_a_reservation_that_gives_more_than_it_holds(
    database: Database, change: str
) -> None:
    async with database.transaction() as tx:
        await store.save_reservations(tx, [Reservation("p", "tea", "o", 1, "n", 3)], START)
    with pytest.raises(asyncpg.CheckViolationError, match="reservation"):
        async with database.transaction() as tx:
            await tx.execute(f"UPDATE reservation SET {change}")  # noqa: S608 - the test's own words


@pytest.mark.parametrize(
    "statement",
    ["UPDATE stock_ledger SET cause_id = 'x'", "DELETE FROM stock_ledger", "TRUNCATE stock_ledger"],
)
async def test_the_ledger_is_append_only(database: Database, statement: str) -> None:
    async with database.transaction() as tx:
        await stocked(tx, TEA)
    with pytest.raises(asyncpg.RestrictViolationError, match="append-only"):
        async with database.transaction() as tx:
            await tx.execute(statement)


async def test_two_movements_from_the_same_state_cannot_both_be_written(
    database: Database,
) -> None:
    async with database.transaction() as tx:
        await stocked(tx, TEA)
    with pytest.raises(asyncpg.UniqueViolationError):
        async with database.transaction() as tx:
            await store.save_stock(tx, received(TEA, 7), START)


async def test_stock_is_locked_until_the_transaction_ends(database: Database) -> None:
    async def lock_later() -> dict[StockKey, StockLevel]:
        async with database.transaction() as second:
            return await store.lock_stock(second, [TEA])

    async with database.transaction() as tx:
        await stocked(tx, TEA, CUP)
    async with database.transaction() as first:
        assert list(await store.lock_stock(first, [TEA, CUP])) == [CUP, TEA], "in key order"
        waiting = asyncio.create_task(lock_later())
        done, _ = await asyncio.wait([waiting], timeout=0.1)
        assert not done
        await first.execute("UPDATE stock SET on_hand_units = 9 WHERE goods_id = 'tea'")
    assert (await waiting)[TEA].on_hand_units == 9


async def test_opening_stock_makes_only_what_is_not_there(database: Database) -> None:
    async with database.transaction() as tx:
        await stocked(tx, TEA)
        stock = await store.open_stock(tx, {TEA, CUP})
        assert stock == {TEA: StockLevel(5, version=1), CUP: StockLevel()}
        assert await store.lock_stock(tx, [TEA._replace(node_id="nowhere")]) == {}


async def test_a_fence_only_rises_and_tells_where_it_stood(database: Database) -> None:
    async with database.transaction() as tx:
        assert await store.raise_fences(tx, {"o1": 2, "o2": 1}) == {"o1": 0, "o2": 0}
        assert await store.raise_fences(tx, {"o1": 1, "o2": 3}) == {"o1": 2, "o2": 1}
        assert await store.raise_fences(tx, {"o1": 1, "o2": 1}) == {"o1": 2, "o2": 3}
        assert await store.raise_fences(tx, {}) == {}


async def test_reservations_are_found_by_parcel_and_by_voided_attempt(database: Database) -> None:
    first = Reservation("p1", "tea", "o1", 1, "hangzhou", 3)
    second = Reservation("p2", "tea", "o1", 2, "hangzhou", 3)
    other = Reservation("p3", "tea", "o2", 1, "hangzhou", 3)
    async with database.transaction() as tx:
        await store.save_reservations(tx, [other, second, first], START)
        assert await store.lock_reservations(tx, {"p1", "p9"}, {("o1", 2)}) == [first, second]
        assert await store.lock_reservations(tx, {"p3"}, set()) == [other]
        assert await store.find_reservations(tx, "o1") == [first, second]


async def test_a_parcel_cannot_hold_the_same_goods_twice(database: Database) -> None:
    row = Reservation("p1", "tea", "o1", 1, "hangzhou", 3)
    async with database.transaction() as tx:
        await store.save_reservations(tx, [row], START)
    with pytest.raises(asyncpg.UniqueViolationError):
        async with database.transaction() as tx:
            await store.save_reservations(tx, [row], START)


async def test_a_command_is_saved_once(database: Database) -> None:
    command = Command(RECEIPT, '{"receipt_id": "receipt-1"}', b"digest")
    async with database.transaction() as tx:
        assert await store.save_command(tx, command, START) is None
        await store.save_answer(tx, RECEIPT, '{"done": true}')
        earlier = await store.save_command(tx, command, START)
        assert earlier == EarlierCommand(b"digest", '{"done": true}')


async def test_stock_is_found_by_what_is_wanted_of_it(database: Database) -> None:
    damaged = TEA._replace(condition=Condition.DAMAGED)
    async with database.transaction() as tx:
        await stocked(tx, TEA, CUP, damaged)
        await tx.execute(
            "UPDATE stock SET reserved_units = 5, missing_units = 1 WHERE goods_id = 'cup'"
        )

        async def found(wanted: StockFilter) -> list[StockKey]:
            return [row.key for row in await store.find_stock(tx, wanted, None, 10)]

        assert await found(StockFilter()) == [CUP, damaged, TEA]
        assert await found(StockFilter(node_id="hangzhou")) == [damaged, TEA]
        assert await found(StockFilter(goods_id="tea", condition=Condition.SELLABLE)) == [TEA]
        assert await found(StockFilter(is_missing=True)) == [CUP]
        rest = await store.find_stock(tx, StockFilter(), ("chengdu", "cup", "sellable"), 1)
        assert [row.key for row in rest] == [damaged]


async def test_the_ledger_is_found_latest_first(database: Database) -> None:
    async with database.transaction() as tx:
        await stocked(tx, TEA)
        later = Movement(TEA, 2, Source(Operation.RESERVE, RECEIPT, "p1"), Change(reserved_units=2))
        await store.save_stock(tx, Decision({TEA: StockLevel(5, 2, version=2)}, [later], []), START)
        found = await store.find_ledger(tx, TEA, None, 10)
        assert found[0].movement == later
        assert [row.movement.version for row in found] == [2, 1]
        assert [row.movement.version for row in await store.find_ledger(tx, TEA, 2, 10)] == [1]
