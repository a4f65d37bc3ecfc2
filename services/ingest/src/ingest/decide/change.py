"""Decides what is asked of a known order: cancel, pay, hold, lift, return."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from contracts.ids import derive_id
from contracts.orders import ReturnRequested
from contracts.values import LineUnits
from ingest.decide.advance import advance, cancellation_event, cancellation_id, cancelled
from ingest.decide.check import payments_of
from ingest.model.order import Payment
from ingest.model.pool import (
    Answered,
    Command,
    Counters,
    Decision,
    Hold,
    Parked,
    Pooled,
    Request,
    TimelineEntry,
    WantedCancellation,
    WantedHold,
    WantedLift,
    WantedReturn,
)
from ingest.model.terms import Directory


def change(
    request: Request,
    first: Command | None,
    known: Pooled | None,
    directory: Directory,
    now: datetime,
) -> tuple[Answered, Decision]:
    """Decide one command; `first` is the answer that its id was given before, if it was.

    The same id and content gets the same answer without an effect, other content is a conflict. A
    cancellation or payment before its order waits for it.
    """
    decision = Decision(orders={} if known is None else {known.order_id: known})
    if first is not None:
        if first.content_hash == request.content_hash:
            return first.answer, decision
        detail = f"{request.kind} {request.command_id} was sent before with other content"
        return Answered("conflict", "id_used", detail), decision
    answer = _decide(request, known or Pooled(request.order_id), directory, now, decision)
    if answer.outcome in {"done", "parked"}:
        decision.raw_inputs[request.raw.raw_id] = request.raw
        decision.commands.append(
            Command(
                request.order_id, request.kind, request.command_id, request.content_hash, answer
            )
        )
    return answer, decision


def _decide(
    request: Request, pooled: Pooled, directory: Directory, now: datetime, decision: Decision
) -> Answered:
    match request.wanted:
        case WantedCancellation() as wanted:
            answer = _cancel(pooled, wanted, request, now, decision)
        case Payment() as payment:
            answer = _pay(pooled, payment, request, now, decision)
        case WantedHold() as wanted:
            answer = _hold(pooled, wanted, now, decision)
        case WantedLift() as wanted:
            answer = _lift(pooled, wanted, now, decision)
        case WantedReturn() as wanted:
            answer = _return(pooled, wanted, now, decision)
    touched = decision.orders.get(pooled.order_id)
    if answer.outcome in {"done", "parked"} and touched is not None:
        advance(touched, directory, now, decision)
    return answer


def _cancel(
    pooled: Pooled, wanted: WantedCancellation, request: Request, now: datetime, decision: Decision
) -> Answered:
    subject_id = cancellation_id(pooled.order_id, wanted.request_id)
    if pooled.order is None:
        _park(pooled, request, wanted, now, decision)
        return Answered("parked", "parked", "the order has not come yet", subject_id)
    if pooled.cancelled_at is not None:
        return Answered("done", "cancelled", "it is cancelled already", subject_id)
    problem = _cancellable(pooled, wanted)
    if problem is not None:
        return problem
    if pooled.accepted_at is not None:
        decision.events.append(cancellation_event(pooled.order_id, wanted, now))
        state = "requested"
    elif wanted.lines is None or _is_whole(pooled, wanted.lines):
        decision.orders[pooled.order_id] = cancelled(pooled, wanted, now, decision)
        state = "cancelled"
    else:
        _park(pooled, request, wanted, now, decision)
        state = "waits_for_acceptance"
    return Answered("done", state, "", subject_id)


def _cancellable(pooled: Pooled, wanted: WantedCancellation) -> Answered | None:
    """Routing has the last word; what is plainly too late or nonsense is refused here."""
    total = pooled.total
    if wanted.lines is None:
        # Before acceptance there is an order to cancel even if it came without a line.
        if total.open_units > 0 or pooled.accepted_at is None:
            return None
        if total.shipped_units > 0:
            return _too_late(pooled.order_id)
        return Answered("done", "cancelled", "nothing of it is open")
    unknown = _unknown_line(pooled, wanted.lines)
    return unknown or _lines_open(pooled, wanted.lines)


def _lines_open(pooled: Pooled, lines: Sequence[tuple[str, int]]) -> Answered | None:
    for line_id, units in _summed(lines).items():
        counters = pooled.counters[line_id]
        if units > counters.open_units:
            if counters.shipped_units > 0:
                return _too_late(pooled.order_id)
            detail = f"line {line_id} has {counters.open_units} open units, not {units}"
            return Answered("conflict", "not_open", detail)
    return None


def _too_late(order_id: str) -> Answered:
    detail = f"it has left the warehouse: POST /orders/{order_id}/returns instead"
    return Answered("conflict", "shipped", detail)


def _is_whole(pooled: Pooled, lines: Sequence[tuple[str, int]]) -> bool:
    summed = _summed(lines)
    return all(
        summed.get(line_id, 0) == counters.ordered_units
        for line_id, counters in pooled.counters.items()
    )


def _summed(lines: Sequence[tuple[str, int]]) -> Mapping[str, int]:
    units_of: dict[str, int] = {}
    for line_id, units in lines:
        units_of[line_id] = units_of.get(line_id, 0) + units
    return units_of


def _unknown_line(pooled: Pooled, lines: Sequence[tuple[str, int]]) -> Answered | None:
    for line_id, _ in lines:
        if line_id not in pooled.counters:
            return Answered("invalid", "unknown_line", f"there is no line {line_id}")
    return None


def _park(
    pooled: Pooled,
    request: Request,
    wanted: WantedCancellation | Payment,
    now: datetime,
    decision: Decision,
) -> None:
    parked = Parked(pooled.order_id, request.kind, request.command_id, wanted, now)
    decision.parked.append(parked)
    decision.orders[pooled.order_id] = replace(pooled, parked=[*pooled.parked, parked])
    detail = {"kind": str(request.kind), "command_id": request.command_id}
    decision.timeline.append(
        TimelineEntry(pooled.order_id, now, request.actor, "command_parked", detail)
    )


def _pay(
    pooled: Pooled, payment: Payment, request: Request, now: datetime, decision: Decision
) -> Answered:
    if pooled.order is None:
        _park(pooled, request, payment, now, decision)
        return Answered("parked", "parked", "the order has not come yet", payment.payment_id)
    recorded = payments_of(pooled.order, pooled.payments)
    if payment in recorded:
        return Answered("done", "recorded", "", payment.payment_id)
    if any(other.payment_id == payment.payment_id for other in recorded):
        detail = f"payment {payment.payment_id} is recorded with other content"
        return Answered("conflict", "id_used", detail)
    if payment.currency != pooled.order.currency:
        detail = f"the order is in {pooled.order.currency}, not {payment.currency}"
        return Answered("invalid", "currency", detail)
    if pooled.accepted_at is not None or pooled.cancelled_at is not None:
        return _late_payment(pooled, payment)
    decision.payments.append((pooled.order_id, payment))
    detail = {"payment_id": payment.payment_id, "amount_minor": payment.amount_minor}
    decision.timeline.append(
        TimelineEntry(pooled.order_id, now, request.actor, "payment_recorded", detail)
    )
    decision.orders[pooled.order_id] = replace(pooled, payments=[*pooled.payments, payment])
    return Answered("done", "recorded", "", payment.payment_id)


def _late_payment(pooled: Pooled, payment: Payment) -> Answered:
    """The notice of a payment that came with the order says nothing new."""
    order = pooled.order
    covered = order is not None and order.paid_at is not None and not order.payments
    if covered and order is not None and payment.amount_minor == order.total_minor:
        return Answered("done", "recorded", "it came with the order", payment.payment_id)
    return Answered("conflict", "not_due", f"order {pooled.order_id} is not waiting for payment")


def _hold(pooled: Pooled, wanted: WantedHold, now: datetime, decision: Decision) -> Answered:
    if pooled.order is None:
        return Answered("unknown", "unknown", f"there is no order {pooled.order_id}")
    if pooled.accepted_at is not None or pooled.cancelled_at is not None:
        return Answered("conflict", "too_late", f"order {pooled.order_id} is not waiting any more")
    unknown = _unknown_line(pooled, [(line_id, 0) for line_id in wanted.line_ids])
    if unknown is not None:
        return unknown
    if wanted.until is not None and wanted.until <= now:
        return Answered("invalid", "ended", f"hold {wanted.hold_id} would have ended already")
    hold = Hold(
        order_id=pooled.order_id,
        hold_id=wanted.hold_id,
        reason=wanted.reason,
        scope=wanted.scope,
        line_ids=wanted.line_ids,
        until=wanted.until,
        placed_by=wanted.placed_by,
        placed_at=now,
    )
    decision.holds.append(hold)
    decision.orders[pooled.order_id] = replace(pooled, holds=[*pooled.holds, hold])
    detail = {"hold_id": hold.hold_id, "reason": str(hold.reason)}
    decision.timeline.append(
        TimelineEntry(pooled.order_id, now, wanted.placed_by, "hold_placed", detail)
    )
    return Answered("done", "held", "", wanted.hold_id)


def _lift(pooled: Pooled, wanted: WantedLift, now: datetime, decision: Decision) -> Answered:
    rest = [hold for hold in pooled.holds if hold.hold_id != wanted.hold_id]
    if len(rest) == len(pooled.holds):
        return Answered("unknown", "unknown", f"hold {wanted.hold_id} does not stand")
    decision.orders[pooled.order_id] = replace(pooled, holds=rest)
    decision.lifted.append((pooled.order_id, wanted.hold_id, wanted.lifted_by))
    detail = {"hold_id": wanted.hold_id}
    decision.timeline.append(
        TimelineEntry(pooled.order_id, now, wanted.lifted_by, "hold_lifted", detail)
    )
    return Answered("done", "lifted", "", wanted.hold_id)


def _return(pooled: Pooled, wanted: WantedReturn, now: datetime, decision: Decision) -> Answered:
    if pooled.order is None:
        return Answered("unknown", "unknown", f"there is no order {pooled.order_id}")
    unknown = _unknown_line(pooled, wanted.lines)
    if unknown is not None:
        return unknown
    summed = _summed(wanted.lines)
    for line_id, units in summed.items():
        left_units = returnable_units(pooled.counters[line_id])
        if units > left_units:
            detail = f"line {line_id} has {left_units} returnable units, not {units}"
            return Answered("conflict", "not_returnable", detail)
    return_id = derive_id("return", pooled.order_id, wanted.request_id)
    decision.return_requests.extend(
        (pooled.order_id, line_id, units) for line_id, units in summed.items()
    )
    lines = tuple(LineUnits(line_id=key, quantity_units=units) for key, units in summed.items())
    decision.events.append(
        ReturnRequested(
            occurred_at=now,
            order_id=pooled.order_id,
            return_id=return_id,
            lines=lines,
            reason=wanted.reason,
            requested_by=wanted.requested_by,
        )
    )
    return Answered("done", "requested", "", return_id)


def returnable_units(counters: Counters) -> int:
    """Return how many shipped units are neither back nor announced.

    Units can come back without having been announced, so the larger of both counts.
    """
    gone_units = max(counters.return_requested_units, counters.returned_units)
    return counters.shipped_units - gone_units
