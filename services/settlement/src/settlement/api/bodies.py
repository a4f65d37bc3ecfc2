"""What is sent and answered. Amounts are whole minor units of the currency beside them."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from runtime.api import Body
from runtime.fields import Currency, Id
from settlement.decide.split import Traced
from settlement.decide.statement import PERIOD_PATTERN
from settlement.model import (
    Balance,
    Journal,
    Line,
    PostedLine,
    Remaining,
    SealedBlock,
    Statement,
    Total,
)


class StatementRequest(Body):
    """Whose statement is wanted, and for which days of the book."""

    party_id: Id
    period: Annotated[
        str,
        StringConstraints(strict=True, pattern=PERIOD_PATTERN),
        Field(
            description="a month 2026-11, a day 2026-11-22, or 2026-11-01/2026-11-08 (end excluded)"
        ),
    ]
    book_id: Annotated[Id | None, Field(description="the party's own book unless given")] = None
    currency: Annotated[Currency | None, Field(description="the book's unless given")] = None


class View(BaseModel):
    """An answer; it never changes."""

    model_config = ConfigDict(frozen=True, from_attributes=True)


class LineView(View):
    """The counters of an order line, in units."""

    line_id: str
    amount_minor: int
    freight_minor: int
    ordered_units: int
    cancelled_units: int
    unroutable_units: int
    shipped_units: int
    earned_units: int
    returned_units: int
    pending_units: int

    @classmethod
    def of(cls, line: Line) -> Self:
        """Show a line."""
        return cls(
            line_id=line.line_id,
            amount_minor=line.amount_minor,
            freight_minor=line.freight_minor,
            ordered_units=line.ordered_units,
            cancelled_units=line.cancelled_units,
            unroutable_units=line.unroutable_units,
            shipped_units=line.shipped_units,
            earned_units=line.earned_units,
            returned_units=line.withdrawn_units + line.refunded_units,
            pending_units=line.pending_units,
        )


class ShareView(View):
    """What a party was promised of a line, and what became of it."""

    line_id: str
    party_id: str
    component: str
    book_id: str
    planned_minor: int
    pending_minor: int
    settled_minor: int
    reversed_minor: int
    why: str = Field(description="the step and inputs that gave the planned amount")

    @classmethod
    def of(cls, remaining: Remaining, why: Mapping[tuple[str, str], str]) -> Self:
        """Show a share; `why` is by party and component."""
        share = remaining.share
        left_minor = remaining.pending_minor + remaining.settled_minor
        return cls(
            line_id=share.line_id,
            party_id=share.party_id,
            component=share.component,
            book_id=share.book_id,
            planned_minor=share.amount_minor,
            pending_minor=remaining.pending_minor,
            settled_minor=remaining.settled_minor,
            reversed_minor=share.amount_minor - left_minor,
            why=why[share.party_id, share.component],
        )


class TracedLineView(View):
    """What a step took of one line."""

    line_id: str
    amount_minor: int


class TraceView(View):
    """One step of the agreement: what went in, what it took, of which lines."""

    step: str
    payee_id: str
    component: str
    inputs: Mapping[str, int | str]
    amount_minor: int
    lines: tuple[TracedLineView, ...]

    @classmethod
    def of(cls, traced: Traced) -> Self:
        """Show a step."""
        return cls.model_validate(traced)


class SplitView(View):
    """How an order's money is divided, and why."""

    order_id: str
    plan_id: str
    plan_hash: str
    agreement_id: str
    agreement_version: int
    currency: str
    total_minor: int
    earned_on: str
    home_book_id: str
    lines: list[LineView]
    shares: list[ShareView]
    trace: list[TraceView]


class EntryView(View):
    """One side of a journal; debits are positive."""

    account_id: str
    amount_minor: int
    layer: str
    component: str
    line_id: str | None
    counterparty_id: str | None


class JournalView(View):
    """An immutable journal of one book."""

    journal_id: str
    group_id: str
    book_id: str
    kind: str
    currency: str
    effective_at: datetime
    booked_at: datetime
    source_type: str
    source_id: str
    event_id: str
    reverses: str | None
    content_hash: str
    entries: list[EntryView]

    @classmethod
    def of(cls, journal: Journal) -> Self:
        """Show a journal."""
        posted, cause = journal.posted, journal.cause
        return cls(
            journal_id=posted.journal_id,
            group_id=posted.group_id,
            book_id=posted.book_id,
            kind=posted.kind,
            currency=posted.currency,
            effective_at=posted.effective_at,
            booked_at=posted.occurred_at,
            source_type=cause.source_type,
            source_id=cause.source_id,
            event_id=cause.event_id,
            reverses=posted.reverses,
            content_hash=posted.content_hash,
            entries=[EntryView.model_validate(entry) for entry in posted.entries],
        )


