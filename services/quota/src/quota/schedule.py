"""Time in: limits become valid, waits end."""

from collections.abc import Sequence
from datetime import datetime

from backbone import Schedule, Transaction
from contracts.event import Event
from quota import decide, store

schedule = Schedule()

ACCOUNTS_MAX = 200
ORDERS_MAX = 500


@schedule.every(1)
async def grant_waiting(tx: Transaction, now: datetime) -> Sequence[Event]:
    """Grant orders whose account has room by now; also the rest of a very long queue."""
    account_ids = await store.find_room(tx, now, ACCOUNTS_MAX)
    if not account_ids:
        return ()
    book = await store.load_book(tx, now, account_ids=account_ids)
    decision = decide.drain(book, now)
    await store.save(tx, decision, now)
    return decision.events


@schedule.every(5)
async def end_waits(tx: Transaction, now: datetime) -> Sequence[Event]:
    """Tell of orders that have waited until the end of their hold."""
    order_ids = await store.find_expired(tx, now, ORDERS_MAX)
    if not order_ids:
        return ()
    book = await store.load_book(tx, now, order_ids=order_ids)
    decision = decide.expire(book, order_ids, now)
    await store.save(tx, decision, now)
    return decision.events
