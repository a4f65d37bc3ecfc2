"""Facts of quota about what dealers may still order (topic quota.holds).

Amounts are minor units of `currency`, at supply price.
"""

from datetime import datetime
from enum import StrEnum

from contracts.event import Event


class RefusalReason(StrEnum):
    """Why an order waits for its limit."""

    OVER_LIMIT = "over_limit"
    ACCOUNT_BLOCKED = "account_blocked"
    QUEUED = "queued"


class QuotaGranted(Event, frozen=True, kw_only=True):
    """The order may go on. `account_id` is None and the amount 0 when it uses no limit."""

    order_id: str
    hold_id: str
    account_id: str | None
    amount_minor: int
    currency: str


class QuotaRefused(Event, frozen=True, kw_only=True):
    """The order waits for a top-up, a release or a higher limit, at most until `waits_until`.

    `shortfall_minor` is what was missing when it was refused. `QUEUED` means that it would fit
    but stands behind orders that came earlier.
    """

    order_id: str
    account_id: str
    amount_minor: int
    currency: str
    shortfall_minor: int
    reason: RefusalReason
    waits_until: datetime


class QuotaExpired(Event, frozen=True, kw_only=True):
    """An order waited for its limit until the end of its hold; ingest cancels it."""

    order_id: str
    account_id: str


class QuotaCaptured(Event, frozen=True, kw_only=True):
    """Part of a hold became use because a parcel shipped."""

    order_id: str
    hold_id: str
    account_id: str
    amount_minor: int
    currency: str
    parcel_id: str


class QuotaReleased(Event, frozen=True, kw_only=True):
    """Part of a hold was given back: cancelled, or not to be had. `cause_id` names the request."""

    order_id: str
    hold_id: str
    account_id: str
    amount_minor: int
    currency: str
    cause_id: str


class QuotaReversed(Event, frozen=True, kw_only=True):
    """Captured use was given back at the original price because units came back."""

    order_id: str
    hold_id: str
    account_id: str
    amount_minor: int
    currency: str
    return_id: str
