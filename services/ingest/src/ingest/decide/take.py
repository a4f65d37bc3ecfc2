"""Takes submissions into the pool: new, repeated, newer, older, too early or contradictory."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from enum import StrEnum

from ingest.decide.advance import advance, quarantine_id
from ingest.decide.revise import amended, created
from ingest.decide.status import status_of
from ingest.model.order import Entrance, Order, Submission
from ingest.model.pool import (
    CommandKind,
    Complaint,
    Decision,
    Parked,
    Pooled,
    Quarantine,
    Reason,
    Taken,
    TimelineEntry,
    WantedAmendment,
)
from ingest.model.terms import Directory


class Relation(StrEnum):
    """How a submission relates to what is known of its order."""

    NEW = "new"
    REPEATED = "repeated"
    CONFLICT = "conflict"
    STALE = "stale"
    NEXT = "next"
    EARLY = "early"
    VERSION_CONFLICT = "version_conflict"


Keys = Mapping[tuple[str, str, str], tuple[bytes, str]]
"""Idempotency keys by (channel, shop, key): the content's hash and the order id."""


def take(
    submissions: Sequence[Submission],
    pool: Mapping[str, Pooled],
    keys: Keys,
    directory: Directory,
    now: datetime,
) -> tuple[list[Taken], Decision]:
    """Decide each submission in turn; return what each is told and what to store.

    `pool` holds the locked orders that exist. A bad submission changes nothing for its neighbours,
    a repeated one changes nothing at all.
    """
    decision = Decision(orders=dict(pool))
    known_keys = dict(keys)
    answers: list[Taken] = []
    for each in submissions:
        key = (each.order.channel, each.order.shop_id, each.idempotency_key or "")
        first = known_keys.get(key) if each.idempotency_key else None
        if first is not None and first != (each.content_hash, each.order_id):
            answers.append(_refused(each, decision, Reason.CONFLICT))
            continue
        answers.append(_take_one(each, directory, now, decision))
        is_new = first is None and answers[-1].outcome != "conflict"
        if each.idempotency_key and is_new:
            known_keys[key] = (each.content_hash, each.order_id)
            decision.keys.append((*key, each.content_hash, each.order_id))
    return answers, decision


def relate(known: Pooled | None, submission: Submission) -> Relation:
    """Compare by version where the channel counts, by time of update where it only dates.

    A creation through our API compares content alone: the same key with other content is a
    conflict, whatever its version says.
    """
    if known is None or known.order is None:
        return Relation.NEW
    if submission.content_hash in {known.content_hash, known.first_hash}:
        return _same_content(known, submission)
    if not submission.replaces:
        return Relation.CONFLICT
    return _newer(known.order, submission.order)


def _same_content(known: Pooled, submission: Submission) -> Relation:
    """Content that went and came back is a change; a bare new version must be remembered."""
    went_back = submission.content_hash != known.content_hash
    if known.order is None or not submission.replaces:
        return Relation.REPEATED
    relation = _newer(known.order, submission.order)
    if relation is Relation.VERSION_CONFLICT:
        return relation if went_back and submission.order.version is None else Relation.REPEATED
    return relation


def _newer(known: Order, incoming: Order) -> Relation:
    if known.version is not None and incoming.version is not None:
        ahead = incoming.version - known.version
        by_version = {0: Relation.VERSION_CONFLICT, 1: Relation.NEXT}
        return by_version.get(ahead, Relation.STALE if ahead < 0 else Relation.EARLY)
    known_at = known.updated_at or known.placed_at
    incoming_at = incoming.updated_at or incoming.placed_at
    if incoming_at == known_at:
        return Relation.VERSION_CONFLICT
    return Relation.NEXT if incoming_at > known_at else Relation.STALE


def _take_one(
    submission: Submission, directory: Directory, now: datetime, decision: Decision
) -> Taken:
    known = decision.orders.get(submission.order_id)
    relation = relate(known, submission)
    if relation is Relation.NEW or known is None:
        # Version 4 of an order that nobody has created yet waits for the three before it.
        if submission.replaces and (submission.order.version or 1) > 1:
            return _park(submission, known or Pooled(submission.order_id), now, decision)
        return _create(submission, known, directory, now, decision)
    if relation is Relation.NEXT:
        return amend(submission, known, directory, now, decision)
    if relation is Relation.EARLY:
        return _park(submission, known, now, decision)
    return _kept(relation, submission, known, now, decision)


def _kept(
    relation: Relation, submission: Submission, known: Pooled, now: datetime, decision: Decision
) -> Taken:
    """Answer what leaves the order as it is."""
    match relation:
        case Relation.REPEATED:
            return _repeated(submission, known)
        case Relation.STALE:
            return Taken("stale", known.order_id, str(status_of(known)), known.order_version)
        case Relation.VERSION_CONFLICT:
            return _contradicted(submission, Reason.VERSION_CONFLICT, now, decision)
        case _:
            return _refused(submission, decision, Reason.CONFLICT)


