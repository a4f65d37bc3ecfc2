"""A channel's order in canonical form, and the consumer's data that never leaves this service."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from contracts.ids import order_id
from contracts.values import Service


class HoldReason(StrEnum):
    """Why an order waits although it is complete and paid."""

    MANUAL = "manual"
    FRAUD = "fraud"
    MEMO = "memo"
    ADDRESS = "address"
    PRE_SALE = "pre_sale"
    REFUND_PENDING = "refund_pending"
    CREDIT = "credit"


@dataclass(frozen=True, slots=True)
class Line:
    """One line as the channel names it. The discount and freight are of the whole line."""

    line_id: str
    sku: str
    quantity_units: int
    unit_price_minor: int
    discount_minor: int = 0
    freight_minor: int = 0
    gift: bool = False

    @property
    def amount_minor(self) -> int:
        """What the buyer pays for the goods of this line, without freight."""
        return self.unit_price_minor * self.quantity_units - self.discount_minor


@dataclass(frozen=True, slots=True)
class Payment:
    """Money that the channel says it took, in minor units of `currency`, the order's."""

    payment_id: str
    amount_minor: int
    currency: str
    paid_at: datetime
    method: str = ""


@dataclass(frozen=True, slots=True)
class Consumer:
    """Personal data and exact coordinates: kept in this service's database alone."""

    name: str = ""
    phone: str = ""
    street: str = ""
    memo: str = ""
    latitude: float | None = None
    longitude: float | None = None


@dataclass(frozen=True, slots=True)
class WantedHold:
    """A hold that the channel asks for with the order, such as its own fraud check."""

    reason: HoldReason
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """An order as its channel states it, without the consumer's data.

    `version` counts the channel's changes without a gap; None where the channel only dates them by
    `updated_at`. `total_minor` is what the buyer pays in all. Coordinates are rounded to two
    decimals. `paid_at` is None while payment is outstanding.
    """

    channel: str
    shop_id: str
    channel_order_number: str
    version: int | None
    updated_at: datetime | None
    currency: str
    lines: Sequence[Line]
    freight_minor: int
    total_minor: int
    payments: Sequence[Payment]
    region_code: str
    latitude: float | None
    longitude: float | None
    placed_at: datetime
    paid_at: datetime | None
    service: Service
    ship_complete: bool = False
    priority: int = 0
    holds: Sequence[WantedHold] = ()

    @property
    def order_id(self) -> str:
        """The id of the order in all services."""
        return order_id(self.channel, self.shop_id, self.channel_order_number)


class Entrance(StrEnum):
    """Where bytes came in."""

    API = "api"
    BULK = "bulk"
    WEBHOOK = "webhook"
    TOPIC = "topic"
    RESUBMISSION = "resubmission"


@dataclass(frozen=True, slots=True)
class RawInput:
    """The bytes as they came, and who sent them through which entrance."""

    raw_id: str
    entrance: Entrance
    channel: str
    shop_id: str
    content_type: str
    content: bytes
    delivery_id: str | None = None


@dataclass(frozen=True, slots=True)
class Submission:
    """An order handed in, its consumer, a digest of both, and the bytes it was read from.

    `replaces` says that it may change a known order (webhooks, the topic, amendments); a plain
    creation of another content is a conflict. `idempotency_key` is the client's, if it sent one.
    """

    order: Order
    consumer: Consumer
    content_hash: bytes
    raw: RawInput
    actor: str
    replaces: bool = False
    idempotency_key: str | None = None

    @property
    def order_id(self) -> str:
        """The id of the order in all services."""
        return self.order.order_id


@dataclass(frozen=True, slots=True)
class CancellationNotice:
    """A channel says that an order, or units of it, are cancelled."""

    order_id: str
    request_id: str
    lines: Sequence[tuple[str, int]] | None
    reason: str
    raw: RawInput
    actor: str


@dataclass(frozen=True, slots=True)
class PaymentNotice:
    """A channel says that an order was paid, or partly."""

    order_id: str
    payment: Payment
    raw: RawInput
    actor: str


@dataclass(frozen=True, slots=True)
class Misunderstood:
    """Authentic bytes that do not make an order; a person looks at them."""

    reason: str
    detail: str
    raw: RawInput
    channel_order_number: str | None = None


Delivery = Submission | CancellationNotice | PaymentNotice | Misunderstood
