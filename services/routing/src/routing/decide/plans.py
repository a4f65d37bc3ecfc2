"""What becomes of a plan: granted, held, short, or given up as its stock turned out to be gone."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from contracts.event import Event
from contracts.fulfilments import ParcelReleased
from contracts.orders import OrderAccepted
from contracts.reservations import StockReserved, StockShort
from routing.decide.contents import goods_of
from routing.model.fulfilment import (
    Decision,
    Exclusion,
    Execution,
    Line,
    Negotiation,
    Order,
    Parcel,
)
from routing.model.world import Policy


def accept(event: OrderAccepted) -> Order:
    """Return an order as routing first keeps it: waiting for its limit."""
    return Order(
        order_id=event.order_id,
        seller_id=event.seller_id,
        agreement_id=event.agreement_id,
        agreement_version=event.agreement_version,
        currency=event.currency,
        service=event.service,
        place=event.place,
        ship_complete=event.ship_complete,
        lines=tuple(
            Line(line.line_id, line.goods_id, line.parts, line.quantity_units)
            for line in event.lines
        ),
    )


def grant(orders: Iterable[Order]) -> Decision:
    """Let orders be planned because their limit is granted."""
    return Decision(tuple(replace(order, is_granted=True) for order in orders), ())


def answer_plans(
    orders: Mapping[str, Order],
    answers: Sequence[StockReserved | StockShort],
    policy: Policy,
    now: datetime,
) -> Decision:
    """Release what is held and take back what was short.

    Answers to an attempt that no longer waits (voided by a cancellation) change nothing. What was
    short is capped at what there was, for this order, so that no plan asks for the same again.
    """
    changed = dict(orders)
    events: list[Event] = []
    for answer in answers:
        order = changed[answer.order_id]
        if order.planned_attempt != answer.attempt:
            continue
        if isinstance(answer, StockReserved):
            changed[order.order_id] = _release(order, policy, now)
            events += _released(changed[order.order_id], answer.attempt, now)
        else:
            changed[order.order_id] = _shorten(order, answer)
    return Decision(tuple(changed.values()), tuple(events))


def void_plan(order: Order) -> Order:
    """Give up the plan that waits for its stock; its units are uncovered again."""
    parcels = tuple(
        replace(parcel, execution=Execution.INCOMPLETE) if _is_in_flight(parcel) else parcel
        for parcel in order.parcels
    )
    return replace(order, parcels=parcels, planned_attempt=0)


def _is_in_flight(parcel: Parcel) -> bool:
    return parcel.execution is Execution.PLANNED


def _release(order: Order, policy: Policy, now: datetime) -> Order:
    until = now + timedelta(seconds=policy.offer_timeout_s)
    parcels = tuple(
        replace(
            parcel,
            execution=Execution.RELEASED,
            negotiation=Negotiation.SENT,
            answer_until=until,
        )
        if _is_in_flight(parcel)
        else parcel
        for parcel in order.parcels
    )
    return replace(order, parcels=parcels, planned_attempt=0)


def _released(order: Order, attempt: int, now: datetime) -> list[ParcelReleased]:
    return [
        ParcelReleased(
            occurred_at=now,
            order_id=order.order_id,
            parcel_id=parcel.parcel_id,
            attempt=parcel.attempt,
            node_id=parcel.node_id,
            lines=parcel.content,
            goods=goods_of(order, parcel.content),
            promised_at=parcel.promised_at,
        )
        for parcel in order.parcels
        if parcel.attempt == attempt
    ]


def _shorten(order: Order, answer: StockShort) -> Order:
    shortages = tuple(
        Exclusion(
            node_id=shortage.node_id,
            goods_id=shortage.goods_id,
            units_max=max(0, min(shortage.available_units, shortage.wanted_units - 1)),
            cause="short",
        )
        for shortage in answer.shortages
    )
    order = void_plan(order)
    return replace(
        order,
        failures_count=order.failures_count + 1,
        exclusions=merge_exclusions(order.exclusions, shortages),
    )


def merge_exclusions(
    known: Iterable[Exclusion], added: Iterable[Exclusion]
) -> tuple[Exclusion, ...]:
    """Return exclusions with one per node and goods, the tighter one."""
    merged = {(each.node_id, each.goods_id): each for each in known}
    for each in added:
        key = (each.node_id, each.goods_id)
        if key not in merged or each.units_max < merged[key].units_max:
            merged[key] = each
    return tuple(merged.values())
