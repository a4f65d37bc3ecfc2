"""Loads what a decision needs, locked, and saves what it changed."""

# ruff: noqa: S608 - only lists of columns are put together

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from backbone import Transaction
from quota.model import Account, Book, Decision, Hold, HoldLine
from quota.store.rows import ACCOUNT_COLUMNS, HOLD_COLUMNS, LINE_COLUMNS, account_of, columns

QUEUE_FRONT_MAX = 100

FIND_GRANTED = "SELECT order_id, granted_at IS NOT NULL FROM hold WHERE order_id = ANY($1::text[])"
FIND_ACCOUNTS_OF_ORDERS = """
SELECT DISTINCT account_id FROM hold WHERE order_id = ANY($1::text[]) AND account_id IS NOT NULL
"""
# Sorted, so that batches and commands cannot deadlock; accounts always before holds.
LOCK_ACCOUNTS = f"""
SELECT {ACCOUNT_COLUMNS} FROM account a WHERE a.account_id = ANY($1::text[])
ORDER BY a.account_id FOR UPDATE
"""
# A statement of its own after the locks: in the locking one a limit that was committed while it
# waited for the lock would not be seen.
LOAD_LIMITS = "SELECT id, limit_in_force(id, $2) FROM unnest($1::text[]) AS id"
LOAD_QUEUES = f"""
SELECT {HOLD_COLUMNS} FROM unnest($1::text[]) AS wanted (account_id)
CROSS JOIN LATERAL (
    SELECT * FROM hold WHERE account_id = wanted.account_id AND waits_until IS NOT NULL
    ORDER BY priority DESC, placed_at, order_id LIMIT $2
) AS h
ORDER BY h.account_id, h.priority DESC, h.placed_at, h.order_id
"""
LOCK_HOLDS = f"""
SELECT {HOLD_COLUMNS} FROM hold h WHERE h.order_id = ANY($1::text[])
ORDER BY h.order_id FOR UPDATE
"""
LOAD_LINES = f"""
SELECT {LINE_COLUMNS} FROM hold_line l WHERE l.order_id = ANY($1::text[])
ORDER BY l.order_id, l.line_id
"""

SAVE_ACCOUNTS = """
UPDATE account a SET skips_max = n.skips_max, wait_hours = n.wait_hours,
    settled_minor = n.settled_minor, held_minor = n.held_minor, is_blocked = n.is_blocked,
    entry_sequence = n.entry_sequence
FROM unnest($1::text[], $2::int[], $3::int[], $4::bigint[], $5::bigint[], $6::bool[], $7::bigint[])
    AS n (account_id, skips_max, wait_hours, settled_minor, held_minor, is_blocked, entry_sequence)
WHERE a.account_id = n.account_id
"""
ACCOUNT_NAMES = (
    *("account_id", "skips_max", "wait_hours", "settled_minor", "held_minor", "is_blocked"),
    "entry_sequence",
)
SAVE_OPENED = """
INSERT INTO hold (order_id, hold_id, account_id, currency, amount_minor, priority, placed_at,
    captured_minor, released_minor, reversed_minor, granted_at, granted_minor, limit_minor,
    available_minor, refused_at, waits_until, expired_at, skips, recorded_at)
SELECT n.*, $19::timestamptz FROM unnest($1::text[], $2::text[], $3::text[], $4::text[],
    $5::bigint[], $6::int[], $7::timestamptz[], $8::bigint[], $9::bigint[], $10::bigint[],
    $11::timestamptz[], $12::bigint[], $13::bigint[], $14::bigint[], $15::timestamptz[],
    $16::timestamptz[], $17::timestamptz[], $18::int[]) AS n
"""
OPENED_NAMES = (
    *("order_id", "hold_id", "account_id", "currency", "amount_minor", "priority", "placed_at"),
    *("captured_minor", "released_minor", "reversed_minor", "granted_at", "granted_minor"),
    *("limit_minor", "available_minor", "refused_at", "waits_until", "expired_at", "skips"),
)
SAVE_CHANGED = """
UPDATE hold h SET captured_minor = n.captured_minor, released_minor = n.released_minor,
    reversed_minor = n.reversed_minor, granted_at = n.granted_at, granted_minor = n.granted_minor,
    limit_minor = n.limit_minor, available_minor = n.available_minor,
    waits_until = n.waits_until, expired_at = n.expired_at, skips = n.skips
FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[], $5::timestamptz[], $6::bigint[],
    $7::bigint[], $8::bigint[], $9::timestamptz[], $10::timestamptz[], $11::int[])
    AS n (order_id, captured_minor, released_minor, reversed_minor, granted_at, granted_minor,
          limit_minor, available_minor, waits_until, expired_at, skips)
WHERE h.order_id = n.order_id
"""
CHANGED_NAMES = (
    *("order_id", "captured_minor", "released_minor", "reversed_minor", "granted_at"),
    *("granted_minor", "limit_minor", "available_minor", "waits_until", "expired_at", "skips"),
)
SAVE_OPENED_LINES = """
INSERT INTO hold_line (order_id, line_id, supply_price_minor, quantity_units)
SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[])
"""
OPENED_LINE_NAMES = ("order_id", "line_id", "supply_price_minor", "quantity_units")
SAVE_CHANGED_LINES = """
UPDATE hold_line l SET captured_units = n.captured_units, released_units = n.released_units,
    reversed_units = n.reversed_units
FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[])
    AS n (order_id, line_id, captured_units, released_units, reversed_units)
WHERE l.order_id = n.order_id AND l.line_id = n.line_id
"""
CHANGED_LINE_NAMES = ("order_id", "line_id", "captured_units", "released_units", "reversed_units")
SAVE_ENTRIES = """
INSERT INTO account_entry (account_id, entry_sequence, kind, settled_change_minor,
    held_change_minor, settled_minor, held_minor, limit_minor, cause_id, order_id, recorded_at)
SELECT * FROM unnest($1::text[], $2::bigint[], $3::text[], $4::bigint[], $5::bigint[],
    $6::bigint[], $7::bigint[], $8::bigint[], $9::text[], $10::text[], $11::timestamptz[])
"""
ENTRY_NAMES = (
    *("account_id", "entry_sequence", "kind", "settled_change_minor", "held_change_minor"),
    *("settled_minor", "held_minor", "limit_minor", "cause_id", "order_id", "recorded_at"),
)


