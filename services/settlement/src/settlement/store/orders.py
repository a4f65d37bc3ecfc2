"""Plans, the counters of their lines and parcels, and what remains of their shares."""

from collections.abc import Collection, Sequence
from itertools import groupby
from operator import itemgetter

import asyncpg

from backbone import Transaction
from contracts.entries import EarnedOn
from settlement.model import (
    Line,
    NewPlan,
    OrderState,
    ParcelLine,
    Plan,
    Remaining,
    Share,
    ShareMove,
)
from settlement.store.columns import columns

FIND_PLANNED = "SELECT order_id FROM plan WHERE order_id = ANY($1)"
# Facts about one order may be read by two replicas for a moment, while partitions change hands.
LOCK_PLANS = """
SELECT order_id, plan_id::text, plan_hash, agreement_id, agreement_version, currency, total_minor,
       home_book_id, clearing_party_id, earned_on, freight_bearer_id, freight_book_id
FROM plan WHERE order_id = ANY($1) ORDER BY order_id FOR UPDATE
"""
FIND_PLAN = """
SELECT order_id, plan_id::text, plan_hash, agreement_id, agreement_version, currency, total_minor,
       home_book_id, clearing_party_id, earned_on, freight_bearer_id, freight_book_id, trace::text
FROM plan WHERE order_id = $1
"""
LOAD_LINES = """
SELECT order_id, line_id, amount_minor, freight_minor, ordered_units, cancelled_units,
       unroutable_units, shipped_units, earned_units, withdrawn_units, refunded_units
FROM order_line WHERE order_id = ANY($1) ORDER BY order_id, line_id
"""
LOAD_SHARES = """
SELECT order_id, rank, line_id, party_id, component, book_id, planned_minor, pending_minor,
       settled_minor
FROM share WHERE order_id = ANY($1) ORDER BY order_id, line_id, rank
"""
LOAD_PARCEL_LINES = """
SELECT order_id, parcel_id, line_id, shipped_units, earned_before_units, earned_units,
       withdrawn_units, refunded_units
FROM parcel_line WHERE order_id = ANY($1) ORDER BY order_id
"""
SAVE_PLANS = """
INSERT INTO plan (
    order_id, plan_id, plan_hash, agreement_id, agreement_version, currency, total_minor,
    home_book_id, clearing_party_id, earned_on, freight_bearer_id, freight_book_id, trace,
    planned_at)
SELECT u.*, $14 FROM unnest(
    $1::text[], $2::uuid[], $3::text[], $4::text[], $5::int[], $6::text[], $7::bigint[],
    $8::text[], $9::text[], $10::text[], $11::text[], $12::text[], $13::json[]) AS u
"""
SAVE_LINES = """
INSERT INTO order_line (
    order_id, line_id, amount_minor, freight_minor, ordered_units, cancelled_units,
    unroutable_units, shipped_units, earned_units, withdrawn_units, refunded_units)
SELECT *, 0, 0, 0, 0, 0, 0
FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::int[])
"""
SAVE_SHARES = """
INSERT INTO share (
    order_id, rank, line_id, party_id, component, book_id, planned_minor, pending_minor,
    settled_minor)
SELECT u.*, u.planned_minor, 0 FROM unnest(
    $1::text[], $2::int[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[]
) AS u (order_id, rank, line_id, party_id, component, book_id, planned_minor)
"""
MOVE_LINES = """
UPDATE order_line AS l SET
    cancelled_units = u.cancelled, unroutable_units = u.unroutable, shipped_units = u.shipped,
    earned_units = u.earned, withdrawn_units = u.withdrawn, refunded_units = u.refunded
FROM unnest($1::text[], $2::text[], $3::int[], $4::int[], $5::int[], $6::int[], $7::int[], $8::int[]
) AS u (order_id, line_id, cancelled, unroutable, shipped, earned, withdrawn, refunded)
WHERE l.order_id = u.order_id AND l.line_id = u.line_id
"""
SAVE_PARCEL_LINES = """
INSERT INTO parcel_line (
    order_id, parcel_id, line_id, shipped_units, earned_before_units, earned_units,
    withdrawn_units, refunded_units)
SELECT * FROM unnest(
    $1::text[], $2::text[], $3::text[], $4::int[], $5::int[], $6::int[], $7::int[], $8::int[])
ON CONFLICT (order_id, parcel_id, line_id) DO UPDATE SET
    earned_before_units = excluded.earned_before_units, earned_units = excluded.earned_units,
    withdrawn_units = excluded.withdrawn_units, refunded_units = excluded.refunded_units
"""
MOVE_SHARES = """
UPDATE share AS s SET
    pending_minor = s.pending_minor + u.pending_minor,
    settled_minor = s.settled_minor + u.settled_minor
FROM unnest($1::text[], $2::int[], $3::bigint[], $4::bigint[])
    AS u (order_id, rank, pending_minor, settled_minor)
WHERE s.order_id = u.order_id AND s.rank = u.rank
"""


async def find_planned(tx: Transaction, order_ids: Collection[str]) -> set[str]:
    """Return those of the orders that have a plan."""
    rows = await tx.fetch(FIND_PLANNED, list(order_ids))
    return {row["order_id"] for row in rows}


