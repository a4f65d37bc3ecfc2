"""The world that orders are routed in: nodes, freight rates, policy, goods, stock, capacity."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time
from enum import StrEnum

from contracts.values import Service


class Code(StrEnum):
    """Why a node cannot ship for an order."""

    NODE_DISABLED = "node_disabled"
    SERVICE = "service"
    CURRENCY = "currency"
    COVERAGE = "coverage"
    NO_RATE = "no_rate"
    SELLER_REGION = "seller_region"
    PRODUCT_LINE = "product_line"
    EXCLUDED = "excluded"
    CAPACITY = "capacity"
    STOCK = "stock"
    PARCELS_MAX = "parcels_max"
    SHIP_COMPLETE = "ship_complete"
    REPLANS_MAX = "replans_max"


@dataclass(frozen=True, slots=True)
class Node:
    """A place that can ship, as the directory defines it."""

    node_id: str
    region_code: str
    latitude: float | None
    longitude: float | None
    timezone: str
    services: frozenset[Service]
    capacity_parcels: int
    handling_minor: int
    currency: str
    coverage: tuple[str, ...]
    working_weekdays: frozenset[int]
    closed_on: frozenset[date]
    cut_off: time
    safety_units: int
    tier: int
    is_enabled: bool


@dataclass(frozen=True, slots=True)
class FreightRate:
    """What a carrier takes from one region to another, for the longest matching prefixes.

    `base_minor` up to `base_weight_g`, then `step_minor` for each begun `step_weight_g`.
    """

    currency: str
    from_region: str
    to_region: str
    base_minor: int
    base_weight_g: int
    step_minor: int
    step_weight_g: int


@dataclass(frozen=True, slots=True)
class Policy:
    """How routing decides, where no row of the policy table says otherwise.

    Amounts are minor units of the order's currency. `beam_nodes` bounds the nodes that are combined
    into split plans, `horizon_days` how far ahead a parcel may be promised. Units that nobody has
    wait `stock_wait_s` for stock before they are given up.
    """

    parcels_max: int = 3
    split_minor: int = 300
    late_day_minor: int = 100
    beam_nodes: int = 8
    horizon_days: int = 14
    replans_max: int = 5
    offer_timeout_s: int = 86_400
    cancel_answer_s: int = 3_600
    stock_wait_s: int = 5


@dataclass(frozen=True, slots=True)
class Leg:
    """A node that may serve a destination, with the rate and the way there."""

    node: Node
    rate: FreightRate
    distance_m: int


@dataclass(frozen=True, slots=True)
class Destination:
    """The nodes that may serve a place, and why the others may not."""

    legs: tuple[Leg, ...]
    eliminated: Mapping[Code, tuple[str, ...]]


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """Nodes, rates and policy as of one version.

    `destinations` remembers what was derived from them, so that a batch derives it once per place.
    """

    nodes: Mapping[str, Node]
    rates: tuple[FreightRate, ...]
    policy: Policy
    destinations: dict[tuple[str, ...], Destination] = field(
        default_factory=dict[tuple[str, ...], Destination]
    )


@dataclass(frozen=True, slots=True)
class Goods:
    """What routing knows about goods."""

    weight_g: int
    product_line: str


@dataclass(frozen=True, slots=True)
class Agreement:
    """What a seller may sell and where, by region prefix (empty: everything, everywhere)."""

    coverage: tuple[str, ...]
    product_lines: frozenset[str]


@dataclass(frozen=True, slots=True)
class Prospect:
    """What may change between two batches, as it was read for one.

    `stock` is available less what plans in flight ask for, by goods and node; `taken_parcels` are
    those promised per node and day, where the capacity is near its end.
    """

    goods: Mapping[str, Goods]
    agreements: Mapping[tuple[str, int], Agreement]
    stock: Mapping[str, Mapping[str, int]]
    taken_parcels: Mapping[tuple[str, date], int]


@dataclass(frozen=True, slots=True)
class DecisionRecord:
    """Why a plan is as it is; `record` is JSON."""

    decision_id: str
    order_id: str
    attempt: int
    decided_at: datetime
    record: bytes
