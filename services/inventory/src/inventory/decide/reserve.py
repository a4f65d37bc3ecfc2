"""May an attempt have its stock? All parcels of it or none, in arrival order."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from contracts.event import Event
from contracts.ids import derive_id
from contracts.plans import OrderRouted, PlannedParcel
from contracts.reservations import ReservedParcel, Shortage, StockReserved, StockShort
from inventory.decide.book import StockBook
from inventory.model import (
    Cause,
    CauseKind,
    Change,
    Condition,
    Decision,
    Fact,
    Operation,
    Reservation,
    Source,
    StockKey,
    StockLevel,
)


def keys_to_reserve(facts: Sequence[Fact[OrderRouted]]) -> set[StockKey]:
    """Return the stock levels that the attempts want."""
    return {
        StockKey(parcel.node_id, goods.goods_id, Condition.SELLABLE)
        for fact in facts
        for parcel in fact.event.parcels
        for goods in parcel.goods
    }


def attempts_of(facts: Sequence[Fact[OrderRouted]]) -> set[tuple[str, int]]:
    """Return the order and attempt of each plan."""
    return {(fact.event.order_id, fact.event.attempt) for fact in facts}


def highest_attempts(attempts: Collection[tuple[str, int]]) -> dict[str, int]:
    """Return the highest attempt of each order, in the order in which they are to be locked."""
    return dict(sorted(attempts))


def reserve(
    facts: Sequence[Fact[OrderRouted]],
    stock: Mapping[StockKey, StockLevel],
    fences: Mapping[str, int],
    now: datetime,
) -> Decision:
    """Hold every parcel of an attempt or none, in arrival order, and answer each attempt.

    `fences` is the highest attempt of each order that was seen or voided before; an attempt that is
    not above it is ignored without an answer. What is not in `stock` counts as zero units.
    """
    book = StockBook(stock)
    reservations: list[Reservation] = []
    events: list[Event] = []
    seen = dict(fences)
    for fact in facts:
        routed = fact.event
        if routed.attempt <= seen.get(routed.order_id, 0):
            continue
        seen[routed.order_id] = routed.attempt
        if shortages := _shortages(routed, book):
            events.append(_short(routed, shortages, now))
            continue
        for parcel in routed.parcels:
            reservations += _hold(parcel, fact, book)
        events.append(_reserved(routed, now))
    return Decision(
        stock=book.changed,
        movements=book.movements,
        events=[*events, *book.availability(now)],
        reservations=reservations,
    )


def reservation_id(parcel_id: str) -> str:
    """Return the id by which a parcel's reservation is known outside."""
    return derive_id("reservation", parcel_id)


def _shortages(routed: OrderRouted, book: StockBook) -> tuple[Shortage, ...]:
    """Compare the sum over all parcels with what is available, so that no unit counts twice."""
    wanted_units: Counter[StockKey] = Counter()
    for parcel in routed.parcels:
        for goods in parcel.goods:
            key = StockKey(parcel.node_id, goods.goods_id, Condition.SELLABLE)
            wanted_units[key] += goods.quantity_units
    return tuple(
        Shortage(
            node_id=key.node_id,
            goods_id=key.goods_id,
            wanted_units=units,
            available_units=book.level(key).available_units,
        )
        for key, units in sorted(wanted_units.items())
        if units > book.level(key).available_units
    )


def _hold(parcel: PlannedParcel, fact: Fact[OrderRouted], book: StockBook) -> list[Reservation]:
    source = Source(Operation.RESERVE, Cause(CauseKind.EVENT, fact.event_id), parcel.parcel_id)
    held_units: Counter[str] = Counter()
    for goods in parcel.goods:
        held_units[goods.goods_id] += goods.quantity_units
    for goods_id, units in held_units.items():
        key = StockKey(parcel.node_id, goods_id, Condition.SELLABLE)
        book.post(key, source, Change(reserved_units=units))
    return [
        Reservation(
            parcel_id=parcel.parcel_id,
            goods_id=goods_id,
            order_id=fact.event.order_id,
            attempt=fact.event.attempt,
            node_id=parcel.node_id,
            quantity_units=units,
        )
        for goods_id, units in held_units.items()
    ]


def _reserved(routed: OrderRouted, now: datetime) -> StockReserved:
    return StockReserved(
        occurred_at=now,
        order_id=routed.order_id,
        attempt=routed.attempt,
        parcels=tuple(
            ReservedParcel(
                parcel_id=parcel.parcel_id, reservation_id=reservation_id(parcel.parcel_id)
            )
            for parcel in routed.parcels
        ),
    )


def _short(routed: OrderRouted, shortages: tuple[Shortage, ...], now: datetime) -> StockShort:
    return StockShort(
        occurred_at=now,
        order_id=routed.order_id,
        attempt=routed.attempt,
        shortages=shortages,
    )
