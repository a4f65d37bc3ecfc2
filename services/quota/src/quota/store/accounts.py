"""Accounts and limits as people set them, and who is due when time has passed."""

# ruff: noqa: S608 - only lists of columns are put together

from collections.abc import Collection, Sequence
from datetime import datetime

from backbone import Transaction
from quota.model import Account, Entry, Limit
from quota.store.book import QUEUE_FRONT_MAX
from quota.store.rows import ENTRY_COLUMNS, columns, entry_of

FIND_CURRENCIES = "SELECT account_id, currency FROM account WHERE account_id = ANY($1::text[])"
ADD_ACCOUNTS = """
INSERT INTO account (account_id, party_id, currency, skips_max, wait_hours, recorded_at)
SELECT n.*, $6::timestamptz FROM unnest($1::text[], $2::text[], $3::text[], $4::int[], $5::int[])
    AS n (account_id, party_id, currency, skips_max, wait_hours)
ORDER BY n.account_id
ON CONFLICT (account_id) DO NOTHING
"""
ADD_NAMES = ("account_id", "party_id", "currency", "skips_max", "wait_hours")
FIND_LIMITS = """
SELECT account_id, limit_id, amount_minor, valid_from, valid_to, entry_sequence FROM account_limit
WHERE (account_id, limit_id) IN (SELECT * FROM unnest($1::text[], $2::text[]))
"""
SAVE_LIMITS = """
INSERT INTO account_limit (account_id, entry_sequence, limit_id, amount_minor, valid_from,
    valid_to, recorded_at)
SELECT n.*, $7::timestamptz FROM unnest($1::text[], $2::bigint[], $3::text[], $4::bigint[],
    $5::timestamptz[], $6::timestamptz[]) AS n
"""
LIMIT_NAMES = (
    *("account_id", "entry_sequence", "limit_id", "amount_minor", "valid_from", "valid_to"),
)
FIND_TOP_UPS = f"""
SELECT {ENTRY_COLUMNS} FROM account_entry e
WHERE e.kind = 'top_up'
    AND (e.account_id, e.cause_id) IN (SELECT * FROM unnest($1::text[], $2::text[]))
"""
# The same reading as the rule's: an order that may not be passed any more bars those behind it.
FIND_ROOM = """
WITH waiting AS (
    SELECT DISTINCT account_id FROM hold WHERE waits_until IS NOT NULL
), account_now AS (
    SELECT a.account_id, a.skips_max,
        a.settled_minor - a.held_minor + limit_in_force(a.account_id, $1) AS available_minor
    FROM account a JOIN waiting USING (account_id)
    WHERE NOT a.is_blocked
), front AS (
    SELECT n.account_id, n.available_minor, h.amount_minor - h.released_minor AS wanted_minor,
        coalesce(bool_or(h.skips >= n.skips_max AND
                         h.amount_minor - h.released_minor > n.available_minor) OVER earlier, false)
            AS is_barred
    FROM account_now n CROSS JOIN LATERAL (
        SELECT * FROM hold WHERE account_id = n.account_id AND waits_until IS NOT NULL
        ORDER BY priority DESC, placed_at, order_id LIMIT $2
    ) AS h
    WINDOW earlier AS (PARTITION BY n.account_id
        ORDER BY h.priority DESC, h.placed_at, h.order_id
        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
)
SELECT DISTINCT account_id FROM front
WHERE NOT is_barred AND wanted_minor <= available_minor
ORDER BY account_id LIMIT $3
"""
FIND_EXPIRED = "SELECT order_id FROM hold WHERE waits_until <= $1 ORDER BY waits_until LIMIT $2"


async def find_currencies(tx: Transaction, account_ids: Collection[str]) -> dict[str, str]:
    """Return the currency of each account that exists."""
    rows = await tx.fetch(FIND_CURRENCIES, list(account_ids))
    return {row[0]: row[1] for row in rows}


async def add_accounts(tx: Transaction, accounts: Sequence[Account], now: datetime) -> None:
    """Add accounts that are not there yet; the others stay as they are."""
    await tx.execute(ADD_ACCOUNTS, *columns(accounts, ADD_NAMES), now)


async def find_limits(
    tx: Transaction, wanted: Collection[tuple[str, str]]
) -> dict[tuple[str, str], Limit]:
    """Return the limits that were set under these (account, limit id)."""
    rows = await tx.fetch(FIND_LIMITS, [key[0] for key in wanted], [key[1] for key in wanted])
    return {(row[0], row[1]): Limit(*row) for row in rows}


async def save_limits(tx: Transaction, limits: Sequence[Limit], now: datetime) -> None:
    """Store new limits, numbered by their entries."""
    if limits:
        await tx.execute(SAVE_LIMITS, *columns(limits, LIMIT_NAMES), now)


async def find_top_ups(
    tx: Transaction, wanted: Collection[tuple[str, str]]
) -> dict[tuple[str, str], Entry]:
    """Return the entries of these (account, top-up id)."""
    rows = await tx.fetch(FIND_TOP_UPS, [key[0] for key in wanted], [key[1] for key in wanted])
    return {(row[0], row[8]): entry_of(row) for row in rows}


async def find_room(tx: Transaction, now: datetime, accounts_max: int) -> list[str]:
    """Return accounts in which a waiting order would fit and nobody bars its way."""
    rows = await tx.fetch(FIND_ROOM, now, QUEUE_FRONT_MAX, accounts_max)
    return [row[0] for row in rows]


async def find_expired(tx: Transaction, now: datetime, orders_max: int) -> list[str]:
    """Return orders that have waited until the end of their hold, longest over first."""
    return [row[0] for row in await tx.fetch(FIND_EXPIRED, now, orders_max)]
