"""What the pool knows: orders, their stories, alarms. Personal data has an address of its own."""

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query

from contracts.ids import order_id as derived_id
from ingest.api.bodies import (
    AlarmView,
    ConsumerView,
    CountersView,
    HoldView,
    LineView,
    OrderSummary,
    OrderView,
    TimelineView,
)
from ingest.decide.status import status_of
from ingest.model.order import Line, Order
from ingest.model.pool import Counters, Pooled, Status
from ingest.store.pool import load_orders
from ingest.store.reading import Slice, find_consumer, list_alarms, list_orders, list_timeline
from runtime.api import Invalid, NotFound, Page, Paging, Read, StrictRoute, responses
from runtime.fields import Id

router = APIRouter(route_class=StrictRoute, tags=["pool"])


@router.get("/orders")
async def get_orders(
    read: Read,
    paging: Paging,
    status: Annotated[Status | None, Query()] = None,
    shop_id: Annotated[Id | None, Query()] = None,
) -> Page[OrderSummary]:
    """List orders in the order of their coming."""
    part = slice_of(paging.key(str, str), paging.items_max + 1)
    async with read() as tx:
        rows = await list_orders(tx, None if status is None else str(status), shop_id, part)
    found = [
        OrderSummary(
            **{**row, "order_number": row["channel_order_number"], "version": row["order_version"]}
        )
        for row in rows
    ]
    return Page[OrderSummary].of(
        found, paging, lambda order: (order.received_at.isoformat(), order.order_id)
    )


@router.get("/order-ids")
async def get_order_id(
    channel: Annotated[Id, Query()],
    shop_id: Annotated[Id, Query()],
    order_number: Annotated[Id, Query()],
) -> dict[str, str]:
    """Return the id that an order of a channel has in all services, whether it came or not."""
    return {"order_id": derived_id(channel, shop_id, order_number)}


@router.get("/orders/{order_id}", responses=responses(404))
async def get_order(order_id: Annotated[Id, Path()], read: Read) -> OrderView:
    """Show an order with its counters, holds and flags, without the consumer's data."""
    async with read() as tx:
        pooled = (await load_orders(tx, [order_id])).get(order_id)
    if pooled is None or pooled.order is None or pooled.received_at is None:
        raise NotFound(f"there is no order {order_id}")
    return _view(pooled, pooled.order, pooled.received_at)


@router.get("/orders/{order_id}/consumer", responses=responses(404))
async def get_consumer(order_id: Annotated[Id, Path()], read: Read) -> ConsumerView:
    """Show the consumer of an order: the one answer with personal data besides raw input."""
    async with read() as tx:
        row = await find_consumer(tx, order_id)
    if row is None:
        raise NotFound(f"there is no order {order_id}")
    return ConsumerView(**row)


@router.get("/orders/{order_id}/timeline", responses=responses(404))
async def get_timeline(
    order_id: Annotated[Id, Path()], read: Read, paging: Paging
) -> Page[TimelineView]:
    """Tell an order's story in the order in which this service learned it."""
    key = paging.key(int)
    after = int(key[0]) if key else 0
    async with read() as tx:
        rows = await list_timeline(tx, order_id, after, paging.items_max + 1)
    if rows is None:
        raise NotFound(f"there is no order {order_id}")
    found = [TimelineView(**row) for row in rows]
    return Page[TimelineView].of(found, paging, lambda entry: (entry.entry,))


@router.get("/alarms")
async def get_alarms(
    read: Read, paging: Paging, state: Annotated[Literal["raised", "cleared"], Query()] = "raised"
) -> Page[AlarmView]:
    """List alarms: SKUs without a listing, commands parked too long, a wrong clock."""
    key = paging.key(str, str)
    after = (str(key[0]), str(key[1])) if key else None
    async with read() as tx:
        rows = await list_alarms(tx, after, paging.items_max + 1, is_cleared=state == "cleared")
    found = [AlarmView(**row) for row in rows]
    return Page[AlarmView].of(found, paging, lambda alarm: (alarm.kind, alarm.subject))


def slice_of(key: tuple[str | int, ...] | None, rows_max: int) -> Slice:
    """Return the part of a list after a cursor of a time and an id; Invalid for another's."""
    if key is None:
        return Slice(rows_max)
    try:
        return Slice(rows_max, datetime.fromisoformat(str(key[0])), str(key[1]))
    except ValueError:
        raise Invalid("query after: not a cursor of ours") from None


def _view(pooled: Pooled, order: Order, received_at: datetime) -> OrderView:
    return OrderView(
        order_id=pooled.order_id,
        channel=order.channel,
        shop_id=order.shop_id,
        order_number=order.channel_order_number,
        status=status_of(pooled),
        version=pooled.order_version,
        currency=order.currency,
        total_minor=order.total_minor,
        placed_at=order.placed_at,
        received_at=received_at,
        lines=[_line(line, pooled) for line in order.lines],
        freight_minor=order.freight_minor,
        region_code=order.region_code,
        latitude=order.latitude,
        longitude=order.longitude,
        service=str(order.service),
        ship_complete=order.ship_complete,
        priority=order.priority,
        paid_at=pooled.paid_at,
        accepted_at=pooled.accepted_at,
        cancelled_at=pooled.cancelled_at,
        waiting_for_limit=pooled.waiting_for_limit,
        quarantine_id=pooled.quarantine_id,
        flags=pooled.flags,
        holds=[HoldView(**_without_order(asdict(hold))) for hold in pooled.holds],
        counters=_counters(pooled.total),
    )


def _line(line: Line, pooled: Pooled) -> LineView:
    counters = pooled.counters.get(line.line_id, Counters())
    return LineView(**asdict(line), counters=_counters(counters))


def _counters(counters: Counters) -> CountersView:
    return CountersView(**asdict(counters))


def _without_order(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name != "order_id"}
