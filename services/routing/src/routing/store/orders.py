"""Orders with their lines and parcels: read locked, written as what changed."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime

import asyncpg
import msgspec

from backbone import Transaction
from contracts.orders import OrderAccepted
from contracts.values import LinePart, Place, Service
from routing.model.fulfilment import (
    CancelAsk,
    Exclusion,
    Execution,
    Line,
    Negotiation,
    Order,
    Parcel,
    ParcelLine,
)

# Sorted, so that batches and commands cannot deadlock; orders are locked before anything else.
LOCK_ORDERS = """
SELECT order_id, seller_id, agreement_id, agreement_version, currency, service, region_code,
    latitude, longitude, ship_complete, is_granted, attempt, planned_attempt, failures, retry_at
FROM sales_order WHERE order_id = ANY($1::text[]) ORDER BY order_id FOR UPDATE
"""
LOAD_ORDERS = LOCK_ORDERS.replace(" FOR UPDATE", "")
LOAD_LINES = """
SELECT order_id, line_id, goods_id, parts, ordered_units, cancelled_units, unroutable_units,
    shipped_units, returned_units
FROM order_line WHERE order_id = ANY($1::text[]) ORDER BY order_id, place
"""
LOAD_PARCELS = """
SELECT order_id, parcel_id, attempt, node_id, execution, negotiation, promised_at, promised_on,
    freight_minor, handling_minor, answer_until, asks, carrier_id, waybill, conflicted
FROM parcel WHERE order_id = ANY($1::text[]) ORDER BY order_id, attempt, parcel_id
"""
LOAD_PARCEL_LINES = """
SELECT parcel_id, line_id, planned_units, short_units, cancelled_units, shipped_units,
    returned_units
FROM parcel_line WHERE order_id = ANY($1::text[]) ORDER BY order_id, parcel_id, place
"""
LOAD_EXCLUSIONS = """
SELECT order_id, node_id, goods_id, units_max, cause
FROM exclusion WHERE order_id = ANY($1::text[]) ORDER BY order_id, node_id, goods_id
"""
FIND_ORDERS_OF_PARCELS = "SELECT parcel_id, order_id FROM parcel WHERE parcel_id = ANY($1::text[])"
# Locked by others means being worked on right now; the next run finds it if it still waits.
LOCK_WAITING = """
SELECT order_id FROM sales_order WHERE retry_at <= $1 AND planned_attempt = 0
ORDER BY retry_at LIMIT $2 FOR UPDATE SKIP LOCKED
"""
FIND_UNANSWERED = """
SELECT DISTINCT order_id FROM (
    SELECT order_id FROM parcel WHERE answer_until <= $1 ORDER BY answer_until LIMIT $2) AS late
"""

SAVE_ACCEPTED = """
INSERT INTO sales_order (order_id, brand_id, channel, shop_id, seller_id, agreement_id,
    agreement_version, currency, service, region_code, latitude, longitude, ship_complete,
    placed_at, recorded_at)
SELECT n.*, $15::timestamptz FROM unnest($1::text[], $2::text[], $3::text[], $4::text[],
    $5::text[], $6::text[], $7::int[], $8::text[], $9::text[], $10::text[], $11::float8[],
    $12::float8[], $13::bool[], $14::timestamptz[]) AS n
ON CONFLICT (order_id) DO NOTHING
"""
SAVE_ACCEPTED_LINES = """
INSERT INTO order_line (order_id, line_id, place, goods_id, parts, ordered_units)
SELECT order_id, line_id, place, goods_id, parts::jsonb, ordered_units
FROM unnest($1::text[], $2::text[], $3::int[], $4::text[], $5::text[], $6::bigint[])
    AS n (order_id, line_id, place, goods_id, parts, ordered_units)
