"""Cancellations: routing is the judge, unit by unit, of what can still be taken back."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from contracts.event import Event
from contracts.fulfilments import (
    CancellationRefused,
    CancelledParcel,
    Disposition,
    OrderCancelled,
)
from contracts.orders import CancellationRequested
from contracts.values import ExecutionStep, LineUnits
from routing.decide.contents import goods_of, line_units
from routing.decide.plans import void_plan
from routing.model.fulfilment import (
    CancelAsk,
    Decision,
    Execution,
    Negotiation,
    Order,
    Parcel,
)
from routing.model.world import Policy

STEPS = tuple(ExecutionStep)
STEP_OF = {
    Execution.PLANNED: ExecutionStep.PLANNED,
    Execution.RELEASED: ExecutionStep.RELEASED,
    Execution.PICKING: ExecutionStep.PICKING,
    Execution.PICKED: ExecutionStep.PICKED,
    Execution.PACKED: ExecutionStep.PACKED,
    Execution.SHIPPED: ExecutionStep.SHIPPED,
    Execution.DELIVERED: ExecutionStep.DELIVERED,
    Execution.CANCELLED: ExecutionStep.CANCELLED,
    Execution.INCOMPLETE: ExecutionStep.WAITING,
}
ASKABLE = frozenset({Execution.PICKING, Execution.PICKED})
"""Work that has begun and can still be stopped, by the node alone."""


@dataclass(frozen=True, slots=True)
class Taking:
    """A cancellation half decided: the order so far, and the units per line still to be found."""

    order: Order
    left: dict[str, int]
    cancelled: dict[str, int]
    parcels: tuple[CancelledParcel, ...] = ()
    voided_attempt: int = 0
    step: ExecutionStep = ExecutionStep.WAITING


def cancel(
    orders: dict[str, Order],
    requests: Sequence[CancellationRequested],
    policy: Policy,
    now: datetime,
) -> Decision:
    """Decide requests one after the other; units are taken where it disturbs least.

    First what nobody works on, then a plan in flight (voided as a whole; the rest is planned
    again), then parcels not begun. Begun ones are asked. What is packed or gone is refused.
    """
    changed = dict(orders)
    events: list[Event] = []
    for request in requests:
        order, follows = decide_request(changed[request.order_id], request, policy, now)
        changed[request.order_id] = order
        events += follows
    return Decision(tuple(changed.values()), tuple(events))


def decide_request(
    order: Order, request: CancellationRequested, policy: Policy, now: datetime
) -> tuple[Order, list[Event]]:
    """Decide one request; a request for units beyond the order's is refused for those."""
    taking = Taking(order, _requested(order, request), {})
    taking = _take_parcels(_take_plan(_take_uncovered(taking)))
    events: list[Event] = []
    if taking.cancelled:
        taking = replace(taking, order=_count(taking.order, taking.cancelled))
        events.append(_cancelled(request, taking, now))
    order, left = _ask(taking, request.request_id, policy, now)
    if any(left.values()) or (not events and order is taking.order):
        events.append(refusal(order, request.request_id, line_units(left.items()), now))
    return order, events


def refusal(
    order: Order, request_id: str, lines: tuple[LineUnits, ...], now: datetime
) -> CancellationRefused:
    """Return the refusal of units, with the furthest step of the parcels they may be in."""
    wanted = {line.line_id for line in lines}
    steps = [
        STEP_OF[parcel.execution]
        for parcel in order.parcels
        if not wanted or wanted & {line.line_id for line in parcel.lines if line.content_units}
    ]
    nothing_open = ExecutionStep.CANCELLED if order.is_done else ExecutionStep.WAITING
    return CancellationRefused(
        occurred_at=now,
        order_id=order.order_id,
        request_id=request_id,
        lines=lines,
        step=max(steps, key=STEPS.index, default=nothing_open),
    )


def take_out(parcel: Parcel, units: dict[str, int], order: Order) -> tuple[Parcel, CancelledParcel]:
    """Take units out of a parcel; one that is left empty is cancelled."""
    lines = tuple(
        replace(line, cancelled_units=line.cancelled_units + units.get(line.line_id, 0))
        for line in parcel.lines
    )
    is_begun = parcel.execution in ASKABLE
    taken = line_units(units.items())
    cancelled = CancelledParcel(
        parcel_id=parcel.parcel_id,
        node_id=parcel.node_id,
        lines=taken,
        goods=goods_of(order, taken),
        disposition=Disposition.QUARANTINE if is_begun else Disposition.RELEASE,
    )
    emptied = replace(parcel, lines=lines)
    if not emptied.content:
        emptied = replace(
            emptied,
            execution=Execution.CANCELLED,
            negotiation=Negotiation.CANCEL_ACCEPTED,
            answer_until=None,
            asks=(),
        )
    return emptied, cancelled


def with_parcel(order: Order, parcel: Parcel) -> Order:
    """Return the order with one parcel replaced."""
    return replace(
        order,
        parcels=tuple(
            parcel if each.parcel_id == parcel.parcel_id else each for each in order.parcels
        ),
    )


