"""The words of this service: accounts, limits, holds and the entries that changed them.

They are msgspec structs, because some are made for every order: a frozen dataclass takes five
times as long.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum

from msgspec import Struct

from contracts.event import Event


class Account(Struct, frozen=True, gc=False):
    """What one dealer may order, in minor units of `currency`; locked while it is decided upon.

    `settled_minor` is what was paid in advance less what was used: top-ups and reversals raise it,
    captures lower it, so that with credit it may be negative. `held_minor` is promised to granted
    orders. `limit_minor` is the limit in force at the moment the account was locked. A waiting
    order may be passed over `skips_max` times by smaller ones (0: never, the head of the queue
    blocks). `entry_sequence` is the number of the last entry.
    """

    account_id: str
    party_id: str
    currency: str
    skips_max: int
    wait_hours: int
    settled_minor: int
    held_minor: int
    limit_minor: int
    is_blocked: bool
    entry_sequence: int

    @property
    def available_minor(self) -> int:
        """What a new hold may take; negative after a limit was lowered below use."""
        return self.settled_minor + self.limit_minor - self.held_minor


class HoldLine(Struct, frozen=True, gc=False):
    """One order line at its frozen supply price per unit, and what became of its units."""

    order_id: str
    line_id: str
    supply_price_minor: int
    quantity_units: int
    captured_units: int = 0
    released_units: int = 0
    reversed_units: int = 0

    @property
    def open_units(self) -> int:
        """Units neither shipped nor given back."""
        return self.quantity_units - self.captured_units - self.released_units


class Hold(Struct, frozen=True, gc=False):
    """What one order takes of an account (None: it uses no limit).

    It waits while `waits_until` is set; it holds `open_minor` from `granted_at` on.
    `limit_minor` and `available_minor` are the account's at the grant, before it.
    """

    order_id: str
    hold_id: str
    account_id: str | None
    currency: str
    amount_minor: int
    priority: int
    placed_at: datetime
    captured_minor: int = 0
    released_minor: int = 0
    reversed_minor: int = 0
    granted_at: datetime | None = None
    granted_minor: int | None = None
    limit_minor: int | None = None
    available_minor: int | None = None
    refused_at: datetime | None = None
    waits_until: datetime | None = None
    expired_at: datetime | None = None
    skips: int = 0

    @property
    def open_minor(self) -> int:
        """What is neither captured nor released: held if granted, wanted if waiting."""
        return self.amount_minor - self.captured_minor - self.released_minor


class EntryKind(StrEnum):
    """What changed an account."""

    HOLD = "hold"
    CAPTURE = "capture"
    RELEASE = "release"
    REVERSE = "reverse"
    TOP_UP = "top_up"
    LIMIT = "limit"
    BLOCK = "block"
    UNBLOCK = "unblock"


class Entry(Struct, frozen=True, gc=False):
    """One change of an account with its cause; figures are after it, `limit_minor` as of then.

    `cause_id` is the order, parcel, request, decision, return, top-up or limit behind it.
    """

    account_id: str
    entry_sequence: int
    kind: EntryKind
    settled_change_minor: int
    held_change_minor: int
    settled_minor: int
    held_minor: int
    limit_minor: int
    cause_id: str
    order_id: str | None
    recorded_at: datetime


class Limit(Struct, frozen=True):
    """Credit in force from `valid_from` until before `valid_to` (None: open).

    Of several in force the one recorded last counts, so that a campaign's limit covers the usual
    one and uncovers it again.
    """

    account_id: str
    limit_id: str
    amount_minor: int
    valid_from: datetime
    valid_to: datetime | None
    entry_sequence: int = 0


class TopUp(Struct, frozen=True):
    """Money that a dealer paid in advance."""

    account_id: str
    top_up_id: str
    amount_minor: int


class Book(Struct, frozen=True):
    """Locked accounts, the front of their queues, and the orders a decision is about.

    A queue holds the first waiting orders in fair order; accounts in `deep` have more of them
    behind. `lines` are those of `holds`.
    """

    accounts: Mapping[str, Account]
    queues: Mapping[str, Sequence[Hold]]
    deep: frozenset[str]
    holds: Mapping[str, Hold]
    lines: Mapping[str, Sequence[HoldLine]]


class Decision(Struct, frozen=True):
    """What to store and what to say about it; accounts and holds are as they are afterwards."""

    accounts: Sequence[Account]
    opened: Sequence[Hold]
    opened_lines: Sequence[HoldLine]
    changed: Sequence[Hold]
    changed_lines: Sequence[HoldLine]
    entries: Sequence[Entry]
    events: Sequence[Event]


class Standing(Struct, frozen=True):
    """An account as people see it: with the orders that wait and what they want."""

    account: Account
    waiting_orders: int
    waiting_minor: int
