"""Topics in: orders, limits, stock, the world. Each handler reads load, decide, store."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from backbone import Batch, Consumer, Transaction, Unprocessable
from contracts.availability import AvailabilityChanged
from contracts.entries import AgreementDefined, GoodsDefined, NodeDefined
from contracts.event import Event
from contracts.holds import QuotaGranted
from contracts.orders import CancellationRequested, OrderAccepted, ReturnRequested
from contracts.reservations import StockReserved, StockShort
from contracts.topics import (
    DIRECTORY_ENTRIES,
    INGEST_ORDERS,
    INVENTORY_AVAILABILITY,
    INVENTORY_RESERVATIONS,
    QUOTA_HOLDS,
)
from routing.decide.cancel import cancel
from routing.decide.changes import changes_of
from routing.decide.plans import answer_plans, grant
from routing.decide.route import route, wants_plan
from routing.model.fulfilment import Decision, Order
from routing.model.world import Reference
from routing.store import changes, messages, orders, prospect, reference

consumer = Consumer("routing")


async def lacks_terms(batch: Batch[QuotaGranted], tx: Transaction) -> Mapping[int, str]:
    """Name the grants whose order, agreement or goods are not known yet."""
    lacking = await prospect.find_lacking(tx, [event.order_id for event in batch.events])
    return {
        index: lacking[event.order_id]
        for index, event in enumerate(batch.events)
        if event.order_id in lacking
    }


@consumer.on(DIRECTORY_ENTRIES, NodeDefined)
async def keep_nodes(batch: Batch[NodeDefined], tx: Transaction) -> Sequence[Event]:
    """Know who can ship, from when to when, and where to."""
    for node in batch.events:
        _check_calendar(node)
    await reference.save_nodes(tx, batch.events)
    return ()


@consumer.on(DIRECTORY_ENTRIES, GoodsDefined)
async def keep_goods(batch: Batch[GoodsDefined], tx: Transaction) -> Sequence[Event]:
    """Know what goods weigh and which product line they belong to."""
    await reference.save_goods(tx, batch.events)
    return ()


@consumer.on(DIRECTORY_ENTRIES, AgreementDefined)
async def keep_agreements(batch: Batch[AgreementDefined], tx: Transaction) -> Sequence[Event]:
    """Know what each seller may sell, and where."""
    await reference.save_agreements(tx, batch.events)
    return ()


@consumer.on(INVENTORY_AVAILABILITY, AvailabilityChanged)
async def project_stock(batch: Batch[AvailabilityChanged], tx: Transaction) -> Sequence[Event]:
    """Follow what can be promised where."""
    await prospect.save_stock(tx, batch.events)
    return ()


@consumer.on(INGEST_ORDERS, OrderAccepted)
async def keep_orders(batch: Batch[OrderAccepted], tx: Transaction) -> Sequence[Event]:
    """Keep orders until their limit is granted; apply cancellations that were here before them."""
    await orders.save_accepted(tx, batch.events, batch.now)
    order_ids = {event.order_id for event in batch.events}
    early = await messages.take_early_cancellations(tx, order_ids)
    return await _cancel(tx, early, batch.now) if early else ()


@consumer.on(INGEST_ORDERS, CancellationRequested)
async def judge_cancellations(
    batch: Batch[CancellationRequested], tx: Transaction
) -> Sequence[Event]:
    """Take back what can still be taken back, ask nodes that have begun, refuse the rest."""
    requests = await messages.save_cancellations(tx, batch.events, batch.now)
    return await _cancel(tx, requests, batch.now) if requests else ()


@consumer.on(INGEST_ORDERS, ReturnRequested)
async def expect_returns(batch: Batch[ReturnRequested], tx: Transaction) -> Sequence[Event]:
    """Know what will come back; the node that receives it says what came."""
    await messages.save_expected_returns(tx, batch.events, batch.now)
    return ()


@consumer.on(QUOTA_HOLDS, QuotaGranted, waits_for=lacks_terms)
async def plan_granted(batch: Batch[QuotaGranted], tx: Transaction) -> Sequence[Event]:
    """Plan orders whose limit is granted."""
    before = await orders.lock_orders(tx, {event.order_id for event in batch.events})
    # In the order of the grants: the first come takes the last unit.
    granted = dict.fromkeys(event.order_id for event in batch.events)
    decision = grant(before[order_id] for order_id in granted)
    return await _conclude(tx, before, decision, await reference.load_reference(tx), batch.now)


@consumer.on(INVENTORY_RESERVATIONS, StockReserved, StockShort)
async def follow_stock(
    batch: Batch[StockReserved | StockShort], tx: Transaction
) -> Sequence[Event]:
    """Release parcels whose stock is held; plan again where it was short."""
    before = await orders.lock_orders(tx, {event.order_id for event in batch.events})
    world = await reference.load_reference(tx)
    decision = answer_plans(before, batch.events, world.policy, batch.now)
    return await _conclude(tx, before, decision, world, batch.now)


async def _cancel(
    tx: Transaction, requests: Sequence[CancellationRequested], now: datetime
) -> Sequence[Event]:
    before = await orders.lock_orders(tx, {request.order_id for request in requests})
    world = await reference.load_reference(tx)
    decision = cancel(before, requests, world.policy, now)
    return await _conclude(tx, before, decision, world, now)


async def _conclude(
    tx: Transaction,
    before: Mapping[str, Order],
    decision: Decision,
    world: Reference,
    now: datetime,
) -> Sequence[Event]:
    unplanned = [order for order in decision.orders if wants_plan(order)]
    outlook = await prospect.load_prospect(tx, unplanned, world, now)
    routed = route(decision, world, outlook, now)
    await changes.save_changes(tx, changes_of(before, routed.orders), routed.records)
    return routed.events


def _check_calendar(node: NodeDefined) -> None:
    try:
        ZoneInfo(node.timezone)
    except (ZoneInfoNotFoundError, ValueError):
        raise Unprocessable(f"node {node.node_id}: no such timezone: {node.timezone}") from None