def _requested(order: Order, request: CancellationRequested) -> dict[str, int]:
    asked = _asked_units(order)
    if request.lines is not None:
        wanted: dict[str, int] = {}
        for line in request.lines:
            wanted[line.line_id] = wanted.get(line.line_id, 0) + line.quantity_units
        return wanted
    # Units that an earlier request already asked a node for are that request's.
    return {
        line.line_id: line.open_units - asked.get(line.line_id, 0)
        for line in order.lines
        if line.open_units > asked.get(line.line_id, 0)
    } or {line.line_id: line.shipped_units for line in order.lines if line.shipped_units}


def _asked_units(order: Order) -> dict[str, int]:
    asked: dict[str, int] = {}
    for parcel in order.parcels:
        for line_id, units in asked_of(parcel).items():
            asked[line_id] = asked.get(line_id, 0) + units
    return asked


def asked_of(parcel: Parcel) -> dict[str, int]:
    """Return the units per line that a node is being asked to take out of a parcel."""
    asked: dict[str, int] = {}
    for ask in parcel.asks:
        for line in ask.lines:
            asked[line.line_id] = asked.get(line.line_id, 0) + line.quantity_units
    return asked


def _take_uncovered(taking: Taking) -> Taking:
    uncovered = taking.order.uncovered()
    return _move(taking, {line_id: uncovered.get(line_id, 0) for line_id in taking.left})


def _take_plan(taking: Taking) -> Taking:
    order = taking.order
    planned = {
        line.line_id
        for parcel in order.parcels
        if parcel.execution is Execution.PLANNED
        for line in parcel.lines
    }
    if not any(units and line_id in planned for line_id, units in taking.left.items()):
        return taking
    voided = replace(
        taking,
        order=void_plan(order),
        voided_attempt=order.planned_attempt,
        step=ExecutionStep.PLANNED,
    )
    uncovered = voided.order.uncovered()
    already = taking.cancelled  # not yet counted on the order's lines
    return _move(
        voided,
        {line_id: uncovered.get(line_id, 0) - already.get(line_id, 0) for line_id in voided.left},
    )


def _take_parcels(taking: Taking) -> Taking:
    for parcel in taking.order.parcels:
        if parcel.execution is not Execution.RELEASED:
            continue
        units = _overlap(taking.left, {ln.line_id: ln.content_units for ln in parcel.lines})
        if units:
            emptied, cancelled = take_out(parcel, units, taking.order)
            taking = replace(
                _move(taking, units),
                order=with_parcel(taking.order, emptied),
                parcels=(*taking.parcels, cancelled),
                step=max(taking.step, ExecutionStep.RELEASED, key=STEPS.index),
            )
    return taking


def _ask(
    taking: Taking, request_id: str, policy: Policy, now: datetime
) -> tuple[Order, dict[str, int]]:
    order, left = taking.order, dict(taking.left)
    for parcel in order.parcels:
        if parcel.execution not in ASKABLE:
            continue
        asked = asked_of(parcel)
        free = {ln.line_id: ln.content_units - asked.get(ln.line_id, 0) for ln in parcel.lines}
        units = _overlap(left, free)
        if units:
            ask = CancelAsk(request_id, line_units(units.items()))
            until = parcel.answer_until or now + timedelta(seconds=policy.cancel_answer_s)
            order = with_parcel(
                order,
                replace(
                    parcel,
                    negotiation=Negotiation.CANCEL_REQUESTED,
                    asks=(*parcel.asks, ask),
                    answer_until=until,
                ),
            )
            left = {line_id: count - units.get(line_id, 0) for line_id, count in left.items()}
    return order, left


def _overlap(wanted: dict[str, int], held: dict[str, int]) -> dict[str, int]:
    units = {line_id: min(count, held.get(line_id, 0)) for line_id, count in wanted.items()}
    return {line_id: count for line_id, count in units.items() if count > 0}


def _move(taking: Taking, offered: dict[str, int]) -> Taking:
    units = _overlap(taking.left, offered)
    left = {line_id: count - units.get(line_id, 0) for line_id, count in taking.left.items()}
    cancelled = dict(taking.cancelled)
    for line_id, count in units.items():
        cancelled[line_id] = cancelled.get(line_id, 0) + count
    return replace(taking, left=left, cancelled=cancelled)


def _count(order: Order, cancelled: dict[str, int]) -> Order:
    lines = tuple(
        replace(line, cancelled_units=line.cancelled_units + cancelled.get(line.line_id, 0))
        for line in order.lines
    )
    return replace(order, lines=lines)


def _cancelled(request: CancellationRequested, taking: Taking, now: datetime) -> OrderCancelled:
    return OrderCancelled(
        occurred_at=now,
        order_id=request.order_id,
        request_id=request.request_id,
        lines=line_units(taking.cancelled.items()),
        parcels=taking.parcels,
        voided_attempt=taking.voided_attempt,
        step=taking.step,
        order_done=taking.order.is_done,
    )
