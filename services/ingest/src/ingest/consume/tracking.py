"""Facts of all services: what happened to each order, and how far it has come."""

from collections.abc import Sequence
from typing import Any

from backbone import Batch, Transaction
from contracts import topics
from contracts.event import Event
from ingest.consume.binding import consumer
from ingest.decide.track import plan_keys, project
from ingest.store.track import lock_plans, save_projection


@consumer.on(topics.INGEST_ORDERS, *topics.INGEST_ORDERS.events)
async def track_requests(batch: Batch[Any], tx: Transaction) -> Sequence[Event]:
    """Enter our own published facts, now that they have an id."""
    return await _track(batch, tx)


@consumer.on(topics.QUOTA_HOLDS, *topics.QUOTA_HOLDS.events)
async def track_limits(batch: Batch[Any], tx: Transaction) -> Sequence[Event]:
    """Follow the wait for a limit; ask for the cancellation of what waited in vain."""
    return await _track(batch, tx)


@consumer.on(topics.ROUTING_PLANS, *topics.ROUTING_PLANS.events)
async def track_plans(batch: Batch[Any], tx: Transaction) -> Sequence[Event]:
    """Follow plans, and units that nobody can ship."""
    return await _track(batch, tx)


@consumer.on(topics.INVENTORY_RESERVATIONS, *topics.INVENTORY_RESERVATIONS.events)
async def track_reservations(batch: Batch[Any], tx: Transaction) -> Sequence[Event]:
    """Follow what stock answers to plans."""
    return await _track(batch, tx)


@consumer.on(topics.ROUTING_FULFILMENTS, *topics.ROUTING_FULFILMENTS.events)
async def track_fulfilments(batch: Batch[Any], tx: Transaction) -> Sequence[Event]:
    """Follow parcels and cancellations."""
    return await _track(batch, tx)


@consumer.on(topics.SETTLEMENT_POSTINGS, *topics.SETTLEMENT_POSTINGS.events)
async def track_postings(batch: Batch[Any], tx: Transaction) -> Sequence[Event]:
    """Enter what each party was promised, given and taken back."""
    return await _track(batch, tx)


async def _track(batch: Batch[Event], tx: Transaction) -> Sequence[Event]:
    facts = [(record.event_id, record.event) for record in batch.records]
    plans = await lock_plans(tx, plan_keys(batch.events))
    projection = project(facts, plans, batch.now)
    await save_projection(tx, projection, plans, batch.now)
    return projection.events
