"""Says where an order stands; the one rule that answers and filters agree on."""

from ingest.model.pool import Counters, Pooled, Status


def status_of(pooled: Pooled) -> Status:
    """Derive the status of an order from its facts and counters.

    The generated column `pool_order.status` states the same rule for filters; a test holds the two
    together.
    """
    if pooled.accepted_at is None:
        return _before_acceptance(pooled)
    total = pooled.total
    if total.ordered_units <= total.cancelled_units + total.unroutable_units:
        return Status.UNROUTABLE if total.unroutable_units > 0 else Status.CANCELLED
    return _in_execution(total, waiting_for_limit=pooled.waiting_for_limit)


def _before_acceptance(pooled: Pooled) -> Status:
    if pooled.cancelled_at is not None:
        return Status.CANCELLED
    if pooled.quarantine_id is not None:
        return Status.QUARANTINED
    if pooled.holds:
        return Status.HELD
    return Status.WAITING_FOR_PAYMENT if pooled.paid_at is None else Status.RECEIVED


def _in_execution(total: Counters, *, waiting_for_limit: bool) -> Status:
    due_units = total.ordered_units - total.cancelled_units - total.unroutable_units
    steps = (
        (total.returned_units >= due_units, Status.RETURNED),
        (total.delivered_units >= due_units, Status.DELIVERED),
        (total.shipped_units >= due_units, Status.SHIPPED),
        (total.shipped_units > 0, Status.PARTLY_SHIPPED),
        (total.released_units > 0, Status.RELEASED),
        (total.reserved_units > 0, Status.RESERVED),
        (waiting_for_limit, Status.WAITING_FOR_LIMIT),
    )
    return next((status for holds, status in steps if holds), Status.ACCEPTED)
