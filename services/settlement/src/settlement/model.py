"""The words of this service: terms, plans, shares, lines, journals, statements. Data only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from contracts.entries import EarnedOn
from contracts.event import Event
from contracts.orders import Scenario
from contracts.postings import JournalPosted


class Code(StrEnum):
    """Codes of the chart of accounts. A share's component is the code its money is booked on."""

    CHANNEL_CLEARING = "channel_clearing"
    PLATFORM_FEE = "platform_fee"
    SUPPLY_REVENUE = "supply_revenue"
    SALES_REVENUE = "sales_revenue"
    DEALER_MARGIN = "dealer_margin"
    FREIGHT_REVENUE = "freight_revenue"
    FREIGHT_EXPENSE = "freight_expense"
    CARRIER_PAYABLE = "carrier_payable"
    DUE_FROM = "due_from"
    DUE_TO = "due_to"


class Side(StrEnum):
    """The side on which an account usually grows."""

    DEBIT = "debit"
    CREDIT = "credit"


DEBIT_CODES = frozenset({Code.CHANNEL_CLEARING, Code.FREIGHT_EXPENSE, Code.DUE_FROM})
PAIRED_CODES = frozenset({Code.DUE_FROM, Code.DUE_TO})


class Kind(StrEnum):
    """Why a journal was written."""

    SPLIT_PLANNED = "split_planned"
    SPLIT_EARNED = "split_earned"
    PLANNED_REVERSED = "planned_reversed"
    EARNED_REVERSED = "earned_reversed"
    FREIGHT_CHARGED = "freight_charged"


@dataclass(frozen=True, slots=True)
class Terms:
    """What an agreement version says about money, and the books of its parties.

    `books` maps the parties that belong to a legal entity to it; the others keep no books here.
    """

    agreement_id: str
    agreement_version: int
    scenario: Scenario
    brand_id: str
    seller_id: str
    platform_id: str | None
    platform_rate_ppm: int
    freight_payee_id: str
    freight_bearer_id: str
    earned_on: EarnedOn
    books: Mapping[str, str]

    @property
    def party_ids(self) -> set[str]:
        """Everybody the agreement names."""
        named = {self.brand_id, self.seller_id, self.freight_payee_id, self.freight_bearer_id}
        return named if self.platform_id is None else named | {self.platform_id}


@dataclass(frozen=True, slots=True)
class Share:
    """What one party was promised of one line, in the order of the plan's steps (`rank`).

    `book_id` is the book its money is kept in. The amount is negative for a loss.
    """

    rank: int
    line_id: str
    party_id: str
    component: str
    book_id: str
    amount_minor: int


@dataclass(frozen=True, slots=True)
class Plan:
    """The frozen division of an order's money; everything later reads it and nothing else.

    `home_book_id` is the book that collects the buyer's payment, `clearing_party_id` the platform
    that owes it (None: the buyers themselves).
    """

    order_id: str
    plan_id: str
    plan_hash: str
    agreement_id: str
    agreement_version: int
    currency: str
    total_minor: int
    home_book_id: str
    clearing_party_id: str | None
    earned_on: EarnedOn
    freight_bearer_id: str
    freight_book_id: str


@dataclass(frozen=True, slots=True)
class Line:
    """The counters of an order line, in units.

    Money follows the counters: units are earned from the front and leave unearned from the back.
    `withdrawn_units` came back before they were earned, `refunded_units` after.
    """

    order_id: str
    line_id: str
    amount_minor: int
    freight_minor: int
    ordered_units: int
    cancelled_units: int = 0
    unroutable_units: int = 0
    shipped_units: int = 0
    earned_units: int = 0
    withdrawn_units: int = 0
    refunded_units: int = 0

    @property
    def gone_units(self) -> int:
        """Units that will never be earned."""
        return self.cancelled_units + self.unroutable_units + self.withdrawn_units

    @property
    def pending_units(self) -> int:
        """Units whose money is still planned."""
        return self.ordered_units - self.gone_units - self.earned_units


