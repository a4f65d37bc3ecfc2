"""Stock, its ledger, and what orders hold of it."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from inventory import decide, store
from inventory.api.bodies import (
    GoodsAtNode,
    MovementView,
    OrderReservations,
    ReservationView,
    StockView,
)
from inventory.model import Condition, StockFilter, StockKey
from runtime.api import NotFound, Page, Paging, Read, StrictRoute, responses
from runtime.fields import Id

router = APIRouter(route_class=StrictRoute, tags=["stock"])


async def _filter(
    node_id: Annotated[Id | None, Query()] = None,
    goods_id: Annotated[Id | None, Query()] = None,
    condition: Annotated[Condition | None, Query()] = None,
    *,
    missing: Annotated[bool, Query(description="only stock of which units are missing")] = False,
) -> StockFilter:
    return StockFilter(node_id, goods_id, condition, is_missing=missing)


async def _key(
    node_id: Id,
    goods_id: Id,
    condition: Annotated[Condition, Query()] = Condition.SELLABLE,
) -> StockKey:
    return StockKey(node_id, goods_id, condition)


@router.get("/stock", responses=responses(400, 422, 503))
async def list_stock(
    read: Read, paging: Paging, wanted: Annotated[StockFilter, Depends(_filter)]
) -> Page[StockView]:
    """List stock by node, goods and condition."""
    last = paging.key(str, str, str)
    after = None if last is None else (str(last[0]), str(last[1]), str(last[2]))
    async with read() as tx:
        rows = await store.find_stock(tx, wanted, after, paging.items_max + 1)
    shown = [StockView.of_row(row) for row in rows]
    return Page[StockView].of(
        shown, paging, lambda row: (row.node_id, row.goods_id, row.condition.value)
    )


@router.get("/stock/{node_id}/{goods_id}", responses=responses(404, 422, 503))
async def get_stock(node_id: Id, goods_id: Id, read: Read) -> GoodsAtNode:
    """Return all conditions of goods at a node; 404 when there never were any."""
    wanted = StockFilter(node_id, goods_id)
    async with read() as tx:
        rows = await store.find_stock(tx, wanted, None, len(Condition))
    if not rows:
        raise NotFound(f"{goods_id} was never at {node_id}")
    shown = [StockView.of_row(row) for row in rows]
    return GoodsAtNode(node_id=node_id, goods_id=goods_id, conditions=shown)


@router.get("/stock/{node_id}/{goods_id}/ledger", responses=responses(400, 422, 503))
async def list_movements(
    key: Annotated[StockKey, Depends(_key)], read: Read, paging: Paging
) -> Page[MovementView]:
    """List what moved goods in one condition at a node, latest first."""
    last = paging.key(int)
    before_version = None if last is None else int(last[0])
    async with read() as tx:
        rows = await store.find_ledger(tx, key, before_version, paging.items_max + 1)
    shown = [MovementView.of(row) for row in rows]
    return Page[MovementView].of(shown, paging, lambda row: (row.version,))


@router.get("/orders/{order_id}/reservations", responses=responses(404, 422, 503))
async def list_reservations(order_id: Id, read: Read) -> OrderReservations:
    """Return all that an order ever held, by attempt and parcel; 404 when it never held any."""
    async with read() as tx:
        rows = await store.find_reservations(tx, order_id)
    if not rows:
        raise NotFound(f"order {order_id} never held stock")
    shown = [
        ReservationView.of(row, decide.reservation_id(row.parcel_id), decide.state_of(row))
        for row in rows
    ]
    return OrderReservations(order_id=order_id, reservations=shown)
