"""Loads the orders of a batch as the pool knows them, and locks them."""

from collections.abc import Collection, Mapping, Sequence
from typing import TypeAlias

import asyncpg

from backbone import Transaction
from ingest.model.order import Consumer, HoldReason, Order, Payment
from ingest.model.pool import (
    Answered,
    Command,
    CommandKind,
    Counters,
    Hold,
    Parked,
    Pooled,
    Taken,
    Waiting,
    WantedAmendment,
    WantedCancellation,
)
from ingest.store.columns import columns, from_json

# Sorted, so that batches with orders in common cannot deadlock.
LOAD_ORDERS = "SELECT * FROM pool_order WHERE order_id = ANY($1::text[]) ORDER BY order_id"
LOCK_ORDERS = LOAD_ORDERS + " FOR UPDATE"
LOAD_CONSUMERS = "SELECT * FROM order_consumer WHERE order_id = ANY($1::text[])"
LOAD_LINES = "SELECT * FROM order_line WHERE order_id = ANY($1::text[]) ORDER BY order_id, line_id"
LOAD_HOLDS = """
SELECT * FROM order_hold WHERE order_id = ANY($1::text[]) AND lifted_at IS NULL
ORDER BY order_id, hold_id
"""
LOAD_PAYMENTS = """
SELECT * FROM order_payment WHERE order_id = ANY($1::text[]) ORDER BY order_id, paid_at
"""
LOAD_PARKED = """
SELECT * FROM parked_command WHERE order_id = ANY($1::text[]) AND applied_at IS NULL
ORDER BY order_id, parked_at, command_id
"""
LOAD_KEYS = """
SELECT k.* FROM unnest($1::text[], $2::text[], $3::text[]) AS u (channel, shop_id, key)
JOIN idempotency_key AS k USING (channel, shop_id, key)
"""
FIND_COMMANDS = """
SELECT c.* FROM unnest($1::text[], $2::text[], $3::text[]) AS u (order_id, kind, command_id)
JOIN command AS c USING (order_id, kind, command_id)
"""

WAITING_TYPES: Mapping[CommandKind, type[Waiting]] = {
    CommandKind.CANCELLATION: WantedCancellation,
    CommandKind.PAYMENT: Payment,
    CommandKind.AMENDMENT: WantedAmendment,
}
CommandKey: TypeAlias = tuple[str, str, str]


async def lock_orders(tx: Transaction, order_ids: Collection[str]) -> dict[str, Pooled]:
    """Return the orders that exist, locked. What does not exist cannot be locked: see `save`."""
    return await _complete(tx, await tx.fetch(LOCK_ORDERS, sorted(set(order_ids))))


async def load_orders(tx: Transaction, order_ids: Collection[str]) -> dict[str, Pooled]:
    """Return the orders that exist, for reading."""
    return await _complete(tx, await tx.fetch(LOAD_ORDERS, sorted(set(order_ids))))


async def _complete(tx: Transaction, rows: Sequence[asyncpg.Record]) -> dict[str, Pooled]:
    if not rows:
        return {}
    found = [row["order_id"] for row in rows]
    consumers = {row["order_id"]: _consumer(row) for row in await tx.fetch(LOAD_CONSUMERS, found)}
    lines = _by_order(await tx.fetch(LOAD_LINES, found))
    holds = _by_order(await tx.fetch(LOAD_HOLDS, found))
    payments = _by_order(await tx.fetch(LOAD_PAYMENTS, found))
    parked = _by_order(await tx.fetch(LOAD_PARKED, found))
    return {
        row["order_id"]: _pooled(
            row,
            consumers.get(row["order_id"]),
            {line["line_id"]: counters_of(line) for line in lines.get(row["order_id"], ())},
            (
                holds.get(row["order_id"], ()),
                payments.get(row["order_id"], ()),
                parked.get(row["order_id"], ()),
            ),
        )
        for row in rows
    }


