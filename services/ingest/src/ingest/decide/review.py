"""Looks at orders again: a hold ended, the directory changed, a person decided."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from contracts.ids import derive_id
from ingest.decide.advance import SYSTEM, advance
from ingest.decide.revise import amended
from ingest.decide.status import status_of
from ingest.decide.take import take
from ingest.model.order import Misunderstood, Order, Submission
from ingest.model.pool import (
    Complaint,
    Decision,
    Pooled,
    Quarantine,
    Reason,
    Taken,
    TimelineEntry,
    WantedAmendment,
)
from ingest.model.terms import Directory


def orders_in(pool: Mapping[str, Pooled]) -> list[Order]:
    """Return the orders of a pool and the versions that are parked in it."""
    orders = [pooled.order for pooled in pool.values() if pooled.order is not None]
    waiting = [parked.content for pooled in pool.values() for parked in pooled.parked]
    return orders + [each.order for each in waiting if isinstance(each, WantedAmendment)]


def review(pool: Mapping[str, Pooled], directory: Directory, now: datetime) -> Decision:
    """Judge orders anew, after holds that have ended by now are taken off."""
    decision = Decision(orders=dict(pool))
    for order_id in sorted(pool):
        pooled = pool[order_id]
        ended = [hold for hold in pooled.holds if hold.until is not None and hold.until <= now]
        for hold in ended:
            decision.lifted.append((order_id, hold.hold_id, SYSTEM))
            detail = {"hold_id": hold.hold_id, "reason": str(hold.reason)}
            decision.timeline.append(TimelineEntry(order_id, now, SYSTEM, "hold_ended", detail))
        rest = [hold for hold in pooled.holds if hold not in ended]
        advance(replace(pooled, holds=rest), directory, now, decision)
    return decision


def misunderstand(found: Sequence[Misunderstood], now: datetime, decision: Decision) -> list[str]:
    """Put bytes that make no order into quarantine; return the ids of the records, one for each."""
    ids: list[str] = []
    for each in found:
        ids.append(derive_id("quarantine", each.raw.raw_id, each.reason))
        decision.raw_inputs[each.raw.raw_id] = each.raw
        decision.quarantines.append(
            Quarantine(
                quarantine_id=ids[-1],
                order_id=None,
                channel=each.raw.channel,
                shop_id=each.raw.shop_id,
                channel_order_number=each.channel_order_number,
                reason=each.reason,
                complaints=(Complaint(Reason(each.reason), each.detail),),
                blocking=False,
                raw_id=each.raw.raw_id,
                opened_at=now,
            )
        )
    return ids


def resubmit(
    record: Quarantine,
    submission: Submission,
    known: Pooled | None,
    directory: Directory,
    now: datetime,
) -> tuple[Taken, Decision]:
    """Take a person's version of what is in quarantine.

    It replaces an order that is not accepted whatever its version; else it is an amendment like any
    other. The record is closed unless the new version is refused.
    """
    if known is None or known.order is None or known.accepted_at or known.cancelled_at:
        pool = {} if known is None else {known.order_id: known}
        answers, decision = take([submission], pool, {}, directory, now)
        answer = answers[0]
    else:
        decision = Decision(orders={known.order_id: known})
        decision.raw_inputs[submission.raw.raw_id] = submission.raw
        answer = _replace(submission, known, directory, now, decision)
    if answer.outcome != "conflict" and not record.blocking:
        decision.resolved.append((record.quarantine_id, submission.actor, "resubmitted"))
    return answer, decision


def _replace(
    submission: Submission, known: Pooled, directory: Directory, now: datetime, decision: Decision
) -> Taken:
    wanted = WantedAmendment(
        submission.order, submission.consumer, submission.content_hash, submission.actor
    )
    pooled = replace(amended(known, wanted, now), raw_id=submission.raw.raw_id)
    detail = {"version": pooled.order_version}
    decision.timeline.append(
        TimelineEntry(known.order_id, now, submission.actor, "order_corrected", detail)
    )
    moved, complaints = advance(pooled, directory, now, decision)
    return _told(moved, complaints)


def waive(
    known: Pooled, reasons: Sequence[Reason], actor: str, directory: Directory, now: datetime
) -> tuple[Taken, Decision]:
    """Judge an order again while a person answers for some complaints."""
    decision = Decision(orders={known.order_id: known})
    waivers = sorted({*known.waivers, *map(str, reasons)})
    if reasons:
        detail = {"reasons": [str(reason) for reason in reasons]}
        decision.timeline.append(
            TimelineEntry(known.order_id, now, actor, "complaints_waived", detail)
        )
    moved, complaints = advance(replace(known, waivers=waivers), directory, now, decision)
    return _told(moved, complaints), decision


def _told(pooled: Pooled, complaints: Sequence[Complaint]) -> Taken:
    return Taken(
        outcome="quarantined" if complaints else "amended",
        order_id=pooled.order_id,
        state=str(status_of(pooled)),
        order_version=pooled.order_version,
        quarantine_id=pooled.quarantine_id,
        complaints=tuple(complaints),
    )
