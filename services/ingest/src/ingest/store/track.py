"""The projection: counters, plans and the timeline, changed by facts of all services."""

from collections.abc import Collection
from datetime import datetime

import asyncpg

from backbone import Transaction
from ingest.model.track import Plan, Projection
from ingest.store.columns import columns, from_json, to_json
from ingest.store.save import save_timeline

LOCK_PLANS = """
SELECT p.* FROM plan AS p
JOIN unnest($1::text[], $2::int[]) AS u (order_id, attempt) USING (order_id, attempt)
ORDER BY p.order_id, p.attempt FOR UPDATE OF p
"""
UPDATE_PLANS = """
UPDATE plan SET lines = u.c::jsonb, reserved = u.d, voided = u.e
FROM unnest($1::text[], $2::int[], $3::text[], $4::bool[], $5::bool[]) AS u (a, b, c, d, e)
WHERE order_id = u.a AND attempt = u.b
"""
INSERT_PLANS = """
INSERT INTO plan SELECT a, b, c::jsonb, d, e
FROM unnest($1::text[], $2::int[], $3::text[], $4::bool[], $5::bool[]) AS u (a, b, c, d, e)
ORDER BY a, b
ON CONFLICT DO NOTHING
"""
# Orders are locked before their lines by everybody, in the order of their ids.
LOCK_ORDERS = """
SELECT order_id FROM pool_order WHERE order_id = ANY($1::text[]) ORDER BY order_id FOR UPDATE
"""
ADD_TO_LINES = """
UPDATE order_line AS l SET
    cancelled_units = l.cancelled_units + u.c, unroutable_units = l.unroutable_units + u.d,
    reserved_units = l.reserved_units + u.e, released_units = l.released_units + u.f,
    shipped_units = l.shipped_units + u.g, delivered_units = l.delivered_units + u.h,
    returned_units = l.returned_units + u.i
FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[],
            $7::bigint[], $8::bigint[], $9::bigint[]) AS u (a, b, c, d, e, f, g, h, i)
WHERE l.order_id = u.a AND l.line_id = u.b
"""
ADD_TO_ORDERS = """
UPDATE pool_order AS o SET
    cancelled_units = o.cancelled_units + s.c, unroutable_units = o.unroutable_units + s.d,
    reserved_units = o.reserved_units + s.e, released_units = o.released_units + s.f,
    shipped_units = o.shipped_units + s.g, delivered_units = o.delivered_units + s.h,
    returned_units = o.returned_units + s.i
FROM (
    SELECT u.a, sum(u.c) AS c, sum(u.d) AS d, sum(u.e) AS e, sum(u.f) AS f, sum(u.g) AS g,
           sum(u.h) AS h, sum(u.i) AS i
    FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[],
                $7::bigint[], $8::bigint[], $9::bigint[]) AS u (a, b, c, d, e, f, g, h, i)
    JOIN order_line AS l ON l.order_id = u.a AND l.line_id = u.b
    GROUP BY u.a
) AS s
WHERE o.order_id = s.a
"""
SET_LIMIT_WAITS = """
UPDATE pool_order SET waiting_for_limit = u.b
FROM unnest($1::text[], $2::bool[]) AS u (a, b)
WHERE order_id = u.a AND waiting_for_limit <> u.b
"""


async def lock_plans(
    tx: Transaction, keys: Collection[tuple[str, int]]
) -> dict[tuple[str, int], Plan]:
    """Return the plans (order, attempt) that are known, locked."""
    if not keys:
        return {}
    rows = await tx.fetch(LOCK_PLANS, *columns(sorted(keys), 2))
    return {(row["order_id"], row["attempt"]): _plan(row) for row in rows}


async def save_projection(
    tx: Transaction, projection: Projection, known: Collection[tuple[str, int]], now: datetime
) -> None:
    """Store changes; `known` are the plans that were there when they were looked for."""
    await _save_plans(tx, projection, known)
    changes = [
        (
            *key,
            change.cancelled_units,
            change.unroutable_units,
            change.reserved_units,
            change.released_units,
            change.shipped_units,
            change.delivered_units,
            change.returned_units,
        )
        for key, change in sorted(projection.changes.items())
    ]
    waits = sorted(projection.limit_waits.items())
    touched = sorted({row[0] for row in changes} | {row[0] for row in waits})
    if touched:
        await tx.execute(LOCK_ORDERS, touched)
    if changes:
        await tx.execute(ADD_TO_LINES, *columns(changes, 9))
        await tx.execute(ADD_TO_ORDERS, *columns(changes, 9))
    if waits:
        await tx.execute(SET_LIMIT_WAITS, *columns(waits, 2))
    await save_timeline(tx, projection.timeline, now)


async def _save_plans(
    tx: Transaction, projection: Projection, known: Collection[tuple[str, int]]
) -> None:
    rows = {
        (plan.order_id, plan.attempt): (
            plan.order_id,
            plan.attempt,
            None if plan.lines is None else to_json(plan.lines),
            plan.reserved,
            plan.voided,
        )
        for plan in projection.plans
    }
    old = [row for key, row in sorted(rows.items()) if key in known]
    if old:
        await tx.execute(UPDATE_PLANS, *columns(old, 5))
    new = [row for key, row in sorted(rows.items()) if key not in known]
    if new and await tx.execute(INSERT_PLANS, *columns(new, 5)) != f"INSERT 0 {len(new)}":
        raise asyncpg.SerializationError("another transaction stored one of the plans first")


def _plan(row: asyncpg.Record) -> Plan:
    lines = row["lines"]
    return Plan(
        order_id=row["order_id"],
        attempt=row["attempt"],
        lines=None if lines is None else from_json(lines, dict[str, int]),
        reserved=row["reserved"],
        voided=row["voided"],
    )
