"""Orders, lines and parcels as routing keeps them."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from contracts.event import Event
from contracts.values import LinePart, LineUnits, Place, Service


class Execution(StrEnum):
    """How far the work on a parcel has come.

    A parcel ends as delivered, cancelled, or incomplete: it never came to be shipped because its
    stock was short, its plan was voided, or the node rejected it, let it time out or found nothing.
    """

    PLANNED = "planned"
    RELEASED = "released"
    PICKING = "picking"
    PICKED = "picked"
    PACKED = "packed"
    SHIPPED = "shipped"
    DELIVERED = "delivered"
    CANCELLED = "cancelled"
    INCOMPLETE = "incomplete"


HOLDING = frozenset(
    {
        Execution.PLANNED,
        Execution.RELEASED,
        Execution.PICKING,
        Execution.PICKED,
        Execution.PACKED,
    }
)
"""Steps in which a parcel holds units of its order that are still open."""


class Negotiation(StrEnum):
    """What routing and the node have said to each other about a parcel."""

    UNSENT = "unsent"
    SENT = "sent"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    TIMED_OUT = "timed_out"
    CANCEL_REQUESTED = "cancel_requested"
    CANCEL_ACCEPTED = "cancel_accepted"
    CANCEL_REFUSED = "cancel_refused"


@dataclass(frozen=True, slots=True)
class Line:
    """Counters of one order line: ordered = cancelled + unroutable + shipped + open."""

    line_id: str
    goods_id: str
    parts: tuple[LinePart, ...]
    ordered_units: int
    cancelled_units: int = 0
    unroutable_units: int = 0
    shipped_units: int = 0
    returned_units: int = 0

    @property
    def open_units(self) -> int:
        """Units that are neither given up nor shipped."""
        return (
            self.ordered_units - self.cancelled_units - self.unroutable_units - self.shipped_units
        )


@dataclass(frozen=True, slots=True)
class ParcelLine:
    """Units of one order line in one parcel; short and cancelled ones have left it."""

    line_id: str
    planned_units: int
    short_units: int = 0
    cancelled_units: int = 0
    shipped_units: int = 0
    returned_units: int = 0

    @property
    def content_units(self) -> int:
        """Units that are in the parcel, or were when it was closed."""
        return self.planned_units - self.short_units - self.cancelled_units


@dataclass(frozen=True, slots=True)
class CancelAsk:
    """Units that the node was asked to take out of a parcel whose work has begun."""

    request_id: str
    lines: tuple[LineUnits, ...]


@dataclass(frozen=True, slots=True)
class Parcel:
    """What one node ships for one order; `attempt` is the fence of everything said about it.

    `promised_on` is the node's local date whose capacity it uses. `answer_until` bounds the answer
    that is awaited: to the offer, or to `asks`. `conflicted`: it was shipped although it was not to
    be.
    """

    parcel_id: str
    attempt: int
    node_id: str
    execution: Execution
    negotiation: Negotiation
    lines: tuple[ParcelLine, ...]
    promised_at: datetime
    promised_on: date
    freight_minor: int
    handling_minor: int
    answer_until: datetime | None = None
    asks: tuple[CancelAsk, ...] = ()
    carrier_id: str | None = None
    waybill: str | None = None
    conflicted: bool = False

    @property
    def is_holding(self) -> bool:
        """Tell whether its units are still to be shipped from it."""
        return self.execution in HOLDING

    @property
    def content(self) -> tuple[LineUnits, ...]:
        """What is in it, without empty lines."""
        return tuple(
            LineUnits(line_id=line.line_id, quantity_units=line.content_units)
            for line in self.lines
            if line.content_units
        )


@dataclass(frozen=True, slots=True)
class Exclusion:
    """What an order may still take from a node: nothing, or `units_max` of one kind of goods.

    `goods_id` is empty where the whole node is excluded.
    """

    node_id: str
    goods_id: str
    units_max: int
    cause: str


@dataclass(frozen=True, slots=True)
class Order:
    """An order with everything routing has decided about it.

    `attempt` is the last one given out, `planned_attempt` the one that waits for its stock (0:
    none). `failures_count` counts what made it plan again. Until `retry_at` units that nobody had
    wait for stock.
    """

    order_id: str
    seller_id: str
    agreement_id: str
    agreement_version: int
    currency: str
    service: Service
    place: Place
    ship_complete: bool
    lines: tuple[Line, ...]
    is_granted: bool = False
    attempt: int = 0
    planned_attempt: int = 0
    failures_count: int = 0
    retry_at: datetime | None = None
    parcels: tuple[Parcel, ...] = ()
    exclusions: tuple[Exclusion, ...] = ()

    @property
    def is_done(self) -> bool:
        """Tell whether no unit is left open."""
        return all(line.open_units == 0 for line in self.lines)

    def uncovered(self) -> dict[str, int]:
        """Return the open units per line that no parcel holds, without empty ones."""
        units = {line.line_id: line.open_units for line in self.lines}
        for parcel in self.parcels:
            if parcel.is_holding:
                for line in parcel.lines:
                    units[line.line_id] -= line.content_units
        return {line_id: left for line_id, left in units.items() if left}


@dataclass(frozen=True, slots=True)
class Decision:
    """Orders as they are now, and what follows from it."""

    orders: tuple[Order, ...]
    events: tuple[Event, ...]
