"""Decisions of routing about who ships (topic routing.plans)."""

from datetime import datetime

from contracts.event import Event, Value
from contracts.values import GoodsUnits, LineUnits


class PlannedParcel(Value, frozen=True, kw_only=True):
    """What one node is to ship; amounts are minor units of the order's currency.

    `goods` is `lines` times their parts, summed per goods, so that stock is checked once.
    """

    parcel_id: str
    node_id: str
    lines: tuple[LineUnits, ...]
    goods: tuple[GoodsUnits, ...]
    promised_at: datetime
    freight_minor: int
    handling_minor: int


class OrderRouted(Event, frozen=True, kw_only=True):
    """A plan for units of an order that no parcel covers yet.

    `attempt` counts the plans of the order from 1 and is the fence: a reader that has seen a higher
    one for the same order, or its voiding, ignores it. The decision record is kept by routing.
    """

    order_id: str
    attempt: int
    decision_id: str
    currency: str
    cost_minor: int
    parcels: tuple[PlannedParcel, ...]


class UnroutableReason(Value, frozen=True, kw_only=True):
    """How often a constraint eliminated a candidate: its code and the number of nodes."""

    code: str
    nodes: int


class OrderUnroutable(Event, frozen=True, kw_only=True):
    """Units of an order that nobody can ship, for good; limit and split give them back."""

    order_id: str
    attempt: int
    decision_id: str
    lines: tuple[LineUnits, ...]
    reasons: tuple[UnroutableReason, ...]
    order_done: bool
