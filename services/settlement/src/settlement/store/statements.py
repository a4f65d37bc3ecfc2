"""Statements and the settled entries that each of them covers."""

from collections.abc import Sequence
from datetime import date, datetime

import asyncpg

from backbone import Transaction
from settlement.model import Movement, Series, Statement
from settlement.store.columns import columns

# One statement of a series at a time; two orders' entries never wait for it.
LOCK_SERIES = "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))"
FIND_STATEMENT = """
SELECT statement_id::text, party_id, book_id, currency, period_start, period_end, opening_minor,
       closing_minor, issued_at
FROM statement WHERE statement_id = $1
"""
FIND_LAST = """
SELECT statement_id::text, party_id, book_id, currency, period_start, period_end, opening_minor,
       closing_minor, issued_at
FROM statement WHERE party_id = $1 AND book_id = $2 AND currency = $3
ORDER BY period_end DESC LIMIT 1
"""
LIST_STATEMENTS = """
SELECT statement_id::text, party_id, book_id, currency, period_start, period_end, opening_minor,
       closing_minor, issued_at
FROM statement
WHERE ($1::text IS NULL OR party_id = $1)
  AND ($2::date IS NULL OR (period_end, statement_id) < ($2, $3::uuid))
ORDER BY period_end DESC, statement_id DESC LIMIT $4
"""
LIST_MOVEMENTS = """
SELECT statement_id::text, component, entries_count, amount_minor
FROM statement_line WHERE statement_id = ANY($1::uuid[]) ORDER BY statement_id, component
"""
CLAIM_ENTRIES = """
WITH claimed AS (
    SELECT e.journal_no, e.entry_index, e.component, e.amount_minor
    FROM account AS a
    JOIN entry AS e ON e.account_no = a.account_no AND e.layer = 'settled'
    JOIN journal AS j ON j.journal_no = e.journal_no
    WHERE a.party_id = $2 AND a.book_id = $3 AND a.currency = $4 AND j.booked_at < $5
      AND NOT EXISTS (SELECT FROM stated_entry AS s
                      WHERE s.journal_no = e.journal_no AND s.entry_index = e.entry_index)
), stated AS (
    INSERT INTO stated_entry (journal_no, entry_index, statement_id)
    SELECT journal_no, entry_index, $1 FROM claimed
)
SELECT component, count(*) AS entries_count, -sum(amount_minor)::bigint AS amount_minor
FROM claimed GROUP BY component ORDER BY component
"""
SAVE_STATEMENT = """
INSERT INTO statement (
    statement_id, party_id, book_id, currency, period_start, period_end, opening_minor,
    closing_minor, issued_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
"""
SAVE_MOVEMENTS = """
INSERT INTO statement_line (statement_id, component, entries_count, amount_minor)
SELECT $1, * FROM unnest($2::text[], $3::int[], $4::bigint[])
"""


async def lock_series(tx: Transaction, series: Series) -> None:
    """Wait until nobody else issues statements of this series."""
    await tx.execute(LOCK_SERIES, f"{series.party_id}/{series.book_id}/{series.currency}")


async def find_statement(tx: Transaction, statement_id: str) -> Statement | None:
    """Return a statement, or None."""
    row = await tx.fetchrow(FIND_STATEMENT, statement_id)
    return None if row is None else (await _with_movements(tx, [row]))[0]


async def find_last(tx: Transaction, series: Series) -> Statement | None:
    """Return the latest statement of a series, or None."""
    row = await tx.fetchrow(FIND_LAST, series.party_id, series.book_id, series.currency)
    return None if row is None else (await _with_movements(tx, [row]))[0]


async def list_statements(
    tx: Transaction,
    party_id: str | None,
    after: tuple[date, str] | None,
    statements_max: int,
) -> list[Statement]:
    """Return statements, the latest period first."""
    period_end, statement_id = after or (None, None)
    rows = await tx.fetch(LIST_STATEMENTS, party_id, period_end, statement_id, statements_max)
    return await _with_movements(tx, rows)


async def claim_entries(
    tx: Transaction, statement_id: str, series: Series, before: datetime
) -> list[Movement]:
    """Put the settled entries booked before an instant and in no statement yet into this one."""
    rows = await tx.fetch(
        CLAIM_ENTRIES, statement_id, series.party_id, series.book_id, series.currency, before
    )
    return [Movement(*row) for row in rows]


async def save_statement(tx: Transaction, statement: Statement) -> None:
    """Store a statement; its entries are claimed already."""
    series = statement.series
    await tx.execute(
        SAVE_STATEMENT,
        statement.statement_id,
        series.party_id,
        series.book_id,
        series.currency,
        statement.period_start,
        statement.period_end,
        statement.opening_minor,
        statement.closing_minor,
        statement.issued_at,
    )
    rows = [(each.component, each.entries_count, each.amount_minor) for each in statement.movements]
    if rows:
        await tx.execute(SAVE_MOVEMENTS, statement.statement_id, *columns(rows))


async def _with_movements(tx: Transaction, rows: Sequence[asyncpg.Record]) -> list[Statement]:
    movements: dict[str, list[Movement]] = {row["statement_id"]: [] for row in rows}
    for row in await tx.fetch(LIST_MOVEMENTS, list(movements)):
        movements[row["statement_id"]].append(
            Movement(row["component"], row["entries_count"], row["amount_minor"])
        )
    return [
        Statement(
            statement_id=row["statement_id"],
            series=Series(row["party_id"], row["book_id"], row["currency"]),
            period_start=row["period_start"],
            period_end=row["period_end"],
            opening_minor=row["opening_minor"],
            closing_minor=row["closing_minor"],
            movements=movements[row["statement_id"]],
            issued_at=row["issued_at"],
        )
        for row in rows
    ]
