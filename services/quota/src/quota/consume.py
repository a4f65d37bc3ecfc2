"""Topics in: accepted orders and what becomes of them. Each handler reads load, decide, store."""

from collections.abc import Mapping, Sequence

from backbone import Batch, Consumer, Transaction
from contracts.event import Event
from contracts.fulfilments import OrderCancelled, ParcelReturned, ParcelShipped
from contracts.orders import OrderAccepted
from contracts.plans import OrderUnroutable
from contracts.topics import INGEST_ORDERS, ROUTING_FULFILMENTS, ROUTING_PLANS
from quota import decide, store

consumer = Consumer("quota")


async def lacks_account(batch: Batch[OrderAccepted], tx: Transaction) -> Mapping[int, str]:
    """Name the orders whose account is not opened yet, or is kept in another currency."""
    account_ids = {order.limit_account_id for order in batch.events if order.limit_account_id}
    currencies = await store.find_currencies(tx, account_ids) if account_ids else {}
    missing: dict[int, str] = {}
    for index, order in enumerate(batch.events):
        account_id = order.limit_account_id
        if account_id is None or currencies.get(account_id) == order.currency:
            continue
        is_known = account_id in currencies
        missing[index] = f"account:{account_id}" + (f"@{order.currency}" if is_known else "")
    return missing


async def lacks_hold(batch: Batch[decide.Fact], tx: Transaction) -> Mapping[int, str]:
    """Name the facts that came before their order, or before the grant that they follow from."""
    granted = await store.find_granted(tx, {fact.order_id for fact in batch.events})
    missing: dict[int, str] = {}
    for index, fact in enumerate(batch.events):
        if fact.order_id not in granted:
            missing[index] = f"order:{fact.order_id}"
        elif isinstance(fact, ParcelShipped | ParcelReturned) and not granted[fact.order_id]:
            missing[index] = f"grant:{fact.order_id}"
    return missing


@consumer.on(INGEST_ORDERS, OrderAccepted, waits_for=lacks_account)
async def hold_limit(batch: Batch[OrderAccepted], tx: Transaction) -> Sequence[Event]:
    """Hold what orders cost their dealers; say for each whether it is granted or waits."""
    book = await store.load_book(
        tx,
        batch.now,
        account_ids={order.limit_account_id for order in batch.events if order.limit_account_id},
        order_ids={order.order_id for order in batch.events},
    )
    decision = decide.hold(book, batch.events, batch.now)
    await store.save(tx, decision, batch.now)
    return decision.events


async def settle_holds(batch: Batch[decide.Fact], tx: Transaction) -> Sequence[Event]:
    """Capture what shipped, release what is given up, reverse what came back; grant who waited."""
    order_ids = {fact.order_id for fact in batch.events}
    book = await store.load_book(tx, batch.now, order_ids=order_ids)
    decision = decide.apply(book, batch.events, batch.now)
    await store.save(tx, decision, batch.now)
    return decision.events


consumer.on(
    ROUTING_FULFILMENTS, ParcelShipped, OrderCancelled, ParcelReturned, waits_for=lacks_hold
)(settle_holds)
consumer.on(ROUTING_PLANS, OrderUnroutable, waits_for=lacks_hold)(settle_holds)
