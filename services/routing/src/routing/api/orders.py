"""HTTP in: where orders stand, and why they went where they went."""

from typing import Any

import msgspec
from fastapi import APIRouter

from routing.api.views import (
    DecisionView,
    ExpectedReturnView,
    KnownStockView,
    OrderSummaryView,
    OrderView,
    StockView,
)
from routing.store import orders, views
from routing.store.views import StoredDecision
from runtime.api import NotFound, Page, Paging, Read, StrictRoute, responses
from runtime.fields import Id

router = APIRouter(route_class=StrictRoute, tags=["orders"])


@router.get("/orders", responses=responses(422))
async def list_orders(read: Read, paging: Paging) -> Page[OrderSummaryView]:
    """List orders by id."""
    (after,) = paging.key(str) or ("",)
    async with read() as tx:
        order_ids = await views.list_orders(tx, str(after), paging.items_max + 1)
        loaded = await orders.load_orders(tx, order_ids)
    shown = [OrderSummaryView.of(loaded[order_id]) for order_id in order_ids]
    return Page[OrderSummaryView].of(shown, paging, lambda view: (view.order_id,))


@router.get("/orders/{order_id}", responses=responses(404))
async def get_order(order_id: Id, read: Read) -> OrderView:
    """Return an order's lines, parcels and what it waits for."""
    async with read() as tx:
        loaded = await orders.load_orders(tx, [order_id])
        expected = await views.find_expected_returns(tx, order_id)
    if not loaded:
        raise NotFound(f"there is no order {order_id}")
    returns = [ExpectedReturnView.model_validate(each) for each in expected]
    return OrderView.of(loaded[order_id], returns)


@router.get("/orders/{order_id}/decisions", responses=responses(404))
async def list_decisions(order_id: Id, read: Read) -> list[DecisionView]:
    """Return why each plan of an order is as it is, the first one first."""
    async with read() as tx:
        loaded = await orders.load_orders(tx, [order_id])
        found = await views.find_decisions(tx, order_id)
    if not loaded:
        raise NotFound(f"there is no order {order_id}")
    return [_shown(decision) for decision in found]


@router.get("/goods/{goods_id}/stock", responses=responses(422))
async def get_stock(goods_id: Id, read: Read) -> StockView:
    """Return what routing knows of the stock of goods; inventory has the truth."""
    async with read() as tx:
        found = await views.list_stock(tx, goods_id)
    return StockView(goods_id=goods_id, nodes=[KnownStockView.model_validate(e) for e in found])


def _shown(decision: StoredDecision) -> DecisionView:
    record: dict[str, Any] = msgspec.json.decode(decision.record)
    terms: list[str] = record.pop("terms")
    record["candidates"] = [dict(zip(terms, row, strict=True)) for row in record["candidates"]]
    return DecisionView(
        decision_id=decision.decision_id,
        attempt=decision.attempt,
        decided_at=decision.decided_at,
        **record,
    )
