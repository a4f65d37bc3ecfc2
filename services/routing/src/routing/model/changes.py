"""What is to be stored after orders were decided about."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from routing.model.fulfilment import Exclusion, Line, Order, Parcel, ParcelLine


@dataclass(frozen=True, slots=True)
class Promise:
    """Units of goods that a plan in flight asks of a node."""

    order_id: str
    attempt: int
    node_id: str
    goods_id: str
    quantity_units: int


@dataclass(frozen=True, slots=True)
class Changes:
    """Rows that are new or differ; each stands with the id of its order.

    `answered` are orders whose plan in flight is answered or void. `day_parcels` are parcels more
    or fewer promised per node and day.
    """

    orders: tuple[Order, ...]
    lines: tuple[tuple[str, Line], ...]
    new_parcels: tuple[tuple[str, Parcel], ...]
    parcels: tuple[tuple[str, Parcel], ...]
    parcel_lines: tuple[tuple[str, str, ParcelLine], ...]
    exclusions: tuple[tuple[str, Exclusion], ...]
    answered: tuple[str, ...]
    promises: tuple[Promise, ...]
    day_parcels: Mapping[tuple[str, date], int]
