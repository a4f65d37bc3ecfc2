"""Values that the events of several services carry."""

from enum import StrEnum

from contracts.event import Value


class Place(Value, frozen=True, kw_only=True):
    """Where an order goes, as precisely as the flow needs and no more.

    `region_code` reads from the country downwards and is compared by prefix: `CN-310109`
    (GB/T 2260) lies in `CN-3101` and `CN-31`; `BR-SP-01012` lies in `BR-SP`. Coordinates are
    degrees (WGS 84) rounded to two decimals, about a kilometre, so that they name a place and not
    a door.
    """

    region_code: str
    latitude: float | None = None
    longitude: float | None = None


class LineUnits(Value, frozen=True, kw_only=True):
    """Whole units of one order line."""

    line_id: str
    quantity_units: int


class GoodsUnits(Value, frozen=True, kw_only=True):
    """Whole units of one kind of goods."""

    goods_id: str
    quantity_units: int


class LinePart(Value, frozen=True, kw_only=True):
    """What one unit of an order line is made of; a single has one part, a bundle several."""

    goods_id: str
    units_each: int


class Service(StrEnum):
    """How the consumer wants to receive the goods."""

    SHIP = "ship"
    PICKUP = "pickup"
    HOUR_DELIVERY = "hour_delivery"


class Grade(StrEnum):
    """What the inspection of a returned unit found; it decides the condition it is stocked in."""

    SELLABLE = "sellable"
    DAMAGED = "damaged"
    INSPECTION = "inspection"


class ExecutionStep(StrEnum):
    """How far the work on an order or parcel had come, in this order."""

    WAITING = "waiting"
    PLANNED = "planned"
    RELEASED = "released"
    PICKING = "picking"
    PICKED = "picked"
    PACKED = "packed"
    SHIPPED = "shipped"
    DELIVERED = "delivered"
    CANCELLED = "cancelled"
