"""Accounts and events for the tests of this service."""

# ruff: noqa: D102 - each builder makes the event it is named after

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import httpx
import pytest

from contracts.fulfilments import OrderCancelled, ParcelReturned, ParcelShipped, ReturnedLine
from contracts.orders import OrderAccepted, OrderLine, Scenario
from contracts.plans import OrderUnroutable
from contracts.values import ExecutionStep, Grade, LinePart, LineUnits, Place, Service
from testbed.clock import START

OpenAccount = Callable[..., Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Facts:
    """Makes events about orders of one line `1`, whose units cost 100 each."""

    def order(self, order_id: str, units: int, account_id: str | None = "dealer") -> OrderAccepted:
        line = OrderLine(
            line_id="1",
            goods_id="goods",
            quantity_units=units,
            unit_price_minor=150,
            discount_minor=0,
            freight_minor=0,
            supply_price_minor=100,
            parts=(LinePart(goods_id="goods", units_each=1),),
        )
        return OrderAccepted(
            occurred_at=START,
            order_id=order_id,
            order_version=1,
            brand_id="brand",
            channel="shopify",
            shop_id="shop",
            channel_order_number=order_id,
            scenario=Scenario.DROP_SHIPPING,
            seller_id="party",
            agreement_id="agreement",
            agreement_version=1,
            limit_account_id=account_id,
            currency="CNY",
            lines=(line,),
            service=Service.SHIP,
            place=Place(region_code="CN-310109"),
            consumer_ref="consumer",
            placed_at=START,
            paid_at=START,
        )

    def shipped(self, order_id: str, units: int) -> ParcelShipped:
        return ParcelShipped(
            occurred_at=START,
            order_id=order_id,
            parcel_id=f"parcel-{order_id}",
            attempt=1,
            node_id="node",
            actor="clerk",
            lines=(LineUnits(line_id="1", quantity_units=units),),
            goods=(),
            carrier_id="carrier",
            waybill="1",
            freight_minor=0,
            currency="CNY",
        )

    def cancelled(self, order_id: str, units: int) -> OrderCancelled:
        return OrderCancelled(
            occurred_at=START,
            order_id=order_id,
            request_id=f"request-{order_id}",
            lines=(LineUnits(line_id="1", quantity_units=units),),
            parcels=(),
            voided_attempt=0,
            step=ExecutionStep.WAITING,
            order_done=True,
        )

    def unroutable(self, order_id: str, units: int) -> OrderUnroutable:
        return OrderUnroutable(
            occurred_at=START,
            order_id=order_id,
            attempt=1,
            decision_id=f"decision-{order_id}",
            lines=(LineUnits(line_id="1", quantity_units=units),),
            reasons=(),
            order_done=False,
        )

    def returned(self, order_id: str, units: int) -> ParcelReturned:
        return ParcelReturned(
            occurred_at=START,
            order_id=order_id,
            parcel_id=f"parcel-{order_id}",
            attempt=1,
            node_id="node",
            actor="clerk",
            return_id=f"return-{order_id}",
            lines=(ReturnedLine(line_id="1", quantity_units=units, grade=Grade.SELLABLE),),
            goods=(),
        )


@pytest.fixture
def facts() -> Facts:
    """Makes events about orders."""
    return Facts()


@pytest.fixture
def open_account(client: httpx.AsyncClient) -> OpenAccount:
    """Opens an account with a limit, over HTTP as people do."""

    async def open_account(account_id: str = "dealer", limit_minor: int = 1_000) -> None:
        account = {"party_id": "party", "currency": "CNY"}
        answer = await client.put(f"/accounts/{account_id}", json=account)
        assert answer.status_code == 200, answer.text
        limit = {"limit_id": "first", "amount_minor": limit_minor}
        answer = await client.post(f"/accounts/{account_id}/limits", json=limit)
        assert answer.status_code == 200, answer.text

    return open_account
