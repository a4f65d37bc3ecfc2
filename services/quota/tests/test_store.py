"""The tables refuse what the rules would never ask for, and many clients cannot overspend."""

import asyncio
import random
from datetime import timedelta
from typing import Any

import asyncpg
import httpx
import pytest

from backbone import Batch, Database, Outbox, Outcome, Record, Transaction
from contracts.orders import OrderAccepted
from quota import consume, store
from quota.model import Account
from testbed.clock import START, Clock

CLIENTS = 32
ROUNDS = 8
# Every hold's limit, recomputed from the limits recorded before it.
OVERSPENT = """
SELECT e.account_id, e.entry_sequence FROM account_entry e
WHERE e.kind = 'hold' AND (e.held_minor - e.settled_minor > e.limit_minor
    OR e.limit_minor <> coalesce((
    SELECT l.amount_minor FROM account_limit l
    WHERE l.account_id = e.account_id AND l.entry_sequence < e.entry_sequence
        AND l.valid_from <= e.recorded_at AND (l.valid_to IS NULL OR e.recorded_at < l.valid_to)
    ORDER BY l.entry_sequence DESC LIMIT 1), 0))
"""
UNEXPLAINED = """
SELECT a.account_id FROM account a
LEFT JOIN LATERAL (
    SELECT coalesce(sum(settled_change_minor), 0) AS settled,
        coalesce(sum(held_change_minor), 0) AS held, count(*) AS entries
    FROM account_entry e WHERE e.account_id = a.account_id) AS e ON true
LEFT JOIN LATERAL (
    SELECT coalesce(sum(amount_minor - captured_minor - released_minor), 0) AS held
    FROM hold h WHERE h.account_id = a.account_id AND h.granted_at IS NOT NULL) AS h ON true
WHERE a.settled_minor <> e.settled OR a.held_minor <> e.held OR a.held_minor <> h.held
    OR a.entry_sequence <> e.entries
"""


async def test_a_hold_beyond_the_limit_violates_a_constraint(
    database: Database, open_account: Any
) -> None:
    await open_account(limit_minor=100)
    with pytest.raises(asyncpg.CheckViolationError, match="never_overspent"):
        async with database.transaction() as tx:
            await tx.execute(
                """
                INSERT INTO account_entry
                VALUES ('dealer', 2, 'hold', 0, 101, 0, 101, 100, 'o', 'o', $1)
                """,
                START,
            )


async def test_entries_and_limits_are_never_changed(database: Database, open_account: Any) -> None:
    await open_account()
    for statement in ("UPDATE account_limit SET amount_minor = 0", "DELETE FROM account_entry"):
        with pytest.raises(asyncpg.RaiseError, match="never changed"):
            async with database.transaction() as tx:
                await tx.execute(statement)


async def test_an_unknown_account_is_not_in_the_book(database: Database) -> None:
    async with database.transaction() as tx:
        book = await store.load_book(tx, START, account_ids=["ghost"], order_ids=["ghost"])
    assert not book.accounts
    assert not book.holds


async def test_adding_an_account_again_leaves_it_alone(database: Database) -> None:
    first = Account("a", "p", "CNY", 0, 72, 0, 0, 0, is_blocked=False, entry_sequence=0)
    other = Account("a", "q", "CNY", 0, 72, 0, 0, 0, is_blocked=False, entry_sequence=0)
    async with database.transaction() as tx:
        await store.add_accounts(tx, [first], START)
        await store.add_accounts(tx, [other], START)
        standing = await store.find_standing(tx, "a", START)
    assert standing is not None
    assert standing.account.party_id == "p"


async def test_no_overspend_race(
    database_url: str, client: httpx.AsyncClient, open_account: Any, facts: Any
) -> None:
    """32 clients hold, ship, cancel, return, top up and move limits on three hot accounts."""
    dealers = ["north", "south", "west"]
    for dealer in dealers:
        await open_account(dealer, limit_minor=2_000)
    busy = Database(database_url, Outbox("quota"), clock=Clock(), connections_max=CLIENTS)
    async with busy, asyncio.TaskGroup() as clients:
        for number in range(CLIENTS):
            clients.create_task(_act(busy, client, facts, number))
    async with Database(database_url, Outbox("quota")) as quiet, quiet.transaction() as tx:
        assert not await tx.fetch(OVERSPENT)
        assert not await tx.fetch(UNEXPLAINED)
        granted = await tx.fetchval("SELECT count(*) FROM hold WHERE granted_at IS NOT NULL")
        refused = await tx.fetchval("SELECT count(*) FROM hold WHERE refused_at IS NOT NULL")
    assert granted > CLIENTS
    assert refused > 0


async def _act(database: Database, client: httpx.AsyncClient, facts: Any, number: int) -> None:
    chance = random.Random(number)  # noqa: S311 - a seed repeats the run
    for step in range(ROUNDS):
        dealer = chance.choice(["north", "south", "west"])
        name = f"{number}-{step}"
        match chance.randrange(5):
            case 0:
                body = {"limit_id": name, "amount_minor": chance.randrange(4_000)}
                await client.post(f"/accounts/{dealer}/limits", json=body)
            case 1:
                body = {"top_up_id": name, "amount_minor": chance.randint(1, 500)}
                await client.post(f"/accounts/{dealer}/top-ups", json=body)
            case _:
                orders = [
                    facts.order(
                        f"{name}-{each}", chance.randint(1, 6), chance.choice([dealer, "west"])
                    )
                    for each in range(3)
                ]
                await _hold(database, orders)
                await _follow(database, chance, facts, orders)


async def _hold(database: Database, orders: list[OrderAccepted]) -> None:
    async def command(tx: Transaction, now: Any) -> Outcome[None]:
        return Outcome(None, await consume.hold_limit(_batch(orders, now), tx))

    await database.perform(command)


async def _follow(
    database: Database, chance: random.Random, facts: Any, orders: list[OrderAccepted]
) -> None:
    async def command(tx: Transaction, now: Any) -> Outcome[None]:
        granted = await store.find_granted(tx, [order.order_id for order in orders])
        chosen = [
            chance.choice([facts.shipped, facts.cancelled])(order.order_id, chance.randint(1, 6))
            if granted[order.order_id]
            else facts.unroutable(order.order_id, 1)
            for order in orders
        ]
        returned = [facts.returned(order.order_id, 1) for order in orders[:1]]
        return Outcome(None, await consume.settle_holds(_batch([*chosen, *returned], now), tx))

    await database.perform(command)


def _batch(events: list[Any], now: Any) -> Batch[Any]:
    assert now - START < timedelta(days=1)
    records = [
        Record(
            event=event,
            event_id=str(index),
            topic="",
            partition=0,
            sequence=index,
            recorded_at=now,
            traceparent=None,
        )
        for index, event in enumerate(events, start=1)
    ]
    return Batch(records, now)