def _create(
    submission: Submission,
    stub: Pooled | None,
    directory: Directory,
    now: datetime,
    decision: Decision,
) -> Taken:
    pooled = created(submission, stub, now)
    decision.holds.extend(pooled.holds)
    decision.raw_inputs[submission.raw.raw_id] = submission.raw
    detail = {"entrance": str(submission.raw.entrance), "version": pooled.order_version}
    decision.timeline.append(
        TimelineEntry(pooled.order_id, now, submission.actor, "order_received", detail)
    )
    moved, complaints = advance(pooled, directory, now, decision)
    answer = _told("created", moved, complaints)
    decision.orders[moved.order_id] = replace(moved, first_answer=answer)
    return answer


def amend(
    submission: Submission,
    known: Pooled,
    directory: Directory,
    now: datetime,
    decision: Decision,
) -> Taken:
    """Put a newer version in the place of the stored one, as long as it is not accepted.

    An accepted order's terms are frozen: an unchanged content only moves the version on, a changed
    one goes to a person. The same holds for a cancelled one.
    """
    changed = submission.content_hash != known.content_hash
    if changed and (known.accepted_at is not None or known.cancelled_at is not None):
        return _contradicted(submission, Reason.CHANGED_TOO_LATE, now, decision)
    decision.raw_inputs[submission.raw.raw_id] = submission.raw
    pooled = replace(amended(known, _wanted(submission), now), raw_id=submission.raw.raw_id)
    detail = {"version": pooled.order_version}
    decision.timeline.append(
        TimelineEntry(known.order_id, now, submission.actor, "order_amended", detail)
    )
    moved, complaints = advance(pooled, directory, now, decision)
    return _told("amended", moved, complaints)


def _told(outcome: str, pooled: Pooled, complaints: Sequence[Complaint]) -> Taken:
    return Taken(
        outcome="quarantined" if complaints else outcome,
        order_id=pooled.order_id,
        state=str(status_of(pooled)),
        order_version=pooled.order_version,
        quarantine_id=pooled.quarantine_id,
        complaints=tuple(complaints),
    )


def _repeated(submission: Submission, known: Pooled) -> Taken:
    if known.first_answer is not None and submission.content_hash == known.first_hash:
        return known.first_answer
    return _told("amended", known, ())


def _park(submission: Submission, known: Pooled, now: datetime, decision: Decision) -> Taken:
    """Keep a version that came before its predecessor, or before its order."""
    decision.raw_inputs[submission.raw.raw_id] = submission.raw
    parked = Parked(
        order_id=known.order_id,
        kind=CommandKind.AMENDMENT,
        command_id=f"{submission.order.version}",
        content=_wanted(submission),
        parked_at=now,
    )
    if all(other.command_id != parked.command_id for other in known.parked):
        known = replace(known, parked=[*known.parked, parked])
        decision.parked.append(parked)
    decision.orders[known.order_id] = known
    decision.touched.add(known.order_id)
    return Taken("parked", known.order_id, "parked", known.order_version)


def _wanted(submission: Submission) -> WantedAmendment:
    return WantedAmendment(
        submission.order, submission.consumer, submission.content_hash, submission.actor
    )


def _contradicted(
    submission: Submission, reason: Reason, now: datetime, decision: Decision
) -> Taken:
    """Give a contradiction to a person; a client of our API is refused and decides itself."""
    if submission.raw.entrance not in {Entrance.WEBHOOK, Entrance.TOPIC}:
        return _refused(submission, decision, reason)
    order = submission.order
    version = order.version if order.version is not None else order.updated_at
    complaint = Complaint(reason, f"version {version} of {order.channel_order_number}")
    opened = quarantine_id(submission.order_id, submission.content_hash)
    decision.raw_inputs[submission.raw.raw_id] = submission.raw
    decision.quarantines.append(
        Quarantine(
            quarantine_id=opened,
            order_id=submission.order_id,
            channel=order.channel,
            shop_id=order.shop_id,
            channel_order_number=order.channel_order_number,
            reason=str(reason),
            complaints=(complaint,),
            blocking=False,
            raw_id=submission.raw.raw_id,
            opened_at=now,
        )
    )
    return replace(_refused(submission, decision, reason), quarantine_id=opened)


def _refused(submission: Submission, decision: Decision, reason: Reason) -> Taken:
    known = decision.orders.get(submission.order_id)
    detail = f"order {submission.order.channel_order_number} is known with other content"
    return Taken(
        outcome="conflict",
        order_id=submission.order_id,
        state=str(reason),
        order_version=known.order_version if known else 0,
        complaints=(Complaint(reason, detail),),
    )
