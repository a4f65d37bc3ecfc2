"""What is shown of orders, parcels and answers."""

from datetime import date, datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from contracts.values import GoodsUnits, LineUnits, Service
from routing.decide.contents import goods_of
from routing.decide.standing import Standing, standing_of
from routing.model.commands import Action, Answer, Command, Verdict
from routing.model.fulfilment import Execution, Line, Negotiation, Order, Parcel, ParcelLine


class View(BaseModel):
    """Something that is shown."""

    model_config = ConfigDict(frozen=True, from_attributes=True)


class LineUnitsView(View):
    """Units of an order line."""

    line_id: str
    quantity_units: int

    @classmethod
    def of(cls, units: LineUnits) -> "LineUnitsView":
        """Show units of a line."""
        return cls(line_id=units.line_id, quantity_units=units.quantity_units)


class GoodsUnitsView(View):
    """Units of goods."""

    goods_id: str
    quantity_units: int

    @classmethod
    def of(cls, units: GoodsUnits) -> "GoodsUnitsView":
        """Show units of goods."""
        return cls(goods_id=units.goods_id, quantity_units=units.quantity_units)


class AskView(View):
    """Units the node is asked to take out."""

    request_id: str
    lines: list[LineUnitsView]


class ParcelLineView(View):
    """What became of one line's units in a parcel; `content_units` are to be shipped from it."""

    line_id: str
    content_units: int
    planned_units: int
    short_units: int
    cancelled_units: int
    shipped_units: int
    returned_units: int

    @classmethod
    def of(cls, line: ParcelLine) -> "ParcelLineView":
        """Show a line of a parcel."""
        return cls.model_validate(line)


class ParcelView(View):
    """A parcel as its node sees it. Every command about it names its `attempt`."""

    parcel_id: str
    order_id: str
    attempt: int
    node_id: str
    execution: Execution
    negotiation: Negotiation
    lines: list[ParcelLineView]
    goods: list[GoodsUnitsView] = Field(description="what to pick: the content as goods")
    promised_at: datetime
    promised_on: date
    freight_minor: int = Field(description="as planned, in the order's currency")
    handling_minor: int
    currency: str
    answer_until: datetime | None
    asks: list[AskView]
    carrier_id: str | None
    waybill: str | None
    conflict: bool = Field(description="it was shipped although it was taken from the node")

    @classmethod
    def of(cls, order: Order, parcel: Parcel) -> "ParcelView":
        """Show a parcel of an order."""
        return cls(
            parcel_id=parcel.parcel_id,
            order_id=order.order_id,
            attempt=parcel.attempt,
            node_id=parcel.node_id,
            execution=parcel.execution,
            negotiation=parcel.negotiation,
            lines=[ParcelLineView.of(line) for line in parcel.lines],
            goods=[GoodsUnitsView.of(goods) for goods in goods_of(order, parcel.content)],
            promised_at=parcel.promised_at,
            promised_on=parcel.promised_on,
            freight_minor=parcel.freight_minor,
            handling_minor=parcel.handling_minor,
            currency=order.currency,
            answer_until=parcel.answer_until,
            asks=[
                AskView(
                    request_id=ask.request_id,
                    lines=[LineUnitsView.of(line) for line in ask.lines],
                )
                for ask in parcel.asks
            ],
            carrier_id=parcel.carrier_id,
            waybill=parcel.waybill,
            conflict=parcel.conflicted,
        )


class OrderLineView(View):
    """A line's counters: ordered = cancelled + unroutable + shipped + open; returned ≤ shipped."""

    line_id: str
    goods_id: str
    ordered_units: int
    cancelled_units: int
    unroutable_units: int
    shipped_units: int
    returned_units: int
    open_units: int

    @classmethod
    def of(cls, line: Line) -> "OrderLineView":
        """Show a line."""
        return cls.model_validate(line)


class ExpectedReturnView(View):
    """Units that the consumer said will come back."""

    return_id: str
    line_id: str
    quantity_units: int


