"""Builders with defaults: a small world in Shanghai and Jiangsu, orders for it, nodes' words."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, time

from contracts.availability import AvailabilityChanged
from contracts.entries import AgreementDefined, EarnedOn, GoodsDefined, NodeDefined
from contracts.event import Event
from contracts.fulfilments import ParcelReleased
from contracts.holds import QuotaGranted
from contracts.orders import CancellationRequested, OrderAccepted, OrderLine, Scenario
from contracts.plans import OrderRouted
from contracts.reservations import ReservedParcel, Shortage, StockReserved, StockShort
from contracts.values import LinePart, LineUnits, Place, Service
from routing.decide.route import Routed, route
from routing.model.commands import Action, Command, Details, Plain, Ship
from routing.model.fulfilment import Decision, Line, Order
from routing.model.world import (
    Agreement,
    FreightRate,
    Goods,
    Node,
    Policy,
    Prospect,
    Reference,
)

NOW = datetime(2026, 1, 15, 3, 0, tzinfo=UTC)  # a Thursday, 11:00 in Shanghai
SHANGHAI = Place(region_code="CN-310115", latitude=31.22, longitude=121.54)
RATES = (
    FreightRate("CNY", "", "", 1200, 1000, 600, 1000),
    FreightRate("CNY", "CN-31", "CN-31", 800, 1000, 200, 1000),
)
NODE = Node(
    node_id="shanghai",
    region_code="CN-310109",
    latitude=31.26,
    longitude=121.50,
    timezone="Asia/Shanghai",
    services=frozenset(Service),
    capacity_parcels=100,
    handling_minor=150,
    currency="CNY",
    coverage=(),
    working_weekdays=frozenset(range(1, 8)),
    closed_on=frozenset(),
    cut_off=time(16),
    safety_units=0,
    tier=0,
    is_enabled=True,
)
SUZHOU = replace(NODE, node_id="suzhou", region_code="CN-320508", latitude=31.30, longitude=120.60)
AGREEMENT = Agreement((), frozenset())


def line(line_id: str = "1", goods_id: str = "tea", units: int = 1, **parts: int) -> Line:
    made_of = parts or {goods_id: 1}
    return Line(
        line_id,
        goods_id,
        tuple(LinePart(goods_id=part, units_each=each) for part, each in made_of.items()),
        units,
    )


def order(*lines: Line, order_id: str = "order-1", ship_complete: bool = False) -> Order:
    return Order(
        order_id=order_id,
        seller_id="dealer",
        agreement_id="A1",
        agreement_version=1,
        currency="CNY",
        service=Service.SHIP,
        place=SHANGHAI,
        ship_complete=ship_complete,
        lines=lines or (line(),),
        is_granted=True,
    )


def world(*nodes: Node, policy: Policy | None = None) -> Reference:
    known = {node.node_id: node for node in nodes or (NODE, SUZHOU)}
    return Reference(known, RATES, policy or Policy(stock_wait_s=0))


def prospect(stock: Mapping[str, Mapping[str, int]], agreement: Agreement = AGREEMENT) -> Prospect:
    goods = {goods_id: Goods(400, "drinks") for goods_id in ("tea", "cup", "pot", "set")}
    return Prospect(goods, {("A1", 1): agreement}, stock, {})


def plan(
    *orders: Order,
    stock: Mapping[str, Mapping[str, int]],
    reference: Reference | None = None,
    now: datetime = NOW,
) -> Routed:
    return route(Decision(orders, ()), reference or world(), prospect(stock), now)


def command(parcel_id: str, action: Action, details: Details | None = None) -> Command:
    return Command(parcel_id, action, 1, "worker-1", None, details or Plain())


def ship(parcel_id: str, waybill: str = "SF1") -> Command:
    return command(parcel_id, Action.SHIP, Ship("sf", waybill, None))


def cancellation(
    order_id: str = "order-1",
    request_id: str = "request-1",
    units: Mapping[str, int] | None = None,
) -> CancellationRequested:
    lines = tuple(
        LineUnits(line_id=line_id.removeprefix("line_"), quantity_units=count)
        for line_id, count in (units or {}).items()
    )
    return CancellationRequested(
        occurred_at=NOW,
        order_id=order_id,
        request_id=request_id,
        lines=lines or None,
        reason="changed_mind",
        requested_by="consumer",
    )


def node_defined(node: Node = NODE, entry_version: int = 1) -> NodeDefined:
    return NodeDefined(
        occurred_at=NOW,
        node_id=node.node_id,
        entry_version=entry_version,
        name=node.node_id,
        owner_id="brand",
        region_code=node.region_code,
        latitude=node.latitude,
        longitude=node.longitude,
        timezone=node.timezone,
        services=tuple(sorted(node.services)),
        capacity_parcels_day=node.capacity_parcels,
        handling_minor=node.handling_minor,
        currency=node.currency,
        coverage=node.coverage,
        working_weekdays=tuple(sorted(node.working_weekdays)),
        closed_on=tuple(sorted(node.closed_on)),
        cut_off=node.cut_off.strftime("%H:%M"),
        safety_units=node.safety_units,
        tier=node.tier,
        enabled=node.is_enabled,
    )


def goods_defined(goods_id: str) -> GoodsDefined:
    return GoodsDefined(
        occurred_at=NOW,
        goods_id=goods_id,
        entry_version=1,
        brand_id="brand",
        name=goods_id,
        product_line="drinks",
        weight_g=400,
        list_price_minor=10_000,
        currency="CNY",
    )


def agreement_defined() -> AgreementDefined:
    return AgreementDefined(
        occurred_at=NOW,
        agreement_id="A1",
        entry_version=1,
        scenario=Scenario.DROP_SHIPPING,
        brand_id="brand",
        seller_id="dealer",
        currency="CNY",
        valid_from=NOW,
        valid_to=None,
        supply_prices=(),
        platform_id=None,
        platform_rate_ppm=0,
        freight_payee_id="dealer",
        freight_bearer_id="brand",
        earned_on=EarnedOn.SHIPPED,
    )


def directory(*nodes: Node) -> list[Event]:
    known = nodes or (NODE, SUZHOU)
    goods = [goods_defined(goods_id) for goods_id in ("tea", "cup", "pot", "set")]
    return [*goods, agreement_defined(), *(node_defined(node) for node in known)]


def available(goods_id: str, node_id: str, units: int, version: int = 1) -> AvailabilityChanged:
    return AvailabilityChanged(
        occurred_at=NOW,
        goods_id=goods_id,
        node_id=node_id,
        available_units=units,
        stock_version=version,
    )


def accepted(*lines: Line, order_id: str = "order-1", ship_complete: bool = False) -> OrderAccepted:
    return OrderAccepted(
        occurred_at=NOW,
        order_id=order_id,
        order_version=1,
        brand_id="brand",
        channel="shopify",
        shop_id="shop",
        channel_order_number=order_id,
        scenario=Scenario.DROP_SHIPPING,
        seller_id="dealer",
        agreement_id="A1",
        agreement_version=1,
        limit_account_id=None,
        currency="CNY",
        lines=tuple(
            OrderLine(
                line_id=each.line_id,
                goods_id=each.goods_id,
                quantity_units=each.ordered_units,
                unit_price_minor=10_000,
                discount_minor=0,
                freight_minor=0,
                supply_price_minor=7_000,
                parts=each.parts,
            )
            for each in lines or (line(),)
        ),
        service=Service.SHIP,
        place=SHANGHAI,
        consumer_ref="consumer-1",
        placed_at=NOW,
        paid_at=NOW,
        ship_complete=ship_complete,
    )


def granted(order_id: str = "order-1") -> QuotaGranted:
    return QuotaGranted(
        occurred_at=NOW,
        order_id=order_id,
        hold_id=f"hold-{order_id}",
        account_id=None,
        amount_minor=0,
        currency="CNY",
    )


def reserved(routed: OrderRouted) -> StockReserved:
    return StockReserved(
        occurred_at=NOW,
        order_id=routed.order_id,
        attempt=routed.attempt,
        parcels=tuple(
            ReservedParcel(parcel_id=each.parcel_id, reservation_id=f"r-{each.parcel_id}")
            for each in routed.parcels
        ),
    )


def short(routed: OrderRouted, available_units: int = 0) -> StockShort:
    parcel = routed.parcels[0]
    return StockShort(
        occurred_at=NOW,
        order_id=routed.order_id,
        attempt=routed.attempt,
        shortages=(
            Shortage(
                node_id=parcel.node_id,
                goods_id=parcel.goods[0].goods_id,
                wanted_units=parcel.goods[0].quantity_units,
                available_units=available_units,
            ),
        ),
    )


def only(events: list[Event], event_type: type[Event]) -> list[Event]:
    return [event for event in events if isinstance(event, event_type)]


def parcel_ids(events: list[Event]) -> list[str]:
    return [event.parcel_id for event in events if isinstance(event, ParcelReleased)]