class JournalsView(View):
    """All journals of an order, in the order of booking."""

    order_id: str
    journals: list[JournalView]


class AccountView(View):
    """An account and what it holds; debits are positive."""

    account_id: str
    book_id: str
    party_id: str | None
    counterparty_book_id: str | None
    code: str
    currency: str
    normal_side: str
    pending_minor: int
    settled_minor: int

    @classmethod
    def of(cls, balance: Balance) -> Self:
        """Show an account."""
        account = balance.account
        return cls(
            account_id=account.account_id,
            book_id=account.book_id,
            party_id=account.party_id,
            counterparty_book_id=account.counterparty_book_id,
            code=account.code,
            currency=account.currency,
            normal_side=account.normal_side,
            pending_minor=balance.pending_minor,
            settled_minor=balance.settled_minor,
        )


class PartyBookView(View):
    """What a party has in one book; positive amounts are owed to the party."""

    book_id: str
    currency: str
    pending_minor: int
    settled_minor: int
    accounts: list[AccountView]


class PartyBalanceView(View):
    """What a party has, book by book."""

    party_id: str
    books: list[PartyBookView]


class TotalView(View):
    """The accounts of one code and currency in a book; debits are positive."""

    code: str
    currency: str
    accounts_count: int
    pending_minor: int
    settled_minor: int


class CurrencySumView(View):
    """The sum over a book in one currency; 0 in each layer, or the book is wrong."""

    currency: str
    pending_minor: int
    settled_minor: int


class TrialBalanceView(View):
    """A book by code, and its sums."""

    book_id: str
    totals: list[TotalView]
    sums: list[CurrencySumView]

    @classmethod
    def of(cls, book_id: str, totals: list[Total]) -> Self:
        """Show a book."""
        currencies = sorted({total.currency for total in totals})
        return cls(
            book_id=book_id,
            totals=[TotalView.model_validate(total) for total in totals],
            sums=[
                CurrencySumView(
                    currency=currency,
                    pending_minor=sum(t.pending_minor for t in totals if t.currency == currency),
                    settled_minor=sum(t.settled_minor for t in totals if t.currency == currency),
                )
                for currency in currencies
            ],
        )


class BlockView(View):
    """A block of a book's chain: SHA-256 of the block before and the journals' own hashes."""

    block_index: int
    previous_hash: str
    block_hash: str
    journals_count: int
    sealed_at: datetime

    @classmethod
    def of(cls, block: SealedBlock) -> Self:
        """Show a block."""
        return cls.model_validate(block)


class PostedLineView(View):
    """An entry of an account, and the event that made it; debits are positive."""

    journal_id: str
    kind: str
    order_id: str
    source_type: str
    source_id: str
    event_id: str
    effective_at: datetime
    booked_at: datetime
    layer: str
    component: str
    line_id: str | None
    amount_minor: int
    journal_index: int
    entry_index: int

    @classmethod
    def of(cls, posted: PostedLine) -> Self:
        """Show an entry."""
        return cls.model_validate(posted)


class MovementView(View):
    """Movements of one component; positive amounts are owed to the party."""

    component: str
    entries_count: int
    amount_minor: int


class StatementView(View):
    """What a party earned in a period; opening plus movements is closing."""

    statement_id: str
    party_id: str
    book_id: str
    currency: str
    period_start: date
    period_end: date = Field(description="excluded")
    opening_minor: int
    closing_minor: int
    movements: list[MovementView]
    issued_at: datetime

    @classmethod
    def of(cls, statement: Statement) -> Self:
        """Show a statement."""
        series = statement.series
        return cls(
            statement_id=statement.statement_id,
            party_id=series.party_id,
            book_id=series.book_id,
            currency=series.currency,
            period_start=statement.period_start,
            period_end=statement.period_end,
            opening_minor=statement.opening_minor,
            closing_minor=statement.closing_minor,
            movements=[MovementView.model_validate(each) for each in statement.movements],
            issued_at=statement.issued_at,
        )


class InvariantView(View):
    """A property of the books and how many rows break it."""

    name: str
    violations_count: int


class VerificationView(View):
    """All properties; 0 violations in all, or the books are wrong."""

    violations_count: int
    invariants: list[InvariantView]