async def load_keys(
    tx: Transaction, keys: Collection[tuple[str, str, str]]
) -> dict[tuple[str, str, str], tuple[bytes, str]]:
    """Return what was sent under idempotency keys of (channel, shop, key): hash and order id."""
    if not keys:
        return {}
    rows = await tx.fetch(LOAD_KEYS, *columns(sorted(keys), 3))
    return {
        (row["channel"], row["shop_id"], row["key"]): (row["content_hash"], row["order_id"])
        for row in rows
    }


async def find_commands(tx: Transaction, keys: Collection[CommandKey]) -> dict[CommandKey, Command]:
    """Return what commands of (order, kind, command id) were answered before."""
    rows = await tx.fetch(FIND_COMMANDS, *columns(sorted(keys), 3))
    return {
        (row["order_id"], row["kind"], row["command_id"]): Command(
            order_id=row["order_id"],
            kind=CommandKind(row["kind"]),
            command_id=row["command_id"],
            content_hash=row["content_hash"],
            answer=from_json(row["answer"], Answered),
        )
        for row in rows
    }


def counters_of(row: asyncpg.Record) -> Counters:
    """Return the counters of a row that has them all."""
    return Counters(
        ordered_units=row["ordered_units"],
        cancelled_units=row["cancelled_units"],
        unroutable_units=row["unroutable_units"],
        reserved_units=row["reserved_units"],
        released_units=row["released_units"],
        shipped_units=row["shipped_units"],
        delivered_units=row["delivered_units"],
        return_requested_units=row["return_requested_units"],
        returned_units=row["returned_units"],
    )


_Rows: TypeAlias = Sequence[asyncpg.Record]
_Attached: TypeAlias = tuple[_Rows, _Rows, _Rows]


def _by_order(rows: _Rows) -> dict[str, list[asyncpg.Record]]:
    grouped: dict[str, list[asyncpg.Record]] = {}
    for row in rows:
        grouped.setdefault(row["order_id"], []).append(row)
    return grouped


def _consumer(row: asyncpg.Record) -> Consumer:
    return Consumer(
        name=row["name"],
        phone=row["phone"],
        street=row["street"],
        memo=row["memo"],
        latitude=row["latitude"],
        longitude=row["longitude"],
    )


def _pooled(
    row: asyncpg.Record,
    consumer: Consumer | None,
    counters: Mapping[str, Counters],
    attached: _Attached,
) -> Pooled:
    holds, payments, parked = attached
    content, answer = row["content"], row["first_answer"]
    return Pooled(
        order_id=row["order_id"],
        order=None if content is None else from_json(content, Order),
        consumer=consumer,
        content_hash=row["content_hash"],
        order_version=row["order_version"],
        raw_id=row["raw_id"],
        received_at=row["received_at"],
        first_hash=row["first_hash"],
        first_answer=None if answer is None else from_json(answer, Taken),
        paid_at=row["paid_at"],
        accepted_at=row["accepted_at"],
        cancelled_at=row["cancelled_at"],
        quarantine_id=row["quarantine_id"],
        waivers=from_json(row["waivers"], list[str]),
        flags=from_json(row["flags"], list[str]),
        holds=[_hold(each) for each in holds],
        payments=[_payment(each) for each in payments],
        parked=[_parked(each) for each in parked],
        counters=counters,
        waiting_for_limit=row["waiting_for_limit"],
        stored=True,
    )


def _hold(row: asyncpg.Record) -> Hold:
    return Hold(
        order_id=row["order_id"],
        hold_id=row["hold_id"],
        reason=HoldReason(row["reason"]),
        scope=row["scope"],
        line_ids=from_json(row["line_ids"], list[str]),
        until=row["until"],
        placed_by=row["placed_by"],
        placed_at=row["placed_at"],
    )


def _payment(row: asyncpg.Record) -> Payment:
    return Payment(
        payment_id=row["payment_id"],
        amount_minor=row["amount_minor"],
        currency=row["currency"],
        paid_at=row["paid_at"],
        method=row["method"],
    )


def _parked(row: asyncpg.Record) -> Parked:
    kind = CommandKind(row["kind"])
    return Parked(
        order_id=row["order_id"],
        kind=kind,
        command_id=row["command_id"],
        content=from_json(row["content"], WAITING_TYPES[kind]),
        parked_at=row["parked_at"],
    )