async def lock_orders(tx: Transaction, order_ids: Collection[str]) -> dict[str, OrderState]:
    """Lock the plans of orders, sorted, and return all that is known of their money."""
    plans = await tx.fetch(LOCK_PLANS, sorted(order_ids))
    locked = [row["order_id"] for row in plans]
    lines = _by_order(await tx.fetch(LOAD_LINES, locked))
    shares = _by_order(await tx.fetch(LOAD_SHARES, locked))
    parcel_lines = _by_order(await tx.fetch(LOAD_PARCEL_LINES, locked))
    return {
        row["order_id"]: OrderState(
            plan=_plan(row),
            lines={line["line_id"]: Line(*line) for line in lines.get(row["order_id"], ())},
            shares={
                line_id: [_share(share) for share in of_line]
                for line_id, of_line in groupby(
                    shares.get(row["order_id"], ()), key=itemgetter("line_id")
                )
            },
            parcel_lines={
                (each["parcel_id"], each["line_id"]): ParcelLine(*each)
                for each in parcel_lines.get(row["order_id"], ())
            },
        )
        for row in plans
    }


async def save_plans(tx: Transaction, plans: Sequence[NewPlan]) -> None:
    """Store new plans with their lines and shares; all money is pending. Needs a plan."""
    plan_rows = [_plan_row(new) for new in plans]
    await tx.execute(SAVE_PLANS, *columns(plan_rows), plans[0].planned_at)
    line_rows = [
        (line.order_id, line.line_id, line.amount_minor, line.freight_minor, line.ordered_units)
        for new in plans
        for line in new.lines
    ]
    await tx.execute(SAVE_LINES, *columns(line_rows))
    share_rows = [
        (
            new.plan.order_id,
            share.rank,
            share.line_id,
            share.party_id,
            share.component,
            share.book_id,
            share.amount_minor,
        )
        for new in plans
        for share in new.shares
    ]
    if share_rows:
        await tx.execute(SAVE_SHARES, *columns(share_rows))


async def move_lines(tx: Transaction, lines: Sequence[Line]) -> None:
    """Set the counters of lines whose orders are locked."""
    rows = [
        (
            line.order_id,
            line.line_id,
            line.cancelled_units,
            line.unroutable_units,
            line.shipped_units,
            line.earned_units,
            line.withdrawn_units,
            line.refunded_units,
        )
        for line in lines
    ]
    if rows:
        await tx.execute(MOVE_LINES, *columns(rows))


async def save_parcel_lines(tx: Transaction, parcel_lines: Sequence[ParcelLine]) -> None:
    """Store the counters of parcels' lines, new ones and known ones."""
    rows = [
        (
            each.order_id,
            each.parcel_id,
            each.line_id,
            each.shipped_units,
            each.earned_before_units,
            each.earned_units,
            each.withdrawn_units,
            each.refunded_units,
        )
        for each in parcel_lines
    ]
    if rows:
        await tx.execute(SAVE_PARCEL_LINES, *columns(rows))


async def move_shares(tx: Transaction, moves: Sequence[ShareMove]) -> None:
    """Change what remains of shares whose orders are locked."""
    rows = [(each.order_id, each.rank, each.pending_minor, each.settled_minor) for each in moves]
    if rows:
        await tx.execute(MOVE_SHARES, *columns(rows))


async def find_split(
    tx: Transaction, order_id: str
) -> tuple[Plan, str, list[Line], list[Remaining]] | None:
    """Return an order's plan, its trace (JSON), its lines and what remains of its shares."""
    row = await tx.fetchrow(FIND_PLAN, order_id)
    if row is None:
        return None
    lines = [Line(*line) for line in await tx.fetch(LOAD_LINES, [order_id])]
    shares = [
        Remaining(_share(share), share["pending_minor"], share["settled_minor"])
        for share in await tx.fetch(LOAD_SHARES, [order_id])
    ]
    return _plan(row), row["trace"], lines, shares


def _by_order(rows: Sequence[asyncpg.Record]) -> dict[str, list[asyncpg.Record]]:
    found: dict[str, list[asyncpg.Record]] = {}
    for row in rows:
        found.setdefault(row["order_id"], []).append(row)
    return found


def _plan(row: asyncpg.Record) -> Plan:
    return Plan(
        order_id=row["order_id"],
        plan_id=row["plan_id"],
        plan_hash=row["plan_hash"],
        agreement_id=row["agreement_id"],
        agreement_version=row["agreement_version"],
        currency=row["currency"],
        total_minor=row["total_minor"],
        home_book_id=row["home_book_id"],
        clearing_party_id=row["clearing_party_id"],
        earned_on=EarnedOn(row["earned_on"]),
        freight_bearer_id=row["freight_bearer_id"],
        freight_book_id=row["freight_book_id"],
    )


def _share(row: asyncpg.Record) -> Share:
    return Share(
        rank=row["rank"],
        line_id=row["line_id"],
        party_id=row["party_id"],
        component=row["component"],
        book_id=row["book_id"],
        amount_minor=row["planned_minor"],
    )


def _plan_row(new: NewPlan) -> tuple[object, ...]:
    plan = new.plan
    return (
        plan.order_id,
        plan.plan_id,
        plan.plan_hash,
        plan.agreement_id,
        plan.agreement_version,
        plan.currency,
        plan.total_minor,
        plan.home_book_id,
        plan.clearing_party_id,
        plan.earned_on.value,
        plan.freight_bearer_id,
        plan.freight_book_id,
        new.trace.decode(),
    )
