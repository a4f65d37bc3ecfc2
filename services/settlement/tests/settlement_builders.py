"""Orders, facts and reference data with defaults; every test says only what matters to it."""

from collections.abc import Mapping
from datetime import UTC, datetime

from contracts.entries import (
    AgreementDefined,
    EarnedOn,
    LegalEntityDefined,
    PartyDefined,
    PartyKind,
)
from contracts.event import Event
from contracts.fulfilments import (
    OrderCancelled,
    ParcelDelivered,
    ParcelReturned,
    ParcelShipped,
    ReturnedLine,
)
from contracts.orders import OrderAccepted, OrderLine, Scenario
from contracts.plans import OrderUnroutable
from contracts.values import ExecutionStep, Grade, LineUnits, Place, Service
from settlement.model import Terms

NOW = datetime(2026, 11, 2, 4, tzinfo=UTC)
BOOKS = {"tea-brand": "tea-cn", "dealer-7": "dealer-7-ltd"}


def terms(
    *,
    scenario: Scenario = Scenario.DROP_SHIPPING,
    seller_id: str = "dealer-7",
    platform_id: str | None = "tmall",
    platform_rate_ppm: int = 50_000,
    freight_payee_id: str = "dealer-7",
    earned_on: EarnedOn = EarnedOn.DELIVERED,
    books: Mapping[str, str] = BOOKS,
) -> Terms:
    return Terms(
        agreement_id="A1",
        agreement_version=1,
        scenario=scenario,
        brand_id="tea-brand",
        seller_id=seller_id,
        platform_id=platform_id,
        platform_rate_ppm=platform_rate_ppm,
        freight_payee_id=freight_payee_id,
        freight_bearer_id="tea-brand",
        earned_on=earned_on,
        books=books,
    )


def line(
    line_id: str = "1",
    *,
    units: int = 2,
    price_minor: int = 10_000,
    supply_minor: int = 7_000,
    discount_minor: int = 0,
    freight_minor: int = 0,
) -> OrderLine:
    return OrderLine(
        line_id=line_id,
        goods_id="tea",
        quantity_units=units,
        unit_price_minor=price_minor,
        discount_minor=discount_minor,
        freight_minor=freight_minor,
        supply_price_minor=supply_minor,
        parts=(),
    )


def order(
    *lines: OrderLine,
    order_id: str = "o1",
    seller_id: str = "dealer-7",
    scenario: Scenario = Scenario.DROP_SHIPPING,
    agreement_version: int = 1,
) -> OrderAccepted:
    return OrderAccepted(
        occurred_at=NOW,
        order_id=order_id,
        order_version=1,
        brand_id="tea-brand",
        channel="tmall",
        shop_id="shop-7",
        channel_order_number=order_id,
        scenario=scenario,
        seller_id=seller_id,
        agreement_id="A1",
        agreement_version=agreement_version,
        limit_account_id=None,
        currency="CNY",
        lines=lines or (line(),),
        service=Service.SHIP,
        place=Place(region_code="CN-310109"),
        consumer_ref="c1",
        placed_at=NOW,
        paid_at=NOW,
    )


def units(**by_line: int) -> tuple[LineUnits, ...]:
    """Return units of lines; the line `1` is written `l1`."""
    return tuple(
        LineUnits(line_id=name.removeprefix("l"), quantity_units=count)
        for name, count in by_line.items()
    )


def shipped(
    *lines: LineUnits, parcel_id: str = "p1", order_id: str = "o1", freight_minor: int = 800
) -> ParcelShipped:
    return ParcelShipped(
        occurred_at=NOW,
        order_id=order_id,
        parcel_id=parcel_id,
        attempt=1,
        node_id="shanghai",
        actor="anna",
        lines=lines,
        goods=(),
        carrier_id="sf",
        waybill="SF1",
        freight_minor=freight_minor,
        currency="CNY",
    )


def delivered(*lines: LineUnits, parcel_id: str = "p1", order_id: str = "o1") -> ParcelDelivered:
    return ParcelDelivered(
        occurred_at=NOW,
        order_id=order_id,
        parcel_id=parcel_id,
        attempt=1,
        node_id="shanghai",
        actor="sf",
        lines=lines,
    )


def returned(
    *lines: LineUnits, parcel_id: str = "p1", order_id: str = "o1", return_id: str = "r1"
) -> ParcelReturned:
    return ParcelReturned(
        occurred_at=NOW,
        order_id=order_id,
        parcel_id=parcel_id,
        attempt=1,
        node_id="shanghai",
        actor="anna",
        return_id=return_id,
        lines=tuple(
            ReturnedLine(
                line_id=each.line_id, quantity_units=each.quantity_units, grade=Grade.SELLABLE
            )
            for each in lines
        ),
        goods=(),
    )


def cancelled(*lines: LineUnits, order_id: str = "o1", request_id: str = "c1") -> OrderCancelled:
    return OrderCancelled(
        occurred_at=NOW,
        order_id=order_id,
        request_id=request_id,
        lines=lines,
        parcels=(),
        voided_attempt=0,
        step=ExecutionStep.WAITING,
        order_done=False,
    )


def unroutable(*lines: LineUnits, order_id: str = "o1") -> OrderUnroutable:
    return OrderUnroutable(
        occurred_at=NOW,
        order_id=order_id,
        attempt=1,
        decision_id="d1",
        lines=lines,
        reasons=(),
        order_done=False,
    )


def legal_entity(legal_entity_id: str, *, version: int = 1) -> LegalEntityDefined:
    return LegalEntityDefined(
        occurred_at=NOW,
        legal_entity_id=legal_entity_id,
        entry_version=version,
        name=legal_entity_id,
        currency="CNY",
        timezone="Asia/Shanghai",
    )


def party(
    party_id: str, kind: PartyKind, legal_entity_id: str | None = None, *, version: int = 1
) -> PartyDefined:
    return PartyDefined(
        occurred_at=NOW,
        party_id=party_id,
        entry_version=version,
        kind=kind,
        name=party_id,
        parent_id=None,
        legal_entity_id=legal_entity_id,
        region_code=None,
    )


def agreement(
    *, version: int = 1, earned_on: EarnedOn = EarnedOn.DELIVERED, seller_id: str = "dealer-7"
) -> AgreementDefined:
    return AgreementDefined(
        occurred_at=NOW,
        agreement_id="A1",
        entry_version=version,
        scenario=Scenario.DROP_SHIPPING,
        brand_id="tea-brand",
        seller_id=seller_id,
        currency="CNY",
        valid_from=NOW,
        valid_to=None,
        supply_prices=(),
        platform_id="tmall",
        platform_rate_ppm=50_000,
        freight_payee_id=seller_id,
        freight_bearer_id="tea-brand",
        earned_on=earned_on,
    )


def reference_data(*, earned_on: EarnedOn = EarnedOn.DELIVERED) -> list[Event]:
    """Return a brand and a dealer with books of their own, a platform, and their agreement."""
    return [
        legal_entity("tea-cn"),
        legal_entity("dealer-7-ltd"),
        party("tea-brand", PartyKind.BRAND, "tea-cn"),
        party("dealer-7", PartyKind.DEALER, "dealer-7-ltd"),
        party("tmall", PartyKind.PLATFORM),
        agreement(earned_on=earned_on),
    ]
