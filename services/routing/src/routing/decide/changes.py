"""The difference between orders as they were read and as they were decided."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import date

from routing.decide.contents import goods_of
from routing.model.changes import Changes, Promise
from routing.model.fulfilment import Execution, Order, Parcel

FREES_CAPACITY = frozenset({Execution.CANCELLED, Execution.INCOMPLETE})


def changes_of(before: Mapping[str, Order], after: Iterable[Order]) -> Changes:
    """Return what to store so that `before` becomes `after`; orders keep their order."""
    pairs = [(before[order.order_id], order) for order in after]
    changed = [(old, new) for old, new in pairs if old is not new]
    parcels = [pair for old, new in changed for pair in _parcel_pairs(old, new)]
    return Changes(
        orders=tuple(new for old, new in changed if _row(old) != _row(new)),
        lines=tuple(
            (new.order_id, line)
            for old, new in changed
            for known, line in zip(old.lines, new.lines, strict=True)
            if known != line
        ),
        new_parcels=tuple((order_id, new) for order_id, old, new in parcels if old is None),
        parcels=tuple((order_id, new) for order_id, old, new in parcels if old not in (None, new)),
        parcel_lines=tuple(
            (order_id, new.parcel_id, line)
            for order_id, old, new in parcels
            if old is not None
            for known, line in zip(old.lines, new.lines, strict=True)
            if known != line
        ),
        exclusions=tuple(
            (new.order_id, each)
            for old, new in changed
            for each in new.exclusions
            if each not in old.exclusions
        ),
        answered=tuple(
            old.order_id
            for old, new in changed
            if old.planned_attempt and old.planned_attempt != new.planned_attempt
        ),
        promises=tuple(
            promise
            for old, new in changed
            if new.planned_attempt != old.planned_attempt
            for promise in _promises(new)
        ),
        day_parcels=_day_parcels(parcels),
    )


def _row(order: Order) -> tuple[object, ...]:
    return (
        order.is_granted,
        order.attempt,
        order.planned_attempt,
        order.failures_count,
        order.retry_at,
    )


def _parcel_pairs(old: Order, new: Order) -> Iterator[tuple[str, Parcel | None, Parcel]]:
    # Parcels are only ever appended, so they stand at the same place before and after.
    for place, parcel in enumerate(new.parcels):
        known = old.parcels[place] if place < len(old.parcels) else None
        if known is not parcel:
            yield new.order_id, known, parcel


def _promises(order: Order) -> Iterator[Promise]:
    for parcel in order.parcels:
        if parcel.execution is Execution.PLANNED:
            for goods in goods_of(order, parcel.content):
                yield Promise(
                    order.order_id,
                    parcel.attempt,
                    parcel.node_id,
                    goods.goods_id,
                    goods.quantity_units,
                )


def _day_parcels(
    parcels: Iterable[tuple[str, Parcel | None, Parcel]],
) -> dict[tuple[str, date], int]:
    days: Counter[tuple[str, date]] = Counter()
    for _, old, new in parcels:
        used = old is not None and old.execution not in FREES_CAPACITY
        uses = new.execution not in FREES_CAPACITY
        days[new.node_id, new.promised_on] += uses - used
    return {day: count for day, count in sorted(days.items()) if count}
