"""Facts of ingest about orders (topic ingest.orders)."""

from datetime import datetime
from enum import StrEnum

from contracts.event import Event, Value
from contracts.values import LinePart, LineUnits, Place, Service


class Scenario(StrEnum):
    """The way the brand and its dealer share the order."""

    DROP_SHIPPING = "drop_shipping"
    BRAND_DIRECT = "brand_direct"


class OrderLine(Value, frozen=True, kw_only=True):
    """One line with its frozen terms, in minor units of the order's currency.

    `unit_price_minor` and `supply_price_minor` are per unit, `discount_minor` and `freight_minor`
    for the whole line: freight that the buyer paid is allocated to the lines at acceptance.
    `parts` multiplied by the units are the goods to ship; a line unit is never divided.
    """

    line_id: str
    goods_id: str
    quantity_units: int
    unit_price_minor: int
    discount_minor: int
    freight_minor: int
    supply_price_minor: int
    parts: tuple[LinePart, ...]
    gift: bool = False

    @property
    def amount_minor(self) -> int:
        """What the buyer pays for the goods of this line, without freight."""
        return self.unit_price_minor * self.quantity_units - self.discount_minor


class OrderAccepted(Event, frozen=True, kw_only=True):
    """An order is complete, paid and in the pool; its terms never change again.

    `seller_id` is the party that sold it, `limit_account_id` the quota account it uses (none: no
    limit is used). The buyer paid the sum over lines of `amount_minor + freight_minor`.
    `consumer_ref` refers to personal data that stays with ingest.
    """

    order_id: str
    order_version: int
    brand_id: str
    channel: str
    shop_id: str
    channel_order_number: str
    scenario: Scenario
    seller_id: str
    agreement_id: str
    agreement_version: int
    limit_account_id: str | None
    currency: str
    lines: tuple[OrderLine, ...]
    service: Service
    place: Place
    consumer_ref: str
    placed_at: datetime
    paid_at: datetime
    ship_complete: bool = False
    priority: int = 0

    @property
    def paid_minor(self) -> int:
        """What the buyer paid in all, in minor units."""
        return sum(line.amount_minor + line.freight_minor for line in self.lines)


class CancellationRequested(Event, frozen=True, kw_only=True):
    """Somebody asks to cancel units of an order; routing decides.

    `lines` is None when everything that is still open is meant.
    """

    order_id: str
    request_id: str
    lines: tuple[LineUnits, ...] | None
    reason: str
    requested_by: str


class ReturnRequested(Event, frozen=True, kw_only=True):
    """The consumer will send units back; the node that receives them grades them."""

    order_id: str
    return_id: str
    lines: tuple[LineUnits, ...]
    reason: str
    requested_by: str
