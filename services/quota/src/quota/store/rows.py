"""Columns in the order of the dataclasses, so that a row becomes one without looking up names."""

from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import Any

import asyncpg

from quota.model import Account, Entry, EntryKind

ACCOUNT_COLUMNS = """a.account_id, a.party_id, a.currency, a.skips_max, a.wait_hours,
    a.settled_minor, a.held_minor, a.is_blocked, a.entry_sequence"""
HOLD_COLUMNS = """h.order_id, h.hold_id, h.account_id, h.currency, h.amount_minor, h.priority,
    h.placed_at, h.captured_minor, h.released_minor, h.reversed_minor, h.granted_at,
    h.granted_minor, h.limit_minor, h.available_minor, h.refused_at, h.waits_until, h.expired_at,
    h.skips"""
LINE_COLUMNS = """l.order_id, l.line_id, l.supply_price_minor, l.quantity_units,
    l.captured_units, l.released_units, l.reversed_units"""
ENTRY_COLUMNS = """e.account_id, e.entry_sequence, e.kind, e.settled_change_minor,
    e.held_change_minor, e.settled_minor, e.held_minor, e.limit_minor, e.cause_id, e.order_id,
    e.recorded_at"""


def columns(rows: Iterable[object], names: Sequence[str]) -> list[tuple[Any, ...]]:
    """Turn at least one row into one tuple per named attribute, as `unnest` takes them."""
    return list(zip(*map(attrgetter(*names), rows), strict=True))


def account_of(row: asyncpg.Record, limit_minor: int) -> Account:
    """Return a row that begins with ACCOUNT_COLUMNS as an account."""
    return Account(
        account_id=row[0],
        party_id=row[1],
        currency=row[2],
        skips_max=row[3],
        wait_hours=row[4],
        settled_minor=row[5],
        held_minor=row[6],
        limit_minor=limit_minor,
        is_blocked=row[7],
        entry_sequence=row[8],
    )


def entry_of(row: asyncpg.Record) -> Entry:
    """Return a row of ENTRY_COLUMNS as an entry."""
    return Entry(row[0], row[1], EntryKind(row[2]), *row[3:])
