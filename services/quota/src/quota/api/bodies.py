"""What the API takes and answers; amounts are whole minor units of the account's currency."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from quota.model import Account, Entry, EntryKind, Hold, HoldLine, Limit, Standing
from runtime.api import Body
from runtime.fields import AmountMinor, Currency, Id, Name, Timestamp

CHANGES_MAX = 5_000
SKIPS_MAX = 100
WAIT_HOURS_MAX = 24 * 90


class Policy(StrEnum):
    """Whether a waiting order that does not fit may be passed by later ones that do."""

    STRICT = "strict"
    SKIP_TO_FIT = "skip-to-fit"


class AccountBody(Body):
    """An account; party and currency stay as they were first given."""

    party_id: Id
    currency: Currency
    policy: Policy = Policy.STRICT
    skips_max: Annotated[int, Field(strict=True, ge=0, le=SKIPS_MAX)] = 0
    wait_hours: Annotated[int, Field(strict=True, ge=1, le=WAIT_HOURS_MAX)] = 72

    @model_validator(mode="after")
    def _bound_of_skips(self) -> Self:
        if (self.policy is Policy.STRICT) != (self.skips_max == 0):
            raise ValueError("skips_max is 0 under strict and at least 1 under skip-to-fit")
        return self


class NamedAccountBody(AccountBody):
    """An account of a list."""

    account_id: Id


class AccountsBody(Body):
    """Many accounts, all or none."""

    accounts: Annotated[list[NamedAccountBody], Field(min_length=1, max_length=CHANGES_MAX)]


class LimitBody(Body):
    """Credit in force from `valid_from` (None: now) until before `valid_to` (None: open)."""

    limit_id: Id
    amount_minor: AmountMinor
    valid_from: Timestamp | None = None
    valid_to: Timestamp | None = None

    @model_validator(mode="after")
    def _range_is_not_empty(self) -> Self:
        if self.valid_from and self.valid_to and self.valid_to <= self.valid_from:
            raise ValueError("valid_to must be after valid_from")
        return self


class NamedLimitBody(LimitBody):
    """A limit of a list."""

    account_id: Id


class LimitsBody(Body):
    """Many limits, all or none."""

    limits: Annotated[list[NamedLimitBody], Field(min_length=1, max_length=CHANGES_MAX)]


class TopUpBody(Body):
    """Money that a dealer paid in advance; the id makes it count once."""

    top_up_id: Id
    amount_minor: Annotated[AmountMinor, Field(gt=0)]


class NamedTopUpBody(TopUpBody):
    """A top-up of a list."""

    account_id: Id


class TopUpsBody(Body):
    """Many top-ups, all or none."""

    top_ups: Annotated[list[NamedTopUpBody], Field(min_length=1, max_length=CHANGES_MAX)]


class BlockBody(Body):
    """Why an account is blocked or opened; kept with the entry."""

    reason: Name


class View(BaseModel):
    """An answer."""

    model_config = ConfigDict(frozen=True)


class AccountView(View):
    """An account as it stands: available = settled + limit - held."""

    account_id: str
    party_id: str
    currency: str
    policy: Policy
    skips_max: int
    wait_hours: int
    blocked: bool
    settled_minor: int = Field(description="top-ups and reversals less captures")
    held_minor: int
    limit_minor: int = Field(description="the limit in force now")
    available_minor: int
    waiting_orders: int
    waiting_minor: int

    @classmethod
    def of(cls, standing: Standing) -> "AccountView":
        """Show an account."""
        account = standing.account
        return cls(
            account_id=account.account_id,
            party_id=account.party_id,
            currency=account.currency,
            policy=policy_of(account),
            skips_max=account.skips_max,
            wait_hours=account.wait_hours,
            blocked=account.is_blocked,
            settled_minor=account.settled_minor,
            held_minor=account.held_minor,
            limit_minor=account.limit_minor,
            available_minor=account.available_minor,
            waiting_orders=standing.waiting_orders,
            waiting_minor=standing.waiting_minor,
        )


class LimitView(View):
    """A limit; of those in force the one with the highest entry_sequence counts."""

    account_id: str
    limit_id: str
    amount_minor: int
    valid_from: datetime
    valid_to: datetime | None
    entry_sequence: int

    @classmethod
    def of(cls, limit: Limit) -> "LimitView":
        """Show a limit."""
        return cls.model_validate(limit, from_attributes=True)


class EntryView(View):
    """One change of an account; figures are those after it."""

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

    @classmethod
    def of(cls, entry: Entry) -> "EntryView":
        """Show an entry."""
        return cls.model_validate(entry, from_attributes=True)


class TopUpView(View):
    """A top-up as it was booked; sent again, it is answered with the same."""

    account_id: str
    top_up_id: str
    amount_minor: int
    entry_sequence: int
    settled_minor: int
    recorded_at: datetime

    @classmethod
    def of(cls, entry: Entry) -> "TopUpView":
        """Show a top-up by its entry."""
        return cls(
            account_id=entry.account_id,
            top_up_id=entry.cause_id,
            amount_minor=entry.settled_change_minor,
            entry_sequence=entry.entry_sequence,
            settled_minor=entry.settled_minor,
            recorded_at=entry.recorded_at,
        )


class AccountsView(View):
    """How many accounts a list held; they are all as it says."""

    accounts: int


class LimitsView(View):
    """Limits in the order they were sent."""

    limits: list[LimitView]


class TopUpsView(View):
    """Top-ups in the order they were sent."""

    top_ups: list[TopUpView]


class HoldState(StrEnum):
    """Where a hold stands, by its figures."""

    WAITING = "waiting"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    HELD = "held"
    PART_CAPTURED = "part_captured"
    CAPTURED = "captured"
    RELEASED = "released"


class WaitingView(View):
    """An order that waits for its limit."""

    order_id: str
    wanted_minor: int
    priority: int
    placed_at: datetime
    refused_at: datetime | None
    waits_until: datetime | None
    skips: int = Field(description="how often later orders were granted before it")

    @classmethod
    def of(cls, hold: Hold) -> "WaitingView":
        """Show an order that waits."""
        return cls(
            order_id=hold.order_id,
            wanted_minor=hold.open_minor,
            priority=hold.priority,
            placed_at=hold.placed_at,
            refused_at=hold.refused_at,
            waits_until=hold.waits_until,
            skips=hold.skips,
        )


class HoldLineView(View):
    """One order line at its frozen supply price per unit."""

    line_id: str
    supply_price_minor: int
    quantity_units: int
    captured_units: int
    released_units: int
    reversed_units: int


class HoldView(View):
    """What an order takes of its account (none: it uses no limit)."""

    order_id: str
    hold_id: str
    account_id: str | None
    state: HoldState
    currency: str
    amount_minor: int
    captured_minor: int
    released_minor: int
    reversed_minor: int
    open_minor: int = Field(description="held if granted, wanted if waiting")
    granted_at: datetime | None
    limit_minor: int | None = Field(description="the limit in force at the grant")
    available_minor: int | None = Field(description="what was available before the grant")
    refused_at: datetime | None
    waits_until: datetime | None
    expired_at: datetime | None
    lines: list[HoldLineView]

    @classmethod
    def of(cls, hold: Hold, lines: list[HoldLine]) -> "HoldView":
        """Show a hold with its lines."""
        return cls(
            order_id=hold.order_id,
            hold_id=hold.hold_id,
            account_id=hold.account_id,
            state=state_of(hold),
            currency=hold.currency,
            amount_minor=hold.amount_minor,
            captured_minor=hold.captured_minor,
            released_minor=hold.released_minor,
            reversed_minor=hold.reversed_minor,
            open_minor=hold.open_minor,
            granted_at=hold.granted_at,
            limit_minor=hold.limit_minor,
            available_minor=hold.available_minor,
            refused_at=hold.refused_at,
            waits_until=hold.waits_until,
            expired_at=hold.expired_at,
            lines=[HoldLineView.model_validate(line, from_attributes=True) for line in lines],
        )


def policy_of(account: Account) -> Policy:
    """Return the name of an account's policy; strict is skip-to-fit with no skips."""
    return Policy.SKIP_TO_FIT if account.skips_max else Policy.STRICT


def state_of(hold: Hold) -> HoldState:
    """Say where a hold stands."""
    if hold.granted_at is None:
        return _ungranted(hold)
    if hold.captured_minor and hold.open_minor:
        return HoldState.PART_CAPTURED
    if hold.captured_minor:
        return HoldState.CAPTURED
    return HoldState.RELEASED if hold.released_minor and not hold.open_minor else HoldState.HELD


def _ungranted(hold: Hold) -> HoldState:
    if hold.waits_until is not None:
        return HoldState.WAITING
    return HoldState.CANCELLED if hold.expired_at is None else HoldState.EXPIRED
