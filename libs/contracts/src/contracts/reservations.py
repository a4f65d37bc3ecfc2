"""Answers of inventory to plans (topic inventory.reservations)."""

from contracts.event import Event, Value


class ReservedParcel(Value, frozen=True, kw_only=True):
    """The reservation that holds a parcel's goods."""

    parcel_id: str
    reservation_id: str


class StockReserved(Event, frozen=True, kw_only=True):
    """Every parcel of the attempt is held."""

    order_id: str
    attempt: int
    parcels: tuple[ReservedParcel, ...]


class Shortage(Value, frozen=True, kw_only=True):
    """What was missing where, in units, when the attempt was tried."""

    node_id: str
    goods_id: str
    wanted_units: int
    available_units: int


class StockShort(Event, frozen=True, kw_only=True):
    """Nothing of the attempt is held, because of these shortages."""

    order_id: str
    attempt: int
    shortages: tuple[Shortage, ...]
