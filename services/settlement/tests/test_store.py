"""What the tables refuse, and what the folding sees while others write."""

import asyncio
from collections.abc import Sequence

import asyncpg
import pytest
from settlement_builders import order, reference_data

from backbone import Database, Transaction
from settlement.consume import consumer
from settlement.decide.plan import plan_orders
from settlement.model import Planned
from settlement.store import ledger, orders, reference
from settlement.store.invariants import INVARIANTS, count_violations
from testbed.bench import Bench
from testbed.clock import START

FORGED = """
INSERT INTO entry (journal_no, entry_index, account_no, amount_minor, layer, component)
SELECT journal_no, 100 + n, account_no, amount_minor * sign, layer, component
FROM (SELECT * FROM entry ORDER BY journal_no, entry_index LIMIT 1) AS first,
     unnest($1::int[]) WITH ORDINALITY AS u (sign, n)
"""
APPEND_ONLY = {
    "entry": "amount_minor = 1",
    "journal": "kind = 'other'",
    "block": "journals_count = 0",
    "statement": "closing_minor = 0",
    "statement_line": "amount_minor = 0",
    "stated_entry": "entry_index = 0",
}
EVENT_ID = "6f1c3a52-6f0a-5a6c-9d5e-0d6b3b7a1c11"


async def plan(tx: Transaction, order_ids: Sequence[str]) -> Planned:
    known, _ = await reference.load_terms(tx, [("A1", 1)])
    accepted = [(EVENT_ID, order(order_id=order_id)) for order_id in order_ids]
    return plan_orders(accepted, known, START)


async def book(tx: Transaction, order_ids: Sequence[str]) -> None:
    planned = await plan(tx, order_ids)
    await orders.save_plans(tx, planned.plans)
    await ledger.save_journals(tx, planned.journals, planned.accounts)


async def violations(database: Database) -> dict[str, int]:
    async with database.transaction() as tx:
        found = await count_violations(tx)
    return {each.name: each.violations_count for each in found if each.violations_count}


async def test_what_was_booked_cannot_be_changed(database: Database, apply: Bench) -> None:
    await apply(consumer, [*reference_data(), order()])
    async with database.transaction() as tx:
        for table, change in APPEND_ONLY.items():
            for statement in (f"DELETE FROM {table}", f"UPDATE {table} SET {change}"):  # noqa: S608
                with pytest.raises(asyncpg.RestrictViolationError, match="append-only"):
                    async with tx.transaction():
                        await tx.execute(statement)


@pytest.mark.parametrize(
    ("signs", "reason"), [([1], "does not sum to zero"), ([1, -1], "are not all of them")]
)
async def test_a_journal_takes_no_entry_that_it_was_not_made_with(
    database: Database, apply: Bench, signs: list[int], reason: str
) -> None:
    await apply(consumer, [*reference_data(), order()])
    with pytest.raises(asyncpg.IntegrityConstraintViolationError, match=reason):
        async with database.transaction() as tx:
            await tx.execute(FORGED, signs)


async def test_a_source_is_booked_once(database: Database, apply: Bench) -> None:
    await apply(consumer, [*reference_data(), order()])
    async with database.transaction() as tx:
        planned = await plan(tx, ["o1"])
    with pytest.raises(asyncpg.UniqueViolationError):
        async with database.transaction() as tx:
            await ledger.save_journals(tx, planned.journals, planned.accounts)


async def test_folding_leaves_out_what_is_not_committed_and_takes_it_later(
    database: Database, apply: Bench
) -> None:
    await apply(consumer, [*reference_data(), order()])  # opens the accounts
    async with database.transaction() as slow:
        await book(slow, ["early"])
        async with database.transaction() as quick:
            await book(quick, ["late"])
        async with database.transaction() as tx:
            await ledger.fold(tx, START)
        async with database.transaction() as tx:
            # `late` is the later transaction, so it waits for `early` to end and is read as tail.
            assert await tx.fetchval("SELECT sum(journals_count) FROM block") == 2
            margin = "SELECT pending_minor FROM account_balance WHERE code = 'dealer_margin'"
            assert await tx.fetchval(margin) == -2 * 5_000
    async with database.transaction() as tx:
        await ledger.fold(tx, START)
    async with database.transaction() as tx:
        assert await tx.fetchval("SELECT sum(journals_count) FROM block") == 6
        assert await tx.fetchval(margin) == -3 * 5_000
    assert await violations(database) == {}


