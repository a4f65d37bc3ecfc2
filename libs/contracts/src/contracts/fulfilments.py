"""Facts of routing about parcels and their orders (topic routing.fulfilments).

Every fact names the attempt that planned the parcel. `actor` is an id of a person or program, never
a name.
"""

from datetime import datetime
from enum import StrEnum

from contracts.event import Event, Value
from contracts.values import ExecutionStep, GoodsUnits, Grade, LineUnits


class ParcelReleased(Event, frozen=True, kw_only=True):
    """The node is offered the work; its stock is held."""

    order_id: str
    parcel_id: str
    attempt: int
    node_id: str
    lines: tuple[LineUnits, ...]
    goods: tuple[GoodsUnits, ...]
    promised_at: datetime


class ParcelAccepted(Event, frozen=True, kw_only=True):
    """The node took the work."""

    order_id: str
    parcel_id: str
    attempt: int
    node_id: str
    actor: str


class RejectionReason(StrEnum):
    """Why a node does not do the work."""

    NOT_ON_SHELF = "not_on_shelf"
    NO_CAPACITY = "no_capacity"
    DAMAGED = "damaged"
    CLOSED = "closed"
    TIMED_OUT = "timed_out"
    OTHER = "other"


class ParcelRejected(Event, frozen=True, kw_only=True):
    """The node refused the whole parcel: its stock is free, the node excluded for this order.

    `missing` is what the node did not find; its count there is corrected by these units.
    """

    order_id: str
    parcel_id: str
    attempt: int
    node_id: str
    actor: str
    reason: RejectionReason
    lines: tuple[LineUnits, ...]
    missing: tuple[GoodsUnits, ...] = ()


class ParcelPicked(Event, frozen=True, kw_only=True):
    """What was found is picked; what was short leaves the parcel and is planned again.

    The count at the node is corrected by `short_goods`.
    """

    order_id: str
    parcel_id: str
    attempt: int
    node_id: str
    actor: str
    lines: tuple[LineUnits, ...]
    goods: tuple[GoodsUnits, ...]
    short_lines: tuple[LineUnits, ...] = ()
    short_goods: tuple[GoodsUnits, ...] = ()


class ParcelPacked(Event, frozen=True, kw_only=True):
    """The parcel is closed; it can no longer be cancelled."""

    order_id: str
    parcel_id: str
    attempt: int
    node_id: str
    actor: str


class ParcelShipped(Event, frozen=True, kw_only=True):
    """The carrier has the parcel. `freight_minor` is what the carrier charges the brand."""

    order_id: str
    parcel_id: str
    attempt: int
    node_id: str
    actor: str
    lines: tuple[LineUnits, ...]
    goods: tuple[GoodsUnits, ...]
    carrier_id: str
    waybill: str
    freight_minor: int
    currency: str


class ParcelDelivered(Event, frozen=True, kw_only=True):
    """The consumer has the parcel."""

    order_id: str
    parcel_id: str
    attempt: int
    node_id: str
    actor: str
    lines: tuple[LineUnits, ...]


class ReturnedLine(Value, frozen=True, kw_only=True):
    """Units of a line that came back in one grade."""

    line_id: str
    quantity_units: int
    grade: Grade


class ReturnedGoods(Value, frozen=True, kw_only=True):
    """Units of goods that came back in one grade."""

    goods_id: str
    quantity_units: int
    grade: Grade


class ParcelReturned(Event, frozen=True, kw_only=True):
    """Units of a shipped parcel were received and graded at `node_id`, maybe not the sender."""

    order_id: str
    parcel_id: str
    attempt: int
    node_id: str
    actor: str
    return_id: str
    lines: tuple[ReturnedLine, ...]
    goods: tuple[ReturnedGoods, ...]


class Disposition(StrEnum):
    """What becomes of the held stock of cancelled units."""

    RELEASE = "release"
    QUARANTINE = "quarantine"


class CancelledParcel(Value, frozen=True, kw_only=True):
    """Units taken out of one released parcel.

    Units already picked go to quarantine until somebody puts them back on the shelf.
    """

    parcel_id: str
    node_id: str
    lines: tuple[LineUnits, ...]
    goods: tuple[GoodsUnits, ...]
    disposition: Disposition


class OrderCancelled(Event, frozen=True, kw_only=True):
    """Units of an order are cancelled.

    `voided_attempt` (0: none) is a plan that was waiting for its stock: whatever is or will be held
    for it is to be given back. `parcels` lists what leaves released parcels. `lines` are all units
    cancelled here. `step` is the furthest step seen. `order_done` says that nothing is left open.
    """

    order_id: str
    request_id: str
    lines: tuple[LineUnits, ...]
    parcels: tuple[CancelledParcel, ...]
    voided_attempt: int
    step: ExecutionStep
    order_done: bool


class CancellationRefused(Event, frozen=True, kw_only=True):
    """Units that can no longer be cancelled, and the step they had reached."""

    order_id: str
    request_id: str
    lines: tuple[LineUnits, ...]
    step: ExecutionStep


class ShipmentConflicted(Event, frozen=True, kw_only=True):
    """A node shipped a parcel after its cancellation was accepted.

    Stock is consumed because it is gone; a person decides about the money.
    """

    order_id: str
    parcel_id: str
    attempt: int
    node_id: str
    actor: str
    lines: tuple[LineUnits, ...]
    goods: tuple[GoodsUnits, ...]
    carrier_id: str
    waybill: str
