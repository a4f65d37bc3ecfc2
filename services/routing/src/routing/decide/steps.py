"""What each action does to a parcel and its order, once it is known to be legal."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import TypedDict

from contracts.event import Event
from contracts.fulfilments import (
    ParcelAccepted,
    ParcelDelivered,
    ParcelPacked,
    ParcelPicked,
    ParcelRejected,
    ParcelReturned,
    ParcelShipped,
    RejectionReason,
    ReturnedGoods,
    ShipmentConflicted,
)
from contracts.values import GoodsUnits, LineUnits
from routing.decide.asks import Applied, RefusedError, answer_asks, refuse_asks, settle_asks
from routing.decide.cancel import with_parcel
from routing.decide.contents import goods_of, line_units, parts_of
from routing.decide.plans import merge_exclusions
from routing.model.commands import Action, AnswerCancel, Command, Pick, Reject, Return, Ship
from routing.model.fulfilment import Decision, Exclusion, Execution, Negotiation, Order, Parcel

SYSTEM_ACTOR = "routing"


class Said(TypedDict):
    """What every fact about a parcel says."""

    occurred_at: datetime
    order_id: str
    parcel_id: str
    attempt: int
    node_id: str
    actor: str


def apply_action(order: Order, parcel: Parcel, command: Command, at: datetime) -> Applied:
    """Apply a legal command; `parcel` has its next step already.

    RefusedError when what it says does not fit the parcel, such as more units than there are.
    """
    return _STEPS[command.action](order, parcel, command, at)


def conflict(order: Order, parcel: Parcel, command: Command, at: datetime) -> Applied:
    """Record a shipment of what was taken from the node before; the counters stay as they are."""
    details = command.details
    if not isinstance(details, Ship):
        raise RefusedError("a conflict needs a carrier and a waybill")
    lines = parcel.content or line_units(
        (line.line_id, line.cancelled_units) for line in parcel.lines
    )
    shipped = replace(
        parcel, conflicted=True, carrier_id=details.carrier_id, waybill=details.waybill
    )
    event = ShipmentConflicted(
        **_said(order, parcel, command.actor, at),
        lines=lines,
        goods=goods_of(order, lines),
        carrier_id=details.carrier_id,
        waybill=details.waybill,
    )
    return Applied(with_parcel(order, shipped), shipped, (event,))


def time_out(orders: Iterable[Order], now: datetime) -> Decision:
    """Take back offers that nobody accepted in time; silence about a cancellation refuses it."""
    changed: list[Order] = []
    events: list[Event] = []
    for order in orders:
        current = order
        for parcel in order.parcels:
            if parcel.answer_until is not None and parcel.answer_until <= now:
                applied = _time_out(current, parcel, now)
                current = applied.order
                events += applied.events
        changed.append(current)
    return Decision(tuple(changed), tuple(events))


def _time_out(order: Order, parcel: Parcel, now: datetime) -> Applied:
    if parcel.asks:
        return refuse_asks(order, parcel, parcel.asks, now)
    timed_out = replace(parcel, execution=Execution.INCOMPLETE, negotiation=Negotiation.TIMED_OUT)
    said = _said(order, parcel, SYSTEM_ACTOR, now)
    return _reject(order, timed_out, said, RejectionReason.TIMED_OUT, ())


def _accept(order: Order, parcel: Parcel, command: Command, at: datetime) -> Applied:
    accepted = replace(parcel, negotiation=Negotiation.ACCEPTED, answer_until=None)
    event = ParcelAccepted(**_said(order, parcel, command.actor, at))
    return Applied(with_parcel(order, accepted), accepted, (event,))


def _refuse_offer(order: Order, parcel: Parcel, command: Command, at: datetime) -> Applied:
    details = command.details
    if not isinstance(details, Reject):
        raise RefusedError("a rejection needs its reason")
    goods = goods_of(order, parcel.content)
    missing = details.missing
    if missing is None:
        missing = goods if details.reason is RejectionReason.NOT_ON_SHELF else ()
    _check_missing(missing, goods)
    rejected = replace(parcel, negotiation=Negotiation.REJECTED)
    said = _said(order, parcel, command.actor, at)
    return _reject(order, rejected, said, details.reason, missing)


def _reject(
    order: Order,
    parcel: Parcel,
    said: Said,
    reason: RejectionReason,
    missing: tuple[GoodsUnits, ...],
) -> Applied:
    closed = replace(parcel, answer_until=None)
    event = ParcelRejected(**said, reason=reason, lines=parcel.content, missing=missing)
    return Applied(_exclude(with_parcel(order, closed), closed, reason), closed, (event,))


def _start_pick(order: Order, parcel: Parcel, command: Command, at: datetime) -> Applied:
    del command, at
    return Applied(with_parcel(order, parcel), parcel, ())


def _pick(order: Order, parcel: Parcel, command: Command, at: datetime) -> Applied:
    details = command.details
    found = details.found if isinstance(details, Pick) else None
    short = _short_units(parcel, found)
    lines = tuple(
        replace(line, short_units=line.short_units + short.get(line.line_id, 0))
        for line in parcel.lines
    )
    short_lines = line_units(short.items())
    picked = replace(parcel, lines=lines)
    event = ParcelPicked(
        **_said(order, parcel, command.actor, at),
        lines=picked.content,
        goods=goods_of(order, picked.content),
        short_lines=short_lines,
        short_goods=goods_of(order, short_lines),
    )
    if short_lines:
        order = _exclude(order, parcel, "short_pick")
    if not picked.content:
        picked = replace(picked, execution=Execution.INCOMPLETE)
    settled = settle_asks(with_parcel(order, picked), picked, at)
    return replace(settled, events=(event, *settled.events))


def _pack(order: Order, parcel: Parcel, command: Command, at: datetime) -> Applied:
    event = ParcelPacked(**_said(order, parcel, command.actor, at))
    refused = refuse_asks(order, parcel, parcel.asks, at)
    return replace(refused, events=(event, *refused.events))


def _ship(order: Order, parcel: Parcel, command: Command, at: datetime) -> Applied:
    details = command.details
    if not isinstance(details, Ship):
        raise RefusedError("a shipment needs a carrier and a waybill")
    freight_minor = details.freight_minor
    event = ParcelShipped(
        **_said(order, parcel, command.actor, at),
        lines=parcel.content,
        goods=goods_of(order, parcel.content),
        carrier_id=details.carrier_id,
        waybill=details.waybill,
        freight_minor=parcel.freight_minor if freight_minor is None else freight_minor,
        currency=order.currency,
    )
    shipped = replace(
        parcel,
        lines=tuple(replace(line, shipped_units=line.content_units) for line in parcel.lines),
        carrier_id=details.carrier_id,
        waybill=details.waybill,
    )
    units = {line.line_id: line.content_units for line in parcel.lines}
    counted = replace(
        order,
        lines=tuple(
            replace(line, shipped_units=line.shipped_units + units.get(line.line_id, 0))
            for line in order.lines
        ),
    )
    return Applied(with_parcel(counted, shipped), shipped, (event,))


def _deliver(order: Order, parcel: Parcel, command: Command, at: datetime) -> Applied:
    said = _said(order, parcel, command.actor, at)
    event = ParcelDelivered(**said, lines=parcel.content)
    return Applied(with_parcel(order, parcel), parcel, (event,))


def _take_back(order: Order, parcel: Parcel, command: Command, at: datetime) -> Applied:
    details = command.details
    if not isinstance(details, Return):
        raise RefusedError("a return needs its lines")
    units = _returned_units(parcel, details)
    returned = replace(
        parcel,
        lines=tuple(
            replace(line, returned_units=line.returned_units + units.get(line.line_id, 0))
            for line in parcel.lines
        ),
    )
    counted = replace(
        order,
        lines=tuple(
            replace(line, returned_units=line.returned_units + units.get(line.line_id, 0))
            for line in order.lines
        ),
    )
    said = _said(order, parcel, command.actor, at)
    said["node_id"] = details.node_id
    event = ParcelReturned(
        **said,
        return_id=details.return_id,
        lines=details.lines,
        goods=_returned_goods(order, details),
    )
    return Applied(with_parcel(counted, returned), returned, (event,))


def _answer_cancel(order: Order, parcel: Parcel, command: Command, at: datetime) -> Applied:
    details = command.details
    if not isinstance(details, AnswerCancel):
        raise RefusedError("an answer says whether the cancellation is accepted")
    return answer_asks(order, parcel, details, at)


_STEPS: Mapping[Action, Callable[[Order, Parcel, Command, datetime], Applied]] = {
    Action.ACCEPT: _accept,
    Action.REJECT: _refuse_offer,
    Action.START_PICK: _start_pick,
    Action.PICK: _pick,
    Action.PACK: _pack,
    Action.SHIP: _ship,
    Action.DELIVER: _deliver,
    Action.RETURN: _take_back,
    Action.ANSWER_CANCEL: _answer_cancel,
}


def _said(order: Order, parcel: Parcel, actor: str, at: datetime) -> Said:
    return Said(
        occurred_at=at,
        order_id=order.order_id,
        parcel_id=parcel.parcel_id,
        attempt=parcel.attempt,
        node_id=parcel.node_id,
        actor=actor,
    )


def _exclude(order: Order, parcel: Parcel, cause: str) -> Order:
    exclusion = Exclusion(parcel.node_id, "", 0, cause)
    return replace(
        order,
        failures_count=order.failures_count + 1,
        exclusions=merge_exclusions(order.exclusions, (exclusion,)),
    )


def _check_missing(missing: Iterable[GoodsUnits], goods: Iterable[GoodsUnits]) -> None:
    held = {each.goods_id: each.quantity_units for each in goods}
    for each in missing:
        held_units = held.pop(each.goods_id, 0)
        if each.quantity_units > held_units:
            raise RefusedError(
                f"{each.quantity_units} units of {each.goods_id} are missing of {held_units}"
            )


def _short_units(parcel: Parcel, found: tuple[LineUnits, ...] | None) -> dict[str, int]:
    if found is None:
        return {}
    short = {line.line_id: line.content_units for line in parcel.lines}
    for line in found:
        left_units = short.get(line.line_id, 0) - line.quantity_units
        if left_units < 0:
            raise RefusedError(
                f"{line.quantity_units} units of line {line.line_id} are more than the parcel has"
            )
        short[line.line_id] = left_units
    return {line_id: units for line_id, units in short.items() if units}


def _returned_units(parcel: Parcel, details: Return) -> dict[str, int]:
    out = {line.line_id: line.shipped_units - line.returned_units for line in parcel.lines}
    units: dict[str, int] = {}
    for line in details.lines:
        units[line.line_id] = units.get(line.line_id, 0) + line.quantity_units
    for line_id, count in units.items():
        if count > out.get(line_id, 0):
            raise RefusedError(
                f"{count} units of line {line_id} are more than the {out.get(line_id, 0)} still out"
            )
    return units


def _returned_goods(order: Order, details: Return) -> tuple[ReturnedGoods, ...]:
    parts = parts_of(order.lines)
    counted: dict[tuple[str, str], ReturnedGoods] = {}
    for line in details.lines:
        for part in parts[line.line_id]:
            key = (part.goods_id, line.grade)
            before = counted[key].quantity_units if key in counted else 0
            counted[key] = ReturnedGoods(
                goods_id=part.goods_id,
                grade=line.grade,
                quantity_units=before + part.units_each * line.quantity_units,
            )
    return tuple(counted[key] for key in sorted(counted))
