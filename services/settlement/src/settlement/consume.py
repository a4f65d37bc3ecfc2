"""Topics in: reference data, orders to divide, facts that earn money or give it back."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from backbone import Batch, Consumer, Transaction, Unprocessable
from contracts.entries import AgreementDefined, LegalEntityDefined, PartyDefined
from contracts.event import Event
from contracts.fulfilments import OrderCancelled, ParcelDelivered, ParcelReturned, ParcelShipped
from contracts.orders import OrderAccepted
from contracts.plans import OrderUnroutable
from contracts.topics import DIRECTORY_ENTRIES, INGEST_ORDERS, ROUTING_FULFILMENTS, ROUTING_PLANS
from settlement.decide.earn import Fact, OverdrawnError, book_facts
from settlement.decide.plan import plan_orders
from settlement.decide.split import PlanRefusedError
from settlement.store import ledger, orders, reference

# In the order in which handlers run on one batch: what others refer to comes first.
consumer = Consumer("settlement")

Entry: TypeAlias = LegalEntityDefined | PartyDefined | AgreementDefined


@consumer.on(DIRECTORY_ENTRIES, LegalEntityDefined, PartyDefined, AgreementDefined)
async def keep_entries(batch: Batch[Entry], tx: Transaction) -> Sequence[Event]:
    """Keep what orders are divided by."""
    entries = batch.events
    entities = [entry for entry in entries if isinstance(entry, LegalEntityDefined)]
    parties = [entry for entry in entries if isinstance(entry, PartyDefined)]
    agreements = [entry for entry in entries if isinstance(entry, AgreementDefined)]
    if entities:
        await reference.save_legal_entities(tx, entities)
    if parties:
        await reference.save_parties(tx, parties)
    if agreements:
        await reference.save_agreements(tx, agreements)
    return []


async def lacks_terms(batch: Batch[OrderAccepted], tx: Transaction) -> Mapping[int, str]:
    """Name what is not known yet of an order's agreement, its parties or their books."""
    _, lacking = await reference.load_terms(tx, _terms_keys(batch.events))
    return {
        index: lacking[order.agreement_id, order.agreement_version]
        for index, order in enumerate(batch.events)
        if (order.agreement_id, order.agreement_version) in lacking
    }


@consumer.on(INGEST_ORDERS, OrderAccepted, waits_for=lacks_terms)
async def plan_splits(batch: Batch[OrderAccepted], tx: Transaction) -> Sequence[Event]:
    """Divide what buyers paid by the agreements in force and post it as pending."""
    terms, _ = await reference.load_terms(tx, _terms_keys(batch.events))
    accepted = [(record.event_id, record.event) for record in batch.records]
    try:
        planned = plan_orders(accepted, terms, batch.now)
    except PlanRefusedError as error:
        raise Unprocessable(str(error)) from error
    await orders.save_plans(tx, planned.plans)
    await ledger.save_journals(tx, planned.journals, planned.accounts)
    return planned.events


async def lacks_plan(batch: Batch[Any], tx: Transaction) -> Mapping[int, str]:
    """Name the orders that are not planned yet."""
    order_ids = [event.order_id for event in batch.events]
    planned = await orders.find_planned(tx, set(order_ids))
    return {
        index: f"order:{order_id}"
        for index, order_id in enumerate(order_ids)
        if order_id not in planned
    }


@consumer.on(ROUTING_PLANS, OrderUnroutable, waits_for=lacks_plan)
async def reverse_unroutable(batch: Batch[OrderUnroutable], tx: Transaction) -> Sequence[Event]:
    """Give back the planned money of units that nobody can ship."""
    return await _book(batch, tx)


@consumer.on(
    ROUTING_FULFILMENTS,
    ParcelShipped,
    ParcelDelivered,
    ParcelReturned,
    OrderCancelled,
    waits_for=lacks_plan,
)
async def book_fulfilments(
    batch: Batch[ParcelShipped | ParcelDelivered | ParcelReturned | OrderCancelled],
    tx: Transaction,
) -> Sequence[Event]:
    """Earn what parcels earn, charge their freight, give back what was cancelled or returned."""
    return await _book(batch, tx)


async def _book(batch: Batch[Any], tx: Transaction) -> Sequence[Event]:
    facts = [Fact(record.event_id, record.event) for record in batch.records]
    states = await orders.lock_orders(tx, {fact.event.order_id for fact in facts})
    try:
        booked = book_facts(facts, states, batch.now)
    except OverdrawnError as error:
        raise Unprocessable(str(error)) from error
    await orders.move_lines(tx, booked.lines)
    await orders.save_parcel_lines(tx, booked.parcel_lines)
    await orders.move_shares(tx, booked.moves)
    await ledger.save_journals(tx, booked.journals, booked.accounts)
    return booked.events


def _terms_keys(accepted: Sequence[OrderAccepted]) -> set[tuple[str, int]]:
    return {(order.agreement_id, order.agreement_version) for order in accepted}
