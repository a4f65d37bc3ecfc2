"""Our own order format, as connectors and clients send it: strict, and no field too many."""

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from contracts.values import Service
from ingest.model.order import Consumer, HoldReason, Line, Order, Payment, WantedHold
from runtime.fields import (
    AmountMinor,
    ChannelTimestamp,
    Currency,
    Id,
    SignedAmountMinor,
    Text,
    Timestamp,
    Units,
    Version,
)

LINES_MAX = 500
PAYMENTS_MAX = 50
HOLDS_MAX = 10
PRIORITY_MAX = 1_000

RegionCode = Annotated[
    str, StringConstraints(strict=True, pattern=r"^[A-Z]{2}(-[A-Z0-9]{1,12}){0,4}$")
]
"""From the country downwards: `CN-310109` (GB/T 2260), `BR-SP-01012`."""
Sku = Annotated[
    str, StringConstraints(strict=True, min_length=1, max_length=128, pattern=r"^[^\x00]*$")
]
"""A shop's article number, compared character by character: nothing is trimmed or folded."""


class Part(BaseModel):
    """What every part of a body has in common: unknown fields are refused, it never changes."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class CanonicalLine(Part):
    """A line; `discount_minor` and `freight_minor` are of the whole line, prices per unit."""

    line_id: Id
    sku: Sku
    quantity_units: Units
    unit_price_minor: AmountMinor
    discount_minor: SignedAmountMinor = 0
    freight_minor: SignedAmountMinor = 0
    gift: bool = False


class CanonicalPayment(Part):
    """Money taken by the channel, in minor units of the order's currency."""

    payment_id: Id
    amount_minor: AmountMinor
    paid_at: ChannelTimestamp
    method: Annotated[str, StringConstraints(strict=True, max_length=64)] = ""


class CanonicalConsumer(Part):
    """Personal data, as opaque text: masked or encrypted values are kept as they are."""

    name: Text = ""
    phone: Text = ""
    street: Text = ""


class CanonicalPlace(Part):
    """Where it goes; coordinates (WGS 84) are rounded to two decimals before they leave."""

    region_code: RegionCode
    latitude: Annotated[float, Field(ge=-90, le=90)] | None = None
    longitude: Annotated[float, Field(ge=-180, le=180)] | None = None


class CanonicalHold(Part):
    """A hold that the channel asks for with the order."""

    reason: HoldReason
    until: Timestamp | None = None


class CanonicalOrder(Part):
    """An order of any channel.

    `total_minor` is what the buyer pays in all; it must be the lines and freight to the last unit.
    Channels do send orders that have lost all their lines: such a one is no total of anything.
    Without `paid_at` the order waits until its payments reach the total. `version` counts the
    order's changes from 1 without a gap.
    """

    channel: Id
    shop_id: Id
    order_number: Id
    version: Version = 1
    updated_at: ChannelTimestamp | None = None
    currency: Currency
    lines: Annotated[list[CanonicalLine], Field(max_length=LINES_MAX)]
    freight_minor: SignedAmountMinor = 0
    total_minor: AmountMinor
    payments: Annotated[list[CanonicalPayment], Field(max_length=PAYMENTS_MAX)] = []
    consumer: CanonicalConsumer
    place: CanonicalPlace
    placed_at: ChannelTimestamp
    paid_at: ChannelTimestamp | None = None
    service: Service = Service.SHIP
    memo: Text = ""
    ship_complete: bool = False
    priority: Annotated[int, Field(strict=True, ge=0, le=PRIORITY_MAX)] = 0
    holds: Annotated[list[CanonicalHold], Field(max_length=HOLDS_MAX)] = []

    @model_validator(mode="after")
    def _ids_are_unique(self) -> Self:
        lines = [line.line_id for line in self.lines]
        if len(set(lines)) != len(lines):
            raise ValueError("a line_id comes twice")
        payments = [payment.payment_id for payment in self.payments]
        if len(set(payments)) != len(payments):
            raise ValueError("a payment_id comes twice")
        return self

    def order(self) -> Order:
        """Return the order without the consumer's data."""
        return Order(
            channel=self.channel,
            shop_id=self.shop_id,
            channel_order_number=self.order_number,
            version=self.version,
            updated_at=self.updated_at,
            currency=self.currency,
            lines=[_line(line) for line in self.lines],
            freight_minor=self.freight_minor,
            total_minor=self.total_minor,
            payments=[_payment(payment, self.currency) for payment in self.payments],
            region_code=self.place.region_code,
            latitude=rounded(self.place.latitude),
            longitude=rounded(self.place.longitude),
            placed_at=self.placed_at,
            paid_at=self.paid_at,
            service=self.service,
            ship_complete=self.ship_complete,
            priority=self.priority,
            holds=[WantedHold(hold.reason, hold.until) for hold in self.holds],
        )

    def buyer(self) -> Consumer:
        """Return the data that stays in this service."""
        return Consumer(
            name=self.consumer.name,
            phone=self.consumer.phone,
            street=self.consumer.street,
            memo=self.memo,
            latitude=self.place.latitude,
            longitude=self.place.longitude,
        )


def rounded(degrees: float | None) -> float | None:
    """Return a coordinate to two decimals, about a kilometre: a place and not a door."""
    return None if degrees is None else round(degrees, 2)


def _payment(payment: CanonicalPayment, currency: str) -> Payment:
    return Payment(
        payment.payment_id, payment.amount_minor, currency, payment.paid_at, payment.method
    )


def _line(line: CanonicalLine) -> Line:
    return Line(
        line_id=line.line_id,
        sku=line.sku,
        quantity_units=line.quantity_units,
        unit_price_minor=line.unit_price_minor,
        discount_minor=line.discount_minor,
        freight_minor=line.freight_minor,
        gift=line.gift,
    )
