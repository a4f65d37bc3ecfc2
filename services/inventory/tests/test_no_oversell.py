"""G5 under a race: 32 clients on 4 hot goods, backends ended at random, a reader beside them."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, TypeAlias

import asyncpg
import pytest
from inventory_builders import about, cancelled, rejected, routed, shipped, voided

from backbone import Batch, Database, Outbox, Outcome, Record, Transaction
from backbone.failures import is_transient
from contracts.event import Event
from contracts.fulfilments import Disposition
from inventory import consume, decide, store
from inventory.model import (
    Cause,
    CauseKind,
    Condition,
    Decision,
    Reservation,
    StockKey,
    StockLine,
)

CLIENTS_COUNT = 32
ROUNDS_COUNT = 10
OPENING_UNITS = 60
NODE = "hangzhou"
GOODS = ("tea", "cup", "pot", "tray")
KEYS = [StockKey(NODE, goods_id, Condition.SELLABLE) for goods_id in GOODS]

# One statement, so one snapshot: what everybody could see at that instant.
SNAPSHOT = """
SELECT goods_id, condition, on_hand_units, reserved_units, missing_units,
    (SELECT coalesce(sum(held_units), 0) FROM reservation AS held
     WHERE held.goods_id = stock.goods_id AND condition = 'sellable')::bigint AS held_units,
    (SELECT coalesce(sum(on_hand_delta_units), 0) FROM stock_ledger AS moved
     WHERE (moved.goods_id, moved.condition) = (stock.goods_id, stock.condition))::bigint
        AS ledger_on_hand_units,
    (SELECT coalesce(sum(reserved_delta_units), 0) FROM stock_ledger AS moved
     WHERE (moved.goods_id, moved.condition) = (stock.goods_id, stock.condition))::bigint
        AS ledger_reserved_units
FROM stock
"""
END_A_BACKEND = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND state = 'active'
    AND application_name <> 'reader'
ORDER BY md5(pid::text || $1) LIMIT 1
"""

Handler: TypeAlias = Callable[[Batch[Any], Transaction], Awaitable[Sequence[Event]]]


@pytest.fixture
async def crowded(database_url: str) -> AsyncGenerator[Database]:
    """The database with a connection for every client."""
    outbox = Outbox("inventory")
    async with Database(database_url, outbox, connections_max=CLIENTS_COUNT + 2) as database:
        yield database


class Client:
    """Orders, ships, gives back and counts at random; takes an ended backend as "unknown"."""

    def __init__(self, number: int, database: Database) -> None:
        self._number = number
        self._database = database
        self._chance = random.Random(number)  # noqa: S311 - not for secrets
        self._orders_count = 0
        self.outcomes: Counter[str] = Counter()

    async def run(self) -> None:
        """Do a number of things one after the other."""
        for _ in range(ROUNDS_COUNT):
            action = self._chance.choice([self._order, self._order, self._order, self._count])
            try:
                await action()
            except Exception as error:
                if not is_transient(error):
                    raise
                self.outcomes["unknown"] += 1

    async def _order(self) -> None:
        self._orders_count += 1
        order_id = f"order-{self._number}-{self._orders_count}"
        await self._apply(consume.reserve_stock, routed(order_id, **self._wanted()))
        rows = await self._held(order_id)
        self.outcomes["reserved" if rows else "short"] += 1
        if not rows:
            return
        await asyncio.sleep(self._chance.random() / 100)
        make = self._chance.choice([_ship, _reject, _cancel, _void])
        await self._apply(consume.follow_parcels, make(order_id, rows))
        self.outcomes[make.__name__] += 1

    async def _count(self) -> None:
        """Add or take off units, by the same steps as the HTTP command."""
        units = self._chance.randint(-4, 6) or 1
        lines = [StockLine(self._chance.choice(KEYS), units)]
        cause = Cause(CauseKind.ADJUSTMENT, f"count-{self._number}-{self._chance.random()}")

        async def command(tx: Transaction, now: datetime) -> Outcome[None]:
            stock = await store.open_stock(tx, {line.key for line in lines})
            decision = decide.adjust(lines, stock, cause, now)
            if isinstance(decision, Decision):
                await store.save_stock(tx, decision, now)
                return Outcome(None, decision.events)
            return Outcome(None)

        await self._database.perform(command)
        self.outcomes["counted"] += 1

    def _wanted(self) -> dict[str, int]:
        wanted = self._chance.sample(GOODS, self._chance.randint(1, len(GOODS)))
        return {goods_id: self._chance.randint(1, 5) for goods_id in wanted}

    async def _apply(self, handler: Handler, event: Event) -> None:
        record = Record(
            event=event,
            event_id=f"event-{self._number}-{self._chance.random()}",
            topic="",
            partition=0,
            sequence=1,
            recorded_at=event.occurred_at,
            traceparent=None,
        )

        async def command(tx: Transaction, now: datetime) -> Outcome[None]:
            return Outcome(None, await handler(Batch([record], now), tx))

        await self._database.perform(command)

    async def _held(self, order_id: str) -> list[Reservation]:
        async with self._database.transaction() as tx:
            return await store.find_reservations(tx, order_id)