async def find_granted(tx: Transaction, order_ids: Collection[str]) -> dict[str, bool]:
    """Tell of each order that is known here whether it was granted."""
    rows = await tx.fetch(FIND_GRANTED, list(order_ids))
    return {row[0]: row[1] for row in rows}


async def load_book(
    tx: Transaction,
    now: datetime,
    *,
    account_ids: Collection[str] = (),
    order_ids: Collection[str] = (),
) -> Book:
    """Lock accounts, those of the orders too, and the orders; load the front of their queues.

    Unknown accounts and orders are absent from the book.
    """
    wanted = set(account_ids)
    if order_ids:
        rows = await tx.fetch(FIND_ACCOUNTS_OF_ORDERS, list(order_ids))
        wanted.update(row[0] for row in rows)
    accounts = await _lock_accounts(tx, sorted(wanted), now)
    queues = await _load_queues(tx, accounts)
    holds = await _lock_holds(tx, order_ids)
    lines = await _load_lines(tx, holds)
    deep = frozenset(key for key, queue in queues.items() if len(queue) == QUEUE_FRONT_MAX)
    return Book(accounts, queues, deep, holds, lines)


async def save(tx: Transaction, decision: Decision, now: datetime) -> None:
    """Store everything a decision changed."""
    statements: Sequence[tuple[str, Sequence[object], Sequence[str], tuple[datetime, ...]]] = (
        (SAVE_ACCOUNTS, decision.accounts, ACCOUNT_NAMES, ()),
        (SAVE_OPENED, decision.opened, OPENED_NAMES, (now,)),
        (SAVE_CHANGED, decision.changed, CHANGED_NAMES, ()),
        (SAVE_OPENED_LINES, decision.opened_lines, OPENED_LINE_NAMES, ()),
        (SAVE_CHANGED_LINES, decision.changed_lines, CHANGED_LINE_NAMES, ()),
        (SAVE_ENTRIES, decision.entries, ENTRY_NAMES, ()),
    )
    # One statement per table whatever the batch's size; a connection runs one at a time.
    for sql, rows, names, more in statements:
        if rows:
            await tx.execute(sql, *columns(rows, names), *more)


async def _lock_accounts(
    tx: Transaction, account_ids: Sequence[str], now: datetime
) -> dict[str, Account]:
    if not account_ids:
        return {}
    rows = await tx.fetch(LOCK_ACCOUNTS, account_ids)
    limits = {row[0]: row[1] for row in await tx.fetch(LOAD_LIMITS, account_ids, now)}
    return {row[0]: account_of(row, limits[row[0]]) for row in rows}


async def _load_queues(tx: Transaction, accounts: Mapping[str, Account]) -> dict[str, list[Hold]]:
    queues: dict[str, list[Hold]] = {}
    if accounts:
        for row in await tx.fetch(LOAD_QUEUES, list(accounts), QUEUE_FRONT_MAX):
            waiting = Hold(*row)
            queues.setdefault(row[2], []).append(waiting)
    return queues


async def _lock_holds(tx: Transaction, order_ids: Collection[str]) -> dict[str, Hold]:
    if not order_ids:
        return {}
    return {row[0]: Hold(*row) for row in await tx.fetch(LOCK_HOLDS, list(order_ids))}


async def _load_lines(tx: Transaction, holds: Collection[str]) -> dict[str, list[HoldLine]]:
    lines: dict[str, list[HoldLine]] = {order_id: [] for order_id in holds}
    if holds:
        for row in await tx.fetch(LOAD_LINES, list(holds)):
            lines[row[0]].append(HoldLine(*row))
    return lines
