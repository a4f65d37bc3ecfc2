"""Lines as the goods they are made of."""

from collections import Counter
from collections.abc import Iterable

from contracts.values import GoodsUnits, LinePart, LineUnits
from routing.model.fulfilment import Line, Order, Parcel


def parts_of(lines: Iterable[Line]) -> dict[str, tuple[LinePart, ...]]:
    """Return what one unit of each line is made of."""
    return {line.line_id: line.parts for line in lines}


def goods_of(order: Order, units: Iterable[LineUnits]) -> tuple[GoodsUnits, ...]:
    """Return units of an order's lines multiplied by their parts, summed and sorted by goods."""
    parts = parts_of(order.lines)
    counted: Counter[str] = Counter()
    for line in units:
        for part in parts[line.line_id]:
            counted[part.goods_id] += part.units_each * line.quantity_units
    return tuple(
        GoodsUnits(goods_id=goods_id, quantity_units=counted[goods_id])
        for goods_id in sorted(counted)
        if counted[goods_id]
    )


def line_units(units: Iterable[tuple[str, int]]) -> tuple[LineUnits, ...]:
    """Return pairs of line and units as they are published, without empty ones."""
    return tuple(
        LineUnits(line_id=line_id, quantity_units=count) for line_id, count in units if count
    )


def parcel_of(order: Order, parcel_id: str) -> Parcel:
    """Return one parcel of an order; LookupError where it has none such."""
    for parcel in order.parcels:
        if parcel.parcel_id == parcel_id:
            return parcel
    raise LookupError(f"order {order.order_id} has no parcel {parcel_id}")
