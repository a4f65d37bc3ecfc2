"""The second negotiation: a node is asked to take units out of work that has begun."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from contracts.event import Event
from contracts.fulfilments import CancelledParcel, OrderCancelled
from contracts.values import LineUnits
from routing.decide.cancel import STEP_OF, refusal, take_out, with_parcel
from routing.decide.contents import line_units
from routing.model.commands import AnswerCancel
from routing.model.fulfilment import CancelAsk, Execution, Negotiation, Order, Parcel


class RefusedError(ValueError):
    """What a command says does not fit the parcel; the message says why."""


@dataclass(frozen=True, slots=True)
class Applied:
    """An order and one of its parcels after a command, and what follows."""

    order: Order
    parcel: Parcel
    events: tuple[Event, ...]


def answer_asks(order: Order, parcel: Parcel, answer: AnswerCancel, at: datetime) -> Applied:
    """Apply a node's answer to the ask it names, or to all; RefusedError for an unknown one."""
    asks = tuple(ask for ask in parcel.asks if answer.request_id in (None, ask.request_id))
    if not asks:
        raise RefusedError(f"the parcel is not asked by request {answer.request_id}")
    if not answer.is_accepted:
        return refuse_asks(order, parcel, asks, at)
    events: list[Event] = []
    for ask in asks:
        taken = {line.line_id: line.quantity_units for line in ask.lines}
        emptied, cancelled = take_out(parcel, taken, order)
        order = _count(with_parcel(order, emptied), ask.lines)
        events.append(_cancelled(order, parcel, ask, (cancelled,), at))
        parcel = emptied
    closed = _without(parcel, asks, Negotiation.ACCEPTED)
    return Applied(with_parcel(order, closed), closed, tuple(events))


def refuse_asks(order: Order, parcel: Parcel, asks: Sequence[CancelAsk], at: datetime) -> Applied:
    """Refuse asks because the node said no, went on, or was silent."""
    closed = _without(parcel, asks, Negotiation.CANCEL_REFUSED) if asks else parcel
    order = with_parcel(order, closed)
    events = tuple(refusal(order, ask.request_id, ask.lines, at) for ask in asks)
    return Applied(order, closed, events)


def settle_asks(order: Order, parcel: Parcel, at: datetime) -> Applied:
    """Cancel asked units that turned out not to be there, instead of planning them again."""
    room = {line.line_id: line.content_units for line in parcel.lines}
    kept: list[CancelAsk] = []
    events: list[Event] = []
    for ask in parcel.asks:
        stays: dict[str, int] = {}
        for line in ask.lines:
            stays[line.line_id] = min(line.quantity_units, room[line.line_id])
            room[line.line_id] -= stays[line.line_id]
        gone = line_units(
            (line.line_id, line.quantity_units - stays[line.line_id]) for line in ask.lines
        )
        if gone:
            order = _count(order, gone)
            events.append(_cancelled(order, parcel, CancelAsk(ask.request_id, gone), (), at))
        if any(stays.values()):
            kept.append(CancelAsk(ask.request_id, line_units(stays.items())))
    if not events:
        return Applied(order, parcel, ())
    settled = replace(parcel, asks=tuple(kept))
    if not kept:
        settled = replace(settled, negotiation=Negotiation.ACCEPTED, answer_until=None)
    return Applied(with_parcel(order, settled), settled, tuple(events))


def _without(parcel: Parcel, asks: Sequence[CancelAsk], when_none_left: Negotiation) -> Parcel:
    if parcel.execution is Execution.CANCELLED:
        return parcel
    left = tuple(ask for ask in parcel.asks if ask not in asks)
    if left:
        return replace(parcel, asks=left)
    return replace(parcel, asks=(), negotiation=when_none_left, answer_until=None)


def _count(order: Order, cancelled: Sequence[LineUnits]) -> Order:
    units = {line.line_id: line.quantity_units for line in cancelled}
    lines = tuple(
        replace(line, cancelled_units=line.cancelled_units + units.get(line.line_id, 0))
        for line in order.lines
    )
    return replace(order, lines=lines)


def _cancelled(
    order: Order,
    parcel: Parcel,
    ask: CancelAsk,
    parcels: tuple[CancelledParcel, ...],
    at: datetime,
) -> OrderCancelled:
    return OrderCancelled(
        occurred_at=at,
        order_id=order.order_id,
        request_id=ask.request_id,
        lines=ask.lines,
        parcels=parcels,
        voided_attempt=0,
        step=STEP_OF[parcel.execution],
        order_done=order.is_done,
    )
