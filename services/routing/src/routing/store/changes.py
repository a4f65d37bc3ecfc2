"""What a decision changed, written with one statement per table."""

from collections.abc import Mapping, Sequence
from datetime import date

import asyncpg
import msgspec

from backbone import Transaction
from routing.model.changes import Changes
from routing.model.world import DecisionRecord

UPDATE_ORDERS = """
UPDATE sales_order o SET is_granted = n.is_granted, attempt = n.attempt,
    planned_attempt = n.planned_attempt, failures = n.failures, retry_at = n.retry_at
FROM unnest($1::text[], $2::bool[], $3::int[], $4::int[], $5::int[], $6::timestamptz[])
    AS n (order_id, is_granted, attempt, planned_attempt, failures, retry_at)
WHERE o.order_id = n.order_id
"""
UPDATE_LINES = """
UPDATE order_line l SET cancelled_units = n.cancelled_units,
    unroutable_units = n.unroutable_units, shipped_units = n.shipped_units,
    returned_units = n.returned_units
FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[])
    AS n (order_id, line_id, cancelled_units, unroutable_units, shipped_units, returned_units)
WHERE l.order_id = n.order_id AND l.line_id = n.line_id
"""
INSERT_PARCELS = """
INSERT INTO parcel (parcel_id, order_id, attempt, node_id, execution, negotiation, promised_at,
    promised_on, freight_minor, handling_minor)
SELECT * FROM unnest($1::text[], $2::text[], $3::int[], $4::text[], $5::text[], $6::text[],
    $7::timestamptz[], $8::date[], $9::bigint[], $10::bigint[])
"""
INSERT_PARCEL_LINES = """
INSERT INTO parcel_line (order_id, parcel_id, line_id, place, planned_units)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::int[], $5::bigint[])
"""
UPDATE_PARCELS = """
UPDATE parcel p SET execution = n.execution, negotiation = n.negotiation,
    answer_until = n.answer_until, asks = n.asks::jsonb, carrier_id = n.carrier_id,
    waybill = n.waybill, conflicted = n.conflicted
FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::text[], $6::text[],
    $7::text[], $8::bool[])
    AS n (parcel_id, execution, negotiation, answer_until, asks, carrier_id, waybill, conflicted)
WHERE p.parcel_id = n.parcel_id
"""
UPDATE_PARCEL_LINES = """
UPDATE parcel_line l SET short_units = n.short_units, cancelled_units = n.cancelled_units,
    shipped_units = n.shipped_units, returned_units = n.returned_units
FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[],
    $7::bigint[])
    AS n (order_id, parcel_id, line_id, short_units, cancelled_units, shipped_units,
        returned_units)
WHERE l.order_id = n.order_id AND l.parcel_id = n.parcel_id AND l.line_id = n.line_id
"""
SAVE_EXCLUSIONS = """
INSERT INTO exclusion AS e (order_id, node_id, goods_id, units_max, cause)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::text[])
ON CONFLICT (order_id, node_id, goods_id) DO UPDATE
SET units_max = excluded.units_max, cause = excluded.cause
"""
DELETE_IN_FLIGHT = "DELETE FROM in_flight WHERE order_id = ANY($1::text[])"
INSERT_IN_FLIGHT = """
INSERT INTO in_flight (order_id, attempt, node_id, goods_id, quantity_units)
SELECT * FROM unnest($1::text[], $2::int[], $3::text[], $4::text[], $5::bigint[])
"""
# Days are locked in one order by every transaction. A day that another transaction filled since it
# was read is not returned.
MOVE_DAYS = """
INSERT INTO node_day AS d (node_id, day, parcels)
SELECT * FROM unnest($1::text[], $2::date[], $3::int[])
ON CONFLICT (node_id, day) DO UPDATE SET parcels = d.parcels + excluded.parcels
WHERE d.parcels + excluded.parcels
    <= (SELECT n.capacity_parcels FROM node n WHERE n.node_id = d.node_id)
RETURNING 1
"""
TAKE_DAYS_BACK = """
UPDATE node_day d SET parcels = d.parcels + n.parcels
FROM unnest($1::text[], $2::date[], $3::int[]) AS n (node_id, day, parcels)
WHERE d.node_id = n.node_id AND d.day = n.day
"""
INSERT_DECISIONS = """
INSERT INTO decision (order_id, attempt, decision_id, decided_at, record)
SELECT order_id, attempt, decision_id, decided_at, record::jsonb
FROM unnest($1::text[], $2::int[], $3::text[], $4::timestamptz[], $5::text[])
    AS n (order_id, attempt, decision_id, decided_at, record)
"""

_encode = msgspec.json.Encoder().encode


async def save_changes(
    tx: Transaction, changes: Changes, records: Sequence[DecisionRecord]
) -> None:
    """Write what changed.

    Raises asyncpg.SerializationError, which is tried again, when another transaction has taken
    the capacity of a day in the meantime.
    """
    await _save_orders(tx, changes)
    await _save_parcels(tx, changes)
    await _save_flight(tx, changes)
    await _move_days(tx, changes)
    if records:
        await tx.execute(
            INSERT_DECISIONS,
            [record.order_id for record in records],
            [record.attempt for record in records],
            [record.decision_id for record in records],
            [record.decided_at for record in records],
            [record.record.decode() for record in records],
        )


