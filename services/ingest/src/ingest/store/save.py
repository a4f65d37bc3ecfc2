"""Stores a decision: one statement per table that it touches, in one order for all."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, TypeAlias

import asyncpg

from backbone import Transaction
from ingest.model.pool import Decision, Pooled, TimelineEntry
from ingest.store.columns import columns, to_json

Rows: TypeAlias = Sequence[Sequence[Any]]

INSERT_ORDERS = """
INSERT INTO pool_order (order_id, channel, shop_id, channel_order_number, order_version, content,
    content_hash, first_hash, first_answer, raw_id, received_at, placed_at, paid_at, accepted_at,
    cancelled_at, quarantine_id, waivers, flags, holds_open, ordered_units)
SELECT a, b, c, d, e, f::jsonb, g, h, i::jsonb, j, k, l, m, n, o, p, q::jsonb, r::jsonb, s, t
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::int[], $6::text[], $7::bytea[],
    $8::bytea[], $9::text[], $10::text[], $11::timestamptz[], $12::timestamptz[],
    $13::timestamptz[], $14::timestamptz[], $15::timestamptz[], $16::text[], $17::text[],
    $18::text[], $19::int[], $20::bigint[])
    AS u (a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t)
ORDER BY a
ON CONFLICT (order_id) DO NOTHING
"""
UPDATE_ORDERS = """
UPDATE pool_order SET channel = b, shop_id = c, channel_order_number = d, order_version = e,
    content = f::jsonb, content_hash = g, first_hash = h, first_answer = i::jsonb, raw_id = j,
    received_at = k, placed_at = l, paid_at = m, accepted_at = n, cancelled_at = o,
    quarantine_id = p, waivers = q::jsonb, flags = r::jsonb, holds_open = s, ordered_units = t
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::int[], $6::text[], $7::bytea[],
    $8::bytea[], $9::text[], $10::text[], $11::timestamptz[], $12::timestamptz[],
    $13::timestamptz[], $14::timestamptz[], $15::timestamptz[], $16::text[], $17::text[],
    $18::text[], $19::int[], $20::bigint[])
    AS u (a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t)
WHERE order_id = a
"""
DELETE_LINES = "DELETE FROM order_line WHERE order_id = ANY($1::text[])"
SAVE_LINES = """
INSERT INTO order_line (order_id, line_id, ordered_units)
SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[])
ON CONFLICT (order_id, line_id) DO NOTHING
"""
SAVE_CONSUMERS = """
INSERT INTO order_consumer
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::float8[],
                     $7::float8[])
ON CONFLICT (order_id) DO UPDATE SET name = excluded.name, phone = excluded.phone,
    street = excluded.street, memo = excluded.memo, latitude = excluded.latitude,
    longitude = excluded.longitude
"""
SAVE_RAW = """
INSERT INTO raw_input
SELECT a, b, c, d, e, f, g, $8
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bytea[])
    AS u (a, b, c, d, e, f, g)
ON CONFLICT (raw_id) DO NOTHING
"""
SAVE_QUARANTINES = """
INSERT INTO quarantine AS q (quarantine_id, order_id, channel, shop_id, channel_order_number,
    reason, complaints, awaits, blocking, raw_id, opened_at)
SELECT a, b, c, d, e, f, g::jsonb,
    ARRAY(SELECT DISTINCT x ->> 'awaits' FROM jsonb_array_elements(g::jsonb) AS x
          WHERE x ->> 'awaits' IS NOT NULL), h, i, j
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
    $8::bool[], $9::text[], $10::timestamptz[]) AS u (a, b, c, d, e, f, g, h, i, j)
ON CONFLICT (quarantine_id) DO UPDATE SET reason = excluded.reason,
    complaints = excluded.complaints, awaits = excluded.awaits, recheck = false,
    resolved_at = NULL, resolved_by = NULL, resolution = NULL
"""
RESOLVE = """
UPDATE quarantine SET resolved_at = $4, resolved_by = u.b, resolution = u.c
FROM unnest($1::text[], $2::text[], $3::text[]) AS u (a, b, c)
WHERE quarantine_id = u.a AND resolved_at IS NULL
"""
SAVE_KEYS = """
INSERT INTO idempotency_key
SELECT a, b, c, d, e, $6
FROM unnest($1::text[], $2::text[], $3::text[], $4::bytea[], $5::text[]) AS u (a, b, c, d, e)
ON CONFLICT (channel, shop_id, key) DO NOTHING
"""
SAVE_HOLDS = """
INSERT INTO order_hold (order_id, hold_id, reason, scope, line_ids, until, placed_by, placed_at)
SELECT a, b, c, d, e::jsonb, f, g, h
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::timestamptz[],
    $7::text[], $8::timestamptz[]) AS u (a, b, c, d, e, f, g, h)