async def test_two_replicas_post_to_the_same_accounts_and_the_balances_are_the_sums(
    database: Database, apply: Bench
) -> None:
    await apply(consumer, reference_data())

    async def post(replica: int) -> None:
        for number in range(6):  # batches of a replica follow each other
            async with database.transaction() as tx:
                await book(tx, [f"o-{replica}-{number}-{index}" for index in range(10)])

    async def fold() -> None:
        for _ in range(10):  # the schedule runs beside them
            async with database.transaction() as tx:
                await ledger.fold(tx, START)
            assert await violations(database) == {}

    await asyncio.gather(post(1), post(2), post(3), fold())
    async with database.transaction() as tx:
        await ledger.fold(tx, START)
        wanted = ledger.AccountFilter("dealer-7", None)
        balances = await ledger.list_balances(tx, wanted, None, 10)
    assert [balance.pending_minor for balance in balances] == [-180 * 5_000]
    assert await violations(database) == {}


TAMPERING = {
    "journal's hash covers its content": "UPDATE journal SET order_id = 'o9'",
    "journal sums to zero in each layer": "UPDATE entry SET amount_minor = 1 WHERE entry_index = 1",
    "balance is the sum of its entries": "UPDATE balance SET pending_minor = pending_minor + 1",
    "block's hash binds its journals to the block before": (
        "UPDATE journal SET content_hash = sha256(content_hash)"
    ),
    "folded journal is in a block of its book": "DELETE FROM block WHERE book_id = 'tea-cn'",
    "paid line is allocated to the unit": "UPDATE order_line SET amount_minor = amount_minor + 1",
    "plan's total is what its lines add up to": "UPDATE plan SET total_minor = total_minor + 1",
    "what remains of a share is what its entries say": (
        "UPDATE share SET pending_minor = 0 WHERE component = 'platform_fee'"
    ),
    "units that are gone or came back leave nothing behind": (
        "UPDATE order_line SET cancelled_units = ordered_units"
    ),
    "line's shipped, earned and returned units are those of its parcels": (
        "UPDATE order_line SET shipped_units = 1"
    ),
    "what a book owes another is what the other is owed": (
        "UPDATE entry SET amount_minor = 5 WHERE counterparty_id = 'tea-cn'"
    ),
    "inter-company group has both sides of every debt": (
        "DELETE FROM entry WHERE counterparty_id = 'tea-cn'"
    ),
    "journal has all of its entries, and entries a journal": (
        "DELETE FROM entry WHERE entry_index = 1"
    ),
    "entry is on an account of its journal's book and currency": (
        "UPDATE journal SET currency = 'EUR'"
    ),
    "reversal names a journal of its own book and order": (
        "UPDATE journal SET kind = 'planned_reversed'"
    ),
    "book sums to zero per currency and layer": (
        "UPDATE entry SET layer = 'settled' WHERE entry_index = 1"
    ),
}


async def test_whoever_tampers_is_found(database: Database, apply: Bench) -> None:
    await apply(consumer, [*reference_data(), order()])
    async with database.transaction() as tx:
        await ledger.fold(tx, START)
    async with database.transaction() as tx:
        # The owner of the tables can switch their triggers off.
        for table in ("entry", "journal", "block"):
            await tx.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        for name, statement in TAMPERING.items():
            attempt = tx.transaction()
            await attempt.start()
            await tx.execute(statement)
            found = await count_violations(tx)
            await attempt.rollback()
            assert name in {each.name for each in found if each.violations_count}


def test_every_property_has_a_name_of_its_own() -> None:
    assert len(INVARIANTS) == 22
    assert set(TAMPERING) <= set(INVARIANTS)
