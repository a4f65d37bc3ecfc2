"""Time in: holds end, quarantine is looked at again, waiting too long raises an alarm."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from backbone import Schedule, Transaction
from contracts.event import Event
from ingest.decide.review import orders_in, review
from ingest.store import attention
from ingest.store.pool import lock_orders
from ingest.store.save import save
from ingest.store.terms import load_directory

schedule = Schedule()

ORDERS_MAX = 500
GAP_MAX = timedelta(minutes=15)
WAIT_MAX = timedelta(hours=24)
CLOCK_DIFFERENCE_MAX = timedelta(minutes=1)
KEY_LIFE = timedelta(days=35)


@schedule.every(1)
async def recheck_quarantine(tx: Transaction, now: datetime) -> Sequence[Event]:
    """Judge orders anew for which the directory has changed."""
    return await _review(tx, await attention.take_rechecks(tx, ORDERS_MAX), now)


@schedule.every(5)
async def end_holds(tx: Transaction, now: datetime) -> Sequence[Event]:
    """Let orders go whose hold is over."""
    return await _review(tx, await attention.find_ended_holds(tx, now, ORDERS_MAX), now)


@schedule.every(60)
async def raise_alarms(tx: Transaction, now: datetime) -> Sequence[Event]:
    """Raise alarms about what waits too long and about a wrong clock."""
    await attention.alarm_parked(tx, now, GAP_MAX, WAIT_MAX)
    await attention.alarm_clock(tx, now, CLOCK_DIFFERENCE_MAX)
    return []


@schedule.every(3600)
async def expire_keys(tx: Transaction, now: datetime) -> Sequence[Event]:
    """Forget idempotency keys that nobody repeats any more."""
    await attention.expire_keys(tx, now - KEY_LIFE)
    return []


async def _review(tx: Transaction, order_ids: Sequence[str], now: datetime) -> Sequence[Event]:
    if not order_ids:
        return []
    pool = await lock_orders(tx, order_ids)
    directory = await load_directory(tx, orders_in(pool))
    decision = review(pool, directory, now)
    await save(tx, decision, now)
    return decision.events
