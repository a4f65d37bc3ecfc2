"""Routing's events about orders, with the least that a test has to say."""

from datetime import datetime
from typing import TypedDict

from contracts.fulfilments import (
    CancelledParcel,
    Disposition,
    OrderCancelled,
    ParcelPicked,
    ParcelRejected,
    ParcelReturned,
    ParcelShipped,
    RejectionReason,
    ReturnedGoods,
    ShipmentConflicted,
)
from contracts.plans import OrderRouted, PlannedParcel
from contracts.values import ExecutionStep, GoodsUnits, Grade
from testbed.clock import START


class About(TypedDict):
    """What every fact about a parcel says."""

    occurred_at: datetime
    order_id: str
    parcel_id: str
    attempt: int
    node_id: str
    actor: str


def about(order_id: str, attempt: int = 1, node_id: str = "hangzhou") -> About:
    """Speak of the one parcel of an attempt."""
    return About(
        occurred_at=START,
        order_id=order_id,
        parcel_id=f"{order_id}-{attempt}",
        attempt=attempt,
        node_id=node_id,
        actor="worker-1",
    )


def goods(**units: int) -> tuple[GoodsUnits, ...]:
    """Say how many of which goods."""
    return tuple(
        GoodsUnits(goods_id=goods_id, quantity_units=each) for goods_id, each in units.items()
    )


def parcel(parcel_id: str, node_id: str = "hangzhou", **units: int) -> PlannedParcel:
    """Plan a parcel."""
    return PlannedParcel(
        parcel_id=parcel_id,
        node_id=node_id,
        lines=(),
        goods=goods(**units),
        promised_at=START,
        freight_minor=600,
        handling_minor=100,
    )


def planned(order_id: str, *parcels: PlannedParcel, attempt: int = 1) -> OrderRouted:
    """Plan an order in these parcels."""
    return OrderRouted(
        occurred_at=START,
        order_id=order_id,
        attempt=attempt,
        decision_id=f"decision-{order_id}-{attempt}",
        currency="CNY",
        cost_minor=700,
        parcels=parcels,
    )


def routed(order_id: str, attempt: int = 1, **units: int) -> OrderRouted:
    """Plan an order in one parcel, named after order and attempt."""
    return planned(order_id, parcel(f"{order_id}-{attempt}", "hangzhou", **units), attempt=attempt)


def rejected(what: About, **missing: int) -> ParcelRejected:
    """Refuse a parcel."""
    reason = RejectionReason.NOT_ON_SHELF
    return ParcelRejected(**what, reason=reason, lines=(), missing=goods(**missing))


def picked(what: About, **short: int) -> ParcelPicked:
    """Pick a parcel, short of some goods."""
    return ParcelPicked(**what, lines=(), goods=(), short_goods=goods(**short))


def shipped(what: About, **units: int) -> ParcelShipped:
    """Hand a parcel to the carrier."""
    return ParcelShipped(
        **what,
        lines=(),
        goods=goods(**units),
        carrier_id="sf",
        waybill="SF1402233914587",
        freight_minor=600,
        currency="CNY",
    )


def conflicted(what: About, **units: int) -> ShipmentConflicted:
    """Ship a parcel that was cancelled."""
    waybill = "SF1402233914587"
    return ShipmentConflicted(
        **what, lines=(), goods=goods(**units), carrier_id="sf", waybill=waybill
    )


def returned(what: About, *grades: Grade, **units: int) -> ParcelReturned:
    """Take units back, as many in each grade."""
    graded = tuple(
        ReturnedGoods(goods_id=goods_id, quantity_units=each, grade=grade)
        for goods_id, each in units.items()
        for grade in grades
    )
    return ParcelReturned(**what, return_id="return-1", lines=(), goods=graded)


def cancelled(what: About, disposition: Disposition, **units: int) -> OrderCancelled:
    """Take units out of a released parcel."""
    taken = CancelledParcel(
        parcel_id=what["parcel_id"],
        node_id=what["node_id"],
        lines=(),
        goods=goods(**units),
        disposition=disposition,
    )
    return _cancelled(what["order_id"], (taken,), 0)


def voided(order_id: str, attempt: int) -> OrderCancelled:
    """Cancel an order while a plan waits for its stock."""
    return _cancelled(order_id, (), attempt)


def _cancelled(
    order_id: str, parcels: tuple[CancelledParcel, ...], voided_attempt: int
) -> OrderCancelled:
    return OrderCancelled(
        occurred_at=START,
        order_id=order_id,
        request_id=f"request-{order_id}",
        lines=(),
        parcels=parcels,
        voided_attempt=voided_attempt,
        step=ExecutionStep.PICKED,
        order_done=True,
    )
