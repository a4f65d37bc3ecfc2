"""Statements of parties (topic settlement.statements)."""

from datetime import date

from contracts.event import Event, Value


class StatementLine(Value, frozen=True, kw_only=True):
    """Movements of one component in the period, in minor units."""

    component: str
    entries: int
    amount_minor: int


class StatementIssued(Event, frozen=True, kw_only=True):
    """What a party earned in a period: opening plus movements is closing.

    `period_start` is included, `period_end` is not; dates are of the legal entity's book.
    Positive amounts are owed to the party.
    """

    statement_id: str
    party_id: str
    book_id: str
    currency: str
    period_start: date
    period_end: date
    opening_minor: int
    closing_minor: int
    lines: tuple[StatementLine, ...]
