"""What people read: accounts as they stand, their entries, who waits, one order's hold."""

# ruff: noqa: S608 - only lists of columns are put together

from datetime import datetime

import asyncpg

from backbone import Transaction
from quota.model import Entry, Hold, HoldLine, Limit, Standing
from quota.store.rows import (
    ACCOUNT_COLUMNS,
    ENTRY_COLUMNS,
    HOLD_COLUMNS,
    LINE_COLUMNS,
    account_of,
    entry_of,
)

STANDING = f"""
SELECT {ACCOUNT_COLUMNS}, limit_in_force(a.account_id, $1), w.orders, w.minor
FROM account a
CROSS JOIN LATERAL (
    SELECT count(*) AS orders, coalesce(sum(amount_minor - released_minor), 0)::bigint AS minor
    FROM hold h WHERE h.account_id = a.account_id AND h.waits_until IS NOT NULL
) AS w
"""
FIND_STANDING = f"{STANDING} WHERE a.account_id = $2"
LIST_STANDINGS = f"""{STANDING}
WHERE a.account_id > $2 AND ($3::text IS NULL OR a.party_id = $3) ORDER BY a.account_id LIMIT $4
"""
LIST_ENTRIES = f"""
SELECT {ENTRY_COLUMNS} FROM account_entry e
WHERE e.account_id = $1 AND ($2::bigint IS NULL OR e.entry_sequence < $2)
ORDER BY e.entry_sequence DESC LIMIT $3
"""
LIST_LIMITS = """
SELECT account_id, limit_id, amount_minor, valid_from, valid_to, entry_sequence FROM account_limit
WHERE account_id = $1 AND ($2::bigint IS NULL OR entry_sequence < $2)
ORDER BY entry_sequence DESC LIMIT $3
"""
# Behind the given order in fair order, spelled out because the directions differ.
LIST_WAITING = f"""
SELECT {HOLD_COLUMNS} FROM hold h
LEFT JOIN hold b ON b.order_id = $2
WHERE h.account_id = $1 AND h.waits_until IS NOT NULL AND ($2::text IS NULL
    OR h.priority < b.priority
    OR (h.priority = b.priority AND (h.placed_at, h.order_id) > (b.placed_at, b.order_id)))
ORDER BY h.priority DESC, h.placed_at, h.order_id LIMIT $3
"""
FIND_HOLD = f"SELECT {HOLD_COLUMNS} FROM hold h WHERE h.order_id = $1"
FIND_LINES = f"SELECT {LINE_COLUMNS} FROM hold_line l WHERE l.order_id = $1 ORDER BY l.line_id"


async def find_standing(tx: Transaction, account_id: str, now: datetime) -> Standing | None:
    """Return an account as it stands, or None."""
    row = await tx.fetchrow(FIND_STANDING, now, account_id)
    return None if row is None else _standing(row)


async def list_standings(
    tx: Transaction, now: datetime, *, after: str, party_id: str | None, items_max: int
) -> list[Standing]:
    """Return accounts by id, from behind `after`; of one party if it is given."""
    rows = await tx.fetch(LIST_STANDINGS, now, after, party_id, items_max)
    return [_standing(row) for row in rows]


async def list_entries(
    tx: Transaction, account_id: str, before: int | None, items_max: int
) -> list[Entry]:
    """Return an account's entries, the last one first, from before a sequence."""
    rows = await tx.fetch(LIST_ENTRIES, account_id, before, items_max)
    return [entry_of(row) for row in rows]


async def list_limits(
    tx: Transaction, account_id: str, before: int | None, items_max: int
) -> list[Limit]:
    """Return an account's limits, the last recorded first, from before a sequence."""
    return [Limit(*row) for row in await tx.fetch(LIST_LIMITS, account_id, before, items_max)]


async def list_waiting(
    tx: Transaction, account_id: str, behind: str | None, items_max: int
) -> list[Hold]:
    """Return the orders that wait, in the order in which they will be granted."""
    return [Hold(*row) for row in await tx.fetch(LIST_WAITING, account_id, behind, items_max)]


async def find_hold(tx: Transaction, order_id: str) -> Hold | None:
    """Return an order's hold, or None for an order that is not known here."""
    row = await tx.fetchrow(FIND_HOLD, order_id)
    return None if row is None else Hold(*row)


async def find_lines(tx: Transaction, order_id: str) -> list[HoldLine]:
    """Return an order's lines."""
    return [HoldLine(*row) for row in await tx.fetch(FIND_LINES, order_id)]


def _standing(row: asyncpg.Record) -> Standing:
    return Standing(
        account_of(row, limit_minor=row[9]), waiting_orders=row[10], waiting_minor=row[11]
    )