ON CONFLICT (order_id, line_id) DO NOTHING
"""

_PARTS = msgspec.json.Decoder(tuple[LinePart, ...])
_ASKS = msgspec.json.Decoder(tuple[CancelAsk, ...])
_encode = msgspec.json.Encoder().encode


async def save_accepted(tx: Transaction, events: Sequence[OrderAccepted], now: datetime) -> None:
    """Keep accepted orders; one that is known already stays as it is."""
    await tx.execute(
        SAVE_ACCEPTED,
        [event.order_id for event in events],
        [event.brand_id for event in events],
        [event.channel for event in events],
        [event.shop_id for event in events],
        [event.seller_id for event in events],
        [event.agreement_id for event in events],
        [event.agreement_version for event in events],
        [event.currency for event in events],
        [event.service for event in events],
        [event.place.region_code for event in events],
        [event.place.latitude for event in events],
        [event.place.longitude for event in events],
        [event.ship_complete for event in events],
        [event.placed_at for event in events],
        now,
    )
    lines = [
        (event.order_id, place, line) for event in events for place, line in enumerate(event.lines)
    ]
    await tx.execute(
        SAVE_ACCEPTED_LINES,
        [order_id for order_id, _, _ in lines],
        [line.line_id for _, _, line in lines],
        [place for _, place, _ in lines],
        [line.goods_id for _, _, line in lines],
        [_encode(line.parts).decode() for _, _, line in lines],
        [line.quantity_units for _, _, line in lines],
    )


async def lock_orders(tx: Transaction, order_ids: Iterable[str]) -> dict[str, Order]:
    """Read and lock orders, with everything that is theirs; unknown ones are left out."""
    wanted = sorted(set(order_ids))
    return await _load(tx, wanted, LOCK_ORDERS) if wanted else {}


async def load_orders(tx: Transaction, order_ids: Iterable[str]) -> dict[str, Order]:
    """Read orders without a lock, to show them."""
    return await _load(tx, sorted(set(order_ids)), LOAD_ORDERS)


async def lock_waiting(tx: Transaction, now: datetime, orders_max: int) -> list[str]:
    """Lock the orders whose wait for stock is over, the longest wait first."""
    rows = await tx.fetch(LOCK_WAITING, now, orders_max)
    return [row["order_id"] for row in rows]


async def find_unanswered(tx: Transaction, now: datetime, parcels_max: int) -> list[str]:
    """Return the orders of parcels whose node has not answered in time."""
    rows = await tx.fetch(FIND_UNANSWERED, now, parcels_max)
    return [row["order_id"] for row in rows]


async def find_orders_of(tx: Transaction, parcel_ids: Collection[str]) -> dict[str, str]:
    """Return the order of each parcel; unknown parcels are left out."""
    rows = await tx.fetch(FIND_ORDERS_OF_PARCELS, list(parcel_ids))
    return {row["parcel_id"]: row["order_id"] for row in rows}


async def _load(tx: Transaction, order_ids: list[str], statement: str) -> dict[str, Order]:
    rows = await tx.fetch(statement, order_ids)
    lines = _grouped(await tx.fetch(LOAD_LINES, order_ids), "order_id")
    parcel_rows = await tx.fetch(LOAD_PARCELS, order_ids)
    if not parcel_rows:
        return {row["order_id"]: _order(row, lines[row["order_id"]], (), ()) for row in rows}
    contents = _grouped(await tx.fetch(LOAD_PARCEL_LINES, order_ids), "parcel_id")
    exclusions = _grouped(await tx.fetch(LOAD_EXCLUSIONS, order_ids), "order_id")
    parcels: dict[str, list[Parcel]] = defaultdict(list)
    for row in parcel_rows:
        parcels[row["order_id"]].append(_parcel(row, contents[row["parcel_id"]]))
    return {
        row["order_id"]: _order(
            row,
            lines[row["order_id"]],
            parcels[row["order_id"]],
            exclusions[row["order_id"]],
        )
        for row in rows
    }


def _grouped(rows: Sequence[asyncpg.Record], column: str) -> Mapping[str, list[asyncpg.Record]]:
    grouped: dict[str, list[asyncpg.Record]] = defaultdict(list)
    for row in rows:
        grouped[row[column]].append(row)
    return grouped


def _order(
    row: asyncpg.Record,
    lines: Iterable[asyncpg.Record],
    parcels: Iterable[Parcel],
    exclusions: Iterable[asyncpg.Record],
) -> Order:
    return Order(
        order_id=row["order_id"],
        seller_id=row["seller_id"],
        agreement_id=row["agreement_id"],
        agreement_version=row["agreement_version"],
        currency=row["currency"],
        service=Service(row["service"]),
        place=Place(
            region_code=row["region_code"], latitude=row["latitude"], longitude=row["longitude"]
        ),
        ship_complete=row["ship_complete"],
        lines=tuple(_line(line) for line in lines),
        is_granted=row["is_granted"],
        attempt=row["attempt"],
        planned_attempt=row["planned_attempt"],
        failures_count=row["failures"],
        retry_at=row["retry_at"],
        parcels=tuple(parcels),
        exclusions=tuple(Exclusion(*each[1:]) for each in map(tuple, exclusions)),
    )


def _line(row: asyncpg.Record) -> Line:
    return Line(
        line_id=row["line_id"],
        goods_id=row["goods_id"],
        parts=_PARTS.decode(row["parts"]),
        ordered_units=row["ordered_units"],
        cancelled_units=row["cancelled_units"],
        unroutable_units=row["unroutable_units"],
        shipped_units=row["shipped_units"],
        returned_units=row["returned_units"],
    )


def _parcel(row: asyncpg.Record, lines: Iterable[asyncpg.Record]) -> Parcel:
    return Parcel(
        parcel_id=row["parcel_id"],
        attempt=row["attempt"],
        node_id=row["node_id"],
        execution=Execution(row["execution"]),
        negotiation=Negotiation(row["negotiation"]),
        lines=tuple(ParcelLine(*tuple(line)[1:]) for line in lines),
        promised_at=row["promised_at"],
        promised_on=row["promised_on"],
        freight_minor=row["freight_minor"],
        handling_minor=row["handling_minor"],
        answer_until=row["answer_until"],
        asks=() if row["asks"] == "[]" else _ASKS.decode(row["asks"]),
        carrier_id=row["carrier_id"],
        waybill=row["waybill"],
        conflicted=row["conflicted"],
    )
