"""What becomes of held stock: consumed, given back, put in quarantine, found missing, returned."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TypeAlias

from contracts.fulfilments import (
    CancelledParcel,
    Disposition,
    OrderCancelled,
    ParcelPicked,
    ParcelRejected,
    ParcelReturned,
    ParcelShipped,
    ShipmentConflicted,
)
from contracts.values import GoodsUnits, Grade
from inventory.decide.book import StockBook
from inventory.decide.holdings import Holdings
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

FulfilmentEvent: TypeAlias = (
    ParcelRejected
    | ParcelPicked
    | ParcelShipped
    | ParcelReturned
    | OrderCancelled
    | ShipmentConflicted
)
CONDITION_OF: Mapping[Grade, Condition] = {
    Grade.SELLABLE: Condition.SELLABLE,
    Grade.DAMAGED: Condition.DAMAGED,
    Grade.INSPECTION: Condition.INSPECTION,
}


def parcels_of(facts: Sequence[Fact[FulfilmentEvent]]) -> set[str]:
    """Return the parcels whose reservations the facts concern."""
    parcel_ids: set[str] = set()
    for fact in facts:
        if isinstance(fact.event, OrderCancelled):
            parcel_ids.update(parcel.parcel_id for parcel in fact.event.parcels)
        else:
            parcel_ids.add(fact.event.parcel_id)
    return parcel_ids


def voided_attempts(facts: Sequence[Fact[FulfilmentEvent]]) -> set[tuple[str, int]]:
    """Return the order and attempt of each plan that the facts void."""
    return {
        (fact.event.order_id, fact.event.voided_attempt)
        for fact in facts
        if isinstance(fact.event, OrderCancelled) and fact.event.voided_attempt
    }


def keys_to_fulfil(
    facts: Sequence[Fact[FulfilmentEvent]], reservations: Iterable[Reservation]
) -> set[StockKey]:
    """Return the stock levels that the facts may move: those held, and those they name."""
    keys = {StockKey(row.node_id, row.goods_id, Condition.SELLABLE) for row in reservations}
    for fact in facts:
        keys.update(_keys_named(fact.event))
    return keys


def fulfil(
    facts: Sequence[Fact[FulfilmentEvent]],
    stock: Mapping[StockKey, StockLevel],
    reservations: Iterable[Reservation],
    now: datetime,
) -> Decision:
    """Carry the facts into stock and reservations, in order.

    Facts are about what has happened, so none is refused: what they name beyond the books goes into
    the ledger as excess.
    """
    desk = _Desk(StockBook(stock), Holdings(reservations))
    for fact in facts:
        _apply(fact.event, Cause(CauseKind.EVENT, fact.event_id), desk)
    return Decision(
        stock=desk.book.changed,
        movements=desk.book.movements,
        events=desk.book.availability(now),
        reservations=desk.holdings.changed,
    )


def _keys_named(event: FulfilmentEvent) -> list[StockKey]:
    match event:
        case ParcelRejected(node_id=node_id, missing=goods):
            return _keys(node_id, goods, Condition.SELLABLE)
        case ParcelPicked(node_id=node_id, short_goods=goods):
            return _keys(node_id, goods, Condition.SELLABLE)
        case ParcelShipped(node_id=node_id, goods=goods):
            return _keys(node_id, goods, Condition.SELLABLE)
        case ShipmentConflicted(node_id=node_id, goods=goods):
            return _keys(node_id, goods, Condition.SELLABLE, Condition.QUARANTINE)
        case ParcelReturned(node_id=node_id, goods=returned):
            return [StockKey(node_id, each.goods_id, CONDITION_OF[each.grade]) for each in returned]
        case OrderCancelled(parcels=parcels):
            return [key for parcel in parcels for key in _keys_cancelled(parcel)]


def _keys_cancelled(parcel: CancelledParcel) -> list[StockKey]:
    if parcel.disposition is Disposition.QUARANTINE:
        return _keys(parcel.node_id, parcel.goods, Condition.SELLABLE, Condition.QUARANTINE)
    return _keys(parcel.node_id, parcel.goods, Condition.SELLABLE)


def _keys(node_id: str, goods: Iterable[GoodsUnits], *conditions: Condition) -> list[StockKey]:
    return [
        StockKey(node_id, each.goods_id, condition) for each in goods for condition in conditions
    ]


class _Desk:
    """Where the books of one batch lie open."""

    def __init__(self, book: StockBook, holdings: Holdings) -> None:
        self.book = book
        self.holdings = holdings


def _apply(event: FulfilmentEvent, cause: Cause, desk: _Desk) -> None:
    match event:
        case ParcelRejected():
            _reject(event, cause, desk)
        case ParcelPicked():
            _pick(event, cause, desk)
        case ParcelShipped() | ShipmentConflicted():
            _ship(event, cause, desk)
        case ParcelReturned():
            _restock(event, cause, desk)
        case OrderCancelled():
            _cancel(event, cause, desk)


def _reject(event: ParcelRejected, cause: Cause, desk: _Desk) -> None:
    """Give back all the parcel held, then correct the count by what the node did not find."""
    for row in desk.holdings.of_parcel(event.parcel_id):
        _release(row, row.held_units, cause, desk)
    source = Source(Operation.CORRECT, cause, event.parcel_id)
    for goods in event.missing:
        key = StockKey(event.node_id, goods.goods_id, Condition.SELLABLE)
        desk.book.post(key, source, Change(missing_units=goods.quantity_units))


def _pick(event: ParcelPicked, cause: Cause, desk: _Desk) -> None:
    """What the node did not find is neither promised to this parcel nor on hand any more."""
    source = Source(Operation.CORRECT, cause, event.parcel_id)
    for goods in event.short_goods:
        key = StockKey(event.node_id, goods.goods_id, Condition.SELLABLE)
        short_units = goods.quantity_units
        held_units = desk.holdings.held_units(event.parcel_id, goods.goods_id)
        freed_units = min(short_units, held_units)
        if freed_units:
            desk.holdings.release(event.parcel_id, goods.goods_id, freed_units)
        change = Change(reserved_units=-freed_units, missing_units=short_units)
        desk.book.post(key, source, change)


def _ship(event: ParcelShipped | ShipmentConflicted, cause: Cause, desk: _Desk) -> None:
    for goods in event.goods:
        _ship_goods(event, goods, cause, desk)


def _ship_goods(
    event: ParcelShipped | ShipmentConflicted, goods: GoodsUnits, cause: Cause, desk: _Desk
) -> None:
    """Consume what the parcel held; what left beyond that is gone from the shelf all the same.

    Beyond its reservation a parcel takes first what its cancellation put into quarantine, then what
    nobody was promised, and at last units promised to others, which are missing from then on.
    """
    parcel_id, goods_id, left_units = event.parcel_id, goods.goods_id, goods.quantity_units
    sellable = StockKey(event.node_id, goods_id, Condition.SELLABLE)
    held_units = min(left_units, desk.holdings.held_units(parcel_id, goods_id))
    if held_units:
        desk.holdings.consume(parcel_id, goods_id, held_units)
        source = Source(Operation.CONSUME, cause, parcel_id)
        change = Change(on_hand_units=-held_units, reserved_units=-held_units)
        desk.book.post(sellable, source, change)
        left_units -= held_units
    if left_units:
        source = Source(Operation.CONFLICT, cause, parcel_id)
        left_units -= _take_from_quarantine(sellable, left_units, source, desk)
    if left_units:
        source = Source(Operation.CONFLICT, cause, parcel_id)
        desk.holdings.conflict(parcel_id, goods_id, left_units)
        desk.book.post(sellable, source, Change(missing_units=left_units))


def _take_from_quarantine(
    sellable: StockKey, wanted_units: int, source: Source, desk: _Desk
) -> int:
    parcel_id = source.parcel_id or ""
    key = sellable._replace(condition=Condition.QUARANTINE)
    units = min(
        wanted_units,
        desk.book.level(key).on_hand_units,
        desk.holdings.unsettled_quarantine_units(parcel_id, key.goods_id),
    )
    if units:
        desk.holdings.conflict(parcel_id, key.goods_id, units)
        desk.book.post(key, source, Change(on_hand_units=-units))
    return units


def _restock(event: ParcelReturned, cause: Cause, desk: _Desk) -> None:
    source = Source(Operation.RETURN, cause, event.parcel_id)
    for goods in event.goods:
        key = StockKey(event.node_id, goods.goods_id, CONDITION_OF[goods.grade])
        desk.book.post(key, source, Change(on_hand_units=goods.quantity_units))


def _cancel(event: OrderCancelled, cause: Cause, desk: _Desk) -> None:
    """Give back what a voided plan holds and what leaves released parcels."""
    if event.voided_attempt:
        for row in desk.holdings.of_attempt(event.order_id, event.voided_attempt):
            _release(row, row.held_units, cause, desk)
    for parcel in event.parcels:
        for goods in parcel.goods:
            _cancel_goods(parcel, goods, cause, desk)


def _cancel_goods(parcel: CancelledParcel, goods: GoodsUnits, cause: Cause, desk: _Desk) -> None:
    rows = {row.goods_id: row for row in desk.holdings.of_parcel(parcel.parcel_id)}
    row = rows.get(goods.goods_id)
    units = min(goods.quantity_units, row.held_units) if row else 0
    if row and parcel.disposition is Disposition.QUARANTINE:
        _quarantine(row, units, cause, desk)
    elif row:
        _release(row, units, cause, desk)
    if excess_units := goods.quantity_units - units:
        key = StockKey(parcel.node_id, goods.goods_id, Condition.SELLABLE)
        source = Source(Operation.RELEASE, cause, parcel.parcel_id)
        desk.book.post(key, source, Change(excess_units=excess_units))


def _release(row: Reservation, units: int, cause: Cause, desk: _Desk) -> None:
    desk.holdings.release(row.parcel_id, row.goods_id, units)
    key = StockKey(row.node_id, row.goods_id, Condition.SELLABLE)
    source = Source(Operation.RELEASE, cause, row.parcel_id)
    desk.book.post(key, source, Change(reserved_units=-units))


def _quarantine(row: Reservation, units: int, cause: Cause, desk: _Desk) -> None:
    desk.holdings.quarantine(row.parcel_id, row.goods_id, units)
    key = StockKey(row.node_id, row.goods_id, Condition.SELLABLE)
    source = Source(Operation.QUARANTINE, cause, row.parcel_id)
    desk.book.post(key, source, Change(on_hand_units=-units, reserved_units=-units))
    quarantined = key._replace(condition=Condition.QUARANTINE)
    desk.book.post(quarantined, source, Change(on_hand_units=units))
