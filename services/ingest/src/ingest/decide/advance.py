"""Moves an order as far as it can go: applies what waited, judges it, accepts it."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from contracts.ids import derive_id
from contracts.orders import CancellationRequested
from contracts.values import LineUnits
from ingest.decide.accept import accept
from ingest.decide.check import complaints_of, paid_time
from ingest.decide.revise import amended
from ingest.model.order import Payment
from ingest.model.pool import (
    Alarm,
    Complaint,
    Decision,
    Parked,
    Pooled,
    Quarantine,
    Reason,
    TimelineEntry,
    WantedAmendment,
    WantedCancellation,
)
from ingest.model.terms import Directory

SYSTEM = "yipan/ingest"


def advance(
    pooled: Pooled, directory: Directory, now: datetime, decision: Decision
) -> tuple[Pooled, list[Complaint]]:
    """Return the order as it stands now and what is wrong with it; fill the decision.

    Nothing happens to an order that is accepted, cancelled, or not there yet.
    """
    moved = _apply_parked(pooled, now, decision)
    complaints: list[Complaint] = []
    if moved.order is not None and moved.accepted_at is None and moved.cancelled_at is None:
        moved = replace(moved, paid_at=paid_time(moved.order, moved.payments))
        complaints = complaints_of(moved, directory, now)
        moved = _quarantine(moved, complaints, now, decision)
        if not complaints and moved.paid_at is not None and not moved.holds:
            moved = _accept(moved, directory, now, decision)
    decision.orders[moved.order_id] = moved
    decision.touched.add(moved.order_id)
    return moved, complaints


def cancellation_event(
    order_id: str, wanted: WantedCancellation, now: datetime
) -> CancellationRequested:
    """Return the request as a fact; its id is unique among all orders."""
    lines = None
    if wanted.lines is not None:
        lines = tuple(
            LineUnits(line_id=line_id, quantity_units=units) for line_id, units in wanted.lines
        )
    return CancellationRequested(
        occurred_at=now,
        order_id=order_id,
        request_id=cancellation_id(order_id, wanted.request_id),
        lines=lines,
        reason=wanted.reason,
        requested_by=wanted.requested_by,
    )


def cancellation_id(order_id: str, request_id: str) -> str:
    """Return the id under which a cancellation is known to all services."""
    return derive_id("cancellation", order_id, request_id)


def quarantine_id(order_id: str, content_hash: bytes) -> str:
    """Return the id of an order's quarantine record, one for each content."""
    return derive_id("quarantine", order_id, content_hash.hex()[:32])


def _apply_parked(pooled: Pooled, now: datetime, decision: Decision) -> Pooled:
    """Apply what came too early, in the order of its arrival.

    Partial cancellations stay: they follow the order's acceptance.
    """
    if pooled.order is None:
        return pooled
    progress = True
    while progress:
        progress = False
        for parked in pooled.parked:
            applied = _apply_one(pooled, parked, now, decision)
            if applied is not None:
                rest = [other for other in applied.parked if other is not parked]
                pooled, progress = replace(applied, parked=rest), True
                decision.applied.append(parked)
                break
    return pooled


def _apply_one(pooled: Pooled, parked: Parked, now: datetime, decision: Decision) -> Pooled | None:
    match parked.content:
        case Payment() as payment:
            decision.payments.append((pooled.order_id, payment))
            return replace(pooled, payments=[*pooled.payments, payment])
        case WantedCancellation(lines=None) as wanted if pooled.accepted_at is None:
            return cancelled(pooled, wanted, now, decision)
        case WantedCancellation():
            return None
        case WantedAmendment() as wanted:
            return _apply_amendment(pooled, wanted, now, decision)


def _apply_amendment(
    pooled: Pooled, wanted: WantedAmendment, now: datetime, decision: Decision
) -> Pooled | None:
    """Follow the stored version without a gap; what has been overtaken meanwhile is dropped."""
    version = wanted.order.version or 0
    if version > pooled.order_version + 1:
        return None
    if version <= pooled.order_version or pooled.accepted_at is not None:
        moved, what = pooled, "amendment_overtaken"
    else:
        moved, what = amended(pooled, wanted, now), "order_amended"
    decision.timeline.append(
        TimelineEntry(pooled.order_id, now, wanted.actor, what, {"version": version})
    )
    return moved


def cancelled(
    pooled: Pooled, wanted: WantedCancellation, now: datetime, decision: Decision
) -> Pooled:
    """Cancel an order that nobody but ingest knows: nothing is held for it anywhere."""
    if pooled.quarantine_id is not None:
        decision.resolved.append((pooled.quarantine_id, wanted.requested_by, "cancelled"))
    detail = {"request_id": wanted.request_id, "reason": wanted.reason}
    decision.timeline.append(
        TimelineEntry(pooled.order_id, now, wanted.requested_by, "order_cancelled", detail)
    )
    return replace(pooled, cancelled_at=now, quarantine_id=None)


def _quarantine(
    pooled: Pooled, complaints: Sequence[Complaint], now: datetime, decision: Decision
) -> Pooled:
    """Open, keep or close the quarantine; one alarm per SKU that is missing."""
    opened = quarantine_id(pooled.order_id, pooled.content_hash) if complaints else None
    if pooled.quarantine_id is not None and pooled.quarantine_id != opened:
        how = "superseded" if opened else "mended"
        decision.resolved.append((pooled.quarantine_id, SYSTEM, how))
    if opened is None or pooled.order is None:
        return replace(pooled, quarantine_id=None)
    order = pooled.order
    decision.quarantines.append(
        Quarantine(
            quarantine_id=opened,
            order_id=pooled.order_id,
            channel=order.channel,
            shop_id=order.shop_id,
            channel_order_number=order.channel_order_number,
            reason=str(complaints[0].reason),
            complaints=complaints,
            blocking=True,
            raw_id=pooled.raw_id,
            opened_at=now,
        )
    )
    if opened != pooled.quarantine_id:
        reasons = sorted({str(complaint.reason) for complaint in complaints})
        detail = {"quarantine_id": opened, "reasons": reasons}
        decision.timeline.append(
            TimelineEntry(pooled.order_id, now, SYSTEM, "order_quarantined", detail)
        )
    decision.alarms.extend(
        Alarm(str(complaint.reason), complaint.awaits)
        for complaint in complaints
        if complaint.reason is Reason.UNKNOWN_SKU and complaint.awaits is not None
    )
    return replace(pooled, quarantine_id=opened)


def _accept(pooled: Pooled, directory: Directory, now: datetime, decision: Decision) -> Pooled:
    """Publish the order, and right behind it the partial cancellations that waited for it."""
    decision.events.append(accept(pooled, directory, now))
    waiting: list[Parked] = []
    for parked in pooled.parked:
        if isinstance(parked.content, WantedCancellation):
            decision.events.append(cancellation_event(pooled.order_id, parked.content, now))
            decision.applied.append(parked)
        else:
            waiting.append(parked)
    return replace(pooled, accepted_at=now, parked=waiting)