class OrderView(View):
    """How far an order is, and what it waits for."""

    order_id: str
    waits_for: Standing
    attempt: int
    planned_attempt: int = Field(description="the plan that waits for its stock, 0 for none")
    retry_at: datetime | None = Field(description="when units that nobody had are tried again")
    currency: str
    service: Service
    region_code: str
    ship_complete: bool
    lines: list[OrderLineView]
    parcels: list[ParcelView]
    expected_returns: list[ExpectedReturnView] = []

    @classmethod
    def of(cls, order: Order, expected: list[ExpectedReturnView]) -> "OrderView":
        """Show an order."""
        return cls(
            order_id=order.order_id,
            waits_for=standing_of(order),
            attempt=order.attempt,
            planned_attempt=order.planned_attempt,
            retry_at=order.retry_at,
            currency=order.currency,
            service=order.service,
            region_code=order.place.region_code,
            ship_complete=order.ship_complete,
            lines=[OrderLineView.of(line) for line in order.lines],
            parcels=[ParcelView.of(order, parcel) for parcel in order.parcels],
            expected_returns=expected,
        )


class OrderSummaryView(View):
    """An order in a list."""

    order_id: str
    waits_for: Standing
    attempt: int
    open_units: int
    shipped_units: int
    parcels_count: int

    @classmethod
    def of(cls, order: Order) -> "OrderSummaryView":
        """Show an order in short."""
        return cls(
            order_id=order.order_id,
            waits_for=standing_of(order),
            attempt=order.attempt,
            open_units=sum(line.open_units for line in order.lines),
            shipped_units=sum(line.shipped_units for line in order.lines),
            parcels_count=len(order.parcels),
        )


class DecisionView(View):
    """Why a plan is as it is: who was eliminated by which code, who remained, at what terms."""

    decision_id: str
    attempt: int
    decided_at: datetime
    wanted: dict[str, int] = Field(description="units per line that no parcel covered")
    eliminated: dict[str, list[str]] = Field(description="nodes by the code that eliminated them")
    candidates: list[dict[str, Any]] = Field(description="plans with their terms, the best first")
    candidates_count: int
    chosen: list[str] | None = Field(description="the nodes of the plan taken")
    left: dict[str, int] = Field(description="units per line that the plan leaves over")
    policy: dict[str, int]


class AnswerView(View):
    """What became of a command, and the parcel's state after it."""

    parcel_id: str
    action: Action
    execution: Execution
    negotiation: Negotiation
    conflict: bool

    @classmethod
    def of(cls, command: Command, answer: Answer) -> "AnswerView":
        """Show the answer to a command on a known parcel."""
        return cls.model_validate(
            {
                "parcel_id": command.parcel_id,
                "action": command.action,
                "execution": answer.execution,
                "negotiation": answer.negotiation,
                "conflict": answer.verdict is Verdict.CONFLICTED,
            }
        )


class BulkAnswerView(View):
    """What became of one command among many: `status` is what it would have got alone."""

    parcel_id: str
    action: Action
    status: int
    verdict: Verdict
    execution: Execution | None
    negotiation: Negotiation | None
    conflict: bool
    detail: str


class BulkView(View):
    """The answers in the order of the commands."""

    results: list[BulkAnswerView]


class MessageView(View):
    """What somebody said about a parcel and what became of it."""

    action: Action
    attempt: int
    actor: str
    verdict: Verdict
    execution: Execution | None
    negotiation: Negotiation | None
    detail: str
    recorded_at: datetime


class MessagesView(View):
    """The first messages about a parcel, oldest first."""

    messages: list[MessageView]


class KnownStockView(View):
    """Goods at a node as routing knows them."""

    node_id: str
    available_units: int
    in_flight_units: int
    stock_version: int


class StockView(View):
    """The known stock of goods by node."""

    goods_id: str
    nodes: list[KnownStockView]