def _held_units(rows: Sequence[Reservation]) -> dict[str, int]:
    return {row.goods_id: row.held_units for row in rows}


def _ship(order_id: str, rows: Sequence[Reservation]) -> Event:
    return shipped(about(order_id), **_held_units(rows))


def _reject(order_id: str, rows: Sequence[Reservation]) -> Event:
    return rejected(about(order_id), **_held_units(rows[:1]))


def _cancel(order_id: str, rows: Sequence[Reservation]) -> Event:
    return cancelled(about(order_id), Disposition.QUARANTINE, **_held_units(rows))


def _void(order_id: str, _: Sequence[Reservation]) -> Event:
    return voided(order_id, 1)


async def assert_never_oversold(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
    for row in await connection.fetch(SNAPSHOT):
        seen = dict(row)
        assert 0 <= row["reserved_units"] <= row["on_hand_units"], seen
        assert row["reserved_units"] == row["held_units"] == row["ledger_reserved_units"], seen
        assert row["on_hand_units"] == row["ledger_on_hand_units"], seen
        assert row["missing_units"] == 0 or row["on_hand_units"] == row["reserved_units"], seen


@asynccontextmanager
async def repeating(step: Callable[[int], Awaitable[None]], pause_s: float) -> AsyncGenerator[None]:
    """Repeat a step beside the block; what it raises fails the block."""
    is_over = asyncio.Event()

    async def repeat() -> None:
        number = 0
        while not is_over.is_set():
            await step(number)
            number += 1
            await asyncio.sleep(pause_s)

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(repeat())
        try:
            yield
        finally:
            is_over.set()


async def test_hot_goods_are_never_oversold(crowded: Database, database_url: str) -> None:
    async with crowded.transaction() as tx:
        stock = await store.open_stock(tx, set(KEYS))
        lines = [StockLine(key, OPENING_UNITS) for key in KEYS]
        opening = decide.receive(
            lines, stock, Cause(CauseKind.RECEIPT, "opening"), datetime.now(UTC)
        )
        await store.save_stock(tx, opening, datetime.now(UTC))
    reader = await asyncpg.connect(database_url, server_settings={"application_name": "reader"})
    killer = await asyncpg.connect(database_url)

    async def read(_: int) -> None:
        await assert_never_oversold(reader)

    async def end_a_backend(number: int) -> None:
        await killer.execute(END_A_BACKEND, str(number))

    clients = [Client(number, crowded) for number in range(CLIENTS_COUNT)]
    async with repeating(read, 0.02), repeating(end_a_backend, 0.2):
        await asyncio.gather(*(client.run() for client in clients))
    await assert_never_oversold(reader)
    await reader.close()
    await killer.close()
    outcomes = sum((client.outcomes for client in clients), Counter[str]())
    assert {"reserved", "short", "counted", "_ship", "_reject", "_cancel", "_void"} <= set(outcomes)
