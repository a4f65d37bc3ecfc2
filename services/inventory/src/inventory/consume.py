"""Topics in: what this service reacts to. Each handler reads load, decide, store.

A fact about a parcel follows its reservation, which this service itself has committed by then. Only
`OrderCancelled` may come before the plan that it voids: the order's fence takes care of that.
"""

from collections.abc import Sequence

from backbone import Batch, Consumer, Transaction, Unprocessable
from contracts.event import Event
from contracts.fulfilments import (
    OrderCancelled,
    ParcelPicked,
    ParcelRejected,
    ParcelReturned,
    ParcelShipped,
    ShipmentConflicted,
)
from contracts.plans import OrderRouted
from contracts.topics import ROUTING_FULFILMENTS, ROUTING_PLANS
from inventory import decide, store
from inventory.model import Fact

consumer = Consumer("inventory")


@consumer.on(ROUTING_PLANS, OrderRouted)
async def reserve_stock(batch: Batch[OrderRouted], tx: Transaction) -> Sequence[Event]:
    """Hold all parcels of each plan or none; say for each whether it is held or short."""
    _refuse_contradictions(batch.events)
    facts = [Fact(record.event, record.event_id) for record in batch.records]
    fences = await store.raise_fences(tx, decide.highest_attempts(decide.attempts_of(facts)))
    stock = await store.lock_stock(tx, decide.keys_to_reserve(facts))
    decision = decide.reserve(facts, stock, fences, batch.now)
    await store.save_stock(tx, decision, batch.now)
    await store.save_reservations(tx, decision.reservations, batch.now)
    return decision.events


@consumer.on(
    ROUTING_FULFILMENTS,
    ParcelRejected,
    ParcelPicked,
    ParcelShipped,
    ParcelReturned,
    OrderCancelled,
    ShipmentConflicted,
)
async def follow_parcels(batch: Batch[decide.FulfilmentEvent], tx: Transaction) -> Sequence[Event]:
    """Consume, give back, quarantine, correct or restock what parcels and orders did."""
    _refuse_contradictions(batch.events)
    facts = [Fact(record.event, record.event_id) for record in batch.records]
    voided = decide.voided_attempts(facts)
    await store.raise_fences(tx, decide.highest_attempts(voided))
    reservations = await store.lock_reservations(tx, decide.parcels_of(facts), voided)
    stock = await store.open_stock(tx, decide.keys_to_fulfil(facts, reservations))
    decision = decide.fulfil(facts, stock, reservations, batch.now)
    await store.save_stock(tx, decision, batch.now)
    await store.save_holdings(tx, decision.reservations)
    return decision.events


def _refuse_contradictions(events: Sequence[OrderRouted | decide.FulfilmentEvent]) -> None:
    for event in events:
        if contradiction := decide.contradiction(event):
            raise Unprocessable(contradiction)