@dataclass(frozen=True, slots=True)
class ParcelLine:
    """The units of one line in one shipped parcel, so that a return takes back what it earned.

    They are the line's earned units after the first `earned_before_units`.
    """

    order_id: str
    parcel_id: str
    line_id: str
    shipped_units: int
    earned_before_units: int = 0
    earned_units: int = 0
    withdrawn_units: int = 0
    refunded_units: int = 0

    @property
    def unearned_units(self) -> int:
        """Units whose money is still planned."""
        return self.shipped_units - self.earned_units - self.withdrawn_units


@dataclass(frozen=True, slots=True)
class NewPlan:
    """A plan with its lines, its shares and why they are what they are (JSON)."""

    plan: Plan
    lines: Sequence[Line]
    shares: Sequence[Share]
    trace: bytes
    planned_at: datetime


@dataclass(frozen=True, slots=True)
class OrderState:
    """All that is known of an order's money; shares are by line, in rank order."""

    plan: Plan
    lines: Mapping[str, Line]
    shares: Mapping[str, Sequence[Share]]
    parcel_lines: Mapping[tuple[str, str], ParcelLine]


@dataclass(frozen=True, slots=True)
class Account:
    """Where money of one kind is counted, in one book and currency.

    It belongs to a party (None: the buyers), or to another book for what the two owe each other.
    """

    account_id: str
    book_id: str
    party_id: str | None
    counterparty_book_id: str | None
    code: str
    currency: str
    normal_side: Side


@dataclass(frozen=True, slots=True)
class Cause:
    """What a journal follows from: `(source_type, source_id)` is booked once per book and kind."""

    source_type: str
    source_id: str
    event_id: str
    effective_at: datetime


@dataclass(frozen=True, slots=True)
class Journal:
    """A journal as it is published, and its cause."""

    posted: JournalPosted
    cause: Cause


@dataclass(frozen=True, slots=True)
class ShareMove:
    """A change of what remains of a share, by layer, in minor units."""

    order_id: str
    rank: int
    pending_minor: int
    settled_minor: int


@dataclass(frozen=True, slots=True)
class Planned:
    """What orders that were accepted lead to."""

    plans: Sequence[NewPlan]
    journals: Sequence[Journal]
    accounts: Mapping[str, Account]
    events: Sequence[Event]


@dataclass(frozen=True, slots=True)
class Booked:
    """What facts about orders lead to: rows as they are afterwards, changes of shares, journals."""

    lines: Sequence[Line]
    parcel_lines: Sequence[ParcelLine]
    moves: Sequence[ShareMove]
    journals: Sequence[Journal]
    accounts: Mapping[str, Account]
    events: Sequence[Event]


@dataclass(frozen=True, slots=True)
class Series:
    """The statements of one party in one book and currency; each begins where the last ended."""

    party_id: str
    book_id: str
    currency: str


@dataclass(frozen=True, slots=True)
class Movement:
    """Movements of one component: how many entries and their sum, owed to the party if positive."""

    component: str
    entries_count: int
    amount_minor: int


@dataclass(frozen=True, slots=True)
class Statement:
    """What a party earned in a period: opening plus movements is closing."""

    statement_id: str
    series: Series
    period_start: date
    period_end: date
    opening_minor: int
    closing_minor: int
    movements: Sequence[Movement]
    issued_at: datetime


@dataclass(frozen=True, slots=True)
class Balance:
    """What an account holds, debit positive, in minor units."""

    account: Account
    pending_minor: int
    settled_minor: int


@dataclass(frozen=True, slots=True)
class Total:
    """The balances of a book's accounts of one code and currency, debit positive."""

    code: str
    currency: str
    accounts_count: int
    pending_minor: int
    settled_minor: int


@dataclass(frozen=True, slots=True)
class Remaining:
    """A share and what of it is still planned and what is earned."""

    share: Share
    pending_minor: int
    settled_minor: int


@dataclass(frozen=True, slots=True)
class SealedBlock:
    """Journals of a book bound to all earlier ones by a hash."""

    book_id: str
    block_index: int
    previous_hash: str
    block_hash: str
    journals_count: int
    sealed_at: datetime


@dataclass(frozen=True, slots=True)
class PostedLine:
    """One entry of an account with the event that made it."""

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


@dataclass(frozen=True, slots=True)
class Invariant:
    """A property of the books and how many rows break it."""

    name: str
    violations_count: int