ON CONFLICT (order_id, hold_id) DO NOTHING
"""
LIFT_HOLDS = """
UPDATE order_hold SET lifted_by = u.c, lifted_at = $4
FROM unnest($1::text[], $2::text[], $3::text[]) AS u (a, b, c)
WHERE order_id = u.a AND hold_id = u.b AND lifted_at IS NULL
"""
SAVE_PAYMENTS = """
INSERT INTO order_payment
SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::text[],
                     $6::timestamptz[])
ON CONFLICT (order_id, payment_id) DO NOTHING
"""
SAVE_PARKED = """
INSERT INTO parked_command
SELECT a, b, c, d::jsonb, e
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[])
    AS u (a, b, c, d, e)
ON CONFLICT DO NOTHING
"""
APPLY_PARKED = """
UPDATE parked_command AS p SET applied_at = $4
FROM unnest($1::text[], $2::text[], $3::text[]) AS u (a, b, c)
WHERE (p.order_id, p.kind, p.command_id) = (u.a, u.b, u.c)
"""
SAVE_COMMANDS = """
INSERT INTO command
SELECT a, b, c, d, e::jsonb, f, $7
FROM unnest($1::text[], $2::text[], $3::text[], $4::bytea[], $5::text[], $6::text[])
    AS u (a, b, c, d, e, f)
ON CONFLICT DO NOTHING
"""
ADD_RETURN_REQUESTS = """
WITH asked AS (
    UPDATE order_line AS l SET return_requested_units = l.return_requested_units + u.c
    FROM unnest($1::text[], $2::text[], $3::bigint[]) AS u (a, b, c)
    WHERE l.order_id = u.a AND l.line_id = u.b
    RETURNING l.order_id, u.c AS units
)
UPDATE pool_order AS o SET return_requested_units = o.return_requested_units + s.units
FROM (SELECT order_id, sum(units) AS units FROM asked GROUP BY order_id) AS s
WHERE o.order_id = s.order_id
"""
SAVE_TIMELINE = """
INSERT INTO timeline (order_id, occurred_at, actor, what, event_id, detail, recorded_at)
SELECT a, b, c, d, e, f::jsonb, $7
FROM unnest($1::text[], $2::timestamptz[], $3::text[], $4::text[], $5::text[], $6::text[])
    AS u (a, b, c, d, e, f)
