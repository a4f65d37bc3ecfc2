"""Facts of settlement about money (topic settlement.postings).

Amounts are signed whole minor units of `currency`. Debits are positive, credits negative.
"""

from datetime import datetime
from enum import StrEnum

from contracts.event import Event, Value


class Layer(StrEnum):
    """Whether money is only planned or earned."""

    PENDING = "pending"
    SETTLED = "settled"


class Share(Value, frozen=True, kw_only=True):
    """What one party gets of one line for one reason (`component`)."""

    line_id: str
    party_id: str
    component: str
    amount_minor: int


class SplitPlanned(Event, frozen=True, kw_only=True):
    """The buyer's payment divided among the parties; the shares add up to `total_minor`.

    `plan_hash` is the SHA-256 of terms and shares, so that a statement can prove what it followed.
    """

    order_id: str
    plan_id: str
    plan_hash: str
    agreement_id: str
    agreement_version: int
    currency: str
    total_minor: int
    shares: tuple[Share, ...]


class SplitReversed(Event, frozen=True, kw_only=True):
    """Shares given back exactly, over what remained of each; `cause_id` names request or return."""

    order_id: str
    plan_id: str
    reversal_id: str
    cause_id: str
    currency: str
    layer: Layer
    shares: tuple[Share, ...]


class PostedEntry(Value, frozen=True, kw_only=True):
    """One side of a journal."""

    account_id: str
    amount_minor: int
    layer: Layer
    component: str
    line_id: str | None = None
    counterparty_id: str | None = None


class JournalPosted(Event, frozen=True, kw_only=True):
    """An immutable journal of one book; its entries sum to zero in each layer.

    Journals of several books that belong together share `group_id`. `reverses` names the journal
    that this one takes back.
    """

    order_id: str
    journal_id: str
    group_id: str
    book_id: str
    kind: str
    currency: str
    effective_at: datetime
    entries: tuple[PostedEntry, ...]
    content_hash: str
    reverses: str | None = None