async def _save_orders(tx: Transaction, changes: Changes) -> None:
    if changes.orders:
        await tx.execute(
            UPDATE_ORDERS,
            [order.order_id for order in changes.orders],
            [order.is_granted for order in changes.orders],
            [order.attempt for order in changes.orders],
            [order.planned_attempt for order in changes.orders],
            [order.failures_count for order in changes.orders],
            [order.retry_at for order in changes.orders],
        )
    if changes.lines:
        await tx.execute(
            UPDATE_LINES,
            [order_id for order_id, _ in changes.lines],
            [line.line_id for _, line in changes.lines],
            [line.cancelled_units for _, line in changes.lines],
            [line.unroutable_units for _, line in changes.lines],
            [line.shipped_units for _, line in changes.lines],
            [line.returned_units for _, line in changes.lines],
        )
    if changes.exclusions:
        await tx.execute(
            SAVE_EXCLUSIONS,
            [order_id for order_id, _ in changes.exclusions],
            [each.node_id for _, each in changes.exclusions],
            [each.goods_id for _, each in changes.exclusions],
            [each.units_max for _, each in changes.exclusions],
            [each.cause for _, each in changes.exclusions],
        )


async def _save_parcels(tx: Transaction, changes: Changes) -> None:
    if changes.new_parcels:
        await _insert_parcels(tx, changes)
    parcels = [parcel for _, parcel in changes.parcels]
    if parcels:
        await tx.execute(
            UPDATE_PARCELS,
            [parcel.parcel_id for parcel in parcels],
            [parcel.execution for parcel in parcels],
            [parcel.negotiation for parcel in parcels],
            [parcel.answer_until for parcel in parcels],
            [_encode(parcel.asks).decode() for parcel in parcels],
            [parcel.carrier_id for parcel in parcels],
            [parcel.waybill for parcel in parcels],
            [parcel.conflicted for parcel in parcels],
        )
    lines = changes.parcel_lines
    if lines:
        await tx.execute(
            UPDATE_PARCEL_LINES,
            [order_id for order_id, _, _ in lines],
            [parcel_id for _, parcel_id, _ in lines],
            [line.line_id for _, _, line in lines],
            [line.short_units for _, _, line in lines],
            [line.cancelled_units for _, _, line in lines],
            [line.shipped_units for _, _, line in lines],
            [line.returned_units for _, _, line in lines],
        )


async def _insert_parcels(tx: Transaction, changes: Changes) -> None:
    parcels = [parcel for _, parcel in changes.new_parcels]
    await tx.execute(
        INSERT_PARCELS,
        [parcel.parcel_id for parcel in parcels],
        [order_id for order_id, _ in changes.new_parcels],
        [parcel.attempt for parcel in parcels],
        [parcel.node_id for parcel in parcels],
        [parcel.execution for parcel in parcels],
        [parcel.negotiation for parcel in parcels],
        [parcel.promised_at for parcel in parcels],
        [parcel.promised_on for parcel in parcels],
        [parcel.freight_minor for parcel in parcels],
        [parcel.handling_minor for parcel in parcels],
    )
    lines = [
        (order_id, parcel.parcel_id, place, line)
        for order_id, parcel in changes.new_parcels
        for place, line in enumerate(parcel.lines)
    ]
    await tx.execute(
        INSERT_PARCEL_LINES,
        [order_id for order_id, _, _, _ in lines],
        [parcel_id for _, parcel_id, _, _ in lines],
        [line.line_id for _, _, _, line in lines],
        [place for _, _, place, _ in lines],
        [line.planned_units for _, _, _, line in lines],
    )


async def _save_flight(tx: Transaction, changes: Changes) -> None:
    if changes.answered:
        await tx.execute(DELETE_IN_FLIGHT, changes.answered)
    if changes.promises:
        await tx.execute(
            INSERT_IN_FLIGHT,
            [each.order_id for each in changes.promises],
            [each.attempt for each in changes.promises],
            [each.node_id for each in changes.promises],
            [each.goods_id for each in changes.promises],
            [each.quantity_units for each in changes.promises],
        )


async def _move_days(tx: Transaction, changes: Changes) -> None:
    fuller = {day: count for day, count in changes.day_parcels.items() if count > 0}
    emptier = {day: count for day, count in changes.day_parcels.items() if count < 0}
    if fuller:
        moved = await tx.fetch(MOVE_DAYS, *_days(fuller))
        if len(moved) < len(fuller):
            raise asyncpg.SerializationError("a day's capacity was taken in the meantime")
    if emptier:
        await tx.execute(TAKE_DAYS_BACK, *_days(emptier))


def _days(parcels: Mapping[tuple[str, date], int]) -> tuple[list[str], list[date], list[int]]:
    days = sorted(parcels)
    return [node_id for node_id, _ in days], [day for _, day in days], [parcels[d] for d in days]
