"""Time in: answers that did not come, waits for stock that are over."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from backbone import Schedule, Transaction
from contracts.event import Event
from routing.decide.changes import changes_of
from routing.decide.route import route, wants_plan
from routing.decide.steps import time_out
from routing.model.fulfilment import Decision, Order
from routing.store import changes, orders, prospect, reference

schedule = Schedule()

ORDERS_MAX = 500


@schedule.every(1)
async def plan_waiting(tx: Transaction, now: datetime) -> Sequence[Event]:
    """Plan orders again whose wait for stock is over."""
    order_ids = await orders.lock_waiting(tx, now, ORDERS_MAX)
    if not order_ids:
        return ()
    before = await orders.lock_orders(tx, order_ids)
    return await _conclude(tx, before, Decision(tuple(before.values()), ()), now)


@schedule.every(2)
async def end_silence(tx: Transaction, now: datetime) -> Sequence[Event]:
    """Take offers back that no node accepted in time; silence about a cancellation refuses it."""
    order_ids = await orders.find_unanswered(tx, now, ORDERS_MAX)
    if not order_ids:
        return ()
    before = await orders.lock_orders(tx, order_ids)
    return await _conclude(tx, before, time_out(before.values(), now), now)


async def _conclude(
    tx: Transaction, before: Mapping[str, Order], decision: Decision, now: datetime
) -> Sequence[Event]:
    world = await reference.load_reference(tx)
    unplanned = [order for order in decision.orders if wants_plan(order)]
    outlook = await prospect.load_prospect(tx, unplanned, world, now)
    routed = route(decision, world, outlook, now)
    await changes.save_changes(tx, changes_of(before, routed.orders), routed.records)
    return routed.events
