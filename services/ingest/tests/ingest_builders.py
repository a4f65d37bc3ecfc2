"""Orders, entries and facts with defaults, for the tests of this service."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx

from contracts.entries import (
    AgreementDefined,
    EarnedOn,
    GoodsDefined,
    ListingDefined,
    ShopDefined,
    SupplyPrice,
)
from contracts.event import Event
from contracts.fulfilments import ParcelShipped
from contracts.ids import order_id
from contracts.orders import Scenario
from contracts.values import GoodsUnits, LinePart, LineUnits
from testbed.bench import Bench
from testbed.clock import START

JSON = dict[str, Any]
ORDER_ID = order_id("shopify", "shop-1", "1001")


def order(**changes: Any) -> JSON:
    """Two cups at 100.00 with 8.00 freight, paid, to Shanghai."""
    body: JSON = {
        "channel": "shopify",
        "shop_id": "shop-1",
        "order_number": "1001",
        "version": 1,
        "currency": "CNY",
        "lines": [line()],
        "freight_minor": 800,
        "total_minor": 20_800,
        "consumer": {"name": "李雷", "phone": "138****1234", "street": "延安西路 1 号"},
        "place": {"region_code": "CN-310105", "latitude": 31.2187654, "longitude": 121.4123456},
        "placed_at": "2026-01-15T07:00:00Z",
        "paid_at": "2026-01-15T07:01:00Z",
    }
    return body | changes


def line(**changes: Any) -> JSON:
    """Two cups at 100.00."""
    body: JSON = {
        "line_id": "1",
        "sku": "CUP-RED",
        "quantity_units": 2,
        "unit_price_minor": 10_000,
    }
    return body | changes


def listing(channel_sku: str, goods_id: str, **changes: Any) -> ListingDefined:
    """An article of shop-1."""
    fields: JSON = {
        "occurred_at": START,
        "shop_id": "shop-1",
        "channel_sku": channel_sku,
        "entry_version": 1,
        "goods_id": goods_id,
    }
    return ListingDefined(**(fields | changes))


def goods(goods_id: str, **changes: Any) -> GoodsDefined:
    """Goods at a list price of 100.00."""
    fields: JSON = {
        "occurred_at": START,
        "goods_id": goods_id,
        "entry_version": 1,
        "brand_id": "brand-1",
        "name": goods_id,
        "product_line": "tableware",
        "weight_g": 300,
        "list_price_minor": 10_000,
        "currency": "CNY",
    }
    return GoodsDefined(**(fields | changes))


def agreement(version: int = 1, **changes: Any) -> AgreementDefined:
    """Drop shipping at supply price 70.00 a cup, 120.00 a set."""
    fields: JSON = {
        "occurred_at": START,
        "agreement_id": "agreement-1",
        "entry_version": version,
        "scenario": Scenario.DROP_SHIPPING,
        "brand_id": "brand-1",
        "seller_id": "dealer-1",
        "currency": "CNY",
        "valid_from": START - timedelta(days=365),
        "valid_to": None,
        "supply_prices": (
            SupplyPrice(goods_id="cup-red", price_minor=7_000),
            SupplyPrice(goods_id="set", price_minor=12_000),
        ),
        "platform_id": None,
        "platform_rate_ppm": 0,
        "freight_payee_id": "brand-1",
        "freight_bearer_id": "brand-1",
        "earned_on": EarnedOn.SHIPPED,
        "limit_account_id": "account-1",
    }
    return AgreementDefined(**(fields | changes))


def shop(shop_id: str = "shop-1", **changes: Any) -> ShopDefined:
    """A dealer's shop on Shopify."""
    fields: JSON = {
        "occurred_at": START,
        "shop_id": shop_id,
        "entry_version": 1,
        "channel": "shopify",
        "brand_id": "brand-1",
        "seller_id": "dealer-1",
        "agreement_id": "agreement-1",
        "currency": "CNY",
        "timezone": "Asia/Shanghai",
    }
    return ShopDefined(**(fields | changes))


def entries() -> list[Event]:
    """A directory with one shop, a single and a bundle."""
    parts = (
        LinePart(goods_id="cup-red", units_each=1),
        LinePart(goods_id="saucer", units_each=2),
    )
    return [
        shop(),
        listing("CUP-RED", "cup-red"),
        listing("SET", "set"),
        goods("cup-red"),
        goods("set", parts=parts, list_price_minor=20_000),
        agreement(),
    ]


def shipped(
    units: int, parcel_id: str = "parcel-1", order_id: str = ORDER_ID, line_id: str = "1"
) -> ParcelShipped:
    """Cups that left the warehouse."""
    return ParcelShipped(
        occurred_at=START,
        order_id=order_id,
        parcel_id=parcel_id,
        attempt=1,
        node_id="node-1",
        actor="picker-7",
        lines=(LineUnits(line_id=line_id, quantity_units=units),),
        goods=(GoodsUnits(goods_id="cup-red", quantity_units=units),),
        carrier_id="carrier-1",
        waybill="SF1",
        freight_minor=600,
        currency="CNY",
    )


@dataclass(frozen=True, slots=True)
class Api:
    """The API, and what is published because of a request."""

    client: httpx.AsyncClient
    apply: Bench

    async def post(
        self, path: str, body: object, headers: Mapping[str, str] = {}
    ) -> httpx.Response:
        """Send a body as JSON."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        sent = {"Content-Type": "application/json", **headers}
        return await self.client.post(path, content=content, headers=sent)

    async def get(self, path: str) -> JSON:
        """Return what is shown, which must be there."""
        response = await self.client.get(path)
        assert response.status_code == 200, response.text
        body: JSON = response.json()
        return body

    async def status(self, order_id: str = ORDER_ID) -> str:
        """Return where an order stands; the list's filter must agree with the order's own page."""
        shown: str = (await self.get(f"/orders/{order_id}"))["status"]
        listed = await self.get(f"/orders?status={shown}")
        assert order_id in {item["order_id"] for item in listed["items"]}
        return shown

    async def story(self, order_id: str = ORDER_ID) -> list[str]:
        """Return the words of an order's story."""
        items: Sequence[JSON] = (await self.get(f"/orders/{order_id}/timeline"))["items"]
        return [item["what"] for item in items]
