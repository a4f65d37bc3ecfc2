"""What needs to be looked at again: quarantine, ended holds, old parked commands, alarms."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import asyncpg

from backbone import Transaction
from ingest.model.order import Entrance, RawInput
from ingest.model.pool import Complaint, Quarantine
from ingest.store.columns import from_json

FIND_QUARANTINE = "SELECT * FROM quarantine WHERE quarantine_id = $1 AND resolved_at IS NULL"
LOCK_QUARANTINE = FIND_QUARANTINE + " FOR UPDATE"
RESOLVE_QUARANTINE = """
UPDATE quarantine SET resolved_at = $4, resolved_by = $2, resolution = $3 WHERE quarantine_id = $1
"""
FIND_RAW = "SELECT * FROM raw_input WHERE raw_id = $1"
TAKE_RECHECKS = """
UPDATE quarantine SET recheck = false
WHERE quarantine_id IN (
    SELECT quarantine_id FROM quarantine
    WHERE recheck AND resolved_at IS NULL AND order_id IS NOT NULL
    ORDER BY opened_at LIMIT $1
)
RETURNING order_id
"""
FIND_ENDED_HOLDS = """
SELECT DISTINCT order_id FROM order_hold
WHERE lifted_at IS NULL AND until <= $1
ORDER BY order_id LIMIT $2
"""
ALARM_PARKED = """
INSERT INTO alarm AS a
SELECT 'parked_too_long', order_id || '/' || kind || '/' || command_id, $1
FROM parked_command
WHERE applied_at IS NULL
  AND parked_at < CASE kind WHEN 'amendment' THEN $2::timestamptz ELSE $3::timestamptz END
ON CONFLICT (kind, subject) DO NOTHING
"""
CLEAR_PARKED = """
UPDATE alarm AS a SET cleared_at = $1
FROM parked_command AS p
WHERE a.kind = 'parked_too_long' AND a.cleared_at IS NULL AND p.applied_at IS NOT NULL
  AND a.subject = p.order_id || '/' || p.kind || '/' || p.command_id
"""
ALARM_CLOCK = """
INSERT INTO alarm AS a SELECT 'clock_wrong', 'ingest', $1
WHERE abs(extract(epoch FROM clock_timestamp() - $1)) > $2::float8
ON CONFLICT (kind, subject) DO UPDATE SET raised_at = excluded.raised_at, cleared_at = NULL
WHERE a.cleared_at IS NOT NULL
"""
EXPIRE_KEYS = "DELETE FROM idempotency_key WHERE created_at < $1"
READ_CLOCK = "SELECT clock_timestamp()"


async def read_clock(tx: Transaction) -> datetime:
    """Return the database's time, by which windows of signatures are judged."""
    now: datetime = await tx.fetchval(READ_CLOCK)
    return now


async def lock_quarantine(tx: Transaction, quarantine_id: str) -> Quarantine | None:
    """Return an open record, locked, or None."""
    row = await tx.fetchrow(LOCK_QUARANTINE, quarantine_id)
    return None if row is None else quarantine_of(row)


async def resolve_quarantine(
    tx: Transaction, quarantine_id: str, actor: str, resolution: str, now: datetime
) -> None:
    """Close a record."""
    await tx.execute(RESOLVE_QUARANTINE, quarantine_id, actor, resolution, now)


async def find_raw(tx: Transaction, raw_id: str) -> RawInput | None:
    """Return bytes as they came, or None."""
    row = await tx.fetchrow(FIND_RAW, raw_id)
    if row is None:
        return None
    return RawInput(
        raw_id=row["raw_id"],
        entrance=Entrance(row["entrance"]),
        channel=row["channel"],
        shop_id=row["shop_id"],
        content_type=row["content_type"],
        content=row["content"],
        delivery_id=row["delivery_id"],
    )


async def take_rechecks(tx: Transaction, orders_max: int) -> list[str]:
    """Return orders whose quarantine is to be looked at again, oldest first, and unmark them."""
    rows = await tx.fetch(TAKE_RECHECKS, orders_max)
    return [row["order_id"] for row in rows]


async def find_ended_holds(tx: Transaction, now: datetime, orders_max: int) -> list[str]:
    """Return orders with a hold whose time is over."""
    rows = await tx.fetch(FIND_ENDED_HOLDS, now, orders_max)
    return [row["order_id"] for row in rows]


async def alarm_parked(
    tx: Transaction, now: datetime, gap_max: timedelta, wait_max: timedelta
) -> None:
    """Raise an alarm for versions behind a gap and commands without an order that wait too long."""
    await tx.execute(ALARM_PARKED, now, now - gap_max, now - wait_max)
    await tx.execute(CLEAR_PARKED, now)


async def alarm_clock(tx: Transaction, now: datetime, difference_max: timedelta) -> None:
    """Raise an alarm when this process's clock and the database's are apart."""
    await tx.execute(ALARM_CLOCK, now, difference_max.total_seconds())


async def expire_keys(tx: Transaction, before: datetime) -> None:
    """Forget idempotency keys; the order's own number still tells a repetition."""
    await tx.execute(EXPIRE_KEYS, before)


def quarantine_of(row: asyncpg.Record) -> Quarantine:
    """Return a record of quarantine as the rules see it."""
    complaints: Sequence[Complaint] = from_json(row["complaints"], list[Complaint])
    return Quarantine(
        quarantine_id=row["quarantine_id"],
        order_id=row["order_id"],
        channel=row["channel"],
        shop_id=row["shop_id"],
        channel_order_number=row["channel_order_number"],
        reason=row["reason"],
        complaints=complaints,
        blocking=row["blocking"],
        raw_id=row["raw_id"],
        opened_at=row["opened_at"],
    )
