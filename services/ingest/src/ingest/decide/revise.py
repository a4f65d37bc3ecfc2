"""Builds the pool's row of an order from what its channel says."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from contracts.ids import derive_id
from ingest.decide.check import flags_of
from ingest.model.order import Order, Submission
from ingest.model.pool import Counters, Hold, Pooled, WantedAmendment


def created(submission: Submission, stub: Pooled | None, now: datetime) -> Pooled:
    """Fill the place of a new order, or of one for which only commands have come so far."""
    order = submission.order
    return replace(
        stub or Pooled(submission.order_id),
        order=order,
        consumer=submission.consumer,
        content_hash=submission.content_hash,
        first_hash=submission.content_hash,
        order_version=order.version or 1,
        raw_id=submission.raw.raw_id,
        received_at=now,
        flags=flags_of(order, submission.consumer, now),
        holds=holds_of(order, submission.actor, now),
        counters=counters_of(order),
    )


def amended(known: Pooled, wanted: WantedAmendment, now: datetime) -> Pooled:
    """Put a newer version in its place.

    Waivers were given for the old content and end with it. Counters start anew unless the order is
    accepted: then the content is the same.
    """
    same = wanted.content_hash == known.content_hash
    return replace(
        known,
        order=wanted.order,
        consumer=wanted.consumer,
        content_hash=wanted.content_hash,
        order_version=wanted.order.version or known.order_version + 1,
        waivers=known.waivers if same else (),
        flags=flags_of(wanted.order, wanted.consumer, now),
        counters=known.counters if same else counters_of(wanted.order),
    )


def counters_of(order: Order) -> Mapping[str, Counters]:
    """Return fresh counters per line; a line id that is there twice counts both."""
    counters: dict[str, Counters] = {}
    for line in order.lines:
        before = counters.get(line.line_id, Counters())
        counters[line.line_id] = Counters(ordered_units=before.ordered_units + line.quantity_units)
    return counters


def holds_of(order: Order, actor: str, now: datetime) -> list[Hold]:
    """Return the holds that the channel asks for with the order."""
    return [
        Hold(
            order_id=order.order_id,
            hold_id=derive_id("hold", order.order_id, index),
            reason=wanted.reason,
            scope="order",
            line_ids=(),
            until=wanted.until,
            placed_by=actor,
            placed_at=now,
        )
        for index, wanted in enumerate(order.holds)
        if wanted.until is None or wanted.until > now
    ]
