"""Which events can never be applied because they contradict themselves."""

from collections.abc import Iterator

from contracts.fulfilments import (
    OrderCancelled,
    ParcelPicked,
    ParcelRejected,
    ParcelReturned,
)
from contracts.plans import OrderRouted
from inventory.decide.fulfil import FulfilmentEvent


def contradiction(event: OrderRouted | FulfilmentEvent) -> str | None:
    """Return what makes an event impossible: units that are not positive, no attempt; or None."""
    if isinstance(event, OrderRouted) and event.attempt < 1:
        return f"attempt {event.attempt} of order {event.order_id}"
    for goods_id, units in _units_named(event):
        if units < 1:
            return f"{units} units of {goods_id} for order {event.order_id}"
    return None


def _units_named(event: OrderRouted | FulfilmentEvent) -> Iterator[tuple[str, int]]:
    match event:
        case OrderRouted(parcels=parcels) | OrderCancelled(parcels=parcels):
            groups = [parcel.goods for parcel in parcels]
        case ParcelReturned(goods=goods):
            yield from ((each.goods_id, each.quantity_units) for each in goods)
            return
        case ParcelRejected(missing=goods) | ParcelPicked(short_goods=goods):
            groups = [goods]
        case _:
            groups = [event.goods]
    for goods in groups:
        yield from ((each.goods_id, each.quantity_units) for each in goods)
