"""What the API takes besides orders, and what it answers. Amounts are whole minor units."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from ingest.gateway.canonical import LINES_MAX, CanonicalOrder
from ingest.model.order import HoldReason
from ingest.model.pool import WAIVABLE, Reason, Status
from runtime.api import Body, JsonValue
from runtime.fields import AmountMinor, ChannelTimestamp, Currency, Id, Timestamp, Units

ORDERS_MAX = 500

Actor = Annotated[str, StringConstraints(strict=True, pattern=r"^[A-Za-z0-9_.:/-]{1,128}$")]
"""Who asks: an id of a person or program, never a name."""
ReasonText = Annotated[
    str, StringConstraints(strict=True, min_length=1, max_length=200, pattern=r"^[^\x00]*$")
]


class BulkOrders(Body):
    """Many orders, each judged by itself."""

    orders: Annotated[list[JsonValue], Field(min_length=1, max_length=ORDERS_MAX)]


class LineUnitsBody(Body):
    """Units of one line."""

    line_id: Id
    quantity_units: Units


class CancellationBody(Body):
    """Units to cancel; without `lines` everything that is still open."""

    request_id: Id
    lines: Annotated[list[LineUnitsBody], Field(min_length=1, max_length=LINES_MAX)] | None = None
    reason: ReasonText
    requested_by: Actor


class ReturnBody(Body):
    """Units that the consumer will send back."""

    request_id: Id
    lines: Annotated[list[LineUnitsBody], Field(min_length=1, max_length=LINES_MAX)]
    reason: ReasonText
    requested_by: Actor


class PaymentBody(Body):
    """Money that the channel took for an order."""

    payment_id: Id
    amount_minor: Annotated[AmountMinor, Field(gt=0)]
    currency: Currency
    paid_at: ChannelTimestamp
    method: Annotated[str, StringConstraints(strict=True, max_length=64)] = ""
    recorded_by: Actor


class HoldBody(Body):
    """A reason for an order to wait; with scope `lines` it names them, and the order waits."""

    hold_id: Id
    reason: HoldReason
    scope: Literal["order", "lines"] = "order"
    line_ids: Annotated[tuple[Id, ...], Field(max_length=LINES_MAX)] = ()
    until: Timestamp | None = None
    placed_by: Actor

    @model_validator(mode="after")
    def _scope_names_lines(self) -> Self:
        if (self.scope == "lines") != bool(self.line_ids):
            raise ValueError("line_ids are given with scope lines, and only then")
        return self


class LiftBody(Body):
    """Who ends a hold."""

    lifted_by: Actor


class ResubmissionBody(Body):
    """A person's answer to a quarantine: a corrected order, or complaints answered for."""

    content: CanonicalOrder | None = None
    waive: Annotated[tuple[Reason, ...], Field(max_length=len(WAIVABLE))] = ()
    resubmitted_by: Actor

    @model_validator(mode="after")
    def _only_what_can_be_waived(self) -> Self:
        if not WAIVABLE.issuperset(self.waive):
            raise ValueError(f"only {', '.join(sorted(WAIVABLE))} can be waived")
        if self.content is not None and self.waive:
            raise ValueError("waive what is wrong with the new content after it is there")
        return self


class View(BaseModel):
    """An answer."""

    model_config = ConfigDict(frozen=True)


class OrderTaken(View):
    """What became of an order; the same for each repetition."""

    order_id: str
    state: str
    version: int


class BulkResult(View):
    """What became of one order of many, by its place in the request."""

    index: int
    status: int = Field(description="the HTTP status that the order alone would have got")
    order_id: str | None = None
    state: str
    version: int = 0
    quarantine_id: str | None = None
    detail: str = ""


class BulkResults(View):
    """One result per order, in their order."""

    results: Sequence[BulkResult]


class CommandAnswer(View):
    """What became of a command; `subject_id` is its id in all services."""

    order_id: str
    state: str
    detail: str
    subject_id: str


class CountersView(View):
    """Units by what became of them; reserved and released are net of what was given back."""

    ordered_units: int
    cancelled_units: int
    unroutable_units: int
    reserved_units: int
    released_units: int
    shipped_units: int
    delivered_units: int
    return_requested_units: int
    returned_units: int


class LineView(View):
    """A line and its counters."""

    line_id: str
    sku: str
    quantity_units: int
    unit_price_minor: int
    discount_minor: int
    freight_minor: int
    gift: bool
    counters: CountersView


class HoldView(View):
    """A hold that stands."""

    hold_id: str
    reason: HoldReason
    scope: str
    line_ids: Sequence[str]
    until: datetime | None
    placed_by: str
    placed_at: datetime


class OrderSummary(View):
    """An order in a list."""

    order_id: str
    channel: str
    shop_id: str
    order_number: str
    status: Status
    version: int
    currency: str
    total_minor: int
    placed_at: datetime
    received_at: datetime


class OrderView(OrderSummary):
    """An order as the pool knows it, without the consumer's data."""

    lines: Sequence[LineView]
    freight_minor: int
    region_code: str
    latitude: float | None
    longitude: float | None
    service: str
    ship_complete: bool
    priority: int
    paid_at: datetime | None
    accepted_at: datetime | None
    cancelled_at: datetime | None
    waiting_for_limit: bool
    quarantine_id: str | None
    flags: Sequence[str]
    holds: Sequence[HoldView]
    counters: CountersView


class ConsumerView(View):
    """The consumer of one order: personal data."""

    order_id: str
    name: str
    phone: str
    street: str
    memo: str
    latitude: float | None
    longitude: float | None


class TimelineView(View):
    """Who did what when; `event_id` names the published fact, if it was one."""

    entry: int
    occurred_at: datetime
    recorded_at: datetime
    actor: str
    what: str
    event_id: str | None
    detail: dict[str, Any]


class ComplaintView(View):
    """One thing that is wrong."""

    reason: str
    detail: str
    awaits: str | None = Field(description="the directory entry that would mend it by itself")


class QuarantineView(View):
    """Input that needs a person or the directory."""

    quarantine_id: str
    order_id: str | None
    channel: str
    shop_id: str
    order_number: str | None
    reason: str
    complaints: Sequence[ComplaintView]
    blocking: bool = Field(description="whether it keeps the order from acceptance")
    opened_at: datetime
    resolved_at: datetime | None
    resolved_by: str | None
    resolution: str | None


class AlarmView(View):
    """Something a person must look at."""

    kind: str
    subject: str
    raised_at: datetime
    cleared_at: datetime | None
