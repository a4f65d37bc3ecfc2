"""Periods of statements and which statement may follow which."""

import re
from calendar import monthrange
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from contracts.ids import derive_id
from contracts.statements import StatementIssued, StatementLine
from settlement.model import Movement, Series, Statement

PERIOD_PATTERN = r"^\d{4}-\d{2}(-\d{2}(/\d{4}-\d{2}-\d{2})?)?$"
_PERIOD = re.compile(PERIOD_PATTERN.replace("$", r"\Z"), re.ASCII)


class StatementRefusedError(ValueError):
    """A statement that cannot be issued as things stand; the message says why."""


@dataclass(frozen=True, slots=True)
class Period:
    """Days of a book: `start` is included, `end` is not."""

    start: date
    end: date


def period_of(text: str) -> Period:
    """Read a month `2026-11`, a day `2026-11-22`, or days `2026-11-01/2026-11-08` (end excluded).

    ValueError for anything else (ISO 8601 knows more, statements do not).
    """
    if _PERIOD.match(text) is None:
        raise ValueError(f"not a period: {text!r}")
    first, _, last = text.partition("/")
    if last:
        period = Period(date.fromisoformat(first), date.fromisoformat(last))
    elif len(first) == len("2026-11"):
        start = date.fromisoformat(f"{first}-01")
        days_count = monthrange(start.year, start.month)[1]
        period = Period(start, start + timedelta(days=days_count))
    else:
        day = date.fromisoformat(first)
        period = Period(day, day + timedelta(days=1))
    if period.end <= period.start:
        raise ValueError(f"the period {text} ends before it starts")
    return period


def statement_id(series: Series, period: Period) -> str:
    """Return the id of the one statement of a series for a period."""
    return derive_id(
        "statement",
        series.party_id,
        series.book_id,
        series.currency,
        period.start.isoformat(),
        period.end.isoformat(),
    )


def closes_at(period: Period, timezone: str) -> datetime:
    """Return the instant at which a period ends where the book is kept."""
    return datetime.combine(period.end, time.min, ZoneInfo(timezone))


def check(period: Period, previous: Statement | None, now: datetime, timezone: str) -> None:
    """Raise StatementRefusedError for days that are stated already or lie ahead.

    A period may end with today: what is booked later today goes into the next statement.
    """
    today = now.astimezone(ZoneInfo(timezone)).date()
    if period.end > today + timedelta(days=1):
        raise StatementRefusedError(f"the period ends after today, {today} in {timezone}")
    if previous is not None and period.start < previous.period_end:
        raise StatementRefusedError(
            f"statement {previous.statement_id} covers the days before {previous.period_end}"
        )


def issue(
    series: Series,
    period: Period,
    previous: Statement | None,
    movements: Sequence[Movement],
    now: datetime,
) -> Statement:
    """Return the statement that begins where the last one ended."""
    opening_minor = 0 if previous is None else previous.closing_minor
    return Statement(
        statement_id=statement_id(series, period),
        series=series,
        period_start=period.start,
        period_end=period.end,
        opening_minor=opening_minor,
        closing_minor=opening_minor + sum(each.amount_minor for each in movements),
        movements=movements,
        issued_at=now,
    )


def issued(statement: Statement) -> StatementIssued:
    """Return what is said of a new statement."""
    series = statement.series
    return StatementIssued(
        occurred_at=statement.issued_at,
        statement_id=statement.statement_id,
        party_id=series.party_id,
        book_id=series.book_id,
        currency=series.currency,
        period_start=statement.period_start,
        period_end=statement.period_end,
        opening_minor=statement.opening_minor,
        closing_minor=statement.closing_minor,
        lines=tuple(
            StatementLine(
                component=each.component,
                entries=each.entries_count,
                amount_minor=each.amount_minor,
            )
            for each in statement.movements
        ),
    )
