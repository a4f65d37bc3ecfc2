"""What the API shows: orders, timelines, quarantine, alarms, page by page."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import asyncpg
import msgspec

from backbone import Transaction

LIST_ORDERS = """
SELECT order_id, channel, shop_id, channel_order_number, status, order_version,
       content ->> 'currency' AS currency, (content ->> 'total_minor')::bigint AS total_minor,
       placed_at, received_at
FROM pool_order
WHERE content IS NOT NULL
  AND ($1::text IS NULL OR status = $1) AND ($2::text IS NULL OR shop_id = $2)
  AND ($3::timestamptz IS NULL OR (received_at, order_id) > ($3, $4::text))
ORDER BY received_at, order_id
LIMIT $5
"""
LIST_TIMELINE = """
SELECT entry, occurred_at, recorded_at, actor, what, event_id, detail
FROM timeline WHERE order_id = $1 AND entry > $2 ORDER BY entry LIMIT $3
"""
FIND_ORDER = "SELECT 1 FROM pool_order WHERE order_id = $1"
FIND_CONSUMER = "SELECT * FROM order_consumer WHERE order_id = $1"
LIST_QUARANTINE = """
SELECT * FROM quarantine
WHERE ($1::text IS NULL OR reason = $1) AND ($2::text IS NULL OR shop_id = $2)
  AND (resolved_at IS NOT NULL) = $3
  AND ($4::timestamptz IS NULL OR (opened_at, quarantine_id) > ($4, $5::text))
ORDER BY opened_at, quarantine_id
LIMIT $6
"""
SHOW_QUARANTINE = "SELECT * FROM quarantine WHERE quarantine_id = $1"
LIST_ALARMS = """
SELECT kind, subject, raised_at, cleared_at FROM alarm
WHERE (cleared_at IS NOT NULL) = $1 AND ($2::text IS NULL OR (kind, subject) > ($2, $3::text))
ORDER BY kind, subject
LIMIT $4
"""


@dataclass(frozen=True, slots=True)
class Slice:
    """A part of a list: at most so many rows after a key of a time and an id."""

    rows_max: int
    after_at: datetime | None = None
    after_id: str | None = None


async def list_orders(
    tx: Transaction, status: str | None, shop_id: str | None, part: Slice
) -> Sequence[asyncpg.Record]:
    """Return orders in the order of their coming."""
    return await tx.fetch(LIST_ORDERS, status, shop_id, part.after_at, part.after_id, part.rows_max)


async def list_timeline(
    tx: Transaction, order_id: str, after: int, rows_max: int
) -> list[dict[str, Any]] | None:
    """Return entries of an order's story, or None for an order that is not there."""
    rows = await tx.fetch(LIST_TIMELINE, order_id, after, rows_max)
    if not rows and await tx.fetchval(FIND_ORDER, order_id) is None:
        return None
    return [{**row, "detail": msgspec.json.decode(row["detail"])} for row in rows]


async def find_consumer(tx: Transaction, order_id: str) -> asyncpg.Record | None:
    """Return the personal data of one order, or None."""
    return await tx.fetchrow(FIND_CONSUMER, order_id)


async def list_quarantine(
    tx: Transaction,
    reason: str | None,
    shop_id: str | None,
    part: Slice,
    *,
    is_resolved: bool,
) -> list[dict[str, Any]]:
    """Return records of quarantine, oldest first."""
    rows = await tx.fetch(
        LIST_QUARANTINE,
        reason,
        shop_id,
        is_resolved,
        part.after_at,
        part.after_id,
        part.rows_max,
    )
    return [_quarantine(row) for row in rows]


async def show_quarantine(tx: Transaction, quarantine_id: str) -> dict[str, Any] | None:
    """Return a record of quarantine, open or not, or None."""
    row = await tx.fetchrow(SHOW_QUARANTINE, quarantine_id)
    return None if row is None else _quarantine(row)


async def list_alarms(
    tx: Transaction, after: tuple[str, str] | None, rows_max: int, *, is_cleared: bool
) -> Sequence[asyncpg.Record]:
    """Return alarms by kind and subject."""
    return await tx.fetch(LIST_ALARMS, is_cleared, *(after or (None, None)), rows_max)


def _quarantine(row: asyncpg.Record) -> dict[str, Any]:
    return {
        **row,
        "order_number": row["channel_order_number"],
        "complaints": msgspec.json.decode(row["complaints"]),
    }