"""
RAISE_ALARMS = """
INSERT INTO alarm AS a
SELECT DISTINCT b, c, $3::timestamptz FROM unnest($1::text[], $2::text[]) AS u (b, c)
ON CONFLICT (kind, subject) DO UPDATE SET raised_at = excluded.raised_at, cleared_at = NULL
WHERE a.cleared_at IS NOT NULL
"""


async def save(tx: Transaction, decision: Decision, now: datetime) -> None:
    """Store everything that was decided.

    An order or key that somebody else stored first, after it was looked for here, fails the
    transaction as a lost race; it is run again and then sees the other's.
    """
    await _save_orders(tx, [decision.orders[each] for each in sorted(decision.touched)], now)
    keys = sorted({key[:3]: key for key in decision.keys}.values())
    await _insert_all(tx, SAVE_KEYS, keys, 5, now)
    await _insert_all(tx, SAVE_COMMANDS, _commands(decision), 6, now)
    await _save_changes(tx, decision, now)
    raw = [
        (
            each.raw_id,
            str(each.entrance),
            each.channel,
            each.shop_id,
            each.content_type,
            each.delivery_id,
            each.content,
        )
        for each in decision.raw_inputs.values()
    ]
    await _run(tx, SAVE_RAW, sorted(raw), 7, now)
    await save_timeline(tx, decision.timeline, now)
    alarms = sorted({(alarm.kind, alarm.subject) for alarm in decision.alarms})
    await _run(tx, RAISE_ALARMS, alarms, 2, now)


async def save_timeline(tx: Transaction, entries: Sequence[TimelineEntry], now: datetime) -> None:
    """Add to the story of orders, in the given order."""
    rows = [
        (
            each.order_id,
            each.occurred_at,
            each.actor,
            each.what,
            each.event_id,
            to_json(each.detail),
        )
        for each in entries
    ]
    await _run(tx, SAVE_TIMELINE, rows, 6, now)


async def _save_orders(tx: Transaction, orders: Sequence[Pooled], now: datetime) -> None:
    new = [_order_row(pooled) for pooled in orders if not pooled.stored]
    await _insert_all(tx, INSERT_ORDERS, new, 20)
    known = [_order_row(pooled) for pooled in orders if pooled.stored]
    await _run(tx, UPDATE_ORDERS, known, 20)
    # A later version may have other lines; once an order is accepted they never change again.
    rewritten = [
        each.order_id for each in orders if each.stored and each.accepted_at in {None, now}
    ]
    if rewritten:
        await tx.execute(DELETE_LINES, rewritten)
    lines = [
        (pooled.order_id, line_id, counters.ordered_units)
        for pooled in orders
        for line_id, counters in pooled.counters.items()
    ]
    await _run(tx, SAVE_LINES, lines, 3)
    consumers = [
        (each.order_id, who.name, who.phone, who.street, who.memo, who.latitude, who.longitude)
        for each in orders
        if (who := each.consumer) is not None
    ]
    await _run(tx, SAVE_CONSUMERS, consumers, 7)


async def _save_changes(tx: Transaction, decision: Decision, now: datetime) -> None:
    # Resolved before opened: a record that is closed and found wrong again stays open.
    await _run(tx, RESOLVE, decision.resolved, 3, now)
    await _run(tx, SAVE_QUARANTINES, _quarantines(decision), 10)
    holds = [
        (
            each.order_id,
            each.hold_id,
            str(each.reason),
            each.scope,
            to_json(each.line_ids),
            each.until,
            each.placed_by,
            each.placed_at,
        )
        for each in decision.holds
    ]
    await _run(tx, SAVE_HOLDS, holds, 8)
    await _run(tx, LIFT_HOLDS, decision.lifted, 3, now)
    payments = [
        (order_id, each.payment_id, each.amount_minor, each.currency, each.method, each.paid_at)
        for order_id, each in decision.payments
    ]
    await _run(tx, SAVE_PAYMENTS, payments, 6)
    parked = [
        (each.order_id, str(each.kind), each.command_id, to_json(each.content), each.parked_at)
        for each in decision.parked
    ]
    await _run(tx, SAVE_PARKED, parked, 5)
    applied = [(each.order_id, str(each.kind), each.command_id) for each in decision.applied]
    await _run(tx, APPLY_PARKED, applied, 3, now)
    await _run(tx, ADD_RETURN_REQUESTS, decision.return_requests, 3)


async def _run(tx: Transaction, statement: str, rows: Rows, width: int, *more: object) -> None:
    if rows:
        await tx.execute(statement, *columns(rows, width), *more)


async def _insert_all(
    tx: Transaction, statement: str, rows: Rows, width: int, *more: object
) -> None:
    """Insert rows that were not there a moment ago, or lose the race for one of them."""
    if not rows:
        return
    done = await tx.execute(statement, *columns(rows, width), *more)
    if done != f"INSERT 0 {len(rows)}":
        raise asyncpg.SerializationError(f"{done} of {len(rows)}: another transaction came first")


def _order_row(pooled: Pooled) -> tuple[object, ...]:
    order, answer = pooled.order, pooled.first_answer
    return (
        pooled.order_id,
        order and order.channel,
        order and order.shop_id,
        order and order.channel_order_number,
        pooled.order_version,
        None if order is None else to_json(order),
        pooled.content_hash,
        pooled.first_hash,
        None if answer is None else to_json(answer),
        pooled.raw_id,
        pooled.received_at,
        order and order.placed_at,
        pooled.paid_at,
        pooled.accepted_at,
        pooled.cancelled_at,
        pooled.quarantine_id,
        to_json(pooled.waivers),
        to_json(pooled.flags),
        len(pooled.holds),
        pooled.total.ordered_units,
    )


def _quarantines(decision: Decision) -> list[tuple[object, ...]]:
    rows = {
        each.quarantine_id: (
            each.quarantine_id,
            each.order_id,
            each.channel,
            each.shop_id,
            each.channel_order_number,
            each.reason,
            to_json(each.complaints),
            each.blocking,
            each.raw_id,
            each.opened_at,
        )
        for each in decision.quarantines
    }
    return [rows[key] for key in sorted(rows)]


def _commands(decision: Decision) -> list[tuple[object, ...]]:
    raw_id = next(iter(decision.raw_inputs), None)
    return [
        (
            each.order_id,
            str(each.kind),
            each.command_id,
            each.content_hash,
            to_json(each.answer),
            raw_id,
        )
        for each in decision.commands
    ]
